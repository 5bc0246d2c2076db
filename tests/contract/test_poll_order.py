"""The order of a consent's entries for who polls, whatever else takes or leaves the places in an answer; on either database."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import Connection, update

from tests.contract.facts import NewDatabase
from tests.contract.test_polls import World
from tracker.adapters.store.pull_tables import pull_window
from tracker.domain.subscription import EntryFilter


@pytest_asyncio.fixture
async def world(new_database: NewDatabase) -> AsyncIterator[World]:
    opened = new_database()
    stores = [opened(), opened()]
    yield World(stores)
    for store in stores:
        await store.close()


async def test_what_leaves_its_place_to_others_lets_none_of_them_pass_an_earlier_one(world: World) -> None:
    made = await world.subscribe()
    (other,) = await world.append("b", type="consent.registered")
    (first,) = await world.append("a", type="payment.status_changed")
    assert await world.poll() == [other, first]
    (second,) = await world.append("a", type="payment.status_changed")
    assert await world.poll() == []  # it waits behind the first
    narrow = replace(made, entry_filter=EntryFilter(types=("payment.*",)))
    assert await world.store.change_subscription(narrow, 1)
    (third,) = await world.append("a", type="payment.status_changed")
    world.clock.advance(60)
    # The place of the other one, which is not wanted any more, is not the third's.
    assert await world.poll(first, limit=1) == []
    assert await world.poll(limit=1) == [second]
    assert await world.poll(second, limit=1) == [third]


async def test_who_has_polled_for_years_polls_on(world: World) -> None:
    await world.subscribe()
    (first,) = await world.append("a")
    assert await world.poll() == [first]

    def years_later(connection: Connection) -> tuple[None, None]:
        connection.execute(update(pull_window).values(turn=2**31 - 1))
        return None, None

    await world.store._database.write(years_later)
    (second,) = await world.append("a")
    assert await world.poll(first) == [second]
