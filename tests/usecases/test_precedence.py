"""Of several processes that open events, one takes them at once, and the others what it leaves."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from tests.clocks import ManualClock
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.usecases import leasing
from tracker.usecases.leasing import Leasing
from tracker.usecases.precedence import Precedence

LONG = 3_600.0  # the database's clock goes on while this one stands still


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    monkeypatch.setattr(leasing, "LEASE_SECONDS", LONG)
    return ManualClock()


@pytest_asyncio.fixture
async def store(database: Path) -> AsyncIterator[SqlStore]:
    opened = SqlStore(SqliteDatabase(database), SystemIds())
    yield opened
    await opened.close()


async def test_who_is_alone_takes_what_is_due() -> None:
    clock = ManualClock()
    assert await Precedence(clock).due_until() == clock.now()


async def test_the_second_takes_what_was_left_and_looks_seldom(store: SqlStore, clock: ManualClock) -> None:
    first, second = (Precedence(clock, Leasing(store, clock, name)) for name in "ab")
    for _ in range(3):
        assert await first.due_until() == clock.now()
        first.found(0)
    left = timedelta(seconds=0.1)
    assert await second.due_until() == clock.now() - left
    second.found(0)
    assert await second.due_until() is None
    clock.advance(0.1)
    assert await second.due_until() == clock.now() - left
    second.found(1)  # the first falls behind: no time is lost while there is something
    assert await second.due_until() == clock.now() - left


async def test_when_the_first_leaves_another_is_first(store: SqlStore, clock: ManualClock) -> None:
    first, second = (Precedence(clock, Leasing(store, clock, name)) for name in "ab")
    assert await first.due_until() == clock.now()
    assert await second.due_until() != clock.now()
    await first.leave()
    clock.advance(LONG / 2)
    assert await second.due_until() == clock.now()
