"""What it costs to prove the journal: checkpoints over many new entries, and proofs from a large tree.

    python -m benchmarks.proving [--database postgresql:] [--entries 100000] [--sizes 10000,1000000,10000000] [--proofs 200]

First entries are put into an empty journal and a checkpoint is made over all of them: the tree is extended, consistency proven,
the note signed and kept. Beside it, how long the same leaf hashes take to be read and nothing else. Then tiles are filled from
made-up hashes, without entries, and proofs of entries here and there are read, each checked. Prints one JSON object.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from benchmarks.machine import Database, database, description
from tests.checkpointing import a_signer, checkpointing
from tests.thin_consents import ENTRY, ThinConsents, copy_into, insert_into
from tracker.adapters.clock import SystemClock, SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.checkpoint_tables import checkpoint
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import entry
from tracker.adapters.store.tile_tables import tile, tree
from tracker.journal.tiles import Tile, edge, grown
from tracker.journal.tree import is_consistent, is_included
from tracker.usecases.proofs import Proofs

_STEP = 65_536
_PAGE = 10_000
Rows = SqliteDatabase | PostgresDatabase


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--entries", type=int, default=100_000)
    options.add_argument("--sizes", default="10000,1000000,10000000")
    options.add_argument("--proofs", type=int, default=200)
    chosen = options.parse_args()
    with database(chosen.database) as place, tempfile.TemporaryDirectory(prefix="proving-") as folder:
        found = asyncio.run(run(chosen, place, Path(folder) / "tracker.db"))
    print(json.dumps(found, indent=2))


async def run(options: argparse.Namespace, place: Database, path: Path) -> dict[str, object]:
    rows = ThinConsents(datetime.now(UTC)).entries(0, options.entries)
    if place.url is None:
        with one_transaction(path) as connection:
            migrate.upgrade(connection)
        insert_into(path, "entry", ENTRY, rows)
        rows_at: Rows = SqliteDatabase(path)
    else:
        await in_one_transaction(place.url, migrate.upgrade)
        await copy_into(place.url, "entry", ENTRY, rows)
        rows_at = PostgresDatabase(place.url)
    store = SqlStore(rows_at, SystemIds())
    try:
        sizes = [int(size) for size in options.sizes.split(",")]
        return {
            "machine": description() | {"database": place.version()},
            "checkpoint": await _checkpoint(store, rows_at, options.entries),
            "proofs": await _proofs(store, rows_at, sizes, options.proofs),
        }
    finally:
        await store.close()


# ------------------------------------------------------------------------------------------------ a checkpoint


async def _checkpoint(store: SqlStore, rows_at: Rows, entries: int) -> dict[str, object]:
    made = checkpointing(store, SystemClock(), a_signer())
    # So that the consistency with a checkpoint before is proven too.
    first = await store.extend_tree(1)
    root = await Proofs(store).root(first)
    assert await store.checkpoints.propose(first, root, after=None)
    begin = time.perf_counter()
    read = await _read_alone(rows_at)
    alone = time.perf_counter() - begin
    assert read == entries
    begin, cpu = time.perf_counter(), time.process_time()
    done = await made.require_head()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    assert done.size == entries
    begin = time.perf_counter()
    await made.require_head()
    again = time.perf_counter() - begin
    return {
        "entries": entries,
        "seconds": round(seconds, 3),
        "reading_leaf_hashes_alone_seconds": round(alone, 3),
        "ratio": round(seconds / alone, 1),
        "microseconds_per_entry": round(seconds / entries * 1e6, 2),
        "cpu_microseconds_per_entry": round(cpu / entries * 1e6, 2),
        "in_ticks_of_500_cpu_microseconds_per_entry": await _in_ticks(store, rows_at, entries),
        "without_new_entries_seconds": round(again, 4),
    }


async def _in_ticks(store: SqlStore, rows_at: Rows, entries: int) -> float:
    """What the tree adds to an event where a hundred come in a second, and it is looked every five."""
    await rows_at.write(_empty)
    begin = time.process_time()
    while await store.extend_tree(500):
        pass
    return round((time.process_time() - begin) / entries * 1e6, 2)


def _empty(connection: Connection) -> tuple[None, None]:
    for table in (tile, checkpoint):
        connection.execute(delete(table))
    connection.execute(update(tree).values(size=0))
    return None, None


def _all(connection: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    return connection.execute(query).all()


async def _read_alone(rows_at: Rows) -> int:
    count, after = 0, 0
    while True:
        query = select(entry.c.sequence, entry.c.leaf_hash).where(entry.c.sequence > after).order_by(entry.c.sequence)
        page = await rows_at.read(partial(_all, query=query.limit(_PAGE)))
        if not page:
            return count
        count, after = count + len(page), page[-1][0]


# ------------------------------------------------------------------------------------------------ proofs


async def _proofs(store: SqlStore, rows_at: Rows, sizes: list[int], count: int) -> list[dict[str, object]]:
    await rows_at.write(_empty)
    found, size, kept = [], 0, {}
    for wanted in sorted(sizes):
        seconds = time.perf_counter()
        size, kept = await _fill(rows_at, size, wanted, kept)
        filled = time.perf_counter() - seconds
        found.append({"entries": wanted, "filled_in_seconds": round(filled, 1)} | await _measure(store, wanted, count))
    return found


async def _fill(rows_at: Rows, size: int, wanted: int, kept: dict[Tile, bytes]) -> tuple[int, dict[Tile, bytes]]:
    """Fill the tree with made-up leaves; the tiles at its edge are carried along."""
    while size < wanted:
        step = min(_STEP, wanted - size)
        changed = grown(size, kept, (_leaf(n) for n in range(size, size + step)))
        names = set(edge(size))

        def put(
            connection: Connection,
            changed: dict[Tile, bytes] = changed,
            names: set[Tile] = names,
            to: int = size + step,
        ) -> tuple[None, None]:
            for one in names & changed.keys():
                connection.execute(delete(tile).where(tile.c.level == one.level, tile.c.position == one.position))
            rows = [{"level": t.level, "position": t.position, "hashes": h} for t, h in changed.items()]
            connection.execute(insert(tile), rows)
            connection.execute(update(tree).values(size=to))
            return None, None

        await rows_at.write(put)
        size += step
        held = kept | changed
        kept = {one: held[one] for one in edge(size)}
    return size, kept


def _leaf(number: int) -> bytes:
    return sha256(number.to_bytes(8)).digest()


async def _measure(store: SqlStore, size: int, count: int) -> dict[str, object]:
    proofs = Proofs(store)
    reads: list[int] = []
    real = store.tiles

    async def counted(wanted: Collection[Tile]) -> dict[Tile, bytes]:
        reads.append(len(wanted))
        return await real(wanted)

    store.tiles = counted  # type: ignore[method-assign]
    try:
        root = await proofs.root(size)
        places = [n * (size - 1) // max(1, count - 1) for n in range(count)]
        told: dict[str, object] = {}
        reads.clear()
        times = []
        for index in places:
            begin = time.perf_counter()
            path = (await proofs.inclusions([index + 1], size))[index + 1]
            times.append(time.perf_counter() - begin)
            assert is_included(_leaf(index), index, size, path, root)
        told["inclusion"] = _told(times, reads)
        reads.clear()
        times = []
        for older in places:
            old_root = await proofs.root(older)
            begin = time.perf_counter()
            path = await proofs.consistency(older, size)
            times.append(time.perf_counter() - begin)
            assert is_consistent(older, old_root, size, root, path)
        told["consistency"] = _told(times, reads[1::2])
        return told
    finally:
        store.tiles = real  # type: ignore[method-assign]


def _told(times: list[float], reads: list[int]) -> dict[str, float]:
    times = sorted(times)
    return {
        "p50_milliseconds": round(statistics.median(times) * 1e3, 3),
        "p99_milliseconds": round(times[int(len(times) * 0.99) - 1] * 1e3, 3),
        "most_tiles_read": max(reads),
        "mean_tiles_read": round(statistics.mean(reads), 1),
    }


if __name__ == "__main__":
    main()
