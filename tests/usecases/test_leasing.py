"""Processes share subscriptions: each its part, all of them told, and nobody by two at once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from tests.clocks import ManualClock
from tests.usecases.bench import Bench
from tests.usecases.telling import SUBSCRIPTION, Interrupted, Telling, telling
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import LeaseLostError, StorageError
from tracker.ports import Progress, Store, subscription_lease
from tracker.usecases import leasing
from tracker.usecases.ask import Asker
from tracker.usecases.leasing import Leasing
from tracker.usecases.notify import Notifier
from tracker.usecases.shared_asks import SharedAsks

NAMES = [f"subscription {n}" for n in range(6)]
LONG = 3_600.0  # the database's clock goes on while these tests' stand still


@pytest.fixture(autouse=True)
def long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "LEASE_SECONDS", LONG)


@pytest_asyncio.fixture
async def store(database: Path) -> AsyncIterator[Interrupted]:
    opened = SqlStore(SqliteDatabase(database), SystemIds())
    yield Interrupted(opened)
    await opened.close()


class Processes:
    """Several, on one store and one clock."""

    def __init__(self, store: Interrupted) -> None:
        self.clock = ManualClock()
        self.store = store

    def one(self, holder: str) -> Leasing:
        return Leasing(cast("Store", self.store), self.clock, holder)

    def later(self) -> None:
        """So much later that leases are renewed."""
        self.clock.advance(LONG / 2)


@pytest.fixture
def processes(store: Interrupted) -> Processes:
    return Processes(store)


async def test_one_alone_has_all(processes: Processes) -> None:
    assert (await processes.one("a").share(NAMES)).keys() == set(NAMES)


async def test_a_second_one_is_given_half_once_it_is_free(processes: Processes) -> None:
    first, second = processes.one("a"), processes.one("b")
    await first.share(NAMES)
    assert await second.share(NAMES) == {}
    processes.later()
    kept = await first.share(NAMES)
    assert len(kept) == 3
    processes.later()
    assert await second.share(NAMES) == {}  # there is something to finish first
    await first.release([name for name in NAMES if name not in kept])
    processes.later()
    assert (await second.share(NAMES)).keys() == set(NAMES) - kept.keys()
    assert (await first.share(NAMES)).keys() == kept.keys()


async def test_what_one_leaves_another_takes(processes: Processes) -> None:
    first, second = processes.one("a"), processes.one("b")
    await first.share(NAMES)
    await second.share(NAMES)
    await first.leave()
    processes.later()
    assert {name: held.epoch for name, held in (await second.share(NAMES)).items()} == dict.fromkeys(NAMES, 2)
    assert first.held == {}


async def test_new_names_are_looked_at_at_once_and_nothing_is_asked_in_between(processes: Processes) -> None:
    one, calls = processes.one("a"), list[str]()
    await one.share(NAMES[:2])
    processes.store.on_call = calls.append
    await one.share(NAMES[:2])
    assert calls == []
    assert (await one.share(NAMES[:3])).keys() == set(NAMES[:3])
    assert calls


async def test_who_cannot_renew_stops_when_the_time_is_over(processes: Processes) -> None:
    one = processes.one("a")
    await one.share(NAMES)

    def away(_: str) -> None:
        raise StorageError

    processes.store.on_call = away
    processes.later()
    with pytest.raises(StorageError):
        await one.share(NAMES)
    assert one.held.keys() == set(NAMES)
    processes.later()
    assert one.held == {}


async def test_what_was_lost_is_asked_for_again_in_its_time(processes: Processes) -> None:
    one, name = processes.one("a"), NAMES[0]
    await one.share(NAMES)
    await processes.store.release_leases("a", [name])
    await processes.store.hold_leases("another", [name], LONG)
    one.lost(name)
    assert name not in one.held
    processes.later()
    assert name not in await one.share(NAMES)
    await processes.store.release_leases("another", [name])
    processes.later()
    assert (await one.share(NAMES))[name].epoch == 3


# ------------------------------------------------------------------------------------------ telling by leases


@pytest_asyncio.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as made:
        yield made


def a_notifier(world: Telling, holder: str) -> tuple[Notifier, Leasing]:
    mine = Leasing(cast("Store", world.store), world.clock, holder)
    plain = world.restart()
    return Notifier(plain._ports, world.changed, mine), mine


async def running(*notifiers: Notifier) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(notifier.run()) for notifier in notifiers]


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_of_two_processes_one_tells_and_the_other_takes_over_where_it_stopped(world: Telling) -> None:
    await world.subscribe()
    (first, _), (second, _) = a_notifier(world, "a"), a_notifier(world, "b")
    tasks = await running(first, second)
    await world.append(1, 2, 3)
    world.news.ring()
    await until(lambda: len(world.subscriber.posts) == 3)
    for task, more in ((tasks[0], 4), (tasks[1], 5)):
        if len(world.subscriber.posts) == 3:
            task.cancel()
            await asyncio.wait({task})
            world.clock.advance(LONG / 2)
            world.changed.ring()
            await world.append(more)
            world.news.ring()
            if task is tasks[0]:
                await until(lambda: len(world.subscriber.posts) == 4)
    assert [sequence for sequence, _ in world.subscriber.posts] == [1, 2, 3, 4]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_who_lost_the_lease_writes_nothing_and_reads_again_before_it_goes_on(world: Telling) -> None:
    told = await world.subscribe()
    notifier, mine = a_notifier(world, "a")
    name = subscription_lease(SUBSCRIPTION)
    await mine.share([name])
    await world.append(1)
    assert not (await notifier.run_once(SUBSCRIPTION)).is_over
    # Another process takes over while we sleep, and tells the next one.
    await world.real_store.release_leases("a", [name])
    held = (await world.real_store.hold_leases("b", [name], LONG))[name]
    await world.append(2)
    assert await world.real_store.save_progress(Progress(subscription=(await world.saved()), held=held))
    world.news.ring()
    world.clock.advance(1)  # what was told is written within a second, and then it shows
    assert (await notifier.run_once(SUBSCRIPTION)).is_over
    assert (await world.saved()).cursor == 1
    assert mine.held == {}
    assert (await notifier.run_once(SUBSCRIPTION)).is_over  # by no right, so nothing is sent
    assert [sequence for sequence, _ in world.subscriber.posts] == [1, 2]
    with pytest.raises(LeaseLostError):
        await world.real_store.save_progress(Progress(subscription=told, held=type(held)(name, held.epoch - 1)))


async def test_who_was_stopped_for_longer_than_its_lease_sends_nothing_more_by_it(world: Telling) -> None:
    """Another may be far ahead: what comes now, out of turn, would be taken for the latest word."""
    await world.subscribe()
    notifier, mine = a_notifier(world, "a")
    await mine.share([subscription_lease(SUBSCRIPTION)])
    await world.append(*range(30))

    async def stop_for_long() -> None:
        world.clock.advance(LONG)

    world.subscriber.before_answer = stop_for_long
    assert (await notifier.run_once(SUBSCRIPTION)).is_over
    assert len(world.subscriber.posts) <= 8  # those that were under way


# ------------------------------------------------------------------------------------------ asking by leases


class Asked:
    """Takes note of who is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def run_once(self, provider_id: str) -> int:
        self.asked.append(provider_id)
        return 1


async def test_each_provider_is_asked_by_one_process(processes: Processes, bench: Bench) -> None:
    askers = [Asked(), Asked()]
    shared = [
        SharedAsks(cast("Asker", asker), bench.office.providers, processes.one(f"process {n}"))
        for n, asker in enumerate(askers)
    ]
    providers = [provider.id for provider in bench.office.providers]
    for _ in range(4):
        for provider in providers:
            await asyncio.gather(*(one.run_once(provider) for one in shared))
        processes.later()
    assert {*askers[0].asked, *askers[1].asked} == set(providers)
    last = [set(asker.asked[-len(providers) :]) for asker in askers]
    assert len(providers) == 1 or not last[0] & last[1]
    await shared[0].leave()
    processes.later()
    askers[1].asked.clear()
    for provider in providers:
        await shared[1].run_once(provider)
    assert askers[1].asked == providers


async def test_one_alone_asks_all_without_a_lease(bench: Bench) -> None:
    asker = Asked()
    shared = SharedAsks(cast("Asker", asker), bench.office.providers, None)
    for provider in bench.office.providers:
        await shared.run_once(provider.id)
    await shared.leave()
    assert asker.asked == [provider.id for provider in bench.office.providers]
