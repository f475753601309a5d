"""Decodes one picture: the bytes that are hashed are the bytes that are decoded.

Runs inside a worker process (`moderator.intake.worker`), which `moderator.intake.pool` may kill at any time.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import PIL
from PIL import AvifImagePlugin, ExifTags, Image, ImageFile, ImageOps, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin

from moderator.errors import UnreadableImage
from moderator.fingerprint import Fingerprint
from moderator.intake import panels
from moderator.intake.hashes import pixels_digest
from moderator.intake.pdq import pdq
from moderator.intake.sniff import HEAD, JUDGED, named_as_picture, sniff
from moderator.models import Preprocessing
from moderator.parts import label_of
from moderator.wording import first_line

if TYPE_CHECKING:
    from moderator.policy import Limits

VERSION = 3
"""Raised when decoding changes what it yields, so that stored pictures are read again."""

ImageFile.LOAD_TRUNCATED_IMAGES = False
Image.MAX_IMAGE_PIXELS = None  # our own bound is checked before anything is loaded
REDUCING_GAP = 3.0
"""Pillow's `Image.resize`: from 3.0 on nearly the resampling of every pixel, in half the time. On 24 pictures of 9 to
12 megapixels the cosine to that was .9996 and more for SSCD distilled, .9949 for SSCD int8 (docs/benchmarks.md)."""
_PLUGINS = (AvifImagePlugin, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)
"""Imported so that Pillow knows them; the other formats it knows by itself."""
_STILL = frozenset({"JPEG", "MPO", "BMP"})


NOTHING = np.empty((0, 0, 3), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class View:
    """One view of a picture, prepared for every model: uint8 RGB `[height, width, 3]` each, without pixels for a model
    that asks for no such view."""

    label: str
    prepared: tuple[npt.NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture: its fingerprint, its views (none when rejected), and the file as it was opened."""

    fingerprint: Fingerprint
    views: tuple[View, ...]
    size: int
    mtime_ns: int


def intake_id(limits: Limits) -> str:
    """Names the limits and the decoder: pictures stored under another name are read again."""
    kind = asdict(_Intake(VERSION, PIL.__version__, limits.model_dump_json()))
    return hashlib.sha256(repr(kind).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Intake:
    version: int
    pillow: str
    limits: str


def decode(path: str, limits: Limits, preparations: Sequence[Preprocessing]) -> Decoded:
    """Opens, hashes and decodes the picture at `path`.

    A picture whose bytes could be read but not judged comes back with the state `rejected`, so that it is known by
    its hash. Raises: UnreadableImage when there are no bytes to know it by, or they are no picture.
    """
    data, size, mtime_ns, form = _read(path, limits)
    bare = Fingerprint(hashlib.sha256(data).digest(), size, form, 0, 0, 0)
    try:
        fingerprint, views = _judge(data, bare, limits, preparations)
    except UnreadableImage as refusal:
        fingerprint, views = replace(bare, state="rejected", code=refusal.code, reason=refusal.reason), ()
    return Decoded(fingerprint, views, size, mtime_ns)


def _read(path: str, limits: Limits) -> tuple[bytes, int, int, str]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UnreadableImage("unreadable", f"cannot be opened: {error.strerror}") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise UnreadableImage("not_regular", "became something else than a regular file")
    with open(handle, "rb") as stream:  # noqa: PTH123 - opened once, without following links
        try:
            head = stream.read(HEAD)
            form = sniff(head)
            if form is None and not named_as_picture(path):
                raise UnreadableImage("not_an_image", "its content is no picture")
            if not head:
                raise UnreadableImage("empty", "the file is empty")
            if status.st_size > limits.file_mb * 1e6:
                size = f"{status.st_size / 1e6:.1f} MB"
                raise UnreadableImage("file_too_large", f"{size}, above the limit of {limits.file_mb:g} MB")
            data = head + stream.read()
        except OSError as error:
            raise UnreadableImage("unreadable", f"cannot be read: {error.strerror}") from error
    return data, status.st_size, status.st_mtime_ns, form or "unknown"


def _judge(
    data: bytes, bare: Fingerprint, limits: Limits, preparations: Sequence[Preprocessing]
) -> tuple[Fingerprint, tuple[View, ...]]:
    form = bare.format
    if form == "unknown":
        raise UnreadableImage("unrecognised", "named as a picture, but its content is none that is known")
    if form not in JUDGED:
        raise UnreadableImage("unsupported_format", f"{form} is not decoded; convert it to PNG or JPEG")
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # before opening: Pillow warns of broken EXIF there
            Image.open(io.BytesIO(data), formats=(form,)) as opened,
        ):
            width, height = opened.size
            _bounded(width, height, limits)
            labelled = list(_views(opened, limits))
            frames = getattr(opened, "n_frames", 1)
            taken = _taken(opened)
    except UnreadableImage:
        raise
    except MemoryError as error:
        raise UnreadableImage("out_of_memory", f"needs more than {limits.memory_mb} MiB to decode") from error
    except Exception as error:
        words = re.sub(r"\s*<[^>]*>", "", first_line(error)[:200])  # Pillow names its buffer by address
        raise UnreadableImage("undecodable", f"cannot be decoded as {form}: {words}") from error
    upright = labelled[0][1]
    hashed, quality = pdq(upright)
    fingerprint = replace(
        bare,
        width=upright.width,
        height=upright.height,
        frames=frames,
        pixels=pixels_digest([picture for _, picture in labelled]),
        pdq=hashed,
        pdq_quality=quality,
        taken=taken,
    )
    views = (View(label, tuple(prepare(picture, wanted) for wanted in preparations)) for label, picture in labelled)
    return fingerprint, (*views, *_parts(upright, preparations))


