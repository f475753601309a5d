"""A format is told by content and never by name."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from moderator.intake.sniff import HEAD, JUDGED, named_as_picture, sniff


def saved(form: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(stream, form)
    return stream.getvalue()[:HEAD]


@pytest.mark.parametrize("form", JUDGED)
def test_every_judged_format_is_recognised_as_pillow_writes_it(form: str) -> None:
    assert sniff(saved(form)) == form


def test_big_endian_and_big_tiff_are_tiff() -> None:
    assert {sniff(magic) for magic in (b"MM\x00*", b"II+\x00", b"MM\x00+")} == {"TIFF"}


@pytest.mark.parametrize(
    ("form", "name"), [("ICO", "ICO"), ("JPEG2000", "JPEG 2000"), ("PPM", "PNM"), ("DDS", "DDS"), ("PDF", "PDF")]
)
def test_other_pictures_are_recognised_so_that_they_are_refused_and_not_passed_over(form: str, name: str) -> None:
    assert sniff(saved(form)) == name
    assert name not in JUDGED


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00", "AVIF"),
        (b"\x00\x00\x00\x20ftypmif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x20ftypmsf1\x00\x00\x00\x00avis", "AVIF"),
        (b"\x00\x00\x00\x20ftypheic\x00\x00\x00\x00mif1", "HEIC"),
        (b"\x00\x00\x00\x20ftypmp42\x00\x00\x00\x00isom", None),
    ],
)
def test_avif_is_told_from_heic_and_film_by_its_brands(head: bytes, form: str | None) -> None:
    assert sniff(head) == form


@pytest.mark.parametrize("head", [b"", b"P", b"P9 ", b"Paris", b"hello", b"RIFF\x00\x00\x00\x00WAVE", b"\x89PNX"])
def test_what_is_no_picture_is_none(head: bytes) -> None:
    assert sniff(head) is None


@pytest.mark.parametrize("head", [b"<svg xmlns=''>", b"\n  <SVG>"])
def test_a_drawing_is_recognised(head: bytes) -> None:
    assert sniff(head) == "SVG"


@given(st.binary(max_size=HEAD))
def test_any_bytes_are_sniffed_without_an_error(head: bytes) -> None:
    assert sniff(head) is None or isinstance(sniff(head), str)


@given(st.sampled_from(JUDGED), st.binary(max_size=200))
def test_what_follows_the_head_changes_nothing(form: str, rest: bytes) -> None:
    assert sniff((saved(form) + rest)[:HEAD]) == form


@pytest.mark.parametrize(
    ("name", "promises"),
    [("a.JPG", True), ("b.tiff", True), ("c.heic", True), ("d.txt", False), ("jpg", False), ("e.png.txt", False)],
)
def test_a_name_promises_a_picture_by_its_ending(name: str, promises: bool) -> None:
    assert named_as_picture(name) is promises
