"""Every other command, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from moderator.errors import ModelError
from moderator.resources import ready_policies
from tests.cli.conftest import Run
from tests.scanning import POLICY, picture


def test_without_arguments_it_shows_its_commands(run: Run) -> None:
    assert "references" in run().out


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("scna",), "Did you mean 'scan'?"),
        (("references", "ad"), "Did you mean 'add'?"),
        (("scan", "--polcy", "ci"), "--policy"),
        (("scan", ".", "--format", "jsn"), "did you mean `json`?"),
        (("scan", ".", "--store", "sqlit:///file"), "did you mean `sqlite`?"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest_known_one(
    run: Run, policy_file: Path, words: tuple[str, ...], meant: str
) -> None:
    ran = run(*words)
    assert ran.code == 2
    assert meant in ran.err


def test_an_unknown_command_is_a_users_mistake(run: Run) -> None:
    ran = run("frobnicate")
    assert ran.code == 2
    assert "No such command" in ran.err


@pytest.mark.parametrize("group", ["", "decisions", "policy", "references", "db", "export", "models"])
def test_on_80_columns_what_a_command_does_is_not_cut_short(
    run: Run, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, commands = run(*filter(None, [group]), "--help").out.split("Commands:\n")
    assert len(commands.splitlines()) > 0
    assert "..." not in commands


def test_a_wrong_call_is_answered_with_whose_help_to_read(run: Run) -> None:
    assert "hint: `moderator references remove --help`" in run("references", "remove").err
    assert "hint: `moderator --help`" in run("frobnicate").err


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_shown(run: Run, arguments: list[str]) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out.split()[0]) == (0, "moderator")


# init and policy


def test_init_writes_a_policy_that_passes_its_check(run: Run) -> None:
    assert run("init").code == 0
    ran = run("policy", "check", "policy.yaml")
    assert ran.code == 0
    assert "policy.yaml is fine" in ran.out


def test_init_does_not_replace_a_policy_unless_forced(run: Run, policy_file: Path) -> None:
    before = policy_file.read_text()
    assert run("init").code == 2
    assert policy_file.read_text() == before
    assert run("init", "--force").code == 0
    assert policy_file.read_text() != before


@pytest.mark.parametrize("name", sorted(ready_policies()))
def test_every_ready_policy_can_be_written_and_checked(run: Run, name: str) -> None:
    assert run("init", "mine.yaml", "--from", name).code == 0
    assert run("policy", "check", "mine.yaml").code == 0
    assert run("policy", "check", name).code == 0


def test_init_from_an_unknown_policy_suggests_a_known_one(run: Run) -> None:
    ran = run("init", "--from", "offlin")
    assert ran.code == 2
    assert "did you mean `offline`?" in ran.err


def test_policy_check_refuses_texts_that_no_model_of_the_policy_reads(run: Run) -> None:
    Path("texts.yaml").write_text(
        "version: 1\nembedders: {sscd: {type: onnx, model: sscd}}\n"
        "reference_sets: {weapons: {prompts: [a photo of a rifle]}}\n"
        "rules: [{id: banned, detector: prohibited, threshold: 0.6, verdict: block}]\n"
    )
    ran = run("policy", "check", "texts.yaml")
    assert ran.code == 2
    assert "the reference set `weapons` has prompts, but no rule that asks it has a model that reads text" in ran.err


def test_policy_check_names_five_mistakes_at_once_with_their_lines(run: Run) -> None:
    Path("bad.yaml").write_text(
        "version: 1\nembedders:\n  sscd: {type: onnx, modell: sscd}\nrules:\n"
        "  - id: copies\n    detector: duplicate\n    threshold: 1.7\n    verdict: reject\n"
        "limits:\n  frames: 99\n"
    )
    ran = run("policy", "check", "bad.yaml")
    assert ran.code == 2
    assert "bad.yaml: 5 problems" in ran.err
    for line, words in ((3, "`model`"), (6, "`duplicates`"), (7, "1.7"), (8, "reject"), (10, "99")):
        assert any(f"line {line}," in one and words in one for one in ran.err.splitlines()), words


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        ("[{seller: us}]", "line 6, rules[0].options.keep[0].seller: must be a list, such as [us]"),
        ("path", "line 6, rules[0].options.keep: must be a list, such as [path]"),
        ("[pth]", "line 6, rules[0].options.keep: no criterion `pth`; known: "),
    ],
)
def test_policy_check_tells_a_wrong_keep_in_the_words_of_the_policy(run: Run, keep: str, told: str) -> None:
    rule = f"  - {{id: copies, detector: duplicates, threshold: 0.9, options: {{keep: {keep}}}}}\n"
    Path("wrong.yaml").write_text(f"version: 1\nembedders:\n  fake: {{type: fake, model: quarters}}\n\nrules:\n{rule}")
    ran = run("policy", "check", "wrong.yaml")
    assert ran.code == 2
    assert told in ran.err


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("sqlite://two.db", "three slashes"),
        ("sqlit:///a.db", "sqlite"),
        ("mysql://ann@db.example", "names no database"),
        ("mariadb://ann@db.example/shop?ssl=0", "unknown in the store's URL: ssl"),
    ],
)
def test_policy_check_refuses_a_store_that_no_scan_could_open(
    run: Run, policy_file: Path, store: str, told: str
) -> None:
    with policy_file.open("a") as stream:
        stream.write(f"store: {store}\n")
    ran = run("policy", "check", policy_file)
    assert ran.code == 2
    assert told in ran.err


def test_policy_check_asks_no_server_and_shows_no_password(run: Run, policy_file: Path) -> None:
    with policy_file.open("a") as stream:
        stream.write("store: mysql://ann:s3ntinel@db.invalid/shop?option_file=/nowhere/my.cnf\n")
    ran = run("policy", "check", policy_file)
    assert ran.code == 0
    assert "store: mysql://ann@db.invalid/shop?option_file=/nowhere/my.cnf" in ran.out
    assert "s3ntinel" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("verify: true", "verify: must be a section of keys with their values"),
        ("embedders: {sscd: onnx}", "embedders.sscd: must be a section of keys with their values"),
        ("rules: {copies: 1}", "rules: must be a list"),
    ],
)
def test_policy_check_tells_a_wrong_shape_in_plain_words(run: Run, line: str, told: str) -> None:
    Path("odd.yaml").write_text(f"version: 1\n{line}\n")
    assert told in run("policy", "check", "odd.yaml").err


def test_the_printed_schema_accepts_the_ready_policies_and_refuses_a_wrong_one(run: Run) -> None:
    import yaml

    schema = json.loads(run("policy", "schema").out)
    validator = jsonschema.Draft202012Validator(schema)
    for path in ready_policies().values():
        validator.validate(yaml.safe_load(path.read_text()))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"version": 1, "embedders": {}, "rules": []})


def test_every_key_of_the_schema_is_described(run: Run) -> None:
    schema = json.loads(run("policy", "schema").out)
    parts = [schema, *schema["$defs"].values()]
    missing = [
        name for part in parts for name, field in part.get("properties", {}).items() if not field.get("description")
    ]
    assert missing == []


# references


def test_references_are_added_listed_and_removed(run: Run, policy_file: Path, uploads: Path) -> None:
    assert "banned: 3 added, 0 already there" in run("references", "add", "banned", uploads).out
    assert "3 " in next(line for line in run("references", "list").out.splitlines() if "banned" in line)
    assert "first.png" not in run("references", "list", "banned").out
    assert "banned: 1 removed" in run("references", "remove", "banned", "1").out
    assert "banned: 2 removed" in run("references", "remove", "banned", "--all").out
    assert run("references", "list", "banned").code == 2


def test_names_are_labels_only_when_asked_for(run: Run, policy_file: Path, uploads: Path) -> None:
    run("references", "add", "banned", uploads, "--names")
    assert "first.png" in run("references", "list", "banned").out


def test_entries_that_are_there_already_are_labelled_too(run: Run, policy_file: Path, uploads: Path) -> None:
    run("references", "add", "banned", uploads)
    assert "0 added, 3 already there; labelled" in run("references", "add", "banned", uploads, "--names").out
    run("references", "add", "banned", uploads)  # which takes no label away
    labels = run("references", "list", "banned").out
    assert all(path.name in labels for path in uploads.iterdir())


def test_references_that_cannot_be_read_are_told_with_exit_code_5(run: Run, policy_file: Path) -> None:
    Path("torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = run("references", "add", "banned", "torn.png")
    assert ran.code == 5
    assert "not added: torn.png" in ran.out


def test_no_command_lets_control_characters_of_a_file_name_through(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    hostile = picture(uploads / "\x1b[31mred.png", ("black", "white", "black", "white"), size=48)
    torn = uploads / "\x1b[32mtorn.png"
    torn.write_bytes(b"\x89PNG\r\n\x1a\n")
    commands = (
        ("references", "add", "banned", "--names", hostile, torn),
        ("references", "list", "banned"),
        ("scan", uploads),
        ("search", uploads / "first.png"),
        ("decide", hostile, uploads / "first.png", "--match", "--reason", "seen"),
        ("decide", hostile, uploads / "\x1b[33mgone.png", "--match", "--reason", "seen"),
        ("export", "sql", uploads, "--output", "vectors.sql"),
    )
    for command in commands:
        ran = run(*command)
        assert "\x1b" not in ran.out + ran.err, command
        assert "\\x1b" in ran.out + ran.err, command


def test_a_set_to_which_nothing_is_added_is_a_users_mistake(run: Run, policy_file: Path) -> None:
    Path("evidence").mkdir()
    (Path("evidence") / "notes.txt").write_text("no picture")
    ran = run("references", "add", "banned", "evidence")
    assert (ran.code, ran.out) == (2, "")
    assert "no picture is in what was named: nothing was added" in ran.err


def test_a_set_that_the_policy_does_not_declare_is_said_to_count_as_prohibited(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    said = "does not declare this set, so its pictures count as prohibited"
    assert said in run("references", "add", "baned", uploads).out
    assert said not in run("references", "add", "banned", uploads).out


def test_removing_needs_entries_or_all(run: Run, policy_file: Path, uploads: Path) -> None:
    run("references", "add", "banned", uploads)
    assert run("references", "remove", "banned").code == 2
    assert run("references", "remove", "banned", "99").code == 2
    assert run("references", "remove", "banned", "1", "--all").code == 2
    assert "the set `baned` is empty or not there" in run("references", "remove", "baned", "--all").err


# search and compare


def test_search_shows_the_closest_stored_pictures_and_stores_nothing(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    run("scan", uploads)
    query = picture(Path("query.png"), ("#ee0000", "green", "blue", "white"))
    rows = json.loads(run("search", query, "--top", "2", "--json").out)
    assert {Path(row["path"]).name for row in rows} == {"first.png", "larger.png"}
    assert rows[0]["score"] >= rows[1]["score"] > 0.95
    assert "query.png" not in run("search", query).out


def test_search_by_text_uses_a_model_that_knows_text(run: Run, policy_file: Path) -> None:
    picture(Path("in/red.png"), ("red",) * 4)
    picture(Path("in/blue.png"), ("blue",) * 4)
    run("scan", "in")
    rows = json.loads(run("search", "--text", "red", "--json").out)
    assert [Path(row["path"]).name for row in rows] == ["red.png", "blue.png"]


def test_a_text_is_asked_of_the_first_model_that_reads_text_of_whatever_type(run: Run, uploads: Path) -> None:
    policy = POLICY.replace("embedders:\n", "embedders:\n  sscd: {type: onnx, model: sscd}\n")
    Path("policy.yaml").write_text(policy.replace("threshold:", "embedder: fake, threshold:"))
    run("scan", uploads)
    assert len(json.loads(run("search", "--text", "red", "--json").out)) == 3


def test_search_by_text_with_a_model_of_pictures_only_is_refused(run: Run) -> None:
    run("db", "init", "--policy", "offline")
    ran = run("search", "--text", "a shoe", "--policy", "offline")
    assert ran.code == 2
    assert "CLIP" in ran.err


def test_search_in_an_empty_store_says_so(run: Run, policy_file: Path, uploads: Path) -> None:
    run("db", "init")
    ran = run("search", uploads / "first.png")
    assert ran.code == 2
    assert "holds no picture" in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("search", "uploads/first.png"),
        ("references", "list"),
        ("references", "remove", "banned", "--all"),
        ("decisions", "list"),
        ("decisions", "withdraw", "banned#1", "banned#2"),
        ("db", "status"),
        ("db", "check"),
        ("db", "purge", "--gone"),
        ("calibrate", "uploads"),
    ],
)
def test_what_is_asked_of_a_mistyped_store_is_not_answered_by_a_new_one(
    run: Run, policy_file: Path, uploads: Path, command: tuple[str, ...]
) -> None:
    ran = run(*command, "--store", "sqlite:///mistyped.db")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no store at mistyped.db" in ran.err
    assert not Path("mistyped.db").exists()


@pytest.mark.parametrize("command", [("doctor",), ("calibrate", "uploads"), ("calibrate", "--decided")])
def test_what_only_asks_makes_no_store_before_the_first_scan(
    run: Run, policy_file: Path, uploads: Path, command: tuple[str, ...]
) -> None:
    ran = run(*command)
    assert ran.code in (0, 2)  # too few pictures, and no decision, to calibrate on
    assert "a bug" not in ran.err
    assert not Path("moderator.db").exists()


def test_doctor_says_where_the_first_scan_makes_the_store(run: Run, policy_file: Path) -> None:
    assert "ok      store: none yet at " in run("doctor").out


def test_search_needs_a_picture_or_a_text(run: Run, policy_file: Path) -> None:
    assert run("search").code == 2


def test_compare_shows_every_rung(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("compare", uploads / "first.png", uploads / "larger.png")
    assert ran.code == 0
    for words in ("bytes differ", "pixels differ", "asked by copies, banned", "edited copy"):
        assert words in ran.out


def test_compare_of_different_pictures_says_so(run: Run, policy_file: Path, uploads: Path) -> None:
    other = picture(Path("other.png"), ("black", "yellow", "black", "yellow"))
    document = json.loads(run("compare", uploads / "first.png", other, "--json").out)
    assert document["kind"] is None


def test_compare_goes_on_without_a_model_that_cannot_be_had(run: Run, uploads: Path) -> None:
    ran = run("compare", uploads / "first.png", uploads / "first.png", "--policy", "default")
    assert ran.code == 0
    assert "clip was not tried" in ran.out
    assert "Strongest that holds: copy." in ran.out


def test_compare_of_a_broken_picture_exits_with_5(run: Run, policy_file: Path, uploads: Path) -> None:
    Path("torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = run("compare", "torn.png", uploads / "first.png")
    assert ran.code == 5
    assert "torn.png" in ran.err


# models, plugins, doctor, demo


def test_models_list_tells_what_is_here(run: Run) -> None:
    ran = run("models", "list", "--policy", "catalog")
    assert "here: sscd@" in ran.out
    assert "not on this machine" in " ".join(ran.out.split())


def test_models_verify_embeds_with_the_real_weights(run: Run) -> None:
    ran = run("models", "verify", "--policy", "offline")
    assert ran.code == 0
    assert "embeds to 512 dimensions" in ran.out


def test_models_pull_leaves_what_is_here(run: Run) -> None:
    assert "already here" in run("models", "pull", "--policy", "offline").out


def test_models_pull_tells_why_it_cannot_download(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Path:
        raise ModelError("cannot download `sentence-transformers/clip-ViT-B-32`: no route", hint="hub")

    monkeypatch.setattr("moderator.embedders.clip.ClipEmbedder.pull", refused)
    ran = run("models", "pull", "--policy", "default")
    assert ran.code == 3
    assert "cannot download" in ran.err


def test_an_unknown_embedder_is_a_users_mistake(run: Run) -> None:
    assert run("models", "verify", "clap", "--policy", "catalog").code == 2


def test_plugins_lists_what_each_adds(run: Run) -> None:
    ran = run("plugins")
    assert ran.code == 0
    for name in ("duplicates", "prohibited", "lookalike", "clip", "onnx", "sqlite", "json", "terminal"):
        assert name in ran.out


def test_doctor_is_content_with_the_offline_policy(run: Run) -> None:
    run("db", "init", "--policy", "offline")
    ran = run("doctor", "--policy", "offline")
    assert ran.code == 0, ran.out
    assert "a worker decodes pictures" in ran.out
    assert "integrity ok" in " ".join(ran.out.split())  # where the line is broken depends on the path


def test_doctor_tells_what_the_default_policy_lacks(run: Run) -> None:
    ran = run("doctor", "--policy", "default", "--quiet")
    assert ran.code == 3
    assert "missing model clip" in ran.out


def test_an_embedder_that_no_rule_uses_may_lack_its_weights(run: Run, uploads: Path) -> None:
    lines = ready_policies()["catalog"].read_text().splitlines(keepends=True)
    rule = lines.index("  - id: lookalike-products\n")
    Path("policy.yaml").write_text("".join(lines[:rule]))  # as README says: clip stays declared
    assert run("doctor", "--quiet").out == "note    model clip: no rule uses it, so a scan does without it\n"
    for command in (("doctor",), ("models", "pull"), ("models", "verify"), ("scan", uploads)):
        ran = run(*command)
        assert (ran.code, "error" in ran.err) == (0, False), command


def test_the_demonstration_finds_all_that_it_says(run: Run) -> None:
    ran = run("demo")
    assert ran.code == 0
    assert "14 found = 13 judged + 1 rejected + 0 skipped   2 to block, 6 to review" in ran.out
    found = {"duplicates: 5 findings in 5", "prohibited: 2 findings in 2", "lookalikes: 1 finding in 1"}
    assert {line.removesuffix(" pictures").removesuffix(" picture") for line in ran.out.splitlines()} >= found
    lines = ran.out.splitlines()
    pair = next(number for number, line in enumerate(lines) if "motorcycle_left.jpg matches upload-08.jpg" in line)
    assert " alike: " in lines[pair + 1]
    assert "hubble" not in ran.out
