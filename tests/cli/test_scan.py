"""`moderator scan`: exit codes, formats, outputs, sources."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Run, interrupted
from tests.scanning import picture

ROOT = Path(__file__).parents[2]


def test_it_reports_to_the_terminal_and_exits_with_0_below_fail_on(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads)
    assert ran.code == 0
    assert "copies: 1 finding in 1 picture" in ran.out
    assert "3 found = 3 judged + 0 rejected + 0 skipped" in ran.out


def test_it_exits_with_1_for_findings_at_fail_on(run: Run, policy_file: Path, uploads: Path) -> None:
    assert run("scan", uploads, "--fail-on", "review").code == 1


def test_it_exits_with_1_for_a_prohibited_picture(run: Run, policy_file: Path, uploads: Path) -> None:
    assert run("references", "add", "banned", uploads / "first.png").code == 0
    ran = run("scan", uploads / "larger.png")
    assert ran.code == 1
    assert "banned#1, banned pictures, high severity" in ran.out
    assert "first.png" not in ran.out.partition("banned:")[2].partition("alike:")[0]


def test_it_exits_with_2_for_a_source_that_is_not_there(run: Run, policy_file: Path) -> None:
    ran = run("scan", "nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert "error: no such file or folder: nowhere" in ran.err


def test_it_exits_with_3_and_names_the_way_out_when_weights_are_missing(run: Run, uploads: Path) -> None:
    ran = run("scan", uploads)
    assert ran.code == 3
    for words in ("clip-ViT-B-32", "hub", "moderator models pull", "--policy offline"):
        assert words in ran.err


def test_it_exits_with_3_before_reading_where_the_store_cannot_search_as_the_policy_says(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    policy_file.write_text(f"{policy_file.read_text()}search: {{approximate: true}}\n")
    ran = run("scan", uploads)
    assert (ran.code, ran.out) == (3, "")
    assert "has no vector index to ask" in ran.err
    assert "leave it out" in ran.err


def test_it_exits_with_4_for_a_bug_without_a_traceback(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator.scanning.walk", lambda *_, **__: 1 / 0)
    ran = run("scan", uploads)
    assert ran.code == 4
    assert "a bug in moderator: ZeroDivisionError" in ran.err
    assert "Traceback" not in ran.err


def test_it_exits_with_5_when_a_picture_could_not_be_judged(run: Run, policy_file: Path, uploads: Path) -> None:
    (uploads / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    ran = run("scan", uploads)
    assert ran.code == 5
    assert "Not judged: undecodable (1)" in ran.out


def test_it_exits_with_130_when_interrupted_and_says_that_nothing_is_lost(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator.scanning.walk", interrupted)
    ran = run("scan", uploads)
    assert ran.code == 130
    assert "what was finished is kept" in ran.err


def test_json_goes_to_standard_output_alone(run: Run, policy_file: Path, uploads: Path) -> None:
    document = json.loads(run("scan", uploads, "--format", "json").out)
    assert document["counts"]["found"] == 3
    assert document["policy"] == "policy.yaml"


def test_a_report_file_is_written_for_its_owner_only(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads, "--format", "json", "--output", "report.json")
    assert json.loads(Path("report.json").read_text())["schema_version"] == 1
    assert stat.S_IMODE(Path("report.json").stat().st_mode) == 0o600
    assert ran.out == ""
    assert "the report is in report.json" in ran.err
    assert not list(Path().glob(".report*"))


def test_an_output_that_cannot_be_written_is_refused_before_the_scan(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    ran = run("scan", uploads, "--output", "no/such/report.json")
    assert ran.code == 3
    assert "there is no folder no/such" in ran.err
    assert not Path("moderator.db").exists()


def test_a_report_is_written_into_a_pipe_and_does_not_replace_it(run: Run, policy_file: Path, uploads: Path) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert run("scan", uploads, "--format", "json", "--output", "pipe").code == 0
    assert json.loads(os.read(reader, 1 << 16))["counts"]["found"] == 3
    os.close(reader)
    assert Path("pipe").is_fifo()


@pytest.mark.parametrize("files", [(), ("notes.txt", "table.ods")], ids=["empty", "no picture in it"])
@pytest.mark.parametrize("output", [(), ("--output", "report.txt")], ids=["on the screen", "in a file"])
def test_a_folder_without_pictures_is_clean_and_said_to_hold_none(
    run: Run, policy_file: Path, files: tuple[str, ...], output: tuple[str, ...]
) -> None:
    Path("folder").mkdir()
    for name in files:
        (Path("folder") / name).write_text("no picture")
    ran = run("scan", "folder", *output)
    assert ran.code == 0
    assert "no picture is in what was named: nothing was judged" in ran.out + ran.err
    told = ran.out or Path("report.txt").read_text()
    assert "skipped   nothing judged" in told


def test_a_plugin_that_failed_is_told_beside_a_report_in_a_file(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderator_lookalike.detector.Lookalike.detect", lambda *_: 1 / 0)
    ran = run("scan", uploads, "--output", "report.txt")
    assert ran.code == 2
    assert "error: plugin lookalike" in ran.err
    assert "failed (rule alike): ZeroDivisionError" in ran.err


def test_what_was_not_judged_is_told_in_one_order_whether_read_or_remembered(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (uploads / name).write_bytes(b"" if name == "b.png" else b"\x89PNG\r\n\x1a\n")

    def rejected() -> list[str]:
        return [one["path"] for one in json.loads(run("scan", uploads, "--format", "json").out)["rejected"]]

    names = [str(uploads / name) for name in ("a.png", "b.png", "c.png")]
    assert (rejected(), rejected()) == (names, names)


def test_an_unknown_verdict_names_those_that_are_known(run: Run, policy_file: Path) -> None:
    ran = run("scan", ".", "--fail-on", "warn")
    assert ran.code == 2
    assert "'--fail-on': 'warn' is not one of 'allow', 'review', 'block'" in ran.err


def test_an_unknown_format_names_those_that_are_known(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads, "--format", "xml")
    assert ran.code == 2
    assert "json, terminal" in ran.err


@pytest.mark.parametrize("end", ["\n", "\0"], ids=["a line each", "NUL between them"])
def test_a_list_is_read_from_standard_input(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    listed = "".join(f"{uploads / name}{end}" for name in ("first.png", "larger.png")).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed)))
    assert "2 found = 2 judged" in run("scan", "-").out


def test_a_list_with_quoted_paths_is_refused_with_how_git_writes_them_as_they_are(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(Path("café.png"))
    git = ["git", "-c", "core.quotePath=true"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "café.png", "uploads"], check=True)
    quoted, plain = (
        subprocess.run([*git, "diff", "--cached", "--name-only", *option], check=True, capture_output=True).stdout
        for option in ([], ["-z"])
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(quoted)))
    ran = run("scan", "-")
    assert (ran.code, ran.out) == (2, "")
    assert "git diff -z" in ran.err
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(plain)))
    assert "4 found = 4 judged" in run("scan", "-").out


def test_the_readmes_list_of_what_a_branch_changes_is_read_in_a_subfolder_too(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    recipe = next(line.removesuffix(" |") for line in readme.splitlines() if line.startswith("git diff "))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet", "--initial-branch", "main"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "empty"], check=True)
    subprocess.run([*git, "add", "uploads"], check=True)
    monkeypatch.chdir(uploads)
    listed = subprocess.run(recipe, shell=True, check=True, capture_output=True).stdout
    assert listed
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed)))
    ran = run("scan", "-", "--policy", "../policy.yaml")
    assert "3 found = 3 judged" in ran.out


def test_a_list_of_paths_from_another_folder_is_told_from_where_they_are_taken(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(uploads)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"uploads/first.png\0uploads/larger.png\0")))
    ran = run("scan", "-", "--policy", "../policy.yaml")
    assert ran.code == 5
    assert "no file of the list is there: paths are taken from the current folder" in ran.out


@pytest.mark.parametrize("source", [".", "./", "./larger.png"])
def test_pictures_of_the_current_folder_are_named_alike_whether_scanned_or_stored(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.chdir(uploads)
    Path("first.png").rename("earlier.png")
    run("scan", "earlier.png", "--policy", "../policy.yaml")
    findings = json.loads(run("scan", source, "--format", "json", "--policy", "../policy.yaml").out)["findings"]
    told = {(one["image"], one["match"]["path"]) for one in findings if one["rule"] == "copies"}
    assert told == {("larger.png", "earlier.png")}


def test_a_stored_match_is_named_as_the_pictures_of_the_scan_are(run: Run, policy_file: Path, uploads: Path) -> None:
    def matches(source: Path) -> set[str]:
        findings = json.loads(run("scan", source, "--format", "json").out)["findings"]
        return {one["match"]["path"] for one in findings if one["rule"] == "copies"}

    run("scan", uploads)
    picture(Path("new/copy.png"), size=48)
    assert matches(Path("new")) == {"uploads/larger.png"}
    assert matches(Path("new").absolute()) == {str(Path("uploads/larger.png").absolute())}


def test_a_person_reads_words_and_a_program_codes(run: Run, policy_file: Path, uploads: Path) -> None:
    (uploads / "notes.txt").write_text("no picture")
    shown = run("scan", uploads).out
    assert "Skipped: not an image (1)" in shown
    assert "not_an_image" not in shown
    assert json.loads(run("scan", uploads, "--format", "json").out)["skipped"][0]["code"] == "not_an_image"


def test_a_link_that_is_named_is_rejected_and_one_met_in_a_folder_skipped(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    link = uploads / "link.png"
    link.symlink_to("first.png")
    ran = run("scan", link)
    assert ran.code == 5
    assert "1 found = 0 judged + 1 rejected + 0 skipped" in ran.out
    assert "0 rejected + 1 skipped" in run("scan", uploads).out


def test_a_policy_that_is_not_there_names_the_ready_ones(run: Run, uploads: Path) -> None:
    ran = run("scan", uploads, "--policy", "ic")
    assert ran.code == 2
    assert "no such policy: ic" in ran.err
    assert "default, catalog, ci, offline, trust-and-safety" in ran.err


def test_metadata_joins_the_pictures(run: Run, policy_file: Path, uploads: Path) -> None:
    Path("table.csv").write_text("path,sku\n" + "".join(f"{path},7\n" for path in uploads.iterdir()))
    assert "alike: 2 findings" in run("scan", uploads).out
    ran = run("scan", uploads, "--metadata", "table.csv")
    assert "alike: nothing found" in ran.out
    assert "metadata" not in ran.out


def test_metadata_of_an_earlier_scan_stays_until_a_table_says_something_else(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    Path("table.csv").write_text("path,sku\n" + "".join(f"{path},7\n" for path in uploads.iterdir()))
    assert "alike: nothing found" in run("scan", uploads, "--metadata", "table.csv").out
    Image.open(uploads / "alike.png").save(uploads / "alike.png", compress_level=1)  # read again, and known still
    assert "alike: nothing found" in run("scan", uploads).out
    Path("table.csv").write_text(f"path,sku\n{uploads / 'first.png'},7\n")
    assert "alike: 2 findings" in run("scan", uploads, "--metadata", "table.csv").out


def test_pictures_without_a_row_of_metadata_are_counted(run: Run, policy_file: Path, uploads: Path) -> None:
    Path("table.csv").write_text(f"path,sku\n{uploads / 'first.png'},7\n")
    assert "1 of 3 pictures in the table of metadata" in run("scan", uploads, "--metadata", "table.csv").out
    picture(Path("older.png"))
    Path("table.csv").write_text("path,sku\nolder.png,7\n")
    assert "none of 3 pictures in the table of metadata" in run("scan", uploads, "--metadata", "table.csv").out


def test_a_table_of_metadata_that_leads_to_no_file_is_refused_before_the_scan(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    (uploads / "table.csv").write_text(f"path,sku\n{uploads / 'first.png'},7\n")  # relative to another folder
    ran = run("scan", uploads, "--metadata", uploads / "table.csv")
    assert (ran.code, ran.out) == (2, "")
    assert "uploads/uploads/first.png" in ran.err
    assert "relative to its own folder" in ran.err
    (uploads / "table.csv").write_text("path,sku\n")
    assert "has no rows" in run("scan", uploads, "--metadata", uploads / "table.csv").err
    assert not Path("moderator.db").exists()


def test_the_store_stands_beside_the_policy_unless_another_is_named(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    run("scan", uploads)
    assert stat.S_IMODE(Path("moderator.db").stat().st_mode) == 0o600
    run("scan", uploads, "--store", "sqlite:///other.db")
    assert Path("other.db").exists()


def test_a_ready_policy_keeps_its_store_in_the_data_folder(run: Run, tmp_path: Path) -> None:
    assert f"store: sqlite:///{tmp_path}/data/moderator/moderator.db" in run("policy", "check", "offline").out


def test_an_unknown_store_scheme_names_those_that_are_known(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads, "--store", "redis://here")
    assert ran.code == 2
    assert "oceanbase, sqlite, tidb" in ran.err
    assert "for a file, write sqlite:///here.db" in run("scan", uploads, "--store", "here.db").err


def test_a_read_only_folder_for_the_store_is_told(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads, "--store", "sqlite:////proc/moderator.db")
    assert ran.code == 3
    assert "cannot open the store" in ran.err


def test_hostile_names_reach_the_terminal_without_their_control_characters(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    picture(uploads / "\x1b[31m[red]\u202egnp.png", size=48)
    ran = run("scan", uploads)
    assert "\x1b" not in ran.out
    assert "\\x1b[31m[red]\\u202egnp.png" in ran.out


def test_sscd_tells_real_edits_from_other_pictures(run: Run, photographs: Path) -> None:
    from PIL import Image, ImageOps

    edited = Path("edited")
    edited.mkdir()
    with Image.open(photographs / "coffee.png") as opened:
        ImageOps.mirror(opened.convert("RGB")).save(edited / "mirrored.jpg")
    with Image.open(photographs / "chelsea.png") as opened:
        opened.convert("RGB").crop((60, 40, 400, 270)).save(edited / "cropped.jpg")
    document = json.loads(run("scan", photographs, edited, "--policy", "offline", "--format", "json").out)
    pairs = {
        frozenset((Path(one["image"]).name, Path(one["match"]["path"]).name)): one["kind"]
        for one in document["findings"]
    }
    assert pairs == {
        frozenset({"mirrored.jpg", "coffee.png"}): "copy",
        frozenset({"cropped.jpg", "chelsea.png"}): "edited_copy",
    }


def test_a_real_clip_judges_pictures_and_is_not_loaded_for_a_second_scan(
    run: Run, tiny_clip: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = f"""
