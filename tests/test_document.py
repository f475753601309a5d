"""Numbers replaced in a document: every other byte stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderator.document import added, read_document, replaced
from moderator.errors import PolicyError

PLACE = ("rules", 1, "threshold")
COMMENTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20).map(lambda text: f"# {text}")


@given(st.lists(COMMENTS, min_size=6, max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(0, 1000))
def test_comments_spaces_and_line_ends_survive_byte_for_byte(
    comments: list[str], end: str, mark: bool, thousandths: int
) -> None:
    lines = [
        comments[0], "version: 1   " + comments[1], "rules:", "  - {id: a, threshold: 0.6}  " + comments[2], "",
        "  - id: b", "    " + comments[3], "    threshold:   0.60   " + comments[4], comments[5],
    ]  # fmt: skip
    text = (b"\xef\xbb\xbf" if mark else b"") + end.join(lines).encode()
    number = thousandths / 1000
    made = replaced(text, "test", {PLACE: number})
    before, after = text.split(b"threshold:   0.60   ")
    assert made == before + f"threshold:   {number:g}   ".encode() + after
    assert read_document(made, "test")[0]["rules"][1]["threshold"] == number


@pytest.mark.parametrize(
    "text",
    [
        "rules: [{threshold: &t 0.6}, {threshold: *t}]",
        "rules: [&r {threshold: 0.6}, {<<: *r}]",
        "rules: [&r {threshold: 0.6}, *r]",
    ],
)
def test_a_number_that_another_place_shares_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match="shares this number"):
        replaced(text.encode(), "test", {PLACE: 0.7})


@pytest.mark.parametrize("text", ["rules: []", "rules: [{}, {}]", "rules: [{}, {threshold: high}]", "rules: 3"])
def test_a_place_without_a_number_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match=r"rules\[1\].threshold: there is no number"):
        replaced(text.encode(), "test", {PLACE: 0.7})


def test_without_changes_a_document_is_what_it_was() -> None:
    text = b"a: 1 # one\r\n"
    assert replaced(text, "test", {}) == text


# A number that a section leaves to its default

ASKED = ("verify", "probability")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a: 1\nverify: {}  # ours\n", "a: 1\nverify: {probability: 0.95}  # ours\n"),
        ("verify: {least: 0.3}\n", "verify: {probability: 0.95, least: 0.3}\n"),
        ("verify:\n  # why\n  least: 0.3\n", "verify:\n  # why\n  probability: 0.95\n  least: 0.3\n"),
        ("verify:\r\n  least: 0.3\r\n", "verify:\r\n  probability: 0.95\r\n  least: 0.3\r\n"),
    ],
)
def test_a_number_is_put_into_its_section_and_every_other_byte_stays(text: str, made: str) -> None:
    assert added(text.encode(), "test", ASKED, 0.95).decode() == made


@pytest.mark.parametrize(
    ("text", "says"), [("a: 1", "no section here"), ("a: {b: &v {least: 1}}\nverify: *v\n", "shares this section")]
)
def test_a_number_without_a_section_of_its_own_is_refused(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        added(text.encode(), "test", ASKED, 0.95)
