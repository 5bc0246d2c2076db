"""What does not get slower as the consents get more: due work, look-ups, lists, the journal; and what a move costs.

    python -m benchmarks.growth --server FOLDER [--sizes 10000,1000000] [--calls 200] [--moves 20000] [--asks 5000]
    python -m benchmarks.growth --database postgresql://… | sqlite:///FILE

Loads thin consents, with their names, a report and an entry each, by COPY on PostgreSQL and in large transactions on SQLite,
then calls the store's own methods, one after the other on one connection, and looks at the plan of each statement. How many are
due is chosen by the time that is asked for. With --server a PostgreSQL of its own keeps its data in the folder, and a
second run goes on with them. The moves at the end go through the store in batches of 50, with 2.5 KB of terms each. Prints one
JSON object.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text, update

from benchmarks.growth_calls import Calls
from benchmarks.growth_moves import Meters, ask, move
from tests.postgres import query, running
from tests.thin_consents import CONSENT, ENTRY, IDENTITY, REPORT, ThinConsents, copy_into, insert_into
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import consent, entry, journal, metadata

_SQLITE = "sqlite:///"
_NO_SIZE = 100_000  # an empty table with its indexes
_SERVER = (
    *(
        "shared_buffers=4GB",
        "effective_cache_size=14GB",
        "max_wal_size=8GB",
        "checkpoint_timeout=15min",
        "work_mem=16MB",
    ),
    *("maintenance_work_mem=512MB", "wal_compression=lz4", "random_page_cost=1.1", "autovacuum_vacuum_cost_delay=0"),
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", default="")
    options.add_argument("--server", type=Path, help="a folder for a PostgreSQL of its own")
    options.add_argument("--sizes", default="10000,1000000")
    options.add_argument(
        "--entries", type=int, default=10_000_000, help="at most so many reports and entries are loaded"
    )
    options.add_argument("--calls", type=int, default=200)
    options.add_argument("--moves", type=int, default=20_000)
    options.add_argument("--asks", type=int, default=5000)
    chosen = options.parse_args()
    if chosen.server:
        chosen.server.mkdir(parents=True, exist_ok=True)
    with running(chosen.server, _SERVER) if chosen.server else nullcontext() as server:
        found = asyncio.run(run(server.url if server else chosen.database, chosen))
    print(json.dumps(found, indent=2))


async def run(url: str, options: argparse.Namespace) -> dict[str, Any]:
    subject = Subject(url)
    await subject.begin()
    found: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]},
        "versions": {"database": await subject.version()},
        "method": {"calls": options.calls, "connections": 1, "server": _SERVER if options.server else "as given"},
        "sizes": {},
    }
    for size in map(int, filter(None, options.sizes.split(","))):
        loaded = await subject.load(size, options.entries)
        thin = await subject.thin()
        calls = Calls(subject.store(), subject.database, thin, size, min(size, options.entries))
        found["sizes"][size] = {"loaded": loaded, "bytes": subject.bytes(), "calls": await calls.run(options.calls)}
        await subject.close()
        print(size, json.dumps(found["sizes"][size]), file=sys.stderr)
    meters = Meters(subject.bytes, subject.log_bytes, subject.server_seconds)
    for name, deed, count in (("moves", move, options.moves), ("asks", ask, options.asks)):
        if count:
            thin = await subject.thin()
            found[name] = await deed(subject.store(), thin, count, meters)
            await subject.close()
    return found


class Subject:
    """The database that is measured."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
        self.database: Any = None

    def store(self) -> SqlStore:
        """Open it."""
        self.database = PostgresDatabase(self.url, connections=1) if self.path is None else SqliteDatabase(self.path)
        return SqlStore(self.database, SystemIds())

    async def close(self) -> None:
        await self.database.close()

    async def begin(self) -> None:
        """Give it the schema."""
        if self.path is None:
            await in_one_transaction(self.url, migrate.upgrade)
        else:
            with one_transaction(self.path) as connection:
                migrate.upgrade(connection)

    async def version(self) -> str:
        return sqlite3.sqlite_version if self.path else str(await self._one(text("SHOW server_version")))

    async def _one(self, statement: Any) -> Any:
        self.store()
        try:
            return await self.database.read(lambda connection: connection.execute(statement).scalar())
        finally:
            await self.close()

    async def thin(self) -> ThinConsents:
        """The consents, as of the time when the first were loaded."""
        when = await self._one(select(entry.c.recorded_at).where(entry.c.sequence == 1))
        return ThinConsents(when or datetime.now(UTC))

    async def load(self, size: int, most_entries: int) -> dict[str, Any]:
        """Load what is missing."""
        thin, first = await self.thin(), await self._one(select(func.count()).select_from(consent))
        begin = time.monotonic()
        more, most = max(0, size - first), max(0, min(size, most_entries) - first)
        await self._put("consent", CONSENT, lambda: thin.consents(first, more))
        consents_in = time.monotonic()
        await self._put("identity", IDENTITY, lambda: thin.identities(first, more))
        await self._put("report", REPORT, lambda: thin.reports(first, most))
        await self._put("entry", ENTRY, lambda: thin.entries(first, most))
        if more:
            self.store()
            following = update(journal).values(next_sequence=first + most + 1, recorded_at=thin.now)
            await self.database.write(lambda connection: (connection.execute(following), None))
            await self.close()
        loaded = time.monotonic()
        if self.path is None:
            query(self.url, "VACUUM ANALYZE")
        else:
            with sqlite3.connect(self.path) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return {
            "rows": more,
            "seconds": round(loaded - begin, 1),
            "consents_per_second": round(more / (consents_in - begin)) if more else None,
            "vacuum_seconds": round(time.monotonic() - loaded, 1),
        }

    async def _put(self, table: str, columns: tuple[str, ...], rows: Callable[[], Any]) -> None:
        made: Any = rows()
        if self.path is None:
            await copy_into(self.url, table, columns, made)
        else:
            insert_into(self.path, table, columns, made)

    def bytes(self) -> dict[str, int]:
        """How large each table is with its indexes and partitions."""
        if self.path is not None:
            return {"file": self.path.stat().st_size}
        parts = "(SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree('{0}'))"
        told = "SELECT pg_total_relation_size('{0}') + " + parts
        sizes = {name: query(self.url, told.format(name))[0][0] for name in metadata.tables}
        return {name: int(size) for name, size in sizes.items() if size > _NO_SIZE} | {
            "all": sum(map(int, sizes.values()))
        }

    def log_bytes(self) -> int:
        """How much log was written up to now, in bytes."""
        return 0 if self.path else int(query(self.url, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])

    def server_seconds(self) -> float:
        """The CPU that its processes for our connections have used, where they run on this machine."""
        if self.path:
            return 0.0
        told = "SELECT pid FROM pg_stat_activity WHERE application_name = 'tracker'"
        here = [Path(f"/proc/{row['pid']}/stat") for row in query(self.url, told)]
        spent = [path.read_text().rpartition(")")[2].split()[11:13] for path in here if path.exists()]
        return sum(int(user) + int(system) for user, system in spent) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
