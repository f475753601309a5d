"""`moderator export sql`, as a user types it, loaded by the real mysql client."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from moderator.vectors import cosine
from tests.cli.conftest import Run
from tests.engines import MYSQL
from tests.scanning import picture

HOSTILE = (b"it's.png", b'"); DROP TABLE image_embeddings; --.png', b"back\\slash.png", b"new\nline.png",
           "😀 ü.png".encode(), b"no utf-8 \xff.png")  # fmt: skip
IN_ORDER = "SELECT image_name, HEX(CAST(embedding AS BINARY)) FROM image_embeddings ORDER BY image_name"


def loaded(script: str) -> tuple[tuple[str, str], ...]:
    server = MYSQL.server()
    with server.database() as name:
        server.client(script, name)
        return server.execute(IN_ORDER, database=name)


def test_the_mysql_client_loads_what_was_exported(run: Run, policy_file: Path, uploads: Path) -> None:
    ran = run("export", "sql", uploads, "-o", "vectors.sql")
    assert ran.code == 0, ran.err
    assert "3 pictures in vectors.sql" in ran.err
    rows = loaded(Path("vectors.sql").read_text())
    assert [name for name, _ in rows] == [f"uploads/{name}.png" for name in ("alike", "first", "larger")]
    alike, first, larger = (np.frombuffer(bytes.fromhex(vector), "<f4") for _, vector in rows)
    assert cosine(first, larger) > 0.99 > cosine(first, alike)


def test_any_file_name_is_data_and_never_a_statement(run: Run, policy_file: Path) -> None:
    plain = picture(Path("pictures/plain.png")).read_bytes()
    for name in HOSTILE:
        Path("pictures", os.fsdecode(name)).write_bytes(plain)
    ran = run("export", "sql", "pictures")
    assert ran.code == 0, ran.err
    wanted = {name.decode("utf-8", "backslashreplace") for name in HOSTILE} | {"plain.png"}
    assert {name.removeprefix("pictures/") for name, _ in loaded(ran.out)} == wanted


def test_pictures_that_were_read_before_are_not_read_again(
    run: Run, policy_file: Path, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run("export", "sql", uploads)
    monkeypatch.setattr("moderator.runners.local.LocalRunner.read", lambda *_: 1 / 0)
    again = run("export", "sql", uploads)
    assert (again.code, again.out) == (0, first.out)


def test_a_picture_that_cannot_be_read_is_told_and_the_others_are_written(
    run: Run, policy_file: Path, uploads: Path
) -> None:
    (uploads / "torn.png").write_bytes((uploads / "first.png").read_bytes()[:60])
    ran = run("export", "sql", uploads, "-o", "vectors.sql")
    assert ran.code == 5
    assert "not written: uploads/torn.png" in ran.err
    assert len(loaded(Path("vectors.sql").read_text())) == 3


def test_a_file_that_cannot_be_written_is_told_before_a_model_is_loaded(run: Run, policy_file: Path) -> None:
    ran = run("export", "sql", "nowhere", "-o", "no/such/folder.sql")
    assert (ran.code, "no folder no/such" in ran.err) == (3, True)


@pytest.mark.parametrize(("option", "value"), [("--embedder", "fakke"), ("--dialect", "postgres")])
def test_an_unknown_word_is_a_users_mistake(run: Run, policy_file: Path, option: str, value: str) -> None:
    picture(Path("uploads/first.png"))
    assert run("export", "sql", "uploads", option, value).code == 2