def _parts(picture: Image.Image, preparations: Sequence[Preprocessing]) -> Iterator[View]:
    """Yields the parts of a picture that are views of their own for some of the models."""
    asked = {wanted.views: panels.parts(picture, wanted.views) for wanted in preparations}
    for box in dict.fromkeys(box for boxes in asked.values() for box in boxes):
        left, top, right, bottom = (round(side * length) for side, length in zip(box, picture.size * 2, strict=True))
        part = picture.crop((left, top, max(left + 1, right), max(top + 1, bottom)))
        prepared = (prepare(part, wanted) if box in asked[wanted.views] else NOTHING for wanted in preparations)
        yield View(label_of(box), tuple(prepared))


def _bounded(width: int, height: int, limits: Limits, frames: int = 1) -> None:
    pixels = width * height * frames / 1e6
    if pixels > limits.megapixels:
        what = f"{width} x {height}" + (f" x {frames} frames" if frames > 1 else "")
        limit = f"{limits.megapixels:g} megapixels"
        raise UnreadableImage("too_many_pixels", f"{what} is {pixels:.1f} megapixels, above {limit}")


def _views(opened: Image.Image, limits: Limits) -> Iterator[tuple[str, Image.Image]]:
    """Yields what a person may see: each sampled frame upright, on white, and on black where it is see-through."""
    total = 1 if opened.format in _STILL else getattr(opened, "n_frames", 1)
    sampled = sorted({round(step * (total - 1) / max(limits.frames - 1, 1)) for step in range(limits.frames)})
    if total == 1:
        sampled = [0]
    _bounded(*opened.size, limits, len(sampled))
    for index in sampled:
        if total > 1:
            opened.seek(index)
            _bounded(*opened.size, limits)
        opened.load()
        frame = _upright(opened)
        if total > 1 and frame is opened:
            frame = opened.copy()  # the next frame is drawn over this one
        label = "whole" if index == 0 else f"frame {index}"
        for ground, picture in _opaque(frame):
            yield (label if ground == "white" else f"{label}, on {ground}"), picture


def first_view(path: str | os.PathLike[str], limits: Limits, largest: int) -> Image.Image | None:
    """Returns what is judged of the first frame of a file, upright, RGB, on white where it is see-through, shrunk to
    `largest` pixels a side; None where it cannot be read. This process decodes it: for files that a worker has judged.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            picture = next(_views(opened, limits))[1].copy()
    except Exception:
        return None
    picture.thumbnail((largest, largest))
    return picture


def _upright(frame: Image.Image) -> Image.Image:
    """Applies the EXIF orientation; one that cannot be read turns nothing, as in every viewer. Where there is nothing
    to turn this is the frame itself: of a large picture a copy takes as long as half the decoding."""
    try:
        turned = frame.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(frame) if turned else frame
    except Exception:
        return frame


def _taken(opened: Image.Image) -> str:
    """Returns when the photograph was taken, by its EXIF; empty where that tells no moment. The tag's text is
    `YYYY:MM:DD HH:MM:SS` (Exif 3.0, section 4.6.6.6)."""
    try:
        told = opened.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal, "")
        return str(datetime.strptime(told.strip("\0 "), "%Y:%m:%d %H:%M:%S"))
    except Exception:
        return ""


def _opaque(frame: Image.Image) -> Iterator[tuple[str, Image.Image]]:
    if frame.has_transparency_data:
        see_through = frame.convert("RGBA")
        alpha = see_through.getchannel("A")
        if np.asarray(alpha).min() < 255:
            for ground in ("white", "black"):
                flat = Image.new("RGB", frame.size, ground)
                flat.paste(see_through, mask=alpha)
                yield ground, flat
            return
    yield "white", _rgb(frame)


def _rgb(frame: Image.Image) -> Image.Image:
    if frame.mode.startswith("I") or frame.mode == "F":
        # Pillow clips wide samples to 8 bits; scaling them keeps what a viewer shows.
        wide = np.asarray(frame, dtype=np.float64)
        if not np.isfinite(wide).all():
            raise UnreadableImage("undecodable", "holds samples that are no numbers")
        low, high = (0.0, 65535.0) if frame.mode.startswith("I;16") else (min(wide.min(), 0.0), wide.max())
        if frame.mode == "I" and 255 < high <= 65535:
            high = 65535.0
        scaled = (wide - low) * (255.0 / (high - low) if high > low else 0.0)
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    return frame if frame.mode == "RGB" else frame.convert("RGB")


def prepare(picture: Image.Image, wanted: Preprocessing) -> npt.NDArray[np.uint8]:
    """Returns the picture at a model's size, uint8 RGB `[height, width, 3]`; see `Preprocessing`.

    A picture of six times that size and more is first reduced by whole boxes of pixels to no less than three times it.
    """
    resample = Image.Resampling[wanted.resample.upper()]
    width, height = wanted.width, wanted.height
    if wanted.fit == "crop":
        # As CLIP's own image processor does it: the short side to size, then the middle.
        if picture.width * height <= picture.height * width:
            size = (width, picture.height * width // picture.width)
        else:
            size = (picture.width * height // picture.height, height)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        scaled = picture.resize(size, resample, reducing_gap=REDUCING_GAP)
        return np.asarray(scaled.crop((left, top, left + width, top + height)))
    if wanted.fit == "contain":
        scale = min(width / picture.width, height / picture.height, 1.0)
        width, height = (max(1, round(side * scale)) for side in picture.size)
    return np.asarray(picture.resize((width, height), resample, reducing_gap=REDUCING_GAP))
