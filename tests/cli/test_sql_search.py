"""Searching, and what is printed for people who work in SQL, with a store on a real MySQL server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.engines import MARIADB, MYSQL, Server
from tests.engines.fixtures import mysql_url

__all__ = ["mysql_url"]


@pytest.fixture
def server() -> Server:
    return MYSQL.server()


@pytest.fixture
def scanned(run: Run, policy_file: Path, uploads: Path, mysql_url: str) -> Iterator[str]:
    """The URL of a store that holds the pictures in `uploads`."""
    assert run("scan", uploads, "--store", mysql_url).code in (0, 1)
    yield mysql_url


def database(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def test_a_search_by_bit_planes_finds_what_a_search_in_process_finds(run: Run, scanned: str, uploads: Path) -> None:
    assert run("scan", uploads).code in (0, 1)
    by_planes = run("search", uploads / "first.png", "--store", scanned, "--json")
    in_process = run("search", uploads / "first.png", "--json")
    assert by_planes.code == 0, by_planes.err
    assert json.loads(by_planes.out) == json.loads(in_process.out)


def test_the_printed_statement_runs_as_it_is_in_the_mysql_client(
    run: Run, scanned: str, uploads: Path, server: Server
) -> None:
    printed = run("search", uploads / "first.png", "--store", scanned, "--top", "2", "--show-sql")
    assert printed.code == 0, printed.err
    _, *lines = server.client(printed.out, database(scanned)).splitlines()
    found = json.loads(run("search", uploads / "first.png", "--store", scanned, "--top", "2", "--json").out)
    assert [line.split("\t")[0] for line in lines] == [one["path"] for one in found]
    assert [float(line.split("\t")[1]) for line in lines] == pytest.approx([one["score"] for one in found], abs=2e-6)


def test_a_store_without_a_server_has_no_statement_to_print(run: Run, policy_file: Path, uploads: Path) -> None:
    run("scan", uploads)
    ran = run("search", uploads / "first.png", "--show-sql")
    assert (ran.code, "cannot be searched by SQL" in ran.err) == (2, True)


def test_a_text_is_not_printed_as_a_statement(run: Run, policy_file: Path) -> None:
    assert run("search", "--text", "red", "--show-sql").code == 2


def test_functions_are_installed_for_the_shell(run: Run, scanned: str, server: Server) -> None:
    ran = run("db", "functions", "--store", scanned)
    assert ran.out.strip() == "installed: vector_dot, vector_norm, cosine_similarity"
    assert run("db", "functions", "--store", scanned).code == 0
    shown = server.client(
        "SELECT MIN(cosine_similarity(embedding, embedding)) AS one FROM embeddings", database(scanned)
    )
    assert shown.split() == ["one", "1"]


def test_a_store_that_needs_no_functions_says_so(run: Run, policy_file: Path) -> None:
    run("db", "init")
    assert "needs none" in run("db", "functions").out


def test_codes_that_are_lacking_are_written(run: Run, scanned: str, server: Server, uploads: Path) -> None:
    server.execute("DELETE FROM embedding_codes", database=database(scanned))
    refused = run("search", uploads / "first.png", "--store", scanned, "--show-sql")
    assert (refused.code, "`moderator db codes`" in refused.err) == (3, True)
    assert run("db", "codes", "--store", scanned).out.strip() == "3 codes written"
    assert run("search", uploads / "first.png", "--store", scanned, "--show-sql").code == 0


def test_an_index_is_made_and_its_recall_is_told_with_a_search(run: Run, policy_file: Path, uploads: Path) -> None:
    policy_file.write_text(f"{policy_file.read_text()}search: {{approximate: true}}\n")
    with MARIADB.server().database() as name:
        store = ("--store", MARIADB.server().url(name))
        assert run("scan", uploads, *store).code in (0, 1)
        assert "recall@10 1.000" in run("db", "index", *store).out
        ran = run("search", uploads / "first.png", *store, "--json")
        assert "recall@10 1.000" in ran.err
        assert len(json.loads(ran.out)) == 3


def test_an_engine_without_an_index_says_so(run: Run, scanned: str) -> None:
    assert "no index" in run("db", "index", "--store", scanned).out
