"""The end of the journal in memory says what the database says, whatever happens to either."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from tests.damage import unguarded
from tests.usecases.telling import Telling, telling
from tracker.domain.subscription import EntryFilter
from tracker.usecases import tail
from tracker.usecases.feed import Feed
from tracker.usecases.tail import Tail

EVERYTHING = EntryFilter()


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "KEPT", 7)
    monkeypatch.setattr(tail, "_PAGE", 3)


def cut_off(world: Telling, after: int) -> None:
    """An older database takes the place of this one."""
    with unguarded(world.path) as connection:
        connection.execute("DELETE FROM entry WHERE sequence > ?", (after,))
        connection.execute("UPDATE journal SET next_sequence = ?", (after + 1,))


async def look_everywhere(world: Telling, found: Tail, head: int) -> None:
    for after in (*range(head + 3), 2**63 - 1):
        for limit in (1, 2, 100):
            assert list(await found.after(after, limit)) == await world.store.entries_after(after, limit)


@pytest.mark.parametrize("seed", range(6))
async def test_it_reads_what_the_database_has(world: Telling, seed: int) -> None:
    random, found, head = Random(seed), Tail(world.store, world.news), 0
    for _ in range(8):
        if head > 2 and random.random() < 0.25:
            head = random.randrange(head)
            cut_off(world, head)
        count = random.choice((0, 1, 2, 5, 20))
        await world.append(*range(count))
        world.news.ring()
        head += count
        await look_everywhere(world, found, head)


async def test_an_older_database_that_has_grown_past_the_end_is_read_anew(world: Telling) -> None:
    found = Tail(world.store, world.news)
    await world.append(1, 2, 3)
    await look_everywhere(world, found, 3)
    cut_off(world, 1)
    await world.append(7, 8, 9)
    world.news.ring()
    await look_everywhere(world, found, 4)


async def test_it_holds_no_more_than_it_may(world: Telling) -> None:
    found = Tail(world.store, world.news)
    await found.after(0, 100)
    for _ in range(3):
        await world.append(*range(5))
        world.news.ring()
        await found.after(0, 100)
    assert [entry.sequence for entry in found._entries] == list(range(9, 16))


async def test_a_reader_who_waits_is_told_each_entry_once_and_in_order(world: Telling) -> None:
    feed, seen = Feed(world.store, world.news), list[int]()

    async def follow() -> None:
        after = 0
        while len(seen) < 60:
            page = await feed.await_page(after, 4, EVERYTHING, 20)
            seen.extend(entry.sequence for entry in page.entries)
            after = page.scanned

    following = asyncio.create_task(follow())
    random = Random(1)
    while (left := 60 - await feed.head()) > 0:
        await world.append(*range(min(left, random.randrange(1, 12))))
        world.news.ring()
    await following
    assert seen == list(range(1, 61))
