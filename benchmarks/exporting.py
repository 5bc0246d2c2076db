"""What an export costs beside reading the same rows, and what verifying it does.

    python -m benchmarks.exporting --server FOLDER [--entries 1000000] [--formats jsonl,csv,parquet]
    python -m benchmarks.exporting --database sqlite:///FILE | postgresql://…

Fills an empty database with entries of a consent each, as they are hashed, by COPY on PostgreSQL and in large transactions on
SQLite; a database that has them is used as it is. Then it reads all their rows through the driver alone, page by page in
sequence as an export does, exports them through the tracker's own code, and verifies the export. Each is done in a process of
its own, so that its peak of memory is its own; the driver is measured before and after, and the quicker one counts. Prints one
JSON object.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, update

from tests.journal.drafts import a_draft, uuid
from tests.postgres import query, running
from tests.thin_consents import ENTRY, ThinConsents, copy_into, insert_into
from tracker.adapters.clock import SystemClock, SystemIds
from tracker.adapters.metrics.counters import Counters
from tracker.adapters.parquet import ParquetWriter
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import entry, journal
from tracker.domain.export import ExportRequest, Format
from tracker.journal.entry import seal
from tracker.journal.verify import verify_export
from tracker.usecases.checkpoints import Checkpointing, CheckpointTerms
from tracker.usecases.export import Exporting
from tracker.usecases.proofs import Proofs

_SQLITE = "sqlite:///"
_PAGE = 4_000
_SERVER = ("shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min")
_COLUMNS = "sequence, leaf, leaf_hash, private, private_salt"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", default="")
    options.add_argument("--server", type=Path, help="a folder for a PostgreSQL of its own")
    options.add_argument("--entries", type=int, default=1_000_000)
    options.add_argument("--formats", default="jsonl")
    options.add_argument("--out", type=Path, help="where exports are written; a temporary folder")
    options.add_argument("--step", default="", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.step:
        print(json.dumps(_step(chosen.step, chosen.database, chosen.out)))
        return
    if chosen.server:
        chosen.server.mkdir(parents=True, exist_ok=True)
    with (
        running(chosen.server, _SERVER) if chosen.server else nullcontext() as server,
        tempfile.TemporaryDirectory(dir=chosen.out) as folder,
    ):
        url = server.url if server else chosen.database
        count = asyncio.run(fill(url, chosen.entries))
        print(json.dumps(measured(url, count, chosen.formats.split(","), Path(folder)), indent=2))


def measured(url: str, count: int, formats: list[str], folder: Path) -> dict[str, Any]:
    _in_process("tree", url, folder)
    driver = [_in_process("driver", url, folder)]
    exports: dict[str, dict[str, Any]] = {}
    for form in formats:
        exports[form] = _in_process(form, url, folder / form)
        exports[form]["bytes"] = sum(path.stat().st_size for path in (folder / form).iterdir())
    driver.append(_in_process("driver", url, folder))
    best = min(driver, key=lambda one: one["seconds"])
    for one in [*exports.values(), *driver]:
        one["rows_per_second"] = round(count / one["seconds"])
    for one in exports.values():
        one["of_driver"] = round(best["seconds"] / one["seconds"], 2)
        one["of_driver_by_cpu"] = round(best["cpu_seconds"] / one["cpu_seconds"], 2)
    found: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]},
        "database": url.partition(":")[0],
        "entries": count,
        "driver": driver,
        "exports": exports,
    }
    if "jsonl" in formats:
        found["verify"] = _in_process("verify", url, folder / "jsonl")
        found["verify"]["rows_per_second"] = round(count / found["verify"]["seconds"])
    return found


def _in_process(step: str, url: str, folder: Path) -> dict[str, Any]:
    command = (sys.executable, "-m", "benchmarks.exporting", "--step", step, "--database", url, "--out", str(folder))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _step(step: str, url: str, folder: Path) -> dict[str, Any]:
    begin, begin_cpu = time.perf_counter(), time.process_time()
    if step == "verify":
        if not verify_export(folder, [], allow_unanchored=True).accepted:
            raise SystemExit("The export does not verify.")
    elif step == "driver":
        asyncio.run(_drive(url))
    else:
        asyncio.run(_export(url, step, folder))
    return {
        "seconds": round(time.perf_counter() - begin, 2),
        "cpu_seconds": round(time.process_time() - begin_cpu, 2),
        "peak_mb": _peak_mb(),
    }


def _peak_mb() -> int:
    """The most memory that this process has had; what the system counts for it includes what its parent had."""
    told = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(told.split()[1]) / 1024)


async def _drive(url: str) -> None:
    """Read the rows by the driver alone."""
    if url.startswith(_SQLITE):
        statement = f"SELECT {_COLUMNS} FROM entry WHERE sequence > ? ORDER BY sequence LIMIT {_PAGE}"
        with closing(sqlite3.connect(url.removeprefix(_SQLITE))) as connection:
            last = 0
            while page := connection.execute(statement, (last,)).fetchall():
                last = page[-1][0]
        return
    statement = f"SELECT {_COLUMNS} FROM entry WHERE sequence > $1 ORDER BY sequence LIMIT {_PAGE}"
    other = await asyncpg.connect(url)
    try:
        last = 0
        while page := await other.fetch(statement, last):
            last = page[-1]["sequence"]
    finally:
        await other.close()


async def _export(url: str, form: str, folder: Path) -> None:
    store = _store(url)
    try:
        proofs = Proofs(store)
        if form == "tree":
            await proofs.extend()
            return
        terms, meters = CheckpointTerms(origin="bench.example/journal"), Counters(CollectorRegistry())
        checkpoints = Checkpointing(proofs, store.checkpoints, SystemClock(), meters, terms)
        exporting = Exporting(store, proofs, checkpoints, parquet=ParquetWriter)
        await exporting.export(folder, ExportRequest(format=Format(form)))
    finally:
        await store.close()


def _store(url: str) -> SqlStore:
    is_file = url.startswith(_SQLITE)
    return SqlStore(SqliteDatabase(url.removeprefix(_SQLITE)) if is_file else PostgresDatabase(url), SystemIds())


async def fill(url: str, count: int) -> int:
    """Give it the schema and what it lacks of so many entries; how many it has."""
    path = Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
    if path is None:
        await in_one_transaction(url, migrate.upgrade)
    else:
        with one_transaction(path) as connection:
            migrate.upgrade(connection)
    store = _store(url)
    try:
        head, source = await store.head(), f"urn:uuid:{await store.journal_id()}"
        if head >= count:
            return head
        now = datetime.now(UTC)
        made = _entries(ThinConsents(now), source, head, count)
        if path is None:
            await copy_into(url, "entry", ENTRY, made)
        else:
            insert_into(path, "entry", ENTRY, made)
        following = update(journal).values(next_sequence=count + 1, recorded_at=now)
        await store._database.write(lambda connection: (connection.execute(following), None))  # noqa: SLF001
        stored = await store._database.read(  # noqa: SLF001
            lambda connection: connection.execute(select(func.count()).select_from(entry)).scalar()
        )
    finally:
        await store.close()
    if path is None:
        query(url, "VACUUM ANALYZE entry")
    return int(stored)


def _entries(thin: ThinConsents, source: str, first: int, count: int) -> Iterator[tuple[Any, ...]]:
    """Rows of `entry` that hold together: each is a consent's first, and has its own hash."""
    key, sequence, name = thin.tracking_id(123_456_789_012), 987_654_321, uuid(77)
    draft = a_draft(id=name, tracking_id=key, received_at=thin.now, status_date_time=thin.now)
    sealed = seal(draft, sequence=sequence, previous=None, recorded_at=thin.now, source=source).leaf_bytes.decode()
    template = sealed.replace(key, "%(key)s").replace(f"{sequence:020d}", "%(sequence)020d").replace(name, "%(id)s")
    told: Callable[[dict[str, Any]], str] = template.__mod__
    for number in range(first, count):
        facts = {"key": thin.tracking_id(number), "sequence": number + 1, "id": thin.tracking_id(number + 500_000_000)}
        leaf = told(facts).encode()
        yield number + 1, facts["id"], facts["key"], thin.now, leaf, sha256(b"\0" + leaf).digest()


if __name__ == "__main__":
    main()
