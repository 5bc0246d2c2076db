"""Processes share the replays as they share the subscribers: each job is run by one at a time, and taken over where it stood."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from tests.usecases.replaying import Retelling, retelling
from tests.usecases.telling import SUBSCRIPTION
from tracker.domain.errors import StorageError
from tracker.ports import Store, replay_lease
from tracker.usecases import leasing
from tracker.usecases.leasing import Leasing
from tracker.usecases.replaying import Replayer
from tracker.usecases.rerun import MOST_AT_ONCE, WINDOW

LONG = 3_600.0  # the database's clock goes on while these tests' stand still
NAME = replay_lease(SUBSCRIPTION)


@pytest.fixture(autouse=True)
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "LEASE_SECONDS", LONG)


@pytest.fixture
async def again(database: Path) -> AsyncIterator[Retelling]:
    async with retelling(database) as made:
        entries = await made.world.append(*range(60))
        await made.world.subscribe(cursor=len(entries))
        yield made


def a_process(again: Retelling, holder: str) -> tuple[Replayer, Leasing]:
    mine = Leasing(cast("Store", again.world.store), again.world.clock, holder)
    return Replayer(again.ports(), again.changed, mine), mine


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_of_two_processes_one_runs_it_and_the_other_takes_over_where_it_stopped(again: Retelling) -> None:
    replay = await again.ask(from_sequence=1, per_second=30)
    processes = [a_process(again, name) for name in "ab"]
    tasks = [asyncio.create_task(replayer.run()) for replayer, _ in processes]

    async def is_slow() -> bool:
        return len(again.world.subscriber.posts) >= 30

    await until(is_slow)
    (owner,) = [n for n, (_, mine) in enumerate(processes) if NAME in mine.held]
    tasks[owner].cancel()
    await asyncio.wait({tasks[owner]})
    written = (await again.now(replay)).position

    async def is_taken_over() -> bool:
        again.world.clock.advance(LONG / 3)
        again.changed.ring()
        return NAME in processes[1 - owner][1].held

    async def is_done() -> bool:
        again.world.clock.advance(1)
        again.changed.ring()
        return (await again.now(replay)).state.value == "done"

    await until(is_taken_over)
    await until(is_done)
    assert again.world.subscriber.overlaps == []
    assert set(again.world.subscriber.taken) == set(range(1, 61))
    assert len(again.world.subscriber.taken) <= 60 + 30 - written
    tasks[1 - owner].cancel()
    await asyncio.wait(tasks)


async def test_who_lost_the_lease_writes_nothing_and_stops(again: Retelling) -> None:
    replay = await again.ask(from_sequence=1)
    replayer, mine = a_process(again, "a")
    await mine.share([NAME])

    async def take_over() -> None:
        if len(again.world.subscriber.posts) == 10:
            await again.world.real_store.release_leases("a", [NAME])
            await again.world.real_store.hold_leases("b", [NAME], LONG)

    again.world.subscriber.before_answer = take_over
    assert (await replayer.run_once(SUBSCRIPTION)).is_over
    assert mine.held == {}
    assert len(again.world.subscriber.posts) <= WINDOW
    assert (await again.now(replay)).position == 0
    assert (await replayer.run_once(SUBSCRIPTION)).is_over  # by no right, so nothing is sent
    assert len(again.world.subscriber.posts) <= WINDOW
    other, theirs = a_process(again, "b")
    again.world.subscriber.before_answer = None
    await again.world.real_store.release_leases("b", [NAME])
    await theirs.share([NAME])
    again.world.clock.advance(1)  # whoever goes on does not know how much of the rate was used
    while not (await other.run_once(SUBSCRIPTION)).is_over:
        again.world.clock.advance(1)
    assert await again.counted(replay) == (60, 0, 0, "done")
    assert len(again.world.subscriber.posts) <= 60 + WINDOW


async def test_who_was_stopped_for_longer_than_its_lease_sends_nothing_more_by_it(again: Retelling) -> None:
    await again.ask(from_sequence=1)
    replayer, mine = a_process(again, "a")
    await mine.share([NAME])

    async def stop_for_long() -> None:
        again.world.clock.advance(LONG)

    again.world.subscriber.before_answer = stop_for_long
    assert (await replayer.run_once(SUBSCRIPTION)).is_over
    assert len(again.world.subscriber.posts) <= MOST_AT_ONCE


async def test_while_nothing_is_asked_for_nothing_is_written(again: Retelling) -> None:
    calls: list[str] = []
    again.world.store.on_call = calls.append
    task = asyncio.create_task(a_process(again, "a")[0].run())
    for _ in range(5):
        again.changed.ring()
        again.world.clock.advance(LONG)
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert set(calls) <= {"release_leases"}


async def test_a_database_that_is_away_is_waited_for(again: Retelling, caplog: pytest.LogCaptureFixture) -> None:
    replay = await again.ask(from_sequence=1)
    left = 3

    def away(_: str) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise StorageError

    again.book.on_call = away
    task = asyncio.create_task(again.replayer.run())

    async def is_done() -> bool:
        again.world.clock.advance(1)
        again.changed.ring()
        return await again.counted(replay) == (60, 0, 0, "done") if left < 0 else False

    await until(is_done)
    task.cancel()
    await asyncio.wait({task})
    assert "The replays could not be read; trying again" in caplog.text
