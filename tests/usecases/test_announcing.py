"""Others hear of a subscriber who cannot be reached: each step once, whoever dies when."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.journal.drafts import uuid
from tests.usecases.telling import SUBSCRIPTION, Telling, subscriptions, telling
from tracker.domain.errors import LeaseLostError, StorageError
from tracker.domain.manner import Attempts, Manner
from tracker.domain.subscription import EntryFilter, Subscription, SubscriptionState, reachable
from tracker.ports import Held, Progress, subscription_lease
from tracker.usecases.subscribe import SubscriptionChanges

HOUR = 3_600.0
DAY = 24 * HOUR
OTHER = uuid(7)

Told = tuple[str, str, str, str | None]

STEPS: list[Told] = [
    ("failing", "active", "failing", "failing_50"),
    ("failing", "failing", "failing", "failing_70"),
    ("failing", "failing", "failing", "failing_90"),
    ("disabled", "failing", "disabled", "failing_100"),
]


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


def at_any(_: int) -> None:
    """At any version."""


async def told(world: Telling) -> list[Told]:
    """Type, from, to and reason of what the journal says of subscriptions; all else of such an entry is empty."""
    entries = [entry for entry in await world.real_store.entries_after(0, 1_000) if entry.tracking_id is None]
    for entry in entries:
        assert entry.subject == f"subscription/{SUBSCRIPTION}"
        assert (entry.provider, entry.kind, entry.data["consent_id"], entry.usable) == (None, None, None, False)
        assert (entry.data["channel"], entry.data["status_date_time"] is None) == (
            "clock",
            entry.data["reason"] in {None, "gone"},
        )
    return [
        (entry.type.removeprefix("subscription."), entry.data["from"], entry.data["to"], entry.data["reason"])
        for entry in entries
    ]


def answers(world: Telling, status: int | str) -> None:
    world.subscriber.answer = lambda _: status


async def hours(world: Telling, count: float) -> None:
    await world.turns(count * HOUR)


async def test_each_step_on_the_way_to_disablement_is_told_once_when_it_is_reached(world: Telling) -> None:
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    seen: list[tuple[float, int]] = []
    began = world.clock.now()
    for _ in range(2 * 75):
        await hours(world, 0.5)
        seen.append(((world.clock.now() - began) / timedelta(hours=1), len(await told(world))))
    assert await told(world) == STEPS
    reached = [next(at for at, count in seen if count > n) for n in range(4)]
    assert reached == [36.5, 50.5, 65.0, pytest.approx(73, abs=1)]  # half-hours after 36, 50.4, 64.8 and 72
    assert (await world.saved()).state is SubscriptionState.DISABLED


async def test_a_step_is_told_at_its_time_though_nothing_is_tried_then(world: Telling) -> None:
    answers(world, f"503:{int(0.9 * DAY)}")
    await world.append(1)
    await world.subscribe(manner=Manner(attempts=Attempts(disable_after_seconds=int(DAY))))
    await hours(world, 11.9)
    assert await told(world) == []
    await hours(world, 0.2)
    assert await told(world) == STEPS[:1]
    assert len(world.subscriber.posts) == 1


async def test_what_recovers_before_half_the_way_is_no_news(world: Telling) -> None:
    answers(world, 500)
    await world.append(1, 2)
    await world.subscribe()
    await hours(world, 35)
    answers(world, 204)
    await hours(world, 2)
    assert sorted(world.subscriber.taken) == [1, 2]
    assert await told(world) == []


async def test_that_it_recovered_is_told_if_anything_was_told_before_and_then_it_begins_again(world: Telling) -> None:
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    await hours(world, 52)
    answers(world, 204)
    await hours(world, 2)
    recovered = ("recovered", "failing", "active", None)
    assert await told(world) == [*STEPS[:2], recovered]
    await world.append(1)
    await hours(world, 1)
    answers(world, 500)
    await world.append(1)
    await hours(world, 37)
    assert await told(world) == [*STEPS[:2], recovered, STEPS[0]]


async def test_one_that_says_it_is_gone_is_told_of_as_disabled_with_that_reason(world: Telling) -> None:
    answers(world, 410)
    await world.append(1)
    await world.subscribe()
    await world.turn()
    assert await told(world) == [("disabled", "active", "disabled", "gone")]


async def test_one_that_is_resumed_has_recovered_when_it_takes_something(world: Telling) -> None:
    answers(world, 410)
    await world.append(1)
    await world.subscribe()
    await world.turn()
    await subscriptions(world).resume(SUBSCRIPTION, at_any)
    world.restart()
    await world.turn()  # it says the same again: that is no news
    gone = ("disabled", "active", "disabled", "gone")
    assert await told(world) == [gone]
    await subscriptions(world).resume(SUBSCRIPTION, at_any)
    answers(world, 204)
    world.restart()
    await world.turn()
    world.clock.advance(1)
    await world.turn()
    assert await told(world) == [gone, ("recovered", "disabled", "active", None)]


async def test_one_that_is_resumed_and_fails_anew_is_told_of_anew(world: Telling) -> None:
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    await hours(world, 80)
    await subscriptions(world).resume(SUBSCRIPTION, at_any)
    world.restart()
    await hours(world, 80)
    again = ("failing", "disabled", "failing", "failing_50")
    assert await told(world) == [*STEPS, again, *STEPS[1:]]


async def test_a_subscriber_hears_of_others_and_never_of_itself(world: Telling) -> None:
    await world.append(1)
    await world.subscribe()
    await world.subscribe(id=OTHER, url=world.subscriber.url, entry_filter=EntryFilter(types=("subscription.*",)))
    answers(world, 500)
    await hours(world, 80)
    answers(world, 204)
    await world.notifier.run_once(OTHER)
    assert len(world.subscriber.taken) == 4
    assert all(b'"subject":"subscription/' + SUBSCRIPTION.encode() in world.subscriber.bodies[s] for s in (2, 3, 4, 5))
    world.subscriber.posts.clear()
    await subscriptions(world).resume(SUBSCRIPTION, at_any)
    world.restart()
    await hours(world, 1)
    assert world.subscriber.taken == [1]  # all that was told of it lies behind it, and is not for it
    assert (await world.saved()).cursor >= 5


async def test_two_that_fail_do_not_keep_each_other_busy(world: Telling) -> None:
    """What is told of one is one entry more that the other refuses, and no news of that."""
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    await world.subscribe(id=OTHER)
    for _ in range(200):
        for one in (SUBSCRIPTION, OTHER):
            await world.notifier.run_once(one)
        world.clock.advance(HOUR)
    entries = await world.real_store.entries_after(0, 1_000)
    assert len([entry for entry in entries if entry.tracking_id is None]) == 8


async def test_restarts_at_any_time_change_nothing(world: Telling) -> None:
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    for _ in range(160):
        world.restart()
        await hours(world, 0.5)
    assert await told(world) == STEPS


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_crash_around_the_write_that_tells_it_neither_loses_nor_repeats_it(
    world: Telling, is_written: bool
) -> None:
    answers(world, 500)
    await world.append(1)
    await world.subscribe()
    await hours(world, 35.9)
    real = world.real_store.save_progress

    async def crash(progress: Progress) -> bool:
        if is_written:
            await real(progress)
        raise StorageError

    world.store.save_progress = crash  # type: ignore[attr-defined]
    world.clock.advance(HOUR)
    with pytest.raises(StorageError):
        await world.turn()
    assert await told(world) == (STEPS[:1] if is_written else [])
    del world.store.save_progress  # type: ignore[attr-defined]
    world.restart()
    await world.turn()
    await hours(world, 1)
    assert await told(world) == STEPS[:1]


async def test_who_lost_the_lease_tells_nothing(world: Telling) -> None:
    made = await world.subscribe()
    name = subscription_lease(SUBSCRIPTION)
    old = (await world.real_store.hold_leases("a", [name], 60))[name]
    await world.real_store.release_leases("a", [name])
    await world.real_store.hold_leases("b", [name], 60)
    with pytest.raises(LeaseLostError):
        await _write(world, made, old)
    assert await told(world) == []


async def _write(world: Telling, made: Subscription, held: Held | None) -> None:
    """Fail for two days, and write that, as a stream does."""
    ports = world.notifier._ports
    from tracker.usecases.stream import Stream

    stream = Stream(made, [], ports, held)
    since = world.clock.now() - timedelta(days=2)
    stream._endpoint.subscription = replace(made, state=SubscriptionState.FAILING, failing_since=since, failures=9)
    await stream._save()


async def test_what_was_found_out_by_other_terms_is_not_told(world: Telling) -> None:
    made = await world.subscribe()
    await subscriptions(world).change(SUBSCRIPTION, SubscriptionChanges(url="https://new.example/"), at_any)
    await _write(world, made, None)
    assert await told(world) == []
    assert (await world.saved()).state is SubscriptionState.ACTIVE


async def test_a_change_of_other_terms_takes_nothing_back_that_was_found_out_meanwhile(world: Telling) -> None:
    """Found in writing: a description changed in the instant of disablement made it active again, and it was told twice."""
    made = await world.subscribe()
    gone = replace(made, state=SubscriptionState.DISABLED, last_error="The endpoint answered 410.")
    assert await world.real_store.save_progress(Progress(subscription=gone))
    changed = replace(made, description="CRM")
    assert await world.real_store.change_subscription(changed, made.version)
    saved = await world.saved()
    assert (saved.description, saved.state, saved.last_error) == ("CRM", SubscriptionState.DISABLED, gone.last_error)
    anew = reachable(replace(saved, url="https://new.example/"))
    assert await world.real_store.change_subscription(anew, saved.version, is_anew=True)
    assert (await world.saved()).state is SubscriptionState.ACTIVE


async def test_the_bell_rings_for_those_who_wait_to_hear_of_it(world: Telling) -> None:
    answers(world, 410)
    await world.append(1)
    await world.subscribe()
    rings = world.news.rings
    await world.turn()
    assert world.news.rings == rings + 1
