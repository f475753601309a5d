"""Which picture of a group is kept: an ordered list of criteria from the policy, and why the first one won."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from moderator import CatalogueOptions, Image

Criterion = str | Mapping[str, Sequence[str]]
"""A name of `CRITERIA`, or one key (`format`, `folder`, a metadata column) with the values preferred, best first."""


def _place(image: Image) -> str:
    """Where a picture is, however it was named in this scan."""
    return image.file or image.path


CRITERIA: Mapping[str, tuple[Callable[[Image], object], Callable[[Image], str]]] = {
    "stored": (lambda one: one.since, lambda _: ""),
    "resolution": (lambda one: -one.width * one.height, lambda one: f"{one.width}x{one.height} pixels"),
    "size": (lambda one: -one.size, lambda one: f"{one.size:,} bytes"),
    "oldest": (lambda one: one.modified, lambda one: f"written {_date(one)}"),
    "newest": (lambda one: -one.modified, lambda one: f"written {_date(one)}"),
    "taken": (lambda one: one.taken or "never", lambda one: one.taken or "one without a date"),
    "path": (_place, lambda _: ""),
}
"""Each criterion by name: what sorts the better picture first, and what is said of a picture."""


OF_FILES = ("format", "folder")
"""Preferences that are no metadata columns."""
FORMATS = {
    **{name: name for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")},
    **{"JPG": "JPEG", "TIF": "TIFF"},
}
"""Formats as policies write them, in capitals, by the names that pictures have."""


def problem(criterion: Criterion) -> str:
    """Says what is wrong with a criterion of a policy; empty where nothing is."""
    if isinstance(criterion, str):
        known = f"known: {', '.join(CRITERIA)}, or a column with its values"
        return "" if criterion in CRITERIA else f"no criterion `{criterion}`; {known}"
    if len(criterion) != 1 or not all(criterion.values()):
        return "a preference is one key with its values, such as `seller: [ours]`"
    strange = next((one for one in criterion.get("format", ()) if one.upper() not in FORMATS), None)
    return f"no format `{strange}`; known: {', '.join(FORMATS)}" if strange else ""


def columns_of(keep: Sequence[Criterion]) -> Sequence[str]:
    """Returns the metadata columns that criteria ask for."""
    return [key for criterion in keep if not isinstance(criterion, str) for key in criterion if key not in OF_FILES]


def rank(image: Image, keep: Sequence[Criterion]) -> tuple[object, ...]:
    """Returns what sorts the picture to keep first; at last by path, so that there always is one."""
    return (*(_sorts(criterion, image) for criterion in keep), _place(image))


def why(kept: Image, other: Image, keep: Sequence[Criterion]) -> str:
    """Says by which criterion `kept` is kept rather than `other`."""
    for criterion in keep:
        if _sorts(criterion, kept) != _sorts(criterion, other):
            if criterion == "stored":
                return "as it was there first"
            name, says = _words(criterion)
            over = f"{says(kept)} over {says(other)}" if says(other) else says(kept)
            return f"by {name}" + (f", {over}" if over else "")
    return "by path"


def _sorts(criterion: Criterion, image: Image) -> object:
    if isinstance(criterion, str):
        return CRITERIA[criterion][0](image)
    ((key, preferred),) = criterion.items()
    return next((place for place, value in enumerate(preferred) if _has(image, key, value)), len(preferred))


def _has(image: Image, key: str, value: str) -> bool:
    if key == "format":
        return image.format == FORMATS[value.upper()]
    if key == "folder":  # a folder of this name, or these names in a row, anywhere above the file
        return f"/{value.strip('/')}/" in f"/{image.file or image.path}"
    return CatalogueOptions.known(image, key) == value.strip().casefold()


def _words(criterion: Criterion) -> tuple[str, Callable[[Image], str]]:
    if isinstance(criterion, str):
        return criterion, CRITERIA[criterion][1]
    ((key, preferred),) = criterion.items()
    if key == "format":
        return key, lambda image: image.format
    if key == "folder":
        return key, lambda image: next((value for value in preferred if _has(image, key, value)), "another")
    return key, lambda image: image.metadata.get(key) or "none"


def _date(image: Image) -> str:
    return datetime.fromtimestamp(image.modified / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
