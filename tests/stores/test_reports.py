"""The same policy and pictures give the same report, whatever engine keeps the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from moderator.edits import EDITS
from moderator.models import Report
from moderator.reports.json import document
from moderator.scanning import scan
from tests.engines import ENGINES
from tests.scanning import fake_policy, fake_registry, picture

POLICY = """
version: 1
embedders:
  fake: {type: fake, model: quarters}
reference_sets:
  banned: {label: banned pictures, folder: banned}
rules:
  - {id: copies, detector: duplicates, threshold: 0.97, verdict: review}
  - {id: banned, detector: prohibited, threshold: 0.97, verdict: block}
  - {id: alike, detector: lookalike, threshold: 0.6, verdict: review}
"""
NAMES = ("plain.png", "Plain.png", "plain.png ", "plain\t.png", "é.png", "e\u0301.png", "😀.png", "100%_'\"\\.png")
"""What an engine that compares names as people do would take for one, sort otherwise, or cut."""
SIDE = 160


@pytest.fixture
def folder(tmp_path: Path, photographs: Path) -> Path:
    """Photographs, copies that were edited or only named otherwise, pictures alike in colour, a film, and broken files;
    one photograph is banned."""
    uploads, banned = tmp_path / "uploads", tmp_path / "banned"
    uploads.mkdir()
    banned.mkdir()
    for path in sorted(photographs.iterdir()):
        with Image.open(path) as opened:
            small = opened.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        small.save(uploads / f"{path.stem}.png")
        for name in ("jpeg-30", "mirror", "crop-70"):
            EDITS[name].apply(small, 7).save(uploads / f"{path.stem} {name}.png")
    shutil.move(uploads / "chelsea.png", banned / "named-nowhere.png")
    same = picture(tmp_path / "same.png").read_bytes()
    for name in NAMES:
        (uploads / name).write_bytes(same)
    picture(uploads / "alike.png", ("red", "green", "blue", "grey"))
    frames = [Image.new("RGB", (48, 48), colour) for colour in ("red", "white", "blue")]
    frames[0].save(uploads / "film.gif", save_all=True, append_images=frames[1:])
    (uploads / "broken.png").write_bytes((uploads / "alike.png").read_bytes()[:60])
    (uploads / "notes.txt").write_text("no picture")
    (banned / "torn.png").write_bytes((uploads / "alike.png").read_bytes()[:60])
    return tmp_path


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty store of each engine."""
    with ExitStack() as databases:
        servers = {engine.name: engine.server() for engine in ENGINES}
        names = {name: databases.enter_context(server.database()) for name, server in servers.items()}
        yield {
            "sqlite": f"sqlite:///{tmp_path}/moderator.db",
            **{name: server.url(names[name]) for name, server in servers.items()},
        }


def judged(store: str, folder: Path) -> Report:
    document = POLICY.replace("folder: banned", f"folder: {folder}/banned")
    policy = fake_policy(folder, document).model_copy(update={"store": store})
    return scan(policy, [str(folder / "uploads")], registry=fake_registry())


def said(report: Report) -> Mapping[str, Any]:
    """The report, but for where and when it was made."""
    return {name: value for name, value in document(report).items() if name not in ("store", "started", "seconds")}


def test_every_engine_gives_the_report_that_sqlite_gives_of_new_pictures_and_of_changed_ones(
    urls: dict[str, str], folder: Path
) -> None:
    first = {engine: judged(store, folder) for engine, store in urls.items()}
    wanted = first["sqlite"]
    assert {finding.rule for finding in wanted.findings} == {"copies", "banned", "alike"}
    assert {Path(finding.image.path).name for finding in wanted.findings} >= set(NAMES[1:])
    assert (len(wanted.rejected), len(wanted.skipped), wanted.unread_references) == (1, 1, 1)
    for report in first.values():
        assert said(report) == said(wanted), report.store

    uploads = folder / "uploads"
    (uploads / "rocket.png").unlink()
    shutil.copyfile(uploads / "coffee.png", uploads / "late.png")
    picture(uploads / "alike.png", ("black", "black", "black", "yellow"))
    second = {engine: judged(store, folder) for engine, store in urls.items()}
    wanted = second["sqlite"]
    assert wanted.unchanged > wanted.embedded > 0
    assert any("forgotten" in note for note in wanted.notes)
    for report in second.values():
        assert said(report) == said(wanted), report.store
