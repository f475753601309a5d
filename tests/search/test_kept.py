"""Pairs that are kept are those that were found, of what there still is, or none."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moderator.search import index, kept
from moderator.search.exact import Hits
from moderator.search.kept import Question

VERSION = "the first version"
ASKED = Question("model", "0.9", 100, lambda rows: f"{VERSION} of {rows}")
FOUND = Hits(np.array([1, 2]), np.array([2, 1]), np.array([0.5, 0.25], np.float32))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store whose index holds something of the model."""
    url = f"sqlite:///{tmp_path}/moderator.db"
    with index.locked(index.folder_of(url)):
        (index.folder_of(url) / f"{index.name_of('model')}.json").touch()
    return url


def read(url: str, asked: Question = ASKED) -> list[list[float]] | None:
    if (answer := kept.read(url, asked)) is None:
        return None
    return [part.tolist() for part in (answer.hits.contents, answer.hits.others, answer.hits.scores)]


def test_what_was_found_is_read_again_with_what_is_to_be_said_of_it(url: str) -> None:
    kept.write(url, ASKED, FOUND, "by clusters", b"of these rows")
    assert read(url) == [[1, 2], [2, 1], [0.5, 0.25]]
    answer = kept.read(url, ASKED)
    assert answer is not None
    assert (answer.rows, answer.told, answer.among) == (100, "by clusters", b"of these rows")


@pytest.mark.parametrize(("rows", "answered"), [(102, True), (103, False), (99, False)])
def test_of_a_few_more_rows_the_first_ones_pairs_are_known(url: str, rows: int, answered: bool) -> None:
    kept.write(url, ASKED, FOUND)
    answer = kept.read(url, replace(ASKED, rows=rows))
    assert (answer is not None and answer.rows == 100) == answered


@pytest.mark.parametrize(
    "asked",
    [
        replace(ASKED, version=lambda rows: f"the second version of {rows}"),
        replace(ASKED, how="0.8"),
        replace(ASKED, source="pdq"),
    ],
    ids=["of other rows", "at another threshold", "of another model"],
)
def test_another_question_has_no_answer(url: str, asked: Question) -> None:
    kept.write(url, ASKED, FOUND)
    assert read(url, asked) is None


def test_a_file_with_any_byte_changed_or_cut_off_is_not_read(url: str) -> None:
    kept.write(url, ASKED, FOUND)
    (path,) = index.folder_of(url).glob("*.pairs")
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for place in range(start, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert read(url) is None
        path.write_bytes(whole[:place])
        assert read(url) is None


def test_pairs_are_the_owners_alone_and_go_with_the_index(url: str) -> None:
    kept.write(url, ASKED, FOUND)
    (path,) = index.folder_of(url).glob("*.pairs")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    index.erase(url)
    assert read(url) is None


def test_where_the_index_was_removed_meanwhile_nothing_is_kept(url: str) -> None:
    index.erase(url)
    kept.write(url, ASKED, FOUND)
    assert read(url) is None
    assert not list(index.folder_of(url).glob("*.pairs"))


def test_too_many_pairs_are_not_kept(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 1)
    kept.write(url, ASKED, FOUND)
    assert read(url) is None
