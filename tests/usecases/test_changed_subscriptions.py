"""Subscriptions that are changed, paused and resumed while they are told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from standardwebhooks import Webhook

from tests.usecases.telling import SECRET, SUBSCRIPTION, Telling, telling
from tracker.adapters.clock import SystemEntropy, SystemIds
from tracker.domain.errors import InvalidRequestError, SubscriptionNotFoundError
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState
from tracker.ports import Progress, Store
from tracker.usecases.ping import Pings
from tracker.usecases.subscribe import SubscriptionChanges, Subscriptions

HOUR = timedelta(hours=1)


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


@pytest.fixture
def subscriptions(world: Telling) -> Subscriptions:
    def check(url: str) -> None:
        if "refused" in url:
            raise InvalidRequestError("Not there.")

    return Subscriptions(
        store=cast("Store", world.store),
        clock=world.clock,
        ids=SystemIds(),
        entropy=SystemEntropy(),
        check_url=check,
        changed=world.changed,
    )


def at_any(_: int) -> None:
    """At any version."""


@asynccontextmanager
async def at_work(world: Telling) -> AsyncIterator[None]:
    running = asyncio.create_task(world.notifier.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def nothing_runs(world: Telling) -> None:
    await until(lambda: not world.notifier._loops)


# ---------------------------------------------------------------------------------------------- pause and resume


async def test_one_that_is_paused_is_told_nothing_and_goes_on_where_it_was(
    world: Telling, subscriptions: Subscriptions
) -> None:
    await world.subscribe()
    async with at_work(world):
        await world.append(1, 2)
        world.news.ring()
        await until(lambda: world.subscriber.taken == [1, 2])
        paused = await subscriptions.pause(SUBSCRIPTION, at_any)
        assert (paused.paused_at, paused.version) == (world.clock.now(), 2)
        await nothing_runs(world)
        await world.append(1, 3)
        world.news.ring()
        assert (await world.saved()).cursor == 2
        await subscriptions.resume(SUBSCRIPTION, at_any)
        await until(lambda: sorted(world.subscriber.taken) == [1, 2, 3, 4])
    assert (await world.saved()).paused_at is None


async def test_one_that_is_paused_stays_so_over_a_restart(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe()
    await subscriptions.pause(SUBSCRIPTION, at_any)
    await world.append(1)
    world.notifier = world.restart()
    await world.notifier._look_after_loops()
    assert world.notifier._loops == {}


async def test_to_pause_twice_changes_nothing_more(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe()
    first = await subscriptions.pause(SUBSCRIPTION, at_any)
    world.clock.advance(60)
    assert await subscriptions.pause(SUBSCRIPTION, at_any) == first
    resumed = await subscriptions.resume(SUBSCRIPTION, at_any)
    assert await subscriptions.resume(SUBSCRIPTION, at_any) == resumed
    assert resumed.version == 3


@pytest.mark.parametrize("state", [SubscriptionState.DISABLED, SubscriptionState.FAILING])
async def test_one_that_is_disabled_or_failing_is_resumed_at_once(
    world: Telling, subscriptions: Subscriptions, state: SubscriptionState
) -> None:
    await world.append(1)
    later = world.clock.now() + HOUR
    await world.subscribe(
        state=state, failing_since=world.clock.now(), failures=7, next_attempt_at=later, last_error="x"
    )
    async with at_work(world):
        await subscriptions.resume(SUBSCRIPTION, at_any)
        await until(lambda: world.subscriber.taken == [1])
    saved = await world.saved()
    assert (saved.state, saved.failures, saved.last_error) == (SubscriptionState.ACTIVE, 0, None)


# ---------------------------------------------------------------------------------------------- other terms


async def test_from_then_on_it_is_told_by_the_new_filter(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe(entry_filter=EntryFilter(types=("payment.*",)))
    async with at_work(world):
        await world.append(1)
        world.news.ring()
        await until(lambda: bool(world.notifier._streams))
        changed = await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(types=("*",)), at_any)
        assert changed.entry_filter == EntryFilter(types=("*",))
        await world.append(2)
        world.news.ring()
        await until(lambda: 2 in world.subscriber.taken)


async def test_parts_that_are_not_given_stay(world: Telling, subscriptions: Subscriptions) -> None:
    before = await world.subscribe(
        description="CRM", entry_filter=EntryFilter(types=("consent.*",), to=frozenset({"Revoked"}))
    )
    only = EntryFilter(provider=frozenset({"demobank"}))
    changed = await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(only=only), at_any)
    assert changed == replace(
        before, entry_filter=EntryFilter(types=("consent.*",), provider=frozenset({"demobank"})), version=2
    )
    changed = await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(types=("*",), description=""), at_any)
    assert changed.entry_filter == EntryFilter(types=("*",), provider=frozenset({"demobank"}))
    assert (changed.description, changed.version) == ("", 3)
    assert (await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(), at_any)).version == 3


async def test_another_url_begins_with_a_clean_slate(world: Telling, subscriptions: Subscriptions) -> None:
    await world.append(1)
    await world.subscribe(url="http://127.0.0.1:9/", state=SubscriptionState.DISABLED, last_error="gone")
    async with at_work(world):
        await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(url=world.subscriber.url), at_any)
        await until(lambda: world.subscriber.taken == [1])
    assert (await world.saved()).last_error is None


async def test_what_cannot_be_is_refused_and_changes_nothing(world: Telling, subscriptions: Subscriptions) -> None:
    before = await world.subscribe()
    for changes in (
        SubscriptionChanges(url="http://refused/"),
        SubscriptionChanges(types=()),
        SubscriptionChanges(types=("a b",)),
        SubscriptionChanges(only=EntryFilter(to=frozenset({"Gone"}))),
        SubscriptionChanges(description="x" * 501),
    ):
        with pytest.raises(InvalidRequestError):
            await subscriptions.change(SUBSCRIPTION, changes, at_any)
    with pytest.raises(SubscriptionNotFoundError):
        await subscriptions.change("none", SubscriptionChanges(description="x"), at_any)
    assert await world.saved() == before


# ---------------------------------------------------------------------------------------------- two at once


async def test_who_is_slower_changes_what_the_other_made_of_it(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe()
    seen: list[int] = []
    others = iter([lambda: subscriptions.pause(SUBSCRIPTION, at_any)])

    real = world.real_store.change_subscription

    async def meanwhile(changed: Subscription, at_version: int, *, is_anew: bool) -> bool:
        for other in others:
            await other()
        return await real(changed, at_version, is_anew=is_anew)

    world.store.change_subscription = meanwhile  # type: ignore[attr-defined]
    changed = await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(description="CRM"), seen.append)
    assert (changed.description, changed.paused_at, changed.version) == ("CRM", world.clock.now(), 3)
    assert seen == [1, 2]


async def test_what_was_found_out_about_the_old_url_does_not_count_for_the_new_one(
    world: Telling, subscriptions: Subscriptions
) -> None:
    await world.append(1, 2, 3)
    known = await world.subscribe()
    await subscriptions.change(SUBSCRIPTION, SubscriptionChanges(url="http://new.example/"), at_any)
    old = replace(known, cursor=2, state=SubscriptionState.DISABLED, last_error="The endpoint answered 410.")
    assert await world.real_store.save_progress(Progress(subscription=old))
    saved = await world.saved()
    assert (saved.cursor, saved.state, saved.last_error) == (2, SubscriptionState.ACTIVE, None)


# ---------------------------------------------------------------------------------------------- secrets


async def test_a_rotated_secret_signs_beside_the_one_before_for_a_while(
    world: Telling, subscriptions: Subscriptions
) -> None:
    await world.subscribe()
    rotated = await subscriptions.rotate_secret(SUBSCRIPTION, HOUR, at_any)
    assert rotated.secret != SECRET
    again = await subscriptions.rotate_secret(SUBSCRIPTION, 2 * HOUR, at_any)
    secrets = (again.secret, rotated.secret, SECRET)
    for sequence, passed, good in ((1, 0, 3), (2, 3599, 3), (3, 1, 2), (4, 3600, 1)):
        world.clock.advance(passed)
        await world.append(sequence)
        await world.turn()
        headers, body = world.subscriber.headers[sequence], world.subscriber.bodies[sequence]
        assert len(headers["webhook-signature"].split()) == good
        for n, secret in enumerate(secrets):
            assert _verifies(secret, body, headers) is (n < good)
            assert not _verifies(secret, body + b" ", headers)


def _verifies(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    # The library also looks at the true time, from which these tests are far away.
    sent_at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    return Webhook(secret).sign(headers["webhook-id"], sent_at, body.decode()) in headers["webhook-signature"].split()


async def test_without_an_overlap_the_one_before_is_gone_at_once(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe()
    rotated = await subscriptions.rotate_secret(SUBSCRIPTION, timedelta(), at_any)
    assert rotated.secrets(world.clock.now()) == (rotated.secret,)
    assert rotated.retired_secrets == ()


async def test_no_more_than_five_sign(world: Telling, subscriptions: Subscriptions) -> None:
    await world.subscribe()
    made = [(await subscriptions.rotate_secret(SUBSCRIPTION, HOUR, at_any)).secret for _ in range(7)]
    assert (await world.saved()).secrets(world.clock.now()) == tuple(reversed(made[-5:]))


# ---------------------------------------------------------------------------------------------- pings


async def test_a_ping_is_signed_and_is_no_entry(world: Telling) -> None:
    posted: list[tuple[str, bytes]] = []
    await world.subscribe(state=SubscriptionState.DISABLED)
    pings = Pings(world.real_store, _Posted(world, posted), world.clock, SystemIds())
    pong = await pings.ping(SUBSCRIPTION)
    ((ping_id, body),) = posted
    told = json.loads(body)
    assert (told["id"], told["type"], told["subject"]) == (pong.id, "subscription.test", SUBSCRIPTION)
    assert ping_id == pong.id
    assert "sequence" not in told
    assert await world.real_store.head() == 0
    assert (await world.saved()).state is SubscriptionState.DISABLED
    with pytest.raises(SubscriptionNotFoundError):
        await pings.ping("none")


class _Posted:
    """The real sender, and what went through it."""

    def __init__(self, world: Telling, posted: list[tuple[str, bytes]]) -> None:
        self._sender, self._posted = world.sender, posted

    async def send(self, subscription, entry_id, body, at, *, traceparent=None):  # type: ignore[no-untyped-def]
        self._posted.append((entry_id, body))
        return await self._sender.send(subscription, entry_id, body, at, traceparent=traceparent)
