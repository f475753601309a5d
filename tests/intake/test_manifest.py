"""A manifest gives paths with metadata; one that cannot be used is refused by file and line."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moderator.errors import ArgumentError
from moderator.intake.manifest import PATH_COLUMNS, Row, read_manifest

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n")
TEXT = st.text(CHARACTERS, min_size=1, max_size=20)
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_gives_paths_relative_to_itself_and_its_other_columns(tmp_path: Path) -> None:
    manifest = write(tmp_path, "list.csv", "sku,path,colour\nA-7,a/1.png,red\n")
    assert read_manifest(manifest) == [Row(str(tmp_path / "a/1.png"), {"sku": "A-7", "colour": "red"})]


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson", ".JSONL"])
def test_json_lines_give_the_same_and_blank_lines_are_passed_over(tmp_path: Path, ending: str) -> None:
    manifest = write(tmp_path, f"list{ending}", '{"file": "1.png", "price": 3, "note": null}\n\n{"file": "2.png"}\n')
    assert read_manifest(manifest) == [
        Row(str(tmp_path / "1.png"), {"price": "3"}),
        Row(str(tmp_path / "2.png"), {}),
    ]


def test_two_rows_that_say_other_things_of_one_picture_are_refused(tmp_path: Path) -> None:
    manifest = write(tmp_path, "l.csv", "path,sku\na.png,1\nb.png,2\n./a.png,3\n")
    with pytest.raises(ArgumentError, match=r"line 4: .*a\.png is in line 2 too, with other columns"):
        read_manifest(manifest)


def test_a_picture_may_be_named_twice_alike(tmp_path: Path) -> None:
    assert len(read_manifest(write(tmp_path, "l.csv", "path,sku\na.png,1\na.png,1\n"))) == 2


def test_an_absolute_path_is_left_as_it_is(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, "l.csv", "path\n/srv/1.png\n"))[0].path == "/srv/1.png"


@pytest.mark.parametrize("column", PATH_COLUMNS)
def test_each_usual_name_of_the_path_column_is_known(tmp_path: Path, column: str) -> None:
    assert read_manifest(write(tmp_path, "l.csv", f"{column}\n1.png\n"))[0].path == str(tmp_path / "1.png")


def test_a_second_path_column_is_metadata(tmp_path: Path) -> None:
    (row,) = read_manifest(write(tmp_path, "l.csv", "image,path\nI,P\n"))
    assert row == Row(str(tmp_path / "P"), {"image": "I"})


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, "l.csv", b"\xef\xbb\xbfpath\r\n1.png\r\n"))[0].path.endswith("1.png")


def test_a_quoted_path_may_hold_commas_and_newlines(tmp_path: Path) -> None:
    (row,) = read_manifest(write(tmp_path, "l.csv", 'path\n"a,b\nc.png"\n'))
    assert row.path == str(tmp_path / "a,b\nc.png")


def test_a_header_alone_gives_no_rows(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, "l.csv", "path\n")) == []


def test_a_manifest_without_a_path_column_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="line 2: no path column") as refusal:
        read_manifest(write(tmp_path, "l.csv", "sku\nA\n"))
    assert all(column in refusal.value.hint for column in PATH_COLUMNS)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("l.csv", "path\n1.png\n\"\"\n", "line 3: the path is empty"),
        ("l.csv", "sku,path\nA\n", "line 2: the path is empty"),
        ("l.csv", "path,note\n1.png,red, blue\n", "line 2: more fields than the header names"),
        ("l.jsonl", '{"path": "1.png"}\n{"path": 7}\n', "line 2: the path is empty"),
        ("l.jsonl", '["1.png"]\n', "line 1: no path column"),
        ("l.jsonl", '{"path": \n', "cannot read the manifest"),
        ("l.csv", 'path\n"never closed\n', "cannot read the manifest"),
        ("l.csv", b"path\n\xff\xfe.png\n", "cannot read the manifest"),
        ("l.jsonl", "[" * 200_000, "cannot read the manifest"),
        ("l.csv", "path\n" + "a" * 200_000, "cannot read the manifest"),
    ],
    ids=[
        *("empty", "short row", "long row", "number", "list", "torn json", "open quote", "no utf-8", "deep json"),
        "huge field",
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, name: str, text: str | bytes, told: str
) -> None:
    with pytest.raises(ArgumentError, match=told) as refusal:
        read_manifest(write(tmp_path, name, text))
    assert name in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_manifest_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="cannot read the manifest"):
        read_manifest(tmp_path / "absent.csv")


@SAME_FOLDER
@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=5, unique_by=lambda row: os.path.normpath(row[0])))
def test_what_a_csv_writer_wrote_is_read_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    manifest = tmp_path / "list.csv"
    with manifest.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "note"), *rows])
    expected = [Row(str(tmp_path / path), {"note": note}) for path, note in rows]
    assert read_manifest(manifest) == expected


@SAME_FOLDER
@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=5, unique_by=lambda row: os.path.normpath(row[0])))
def test_what_a_json_writer_wrote_is_read_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_text("\n".join(json.dumps({"path": path, "note": note}) for path, note in rows))
    assert read_manifest(manifest) == [Row(str(tmp_path / path), {"note": note}) for path, note in rows]
