"""Tells a picture's format from its first bytes, whatever its name says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 64
"""How many bytes `sniff` needs."""

JUDGED = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""Formats that are decoded, by Pillow's names."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    # Pictures that are recognised and refused, so that they are never mistaken for "no picture".
    (0, b"8BPS", "PSD"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"\x00\x00\x02\x00", "CUR"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"%!PS", "EPS"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"icns", "ICNS"),
    (0, b"DDS ", "DDS"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\x01\xda", "SGI"),
    (0, b"qoif", "QOI"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (0, b"gimp xcf", "XCF"),
    (0, b"/* XPM */", "XPM"),
    (0, b"\x59\xa6\x6a\x95", "Sun raster"),
    (40, b" EMF", "EMF"),
    (0, b"\x8aMNG", "MNG"),
)
_PORTABLE = frozenset(b"1234567")
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC"}
_NAMES = frozenset(
    [
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff",
        ".avif", ".avifs", ".heic", ".heif", ".jp2", ".j2k", ".jxl", ".ico", ".cur", ".psd", ".tga", ".ppm",
        ".pgm", ".pbm", ".pnm", ".pcx", ".sgi", ".rgb", ".eps", ".dds", ".icns", ".svg", ".xbm", ".xpm",
        ".qoi", ".fits",
    ]
)


def sniff(head: bytes) -> str | None:
    """Returns the format that `head` (the first `HEAD` bytes of a file) begins, or None for no picture."""
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[start : start + 4] for start in range(16, len(head) - 3, 4))]
        named = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
        return "AVIF" if "AVIF" in named else next(iter(named), None)
    if head[:1] == b"P" and head[1:2] and head[1] in _PORTABLE and head[2:3].isspace():
        return "PNM"
    lowered = head.lstrip().lower()
    return "SVG" if lowered.startswith(b"<svg") else None


def format_of(path: Path) -> str | None:
    """Returns the format that a file begins, as `sniff` does. Raises: OSError."""
    with path.open("rb") as stream:
        return sniff(stream.read(HEAD))


def named_as_picture(path: str) -> bool:
    """Whether a file's name promises a picture: one that is none is then rejected, not skipped."""
    return any(path.lower().endswith(suffix) for suffix in _NAMES)
