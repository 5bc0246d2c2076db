"""Holds, erasures and tombstones, and what revision 0022 leaves of them below."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.contract.facts import a_consent, a_decision
from tests.migrations.retained import GONE, TOMBSTONE, down_and_up, keep_some
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import Database, SqlStore


async def _some(database: Database) -> None:
    store, kept = SqlStore(database, SystemIds()), a_consent("kept")
    await store.transact(lambda t: t.save(kept, a_decision(), next_ask_at=None, next_tick_at=None))
    await keep_some(store, kept)
    assert await store.retention.tombstone(GONE.name) == TOMBSTONE
    assert await store.retention.tombstone_of(GONE.tracking_id) == TOMBSTONE
    assert len(await store.retention.holds(9)) == len(await store.retention.erasures(9)) == 1
    assert await store.retention.journal_floor() == 2
    await store.close()


async def _nothing(database: Database) -> None:
    store = SqlStore(database, SystemIds())
    assert await store.retention.tombstone(GONE.name) is None
    assert await store.retention.holds(9) == await store.retention.erasures(9) == []
    assert await store.retention.journal_floor() == 1
    await store.close()


async def test_nothing_of_it_is_left_below_0022(database: Path) -> None:
    await _some(SqliteDatabase(database))
    with one_transaction(database) as connection:
        down_and_up(connection)
    await _nothing(SqliteDatabase(database))


def test_likewise_on_postgresql(another_postgres: Callable[[], str]) -> None:
    url = another_postgres()

    async def whole() -> None:
        await _some(PostgresDatabase(url))
        await in_one_transaction(url, down_and_up)
        await _nothing(PostgresDatabase(url))

    asyncio.run(whole())
