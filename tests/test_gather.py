"""Collections are made from packages: which pictures are kept, by what names, and which of them show one thing."""

from __future__ import annotations

import csv
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from benchmarks import gather
from benchmarks.packages import COLLECTIONS, Collection, Package
from PIL import Image


def drawn(seed: int, side: int = 200, kind: str = "JPEG") -> bytes:
    """A picture of coloured blocks."""
    blocks = np.random.default_rng(seed).integers(256, size=(8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST).save(stream, kind)
    return stream.getvalue()


def packed(folder: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(folder / "stamps-1.0.tgz", "w:gz") as archive:
        for name, content in files.items():
            told = tarfile.TarInfo(name)
            told.size = len(content)
            archive.addfile(told, io.BytesIO(content))
    return folder / "stamps-1.0.tgz"


@pytest.fixture
def stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package is this one."""
    files = {f"package/art/{number:02} a.jpg": drawn(number) for number in range(10)} | {
        "package/art/small.png": drawn(20, 100, "PNG"),
        "package/art/grey.png": gather.png(Image.new("RGB", (200, 200), "grey")),
        "package/art/note.jpg": b"no picture",
        "package/art/walk/1.pgm": drawn(21, kind="PPM"),
        "package/art/walk/2.pgm": drawn(22, kind="PPM"),
    }
    monkeypatch.setattr(gather, "downloaded", lambda package, folder: packed(folder, files))


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, collection: Collection) -> list[str]:
    monkeypatch.setitem(COLLECTIONS, "stamps", collection)
    gather.gather("stamps", folder)
    return sorted(path.name for path in (folder / "stamps").iterdir())


@pytest.mark.usefixtures("stamps")
def test_pictures_are_kept_evenly_spaced_but_for_those_left_out_too_small_or_too_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Package("npm @mail/stamps@1.0", ["package/art/*"], ["*/09*", "*/grey*"])
    names = made(tmp_path, monkeypatch, Collection([source], most=3))
    assert names == ["mail-stamps-00-a.jpeg", "mail-stamps-04-a.jpeg", "mail-stamps-08-a.jpeg"]
    assert (tmp_path / "stamps" / names[1]).read_bytes() == drawn(4)
    plain = Package("npm stamps@1.0", ["package/art/grey.png"])
    assert not made(tmp_path / "plain", monkeypatch, Collection([plain]))


@pytest.mark.usefixtures("stamps")
def test_frames_of_one_pattern_are_one_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Package("npm stamps@1.0", ["package/art/walk/*", "package/art/0*"])
    names = made(tmp_path, monkeypatch, Collection([source], frames=2))
    with (tmp_path / "stamps" / "products.csv").open(newline="", encoding="utf-8") as table:
        items = {row["file"]: row["product_id"] for row in csv.DictReader(table)}
    first, last, *frames = sorted(items)
    assert (first, last, *frames) == (
        "stamps-00-a.jpeg", "stamps-09-a.jpeg", "stamps-walk-1.png", "stamps-walk-2.png"
    )  # fmt: skip
    assert names == ["products.csv", first, last, *frames]
    assert items[first] == items[last] != items[frames[0]] == items[frames[1]]


@pytest.mark.usefixtures("stamps")
def test_a_pattern_that_matches_no_picture_is_an_error_and_leaves_no_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"stamps@1.0 has no picture package/art/note"):
        made(tmp_path, monkeypatch, Collection([Package("npm stamps@1.0", ["package/art/note.*"])]))
    assert not (tmp_path / "stamps").exists()


def test_a_collection_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "landscapes").mkdir()
    gather.gather("landscapes", tmp_path)  # would download
    assert not list((tmp_path / "landscapes").iterdir())


def test_what_qt_resources_hold_is_read() -> None:
    names = b"".join(struct.pack(">HI", len(one), 0) + one.encode("utf-16-be") for one in ("art", "a.png"))
    content = struct.pack(">I", 3) + b"abc"
    nodes = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", 0, 2, 1, 2, 0)
    nodes += struct.pack(">IHIIQ", 12, 0, 0, 0, 0)
    at = 20
    header = b"qres" + struct.pack(">4I", 2, at, at + len(nodes), at + len(nodes) + len(content))
    assert list(gather.resources(header + nodes + content + names)) == [("/art/a.png", b"abc")]