version: 1
embedders: {{clip: {{model: {tiny_clip}}}}}
rules: [{{id: copies, detector: duplicates, threshold: 0.999}}]
"""
    Path("clip.yaml").write_text(document)
    first = json.loads(run("scan", uploads, "--policy", "clip.yaml", "--format", "json").out)
    assert first["counts"]["embedded"] == 3
    monkeypatch.setattr("moderator.embedders.clip.ClipEmbedder.loaded", property(lambda _: 1 / 0))
    second = json.loads(run("scan", uploads, "--policy", "clip.yaml", "--format", "json").out)
    assert second["counts"] == {**first["counts"], "embedded": 0, "unchanged": 3}
    assert second["findings"] == first["findings"]


def test_what_clip_alone_finds_is_never_called_a_copy(run: Run, tiny_clip: Path, uploads: Path) -> None:
    Path("clip.yaml").write_text(
        f"version: 1\nembedders: {{clip: {{model: {tiny_clip}}}}}\n"
        "rules: [{id: copies, detector: duplicates, threshold: -1}]\n"
    )
    document = json.loads(run("scan", uploads, "--policy", "clip.yaml", "--format", "json").out)
    assert {one["kind"] for one in document["findings"]} == {"lookalike"}
    assert all("proves no copy" in one["reason"] for one in document["findings"])


def test_it_names_the_extra_where_ray_is_not_installed(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = run("scan", uploads, "--runner", "ray")
    assert ran.code == 3
    assert "Ray is not installed" in ran.err
    assert "moderator[ray]" in ran.err


def test_it_exits_with_3_at_once_where_no_cluster_answers(run: Run, policy_file: Path, uploads: Path) -> None:
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:none"):
        ran = run("scan", uploads, "--runner", "ray", "--address", address)
        assert ran.code == 3
        assert f"no Ray cluster can be used at {address}: " in ran.err
        assert "ray start --head" in ran.err


def test_it_refuses_the_address_of_a_cluster_for_a_local_scan(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("scan", uploads, "--address", "127.0.0.1:6379")
    assert ran.code == 2
    assert "add --runner ray" in ran.err
