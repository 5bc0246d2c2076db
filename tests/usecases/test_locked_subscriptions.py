"""A subscription whose secrets cannot be read: nobody is told by it, nobody else is hurt, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.journal.drafts import uuid
from tests.usecases.telling import SECRET, SUBSCRIPTION, Telling, telling
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.usecases.ping import Pings

KEYS = SecretKeys({"k": b"k" * 32})


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


async def test_one_whose_secret_is_encrypted_is_told_as_any(world: Telling) -> None:
    world.real_store.vault.use_keys(KEYS)
    [entry] = await world.append(1)
    await world.subscribe()
    await world.turn()
    signed = Webhook(SECRET).sign(entry.id, world.clock.now(), entry.leaf_bytes.decode())
    assert world.subscriber.headers[1]["webhook-signature"] == signed


async def test_without_its_key_it_is_not_told_and_waits_where_it_is(
    world: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    world.real_store.vault.use_keys(KEYS)
    await world.subscribe()
    world.real_store.vault.use_keys(NO_KEYS)
    await world.append(1, 1)
    for _ in range(3):
        assert (await world.turn()).is_over
        world.clock.advance(3_600)
    saved = await world.saved()
    assert (saved.cursor, saved.failures, saved.locked is None, saved.last_error) == (0, 0, False, None)
    assert world.subscriber.posts == []
    assert await world.parked() == {}
    assert [message for message in caplog.messages if "is not told" in message] == [
        f"Subscription {SUBSCRIPTION} is not told: its secrets are encrypted with the key 'k', which at_rest_keys does not hold"
    ]
    world.real_store.vault.use_keys(KEYS)
    await world.turn()
    assert world.subscriber.taken == [1, 2]


async def test_its_loop_ends_and_others_go_on_and_it_begins_again_with_the_key(world: Telling) -> None:
    world.real_store.vault.use_keys(KEYS)
    await world.subscribe()
    world.real_store.vault.use_keys(NO_KEYS)
    await world.subscribe(id=uuid(7))
    world.real_store.vault.use_keys(KEYS)
    running = asyncio.create_task(world.notifier.run())
    try:
        async with asyncio.timeout(20):
            while set(world.notifier._loops) != {SUBSCRIPTION, uuid(7)}:
                await asyncio.sleep(0.005)
            world.real_store.vault.use_keys(NO_KEYS)
            world.changed.ring()
            while set(world.notifier._loops) != {uuid(7)}:
                await asyncio.sleep(0.005)
            await world.append(1)
            world.news.ring()
            while world.subscriber.taken != [1]:
                await asyncio.sleep(0.005)
            world.real_store.vault.use_keys(KEYS)
            world.changed.ring()
            while world.subscriber.taken != [1, 1]:
                await asyncio.sleep(0.005)
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_ping_says_what_is_wrong_and_posts_nothing(world: Telling) -> None:
    world.real_store.vault.use_keys(KEYS)
    await world.subscribe()
    world.real_store.vault.use_keys(NO_KEYS)
    pong = await Pings(world.real_store, world.sender, world.clock, SystemIds()).ping(SUBSCRIPTION)
    assert pong.delivery.error == "Its secrets are encrypted with the key 'k', which at_rest_keys does not hold."
    assert world.subscriber.posts == []
