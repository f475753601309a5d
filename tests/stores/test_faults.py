"""A server that dies, hangs or is cut off in the middle of a COMMIT costs a scan time, and nothing is lost or doubled.

MODERATOR_FAULTS=N tries N times as many moments (`make faults`).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from moderator.errors import StoreError
from moderator.models import Evidence, Finding, Kind, Verdict
from moderator.stores.sql import SqlStore
from tests.conftest import ROOT
from tests.engines import MYSQL, Engine, OwnServer
from tests.engines.fixtures import engine, migrated, own_mysql, url
from tests.handmade import at, entry
from tests.scanning import DUMP, SCAN, many_pictures
from tests.stores.contract import decision, generation, read, referenced, report, written
from tests.stores.proxy import CuttingProxy, Moment

__all__ = ["engine", "migrated", "own_mysql", "url"]
SEEDS = range(int(os.environ.get("MODERATOR_FAULTS", "1")))
PICTURES = 200


# A connection that is cut around a COMMIT


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[CuttingProxy]:
    with CuttingProxy(tmp_path / "proxy.sock", MYSQL.server().socket) as made:
        yield made


@pytest.fixture
def store(proxy: CuttingProxy) -> Iterator[SqlStore]:
    """A store on MySQL behind the proxy."""
    with MYSQL.server().database() as name:
        with SqlStore.open(f"mysql://root@localhost/{name}?unix_socket={quote(str(proxy.path))}") as opened:
            yield opened


MOMENTS = pytest.mark.parametrize(
    "moments", [("before",), ("after",), ("after", "before", "after")], ids="-".join
)


@MOMENTS
def test_a_batch_whose_commit_was_cut_off_is_stored_once(
    proxy: CuttingProxy, store: SqlStore, moments: tuple[Moment, ...]
) -> None:
    proxy.cut(*moments)
    batch = [entry("/shop/a.png", at(10, 20)), entry("/shop/b.png", at(30))]
    ids = written(store, *batch)
    assert proxy.cuts == len(moments)
    stored = {content: sorted(rows) for content, rows in read(store).items()}
    assert stored == dict(zip(ids, (sorted(at(10, 20).tolist()), at(30).tolist()), strict=True))
    assert (store.status()["images"], generation(store).sequence) == ("2", 3)


@MOMENTS
def test_references_whose_commit_was_cut_off_are_counted_and_logged_once(
    proxy: CuttingProxy, store: SqlStore, moments: tuple[Moment, ...]
) -> None:
    contents = written(store, entry("/shop/a.png"), entry("/shop/b.png"))
    proxy.cut(*moments)
    assert store.add_references("banned", [(content, "", "by hand") for content in contents], "tester") == 2
    proxy.cut(*moments)
    assert store.remove_references("banned", []) == 2
    assert store.session.rows("SELECT action, subject FROM audit_log ORDER BY id") == [
        ("references.add", "banned: 2"),
        ("references.remove", "banned: 2"),
    ]


@MOMENTS
def test_decisions_whose_commit_was_cut_off_are_made_and_withdrawn_once(
    proxy: CuttingProxy, store: SqlStore, moments: tuple[Moment, ...]
) -> None:
    one = decision("a")
    proxy.cut(*moments)
    store.decide(one)
    assert list(store.decisions()) == [one]
    proxy.cut(*moments)
    assert store.withdraw(one.sha256, one.match_sha256)
    assert len(store.session.rows("SELECT id FROM audit_log")) == 2


@MOMENTS
def test_a_report_whose_commit_was_cut_off_is_kept_once(
    proxy: CuttingProxy, store: SqlStore, moments: tuple[Moment, ...]
) -> None:
    (content,) = written(store, entry("/shop/a.png"))
    (image,) = store.images([content])[content]
    rung = Evidence("flat", Kind.LOOKALIKE, 0.93, 0.9)
    proxy.cut(*moments)
    store.record(report(Finding("alike", "lookalike", Verdict.REVIEW, image, image, (rung,), "looks alike")))
    assert store.session.rows("SELECT COUNT(*) FROM findings") == [(1,)]
    assert store.status()["scans"] == "1"


# Several at once


def test_two_programs_that_write_the_same_pictures_both_finish_and_double_nothing(
    engine: Engine, url: str
) -> None:
    entries = [entry(f"/shop/{number}.png", at(number, number + 1), of=str(number % 50)) for number in range(60)]
    failures: list[BaseException] = []

    def write(seed: int) -> None:
        shuffled = random.Random(seed).sample(entries, len(entries))
        try:
            with SqlStore.open(url) as store:
                for start in range(0, len(shuffled), 12):
                    written(store, *shuffled[start : start + 12])
                    referenced(store, "banned", shuffled[start])
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert failures == []
    with SqlStore.open(url) as store:
        counts = [store.status()[name] for name in ("contents", "embeddings")]
        assert counts == ["50", "100"]
        assert len(store.known([one.found.path for one in entries], "picture")) == 60
        sequences = [row[0] for row in store.session.rows("SELECT sequence FROM embeddings ORDER BY sequence")]
        assert len(set(sequences)) == 100
        assert sequences[-1] == generation(store).sequence


def scanning(store: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCAN, store, str(folder)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_pictures(tmp_path_factory.mktemp("scanned") / "in", PICTURES)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path) -> list[tuple[object, ...]]:
    """What a store holds after a scan in which nothing goes wrong."""
    with MYSQL.server().database() as name:
        process = scanning(MYSQL.server().url(name), pictures)
        assert process.communicate(timeout=120)[1] == ""
        return dump(MYSQL.server(), name)


def dump(server: object, database: str) -> list[tuple[object, ...]]:
    assert hasattr(server, "execute")
    return sorted(server.execute(DUMP.format("CAST(e.embedding AS BINARY)"), (), database), key=str)


def test_two_scans_at_once_both_finish_and_double_nothing(
    pictures: Path, undisturbed: list[tuple[object, ...]]
) -> None:
    server = MYSQL.server()
    with server.database() as name:
        both = [scanning(server.url(name), pictures) for _ in range(2)]
        assert [process.communicate(timeout=120)[1] for process in both] == ["", ""]
        assert dump(server, name) == undisturbed


# A server that dies or hangs


def die(server: OwnServer) -> None:
    server.restart()


def hang(server: OwnServer) -> None:
    server.sigstop()
    time.sleep(4)
    server.sigcont()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", [die, hang])
def test_a_scan_outlives_its_server(
    fault: Callable[[OwnServer], None],
    seed: int,
    own_mysql: OwnServer,
    pictures: Path,
    undisturbed: list[tuple[object, ...]],
) -> None:
    moment = random.Random(seed).randrange(1, PICTURES - 40)
    own_mysql.execute("CREATE DATABASE shop")
    process = scanning(f"{own_mysql.url('shop')}&timeout=3", pictures)
    deadline = time.monotonic() + 60
    while stored(own_mysql) < moment and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.poll() is None
    fault(own_mysql)
    assert process.communicate(timeout=120)[1] == ""
    assert dump(own_mysql, "shop") == undisturbed


def stored(server: OwnServer) -> int:
    try:
        return int(server.execute("SELECT COUNT(*) FROM images", (), "shop")[0][0])
    except Exception:  # there is no table yet
        return 0


def test_a_scan_whose_server_stays_away_says_so_and_the_next_one_goes_on(
    own_mysql: OwnServer, pictures: Path, undisturbed: list[tuple[object, ...]]
) -> None:
    own_mysql.execute("CREATE DATABASE shop")
    with SqlStore.open(f"{own_mysql.url('shop')}&timeout=0.5") as store:
        process = scanning(own_mysql.url("shop"), pictures)
        while stored(own_mysql) < 30 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        own_mysql.kill9()
        with pytest.raises(StoreError, match="cannot be used") as refusal:
            store.status()
    assert "a new scan goes on from there" in refusal.value.hint
    own_mysql.restart()
    assert scanning(own_mysql.url("shop"), pictures).communicate(timeout=120)[1] == ""
    assert dump(own_mysql, "shop") == undisturbed
