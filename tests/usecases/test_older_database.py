"""An older database comes back while the service runs, as when a standby that lay behind takes over: nothing new is left out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.damage import unguarded
from tests.journal.drafts import uuid
from tests.usecases.telling import Telling, telling
from tracker.domain.errors import StorageError
from tracker.domain.subscription import Subscription
from tracker.ports import Progress


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


async def told_three(world: Telling) -> Subscription:
    """Three entries have been told; then only the first of them is left."""
    subscription = await world.subscribe()
    await world.append(1, 2, 3)
    await world.turn()
    assert world.subscriber.taken == [1, 2, 3]
    with unguarded(world.path) as connection:
        connection.execute("DELETE FROM entry WHERE sequence > 1")
        connection.execute("UPDATE journal SET next_sequence = 2")
        connection.execute("UPDATE subscription SET cursor = 1")
    return subscription


@asynccontextmanager
async def running(world: Telling) -> AsyncIterator[None]:
    task = asyncio.create_task(world.notifier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def new_ones_are_told(world: Telling) -> None:
    async with asyncio.timeout(20):
        while world.subscriber.taken != [1, 2, 3, 2, 3, 4]:
            await asyncio.sleep(0.01)
    about = [json.loads(world.subscriber.bodies[n])["data"]["tracking_id"] for n in (2, 3, 4)]
    assert about == [uuid(1_007), uuid(1_008), uuid(1_009)]


async def test_it_is_noticed_by_its_end(world: Telling, caplog: pytest.LogCaptureFixture) -> None:
    await told_three(world)
    world.notifier._head = 3  # as its last look found it
    async with running(world):
        async with asyncio.timeout(20):
            while "The journal ends at 1 and did at 3" not in caplog.text:
                await asyncio.sleep(0.01)
        await world.append(7, 8, 9)
        await new_ones_are_told(world)


async def test_after_an_outage_it_counts_though_it_has_grown_past_its_old_end(world: Telling) -> None:
    await told_three(world)
    failures = 1

    def fail_once(name: str) -> None:
        nonlocal failures
        if name == "subscriptions" and failures:
            failures -= 1
            raise StorageError

    world.store.on_call = fail_once
    await world.append(7, 8, 9)
    async with running(world):
        await new_ones_are_told(world)


async def test_nobody_moves_a_subscription_beyond_the_end_of_the_journal(world: Telling) -> None:
    """Whoever would has read on in a time that this database does not know of."""
    subscription = await told_three(world)
    assert not await world.real_store.save_progress(Progress(subscription=replace(subscription, cursor=3)))
    assert (await world.saved()).cursor == 1
    assert await world.real_store.save_progress(Progress(subscription=replace(subscription, cursor=1)))
