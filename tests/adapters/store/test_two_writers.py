"""Two write to one file at once: two databases in one process, and two processes."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.contract.facts import a_consent, append, draft_about, save, sequences
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import ConfigurationError

_ROOT = Path(__file__).parents[3]


async def test_two_databases_on_one_file_race_without_a_gap(database: Path) -> None:
    stores = [SqlStore(SqliteDatabase(database), SystemIds()) for _ in range(2)]
    consent = a_consent()
    await save(stores[0], consent)
    told = await asyncio.gather(*(append(stores[n % 2], draft_about(consent)) for n in range(60)))
    assert sorted(sequences(entry for entries in told for entry in entries)) == list(range(1, 61))
    for store in stores:
        entries = await store.entries_of(consent.tracking_id)
        assert [entry.previous for entry in entries] == [None, *range(1, 60)]
        await store.close()


_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.contract.facts import append, draft_about
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.ports import ConsentQuery
from tests.contract.facts import START

async def main(path, count):
    store = SqlStore(SqliteDatabase(path), SystemIds())
    (consent,) = await store.search(ConsentQuery(), START)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count // 5):
        await asyncio.gather(*(append(store, draft_about(consent)) for _ in range(5)))
        await store.entries_after(0, 10)
    await store.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


async def test_two_processes_on_one_file_race_without_a_gap_and_never_find_it_locked(database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    consent = a_consent()
    await save(store, consent)
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CHILD,
            str(database),
            "100",
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
    ends = [asyncio.create_task(child.communicate(b"go\n")) for child in children]
    for _ in range(20):
        await asyncio.gather(*(append(store, draft_about(consent)) for _ in range(5)))
    for child, end in zip(children, ends, strict=True):
        _, errors = await end
        assert (child.returncode, errors.decode()) == (0, "")
    entries = await store.entries_after(0, 1_000)
    assert sequences(entries) == list(range(1, 301))
    assert [entry.previous for entry in entries] == [None, *range(1, 300)]
    await store.close()


_FIRST_START = """
import sys
from pathlib import Path
from tracker.adapters.store import migrate
from tracker.adapters.store.sqlite import one_transaction
print("ready", flush=True)
sys.stdin.readline()
with one_transaction(Path(sys.argv[1])) as connection:
    if migrate.is_empty(connection):
        migrate.upgrade(connection)
"""


def test_a_new_file_that_is_held_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, holder.execute, ["COMMIT"])
    release.start()
    with one_transaction(path) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    release.join()
    holder.close()


def test_a_new_file_that_is_held_for_too_long_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.adapters.store.sqlite._BUSY_MILLISECONDS", 50)
    path = tmp_path / "new.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConfigurationError, match="locked"), one_transaction(path):
        pass
    holder.close()


def test_two_that_race_to_make_the_schema_end_with_one(tmp_path: Path) -> None:
    """SQLite does not wait while it switches a new file to WAL: one of two that started together found it locked."""
    path = tmp_path / "new.db"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _FIRST_START, str(path)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=60)
        assert (child.returncode, errors) == (0, "")
    with one_transaction(path) as connection:
        assert migrate.current(connection) == migrate.newest()
        assert connection.exec_driver_sql("SELECT count(*) FROM journal").scalar() == 1
