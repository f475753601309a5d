"""Pictures that are a part of another one are found in whole scans, and what shows no others costs no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from moderator import Finding, Registry, Report, scan
from moderator.edits import EDITS
from moderator.edits.edit import Scene
from moderator.models import Kind, Polygon
from moderator.parts import are_parts
from moderator.policy import Policy, ReferenceSet

TILE = (0.3367, 0.3367, 0.6633, 0.6633)
"""Where seed 6 puts the picture in a collage of three by three."""


@pytest.fixture
def banned(tmp_path: Path, photographs: Path) -> dict[str, ReferenceSet]:
    (tmp_path / "banned").mkdir()
    shutil.copy(photographs / "astronaut.png", tmp_path / "banned")
    return {"prohibited": ReferenceSet(folder=tmp_path / "banned")}


@pytest.fixture
def collage(tmp_path: Path, photographs: Path) -> Path:
    """A folder with a collage of which one tile of nine is the middle of the astronaut."""
    others = [Image.open(photographs / name).convert("RGB") for name in ("chelsea.png", "coffee.png")]
    picture = Image.open(photographs / "astronaut.png").convert("RGB")
    (tmp_path / "uploads").mkdir()
    made = EDITS["collage-3x3"].change(picture, Scene(np.random.default_rng(6), others))
    made.save(tmp_path / "uploads" / "collage.jpg", quality=90)
    return tmp_path / "uploads"


def judged(policy: Policy, folder: Path, registry: Registry) -> Report:
    report = scan(policy, [str(folder)], registry=registry)
    assert report.faults == ()
    return report


def of_rule(report: Report, rule: str) -> list[Finding]:
    return [one for one in report.findings if one.rule == rule]


def box(region: Polygon) -> tuple[float, float, float, float]:
    across, down = zip(*region, strict=True)
    return min(across), min(down), max(across), max(down)


def test_a_tile_of_a_collage_is_blocked_and_shown(
    offline: Policy, collage: Path, banned: dict[str, ReferenceSet], registry: Registry
) -> None:
    report = judged(offline.model_copy(update={"reference_sets": banned}), collage, registry)
    (found,) = of_rule(report, "prohibited")
    assert found.kind is Kind.EDITED_COPY
    regions = {rung.signal: rung.region for rung in found.evidence if rung.region}
    assert regions.keys() == {"verified", "sscd"}
    for signal, least in (("verified", 0.7), ("sscd", 0.95)):
        left, top, right, bottom = box(regions[signal].image)
        assert min(left, top) > TILE[0] - 0.02
        assert max(right, bottom) < TILE[2] + 0.02
        assert (right - left) * (bottom - top) > least * (TILE[2] - TILE[0]) * (TILE[3] - TILE[1])


def test_an_allowed_tile_does_not_hide_a_banned_one(
    offline: Policy, collage: Path, photographs: Path, banned: dict[str, ReferenceSet], registry: Registry
) -> None:
    fine = collage.parent / "fine"
    fine.mkdir()
    shutil.copy(photographs / "coffee.png", fine)
    sets = {**banned, "fine": ReferenceSet(folder=fine, allow=True)}
    assert of_rule(judged(offline.model_copy(update={"reference_sets": sets}), collage, registry), "prohibited")


def test_a_picture_is_found_in_a_collage_that_was_scanned_before(
    tmp_path: Path, offline: Policy, collage: Path, photographs: Path, registry: Registry
) -> None:
    judged(offline, collage, registry)
    (tmp_path / "later").mkdir()
    shutil.copy(photographs / "astronaut.png", tmp_path / "later")
    (found,) = of_rule(judged(offline, tmp_path / "later", registry), "duplicates")
    assert {found.image.path, str(found.match)} >= {str(collage / "collage.jpg")}
    assert found.kind is Kind.EDITED_COPY


def test_a_photograph_has_one_vector(offline: Policy, photographs: Path, registry: Registry) -> None:
    judged(offline, photographs / "coffee.png", registry)
    assert views(offline, registry) == ["whole"]


def test_a_policy_may_embed_the_whole_alone(offline: Policy, collage: Path, registry: Registry) -> None:
    whole = {name: one.model_copy(update={"options": {"views": "whole"}}) for name, one in offline.embedders.items()}
    policy = offline.model_copy(update={"embedders": whole})
    judged(policy, collage, registry)
    assert views(policy, registry) == ["whole"]
    report = judged(offline, collage, registry)
    assert report.embedded == 1
    assert are_parts(views(offline, registry)).sum() >= 9


# Collages of pictures that are all asked for


@pytest.fixture
def distilled(offline: Policy) -> Policy:
    """The same policy with the smaller model, and without its empty set."""
    small = offline.embedders["sscd"].model_copy(update={"model": "sscd-distilled"})
    return offline.model_copy(update={"embedders": {"sscd": small}, "reference_sets": {}})


def tiled(folder: Path, shared_data: Path, tiles: int) -> Path:
    """Copies garments to a folder of their own, puts a collage of them beside it, and returns where that is."""
    (folder / "sources").mkdir()
    sheet = Image.new("RGB", (300 * tiles, 300 * tiles), "white")
    garments = sorted((shared_data / "clothing").glob("*.jpg"))[: 3 * tiles**2 : 3]
    for place, path in enumerate(garments):
        shutil.copy(path, folder / "sources")
        tile = ImageOps.fit(Image.open(path).convert("RGB"), (292, 292))
        sheet.paste(tile, (place % tiles * 300 + 4, place // tiles * 300 + 4))
    sheet.save(folder / "collage.jpg", quality=90)
    return folder / "collage.jpg"


def test_all_nine_pictures_of_a_collage_are_named_as_its_parts(
    tmp_path: Path, distilled: Policy, shared_data: Path, registry: Registry
) -> None:
    collage = tiled(tmp_path, shared_data, 3)
    shutil.move(collage, tmp_path / "sources")
    report = judged(distilled, tmp_path / "sources", registry)
    told = [one for one in of_rule(report, "duplicates") if one.kind is Kind.EDITED_COPY]
    names = {Path(side).name for one in told for side in (one.image.path, str(one.match))}
    assert names == {path.name for path in (tmp_path / "sources").iterdir()}
    assert len(names) == 10
    assert all(any(rung.region for rung in one.evidence) for one in told)


@pytest.mark.parametrize(("tiles", "threshold"), [(2, 0.6), (3, 0.95)], ids=["four", "nine below the threshold"])
def test_every_banned_picture_of_a_collage_is_named(
    tmp_path: Path, distilled: Policy, shared_data: Path, registry: Registry, tiles: int, threshold: float
) -> None:
    collage = tiled(tmp_path, shared_data, tiles)
    rules = [rule.model_copy(update={"threshold": threshold}) for rule in distilled.rules if rule.id == "prohibited"]
    sets = {"prohibited": ReferenceSet(folder=tmp_path / "sources")}
    report = judged(distilled.model_copy(update={"rules": rules, "reference_sets": sets}), collage, registry)
    found = of_rule(report, "prohibited")
    assert {one.kind for one in found} == {Kind.EDITED_COPY}
    assert len({str(one.match) for one in found}) == len(found) == tiles**2


def views(policy: Policy, registry: Registry) -> list[str]:
    (embedder,) = registry.make_embedders(policy).values()
    with registry.open_store(policy.store or "") as store:
        return [view for block in store.vectors(embedder.model, "images") for view in block.views]
