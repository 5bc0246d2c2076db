"""What must not happen to who is told, whatever is changed, stopped or set in the middle."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from tests.clocks import START
from tests.journal.drafts import uuid
from tests.usecases.replaying import Retelling, retelling
from tests.usecases.telling import SUBSCRIPTION, NoJitter, Telling, subscriptions, telling
from tracker.adapters.clock import SystemIds
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.domain.errors import LeaseLostError, StorageError
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState
from tracker.journal.entry import Draft
from tracker.ports import Store
from tracker.usecases.stream import Stream, StreamPorts
from tracker.usecases.subscribe import SubscriptionChanges

HOUR = 3_600.0
DAY = 24 * HOUR
KEYS = SecretKeys({"k": b"k" * 32})


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


@pytest.fixture
async def again(database: Path) -> AsyncIterator[Retelling]:
    async with retelling(database) as made:
        yield made


def refusing(*sequences: int, status: int | str) -> Callable[[dict[str, Any]], int | str]:
    return lambda entry: status if int(entry["sequence"]) in sequences else 204


def ports_of(world: Telling) -> StreamPorts:
    return StreamPorts(
        store=cast("Store", world.real_store),
        sender=world.sender,
        clock=world.clock,
        ids=SystemIds(),
        entropy=NoJitter(),
        news=world.news,
    )


async def change(world: Telling, **changes: Any) -> Subscription:
    return await subscriptions(world).change(SUBSCRIPTION, SubscriptionChanges(**changes), lambda _: None)


# ---------------------------------------------------------------------------------------------- what is still heard


async def test_what_is_parked_is_not_told_once_the_filter_forbids_it(world: Telling) -> None:
    world.subscriber.answer = refusing(1, status=400)
    await world.append(1, 1, 1, type="consent.expiring")
    await world.append(1, 2)
    await world.subscribe()
    await world.turn()
    assert set(await world.parked()) == {1, 2, 3, 4}
    await change(world, types=("consent.status_changed",))
    world.restart()
    world.subscriber.posts.clear()
    await world.turns(600)
    assert world.subscriber.tried == [4]
    assert await world.parked() == {}
    assert world.dead_letters() == {}


# ---------------------------------------------------------------------------------------------- days, by which clock


async def test_one_that_was_not_tried_for_days_is_not_disabled_by_the_first_try_after_that(world: Telling) -> None:
    world.subscriber.answer = lambda _: 500
    await world.append(1, 2)
    await world.subscribe()
    await world.turns(60)
    world.clock.advance(4 * DAY)  # nothing of us ran, or the clock was set
    world.restart()
    await world.turn()
    assert (await world.saved()).state is SubscriptionState.FAILING
    await world.turns(2 * HOUR)
    assert (await world.saved()).state is SubscriptionState.DISABLED


async def test_a_clock_that_was_ahead_when_it_began_to_fail_does_not_keep_it_failing_for_ever(world: Telling) -> None:
    right = world.clock.now()
    world.clock.set(right + timedelta(days=365))
    world.subscriber.answer = lambda _: 500
    await world.append(1, 2)
    await world.subscribe()
    await world.turns(HOUR)
    world.clock.set(right + timedelta(hours=1))
    tried = len(world.subscriber.posts)
    await world.turns(2 * HOUR)
    assert len(world.subscriber.posts) > tried
    await world.turns(4 * DAY)
    assert (await world.saved()).state is SubscriptionState.DISABLED


async def test_a_clock_that_is_set_back_by_hours_makes_nobody_wait_for_these_again(world: Telling) -> None:
    world.subscriber.answer = lambda _: 500
    await world.append(1, 2)
    await world.subscribe()
    await world.turns(3 * HOUR)
    world.clock.set(world.clock.now() - timedelta(hours=6))
    world.subscriber.answer = lambda _: 204
    await world.turns(1.2 * HOUR)
    assert sorted(world.subscriber.taken) == [1, 2]


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_what_was_refused_while_the_clock_was_ahead_does_not_wait_until_then(
    world: Telling, *, is_restarted: bool
) -> None:
    right = world.clock.now()
    world.clock.set(right + timedelta(days=365))
    world.subscriber.answer = refusing(1, status=400)
    await world.append(1, 1, 2)
    await world.subscribe()
    await world.turn()
    world.clock.set(right + timedelta(seconds=1))
    if is_restarted:
        world.restart()
    await world.turns(600)
    assert world.subscriber.taken == [3, 2]
    assert set(world.dead_letters()) == {1}


async def test_who_waits_after_an_error_does_not_wait_for_the_clock_of_then(world: Telling) -> None:
    await world.append(1)
    await world.subscribe()
    world.store.on_call = lambda name: _raise() if name == "parked" else None
    running = asyncio.create_task(world.notifier.run())
    await asyncio.sleep(0.05)
    world.store.on_call = lambda _: None
    world.clock.set(world.clock.now() - timedelta(days=10))
    async with asyncio.timeout(10):
        while not world.subscriber.taken:
            world.clock.advance(1)
            world.news.ring()
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})


def _raise() -> None:
    raise StorageError


# ---------------------------------------------------------------------------------------------- down, or poisoned


async def test_an_entry_that_is_always_asked_to_wait_does_not_stop_the_others(world: Telling) -> None:
    world.subscriber.answer = refusing(1, status="503:1")
    await world.append(1)
    await world.subscribe()
    await world.turns(600)
    await world.append(2, 3, 4, to_status="Revoked")
    world.news.ring()
    await world.turns(HOUR)
    assert sorted(set(world.subscriber.taken)) == [2, 3, 4]


async def test_an_entry_that_is_always_asked_to_wait_is_given_up_and_what_comes_after_it_arrives(
    world: Telling,
) -> None:
    world.subscriber.answer = refusing(1, status="503:1")
    await world.append(1)
    await world.append(1, to_status="Revoked")
    await world.subscribe()
    for _ in range(30):
        await world.append(2)
        world.news.ring()
        await world.turns(60)
    assert 2 in world.subscriber.taken
    assert set(world.dead_letters()) == {1}


async def test_too_many_requests_for_one_alone_holds_the_cursor_back_no_more_than_a_refusal(world: Telling) -> None:
    world.subscriber.answer = refusing(1, status="429:1")
    await world.append(1)
    await world.append(1, to_status="Revoked")
    await world.subscribe()
    for _ in range(30):
        await world.append(2)
        world.news.ring()
        await world.turns(60)
    assert set(world.subscriber.taken) >= set(range(3, 32))  # the last one waits its turn
    assert (await world.saved()).cursor >= 30
    assert world.dead_letters() == {}  # these words never mean an entry
    assert await world.parked() == {1: 0, 2: 0}


async def test_who_was_stopped_for_longer_than_its_lease_does_not_try_a_failing_endpoint(world: Telling) -> None:
    world.subscriber.answer = lambda _: 500
    await world.append(1)
    subscription = await world.subscribe()
    ours = True
    stream = Stream(subscription, (), ports_of(world), is_ours=lambda: ours)
    await stream.turn()
    world.clock.advance(60)
    ours = False
    with pytest.raises(LeaseLostError):
        await stream.turn()
    assert world.subscriber.tried == [1]


def test_one_whose_url_is_not_proved_is_not_told() -> None:
    """Or a loop would begin for it every second, and find nothing to do."""
    facts: dict[str, Any] = {
        "id": SUBSCRIPTION,
        "url": "https://x.test/",
        "secret": "s",
        "cursor": 0,
        "created_at": START,
    }
    assert [state.value for state in SubscriptionState if Subscription(**facts, state=state).is_told] == [
        "active",
        "failing",
    ]


async def test_a_revocation_that_comes_later_behind_an_entry_that_is_always_refused_arrives_within_ten_minutes(
    world: Telling,
) -> None:
    world.subscriber.answer, world.subscriber.answer_to_ping = refusing(1, status=500), 204
    await world.append(1)
    await world.subscribe()
    await world.turns(5 * HOUR)
    await world.append(1, to_status="Revoked")
    world.news.ring()
    await world.turns(600)
    assert world.subscriber.taken == [2]


# ---------------------------------------------------------------------------------------------- replays


async def test_a_replay_to_one_whose_secret_cannot_be_read_waits_and_does_not_spin(again: Retelling) -> None:
    world = again.world
    world.real_store.vault.use_keys(KEYS)
    await world.append(1)
    await world.subscribe(cursor=1)
    replay = await again.ask(sequences=(1,))
    world.real_store.vault.use_keys(NO_KEYS)
    async with asyncio.timeout(5):
        assert (await again.turn()).is_over
    assert (await again.counted(replay))[3] == "waiting"
    world.real_store.vault.use_keys(KEYS)
    await again.turns()
    assert world.subscriber.taken == [1]


async def test_a_replay_does_not_tell_a_subscription_of_itself(again: Retelling) -> None:
    world = again.world
    await world.append(1)
    for number, one in enumerate((SUBSCRIPTION, uuid(7)), start=50):
        draft = Draft(id=uuid(number), type="subscription.failing", subscription_id=one, to_status="failing")
        await world.real_store.transact(lambda tx, draft=draft: tx.append([draft], world.clock.now()))
    await world.subscribe(cursor=3)
    replay = await again.ask(from_sequence=1)
    await again.turns()
    assert sorted(world.subscriber.taken) == [1, 3]
    assert await again.counted(replay) == (2, 0, 1, "done")


async def test_a_replay_obeys_a_filter_that_was_changed_in_the_middle(again: Retelling) -> None:
    world = again.world
    await world.append(*range(10))
    await world.append(*range(10), type="consent.expiring")
    await world.subscribe(cursor=20)
    replay = await again.ask(from_sequence=1, per_second=4)
    await again.turn()
    assert len(world.subscriber.taken) == 4
    await change(world, types=("consent.expiring",))
    await again.turns()
    assert sorted(world.subscriber.taken[4:]) == list(range(11, 21))
    assert await again.counted(replay) == (14, 0, 6, "done")


async def test_a_replay_obeys_who_cancels_it_while_it_looks_for_what_is_heard(again: Retelling) -> None:
    world = again.world
    await world.append(*range(600))
    await world.append(1, type="consent.expiring")
    await world.subscribe(cursor=601, entry_filter=EntryFilter(types=("consent.expiring",)))
    replay = await again.ask(from_sequence=1)
    pages = 0

    class Book:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.real_store.replays, name)

        async def still_told(self, *args: Any) -> Any:
            nonlocal pages
            pages += 1
            if pages == 1:
                await again.replays.cancel(SUBSCRIPTION, replay.id)
            return await world.real_store.replays.still_told(*args)

    again.restart(book=Book())
    await again.turn()
    assert world.subscriber.posts == []
    assert pages == 1
