"""One read of the journal for all who want the same page at the same time, and never an old one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.usecases.telling import Interrupted, Telling, telling
from tracker.domain.errors import StorageError
from tracker.ports import Store
from tracker.usecases.reads import SharedReads


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


def counted(world: Telling) -> tuple[SharedReads, list[str]]:
    calls: list[str] = []
    store = Interrupted(world.real_store)
    store.on_call = calls.append
    return SharedReads(cast("Store", store), world.news), calls


async def test_those_who_want_the_same_page_at_the_same_time_share_a_read(world: Telling) -> None:
    entries = await world.append(1, 2, 3)
    reads, calls = counted(world)
    pages = await asyncio.gather(*(reads.after(1, 128) for _ in range(50)), reads.after(0, 128), reads.after(1, 1))
    assert list(pages[:50]) == [entries[1:]] * 50
    assert list(pages[50:]) == [entries, entries[1:2]]
    assert len(calls) == 3
    await reads.after(1, 128)
    assert len(calls) == 4  # what is over is read again


async def test_what_began_before_the_bell_rang_does_not_answer_those_it_woke(world: Telling) -> None:
    reads, calls = counted(world)
    before = asyncio.create_task(reads.after(0, 128))
    await asyncio.sleep(0)
    world.news.ring()
    after = asyncio.create_task(reads.after(0, 128))
    await asyncio.wait({before, after})
    assert len(calls) == 2


async def test_who_leaves_does_not_take_it_from_the_others(world: Telling) -> None:
    entries = await world.append(1)
    reads, _ = counted(world)
    one, other = (asyncio.create_task(reads.after(0, 128)) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    assert await other == entries


async def test_an_error_reaches_all_who_wait_and_nobody_after_them(world: Telling) -> None:
    reads, calls = counted(world)
    store = cast("Interrupted", reads._store)

    def away(_: str) -> None:
        raise StorageError

    store.on_call = away
    with pytest.raises(StorageError):
        await reads.after(0, 128)
    store.on_call = calls.append
    assert await reads.after(0, 128) == []
