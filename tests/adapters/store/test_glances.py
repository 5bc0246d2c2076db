"""Small queries share a trip to the database; each has its own answer, and its own trouble."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, text

from tracker.adapters.store.glances import MOST_AT_ONCE, Glances
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.domain.errors import StorageError


@pytest_asyncio.fixture
async def opened(database: Path) -> AsyncIterator[SqliteDatabase]:
    found = SqliteDatabase(database)
    yield found
    await found.close()


class Trips:
    """Counts them on the way to a database."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.made = 0

    async def read(self, work: Any) -> Any:
        self.made += 1
        return await self._database.read(work)


def number(n: int) -> Any:
    return lambda connection: connection.execute(text(f"SELECT {n}")).scalar_one()


def broken(connection: Connection) -> Any:
    return connection.execute(text("SELECT * FROM nowhere")).all()


async def test_what_comes_while_one_is_under_way_goes_together(opened: SqliteDatabase) -> None:
    trips = Trips(opened)
    glances = Glances(trips.read)
    count = 2 * MOST_AT_ONCE + 1
    assert await asyncio.gather(*(glances.take(number(n)) for n in range(count))) == list(range(count))
    assert trips.made == 3
    assert await glances.take(number(7)) == 7


async def test_whoever_fails_fails_alone(opened: SqliteDatabase) -> None:
    def mistaken(_: Connection) -> Any:
        raise LookupError("a mistake of ours")

    works = [number(1), broken, number(2), mistaken, number(3)]
    told = await asyncio.gather(*(opened.glance(work) for work in works), return_exceptions=True)
    assert [told[0], told[2], told[4]] == [1, 2, 3]
    assert isinstance(told[1], StorageError)
    assert "nowhere" in str(told[1])
    assert isinstance(told[3], LookupError)


async def test_who_does_not_wait_any_more_holds_up_nobody(opened: SqliteDatabase) -> None:
    waiting = [asyncio.create_task(opened.glance(number(n))) for n in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert (told[0], told[2]) == (0, 2)
    assert isinstance(told[1], asyncio.CancelledError)


async def test_a_glance_sees_what_was_committed_before_it(opened: SqliteDatabase) -> None:
    async def put(n: int) -> None:
        statement = text(f"INSERT INTO batch (id, recorded_at) VALUES ('b{n}', '2026-03-02T06:00:00.000000Z')")
        await opened.write(lambda connection: (connection.execute(statement).rowcount, None))
        found = await opened.glance(lambda c: c.execute(text(f"SELECT id FROM batch WHERE id = 'b{n}'")).scalar())
        assert found == f"b{n}"

    await asyncio.gather(*(put(n) for n in range(40)))


async def test_all_are_told_when_the_database_is_away(opened: SqliteDatabase) -> None:
    async def away(_: Any) -> Any:
        raise StorageError("It is away.")

    glances = Glances(away)
    told = await asyncio.gather(*(glances.take(number(n)) for n in range(3)), return_exceptions=True)
    assert [str(one) for one in told] == ["It is away."] * 3
    assert len({id(one) for one in told}) == 3
    await opened.close()
    with pytest.raises(StorageError):
        await opened.glance(number(1))
