"""A policy that can be used is read; one that cannot is refused with every problem's place and a way to mend it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from moderator.contracts import Options
from moderator.document import MAX_BYTES
from moderator.errors import InputError, PolicyError, Problem
from moderator.models import Verdict
from moderator.policy import Limits, Policy, load_policy, parse_policy
from moderator.validation import Vocabulary

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "config").rglob("*.yaml"))

GOOD = """\
version: 1
embedders:
  clip: {type: clip}
  sscd: {type: onnx, model: sscd}
reference_sets:
  weapons: {folder: pictures/weapons}
rules:
  - id: copies
    detector: duplicates
    embedder: sscd
    threshold: 0.5
  - id: banned
    detector: prohibited
    embedder: clip
    threshold: 0.9
    sets: [weapons]
    verdict: block
"""


class Duplicates(Options):
    """Options of a detector."""

    group: Literal["linked", "complete"] = "linked"


VOCABULARY: Vocabulary = {
    "detector": {"duplicates": Duplicates, "prohibited": Options},
    "embedder": {"clip": Options, "onnx": None},
}


def parse(text: str, vocabulary: Vocabulary | None = None) -> Policy:
    return parse_policy(text.encode(), "policy.yaml", vocabulary)


def problems(text: str, vocabulary: Vocabulary | None = None) -> tuple[Problem, ...]:
    with pytest.raises(PolicyError) as refusal:
        parse(text, vocabulary)
    return refusal.value.problems


def only_problem(text: str, vocabulary: Vocabulary | None = None) -> Problem:
    (problem,) = problems(text, vocabulary)
    return problem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_policy_loads(path: Path) -> None:
    assert load_policy(path).rules


def test_a_good_policy_is_read_with_its_defaults() -> None:
    policy = parse(GOOD)
    assert [rule.verdict for rule in policy.rules] == [Verdict.REVIEW, Verdict.BLOCK]
    assert policy.limits == Limits()
    assert policy.fail_on is Verdict.BLOCK


def test_a_policy_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse(GOOD).version = 1  # type: ignore[misc]


def test_a_rule_that_names_no_embedder_takes_the_only_one() -> None:
    policy = parse(
        "version: 1\nembedders: {sscd: {}}\nrules: [{id: copies, detector: duplicates, threshold: 1}]\n"
    )
    assert policy.embedder_of(policy.rules[0]) == "sscd"


def test_five_mistakes_are_told_at_once_each_with_its_line() -> None:
    mistaken = (
        GOOD.replace("    threshold: 0.5", "    treshold: 0.5")
        .replace("threshold: 0.9", "threshold: 9")
        .replace("embedder: clip", "embedder: clop")
        .replace("[weapons]", "[weapon]")
        .replace("verdict: block", "verdict: ban")
    )
    found = problems(mistaken)
    told = {(problem.line, problem.place): problem for problem in found}
    assert set(told) == {
        (8, "rules[0].threshold"),
        (11, "rules[0].treshold"),
        (14, "rules[1].embedder"),
        (15, "rules[1].threshold"),
        (16, "rules[1].sets[0]"),
        (17, "rules[1].verdict"),
    }
    assert told[11, "rules[0].treshold"].hint == "did you mean `threshold`?"
    assert told[14, "rules[1].embedder"].hint == "did you mean `clip`?"
    assert told[16, "rules[1].sets[0]"].hint == "did you mean `weapons`?"


def test_the_message_names_the_file_and_counts_the_problems() -> None:
    with pytest.raises(PolicyError) as refusal:
        parse(GOOD.replace("version: 1", "version: 2"))
    assert str(refusal.value).splitlines()[0] == "policy.yaml: 1 problem"
    assert "line 1, version:" in str(refusal.value)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize(
    ("wrong", "place", "line", "meant"),
    [
        ("rulez: []", "rulez", 18, "rules"),
        ("limits: {megapixel: 3}", "limits.megapixel", 18, "megapixels"),
        ("fail_onn: block", "fail_onn", 18, "fail_on"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    wrong: str, place: str, line: int, meant: str
) -> None:
    problem = only_problem(GOOD + wrong + "\n")
    assert (problem.place, problem.line, problem.hint) == (place, line, f"did you mean `{meant}`?")


def test_an_unknown_key_near_no_known_one_is_told_what_is_known() -> None:
    problem = only_problem(GOOD + "limits: {xyzzy: 3}\n")
    assert problem.hint == "known here: file_mb, frames, megapixels, memory_mb, seconds"


def test_an_unknown_key_below_a_named_embedder_is_told_the_embedders_keys() -> None:
    problem = only_problem(GOOD.replace("type: onnx, model", "type: onnx, modle"))
    assert (problem.place, problem.hint) == ("embedders.sscd.modle", "did you mean `model`?")


def test_a_second_rule_with_one_id_is_refused_at_its_line() -> None:
    problem = only_problem(GOOD.replace("id: banned", "id: copies"))
    assert (problem.line, problem.place) == (12, "rules[1].id")
    assert "a second rule with the id `copies`" in problem.message


def test_a_rule_must_name_its_embedder_where_there_are_several() -> None:
    problem = only_problem(GOOD.replace("    embedder: sscd\n", ""))
    assert (problem.place, problem.line) == ("rules[0]", 8)
    assert "must name its `embedder`" in problem.message


def test_a_missing_key_is_told() -> None:
    problem = only_problem(GOOD.replace("    detector: duplicates\n", ""))
    assert problem.message == "the key `detector` is missing"


def test_an_unknown_detector_is_refused_where_the_plugins_are_known() -> None:
    misspelt = GOOD.replace("detector: duplicates", "detector: duplicate")
    assert parse(misspelt)
    problem = only_problem(misspelt, VOCABULARY)
    assert (problem.line, problem.hint) == (9, "did you mean `duplicates`?")


def test_an_unknown_embedder_type_is_refused_where_the_plugins_are_known() -> None:
    problem = only_problem(GOOD.replace("type: onnx", "type: onyx"), VOCABULARY)
    assert (problem.line, problem.place, problem.hint) == (4, "embedders.sscd.type", "did you mean `onnx`?")


def test_a_detectors_unknown_option_is_refused_at_its_line() -> None:
    text = GOOD.replace("threshold: 0.5\n", "threshold: 0.5\n    options:\n      grup: linked\n")
    problem = only_problem(text, VOCABULARY)
    assert (problem.line, problem.place) == (13, "rules[0].options.grup")
    assert problem.hint == "did you mean `group`?"


def test_a_detectors_wrong_option_value_is_refused_and_shown() -> None:
    text = GOOD.replace("threshold: 0.5\n", "threshold: 0.5\n    options: {group: loose}\n")
    problem = only_problem(text, VOCABULARY)
    assert (problem.line, problem.place) == (12, "rules[0].options.group")
    assert "'loose'" in problem.message


def test_a_detectors_right_option_is_taken() -> None:
    text = GOOD.replace("threshold: 0.5\n", "threshold: 0.5\n    options: {group: complete}\n")
    assert parse(text, VOCABULARY).rules[0].options == {"group": "complete"}


@pytest.mark.parametrize(
    "limit", ["file_mb: 51", "megapixels: 0", "frames: 17", "seconds: 21", "memory_mb: 2048", "seconds: .nan"]
)
def test_a_limit_may_be_lowered_but_not_raised(limit: str) -> None:
    assert only_problem(f"{GOOD}limits: {{{limit}}}\n").line == 18


@pytest.mark.parametrize("threshold", ["1.01", "-2", ".nan", ".inf", "high", "null"])
def test_a_threshold_that_is_no_cosine_is_refused(threshold: str) -> None:
    assert only_problem(GOOD.replace("0.5", threshold)).place == "rules[0].threshold"


@pytest.mark.parametrize("text", ["", "   \n", "# nothing but a comment\n", "---\n"])
def test_an_empty_document_is_refused(text: str) -> None:
    assert problems(text)


def test_an_empty_document_is_told_how_to_begin() -> None:
    problem = only_problem("# nothing\n")
    assert problem.message == "the document is empty"
    assert "moderator init" in problem.hint


@pytest.mark.parametrize("text", ["- a list\n", "a sentence\n", "42\n"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    assert only_problem(text)


@pytest.mark.parametrize(
    ("text", "line"), [("version: [1\nrules: }", 2), ("version: 1\n\tembedders: {}", 2), ("a: &x 1\nb: *y\n", 2)]
)
def test_text_that_is_no_yaml_is_refused_at_its_line(text: str, line: int) -> None:
    problem = only_problem(text)
    assert problem.message.startswith("not valid YAML")
    assert problem.line == line


@pytest.mark.parametrize("text", [b"version: \xff\xfe1", b"version: \x00 1", b"\xff\xfe\x00"])
def test_bytes_that_are_no_text_are_refused(text: bytes) -> None:
    with pytest.raises(PolicyError):
        parse_policy(text, "policy.yaml")


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['echo taken']",
        "!!python/name:os.system",
        "!!python/module:os",
        "!policy {a: 1}",
    ],
)
def test_a_tag_that_makes_python_objects_is_refused(value: str) -> None:
    problem = only_problem(f"version: 1\nstore: {value}\n")
    assert "could not determine a constructor" in problem.message
    assert problem.line == 2


@pytest.mark.parametrize("value", ["2024-99-99", "!!int nine", "!!float x", "!!timestamp soon"])
def test_a_value_that_yaml_itself_cannot_construct_is_refused(value: str) -> None:
    assert only_problem(f"version: 1\nstore: {value}\n").message.startswith("not valid YAML")


def test_a_key_that_stands_twice_is_refused_and_not_silently_dropped() -> None:
    problem = only_problem(GOOD + "rules:\n  - {id: other, detector: x, embedder: clip, threshold: 1}\n")
    assert (problem.line, problem.message) == (18, "a second key `rules` in one section")


def test_a_mapping_as_a_key_is_refused() -> None:
    assert only_problem("version: 1\n? {a: 1}\n: 2\n").line == 2


def billion_laughs() -> str:
    lines = ["version: 1", "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    return "\n".join(lines)


def merge_laughs() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}" for level in range(1, 12)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        billion_laughs(),
        merge_laughs(),
        "version: &me [*me, *me]\n",
        "&me\nversion: 1\nself: *me\n",
        "version: " + "[" * 400 + "]" * 400,
        "version: " + "[" * 100_000,
        "version: " + "{a: " * 5_000,
        "\n".join(" " * depth + "a:" for depth in range(900)),
        "version: 1\n" + "# padding\n" * (MAX_BYTES // 10 + 1),
        "version: [" + "1," * 60_000 + "]",
    ],
    ids=[
        "billion laughs", "merge keys", "recursive anchor", "recursive document", "deep list", "endless list",
        "endless mapping", "deep blocks", "oversize", "many nodes",
    ],
)  # fmt: skip
def test_a_yaml_bomb_is_refused_quickly(text: str) -> None:
    started = time.process_time()  # of this process alone: other work on the machine does not count
    assert only_problem(text)
    assert time.process_time() - started < 5


def test_a_deep_but_readable_document_is_refused_by_its_depth() -> None:
    assert "nested" in only_problem("version: " + "[" * 40 + "]" * 40).message


def test_an_alias_used_a_few_times_is_no_bomb() -> None:
    text = GOOD.replace("threshold: 0.5", "threshold: &least 0.5").replace("threshold: 0.9", "threshold: *least")
    assert [rule.threshold for rule in parse(text).rules] == [0.5, 0.5]


def test_relative_paths_are_anchored_at_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "model.onnx").touch()
    text = GOOD.replace("model: sscd", "model: model.onnx") + "store: sqlite:///kept/pictures.db\n"
    (home / "policy.yaml").write_text(text)
    monkeypatch.chdir(elsewhere)
    policy = load_policy(Path("../home/policy.yaml"))
    assert policy.reference_sets["weapons"].folder == home / "pictures/weapons"
    assert policy.embedders["sscd"].model == str(home / "model.onnx")
    assert policy.embedders["clip"].model == "clip-ViT-B-32"
    assert policy.store == f"sqlite:///{home}/kept/pictures.db"


def test_absolute_paths_are_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD.replace("pictures/weapons", "/srv/weapons") + "store: sqlite:////srv/pictures.db\n")
    policy = load_policy(path)
    assert policy.reference_sets["weapons"].folder == Path("/srv/weapons")
    assert policy.store == "sqlite:////srv/pictures.db"


def test_a_policy_that_cannot_be_read_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the policy") as refusal:
        load_policy(tmp_path / "absent.yaml")
    assert "moderator init" in refusal.value.hint
    assert refusal.value.exit_code == 2


def test_problems_stand_in_the_order_of_their_lines() -> None:
    lines = [problem.line for problem in problems(GOOD.replace("threshold: 0", "threshold: 7") + "zzz: 1\n")]
    assert lines == sorted(line for line in lines if line)
    assert len(lines) == 3
