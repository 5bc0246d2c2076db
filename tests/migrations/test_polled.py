"""Subscriptions that are polled, and what revision 0014 leaves of them below."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection

from tests.contract.facts import a_subscription, at
from tracker.adapters.clock import SystemIds
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import PostgresDatabase, in_one_transaction
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.adapters.store.store import Database, SqlStore
from tracker.domain.pull import OpenEntry, PollFormat, PollTerms, Window
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.ports import Pulled

BEFORE_0014 = "0014-1"
"""The revision before it, whichever that is."""


async def _some(database: Database) -> tuple[Subscription, Subscription]:
    """One that is polled and has something open, and one that is told."""
    terms = PollTerms(format=PollFormat.SET, visibility=timedelta(seconds=9))
    polled = a_subscription(url="", polling=terms, key_id="a" * 16)
    told = a_subscription()
    store = SqlStore(database, SystemIds())
    for one in (polled, told):
        await store.add_subscription(one)
    opened = OpenEntry(sequence=3, entry_id="e", tracking_id="t", handed_at=at(1))
    await store.save_pull(Pulled(subscription_id=polled.id, window=Window(scanned=5, open=(opened,), turn=1)))
    await store.close()
    return polled, told


async def _check(database: Database, polled: Subscription, told: Subscription) -> None:
    store = SqlStore(database, SystemIds())
    plain = replace(polled, cursor=2, polling=PollTerms(), key_id=None)
    assert await store.subscriptions() == [plain, told]
    assert await store.pull_window(polled.id) is None  # what was open is handed out again
    await store.close()


def _down(connection: Connection) -> list[tuple[str, str | None]]:
    """Nobody posts to nowhere below it."""
    migrate.downgrade(connection, BEFORE_0014)
    found = connection.exec_driver_sql("SELECT state, last_error FROM subscription ORDER BY id").all()
    return [(row[0], row[1]) for row in found]


DISABLED = [(SubscriptionState.DISABLED.value, "It is polled."), (SubscriptionState.ACTIVE.value, None)]


async def test_what_is_polled_is_disabled_below_0014_and_polled_again_above(database: Path) -> None:
    polled, told = await _some(SqliteDatabase(database))
    with one_transaction(database) as connection:
        assert _down(connection) == DISABLED
        migrate.upgrade(connection)
    await _check(SqliteDatabase(database), polled, told)


def test_likewise_on_postgresql(another_postgres: Callable[[], str]) -> None:
    url = another_postgres()

    def whole(connection: Connection) -> None:
        assert _down(connection) == DISABLED
        migrate.upgrade(connection)

    polled, told = asyncio.run(_some(PostgresDatabase(url)))
    asyncio.run(in_one_transaction(url, whole))
    asyncio.run(_check(PostgresDatabase(url), polled, told))
