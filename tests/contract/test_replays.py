"""Replays in the store: kept, bounded, one at a time, written under a lease, forgotten."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.contract.facts import (
    IDS,
    NewDatabase,
    a_consent,
    a_subscription,
    append,
    at,
    draft_about,
    parked,
    save,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import LeaseLostError, SubscriptionNotFoundError
from tracker.domain.replay import (
    KEPT_FOR,
    MOST_LISTED,
    MOST_OPEN,
    MOST_OVER,
    NotTaken,
    Replay,
    ReplayState,
    Selection,
    Wanted,
    ended,
)
from tracker.domain.subscription import Parked, Subscription, SubscriptionState
from tracker.ports import Held, Lag, Progress, ReplayProgress, replay_lease

EVERYTHING = Selection(wanted=Wanted.MISSING, last=100)


def a_replay(subscription: Subscription, **changes: Any) -> Replay:
    facts: dict[str, Any] = {
        "id": IDS.ordered(),
        "subscription_id": subscription.id,
        "selection": EVERYTHING,
        "total": 3,
        "created_at": at(0),
    }
    return Replay(**facts | changes)


async def a_told(store: SqlStore, **changes: Any) -> Subscription:
    subscription = a_subscription(**changes)
    await store.add_subscription(subscription)
    return subscription


async def give_up(store: SqlStore, subscription: Subscription, *lost: Parked) -> None:
    assert await store.save_progress(Progress(subscription=subscription, given_up=lost))


def not_taken(sequence: int, **changes: Any) -> NotTaken:
    facts: dict[str, Any] = {"tracking_id": "t", "attempts": 3, "last_error": "422", "answer": "no", "failed_at": at(9)}
    return NotTaken(sequence=sequence, **facts | changes)


async def test_they_are_read_back_as_they_were_written(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    chosen = (
        Selection(wanted=Wanted.SEQUENCES, sequences=(3, 7), first=3, last=7),
        Selection(wanted=Wanted.FAILED, last=9, since=at(0.5), until=at(9)),
        Selection(wanted=Wanted.RANGE, first=2, last=2**40),
    )
    made = [a_replay(one, selection=selection, per_second=n + 1) for n, selection in enumerate(chosen)]
    for replay in made:
        assert await store.replays.add(replay)
    assert await store.replays.listed(one.id) == made[::-1]
    assert await store.replays.listed(other.id) == []
    assert await store.replays.next_of(one.id) == made[0]
    assert await store.replays.get(one.id, made[1].id) == made[1]
    assert await store.replays.get(other.id, made[1].id) is None
    assert await store.replays.to_run() == [one.id]


async def test_only_who_is_being_told_has_something_to_run(store: SqlStore) -> None:
    told = await a_told(store)
    for changes in (
        {"paused_at": at(0)},
        {"state": SubscriptionState.FAILING},
        {"state": SubscriptionState.DISABLED},
    ):
        await store.replays.add(a_replay(await a_told(store, **changes)))
    assert await store.replays.to_run() == []
    for _ in range(2):
        await store.replays.add(a_replay(told))
    assert await store.replays.to_run() == [told.id]


async def test_so_many_may_be_open_and_so_many_that_are_over_are_kept(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    for _ in range(MOST_OVER + 3):
        over = a_replay(one)
        assert await store.replays.add(over)
        await store.replays.save(ReplayProgress(replay=ended(over, ReplayState.DONE, at(5)), not_taken=(not_taken(1),)))
    first = (await store.replays.listed(one.id))[-1]
    found = await asyncio.gather(*(store.replays.add(a_replay(one)) for _ in range(MOST_OPEN + 3)))
    assert found.count(True) == MOST_OPEN
    assert await store.replays.add(a_replay(other))
    kept = await store.replays.listed(one.id)
    assert len(kept) == MOST_OPEN + MOST_OVER
    assert first not in kept
    assert await store.replays.not_taken(first.id) == []
    assert await store.replays.not_taken(kept[-1].id) == [not_taken(1)]


async def test_nothing_is_kept_for_nobody(store: SqlStore) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        await store.replays.add(a_replay(a_subscription()))


async def test_progress_is_written_all_in_one_and_dead_letters_stay_truthful(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    for subscription in (one, other):
        await give_up(store, subscription, *(parked(n, attempts=6, last_error="400") for n in (1, 2, 3)))
    replay = a_replay(one)
    await store.replays.add(replay)
    after = replace(replay, state=ReplayState.RUNNING, started_at=at(1), position=3, done=1, failed=1, skipped=1)
    progress = ReplayProgress(replay=after, taken=(1,), not_taken=(not_taken(3),))
    assert await store.replays.save(progress)
    assert await store.replays.get(one.id, replay.id) == after
    lost = {row.sequence: row for row in await store.undelivered(one.id, 0, 9)}
    assert set(lost) == {2, 3}
    assert (lost[3].attempts, lost[3].last_error, lost[3].answer, lost[3].given_up_at) == (9, "422", "no", at(5))
    assert (lost[2].attempts, lost[2].last_error, lost[2].answer) == (6, "400", None)
    assert [row.sequence for row in await store.undelivered(other.id, 0, 9)] == [1, 2, 3]
    assert await store.replays.not_taken(replay.id) == [not_taken(3)]


async def test_of_the_failures_so_many_are_listed_and_all_are_counted(store: SqlStore) -> None:
    one = await a_told(store)
    replay = a_replay(one)
    await store.replays.add(replay)
    for begin in (1, 71):
        rows = tuple(not_taken(n) for n in range(begin, begin + 70))
        assert await store.replays.save(ReplayProgress(replay=replace(replay, failed=begin + 69), not_taken=rows))
    assert [row.sequence for row in await store.replays.not_taken(replay.id)] == list(range(1, MOST_LISTED + 1))
    found = await store.replays.get(one.id, replay.id)
    assert found is not None and found.failed == 140


async def test_what_was_cancelled_stays_so_and_what_was_told_before_is_counted(store: SqlStore) -> None:
    one = await a_told(store)
    await give_up(store, one, parked(1), parked(2))
    replay = a_replay(one)
    await store.replays.add(replay)
    await store.replays.cancel("another", replay.id, at(3))
    assert await store.replays.next_of(one.id) == replay
    await store.replays.cancel(one.id, replay.id, at(3))
    await store.replays.cancel(one.id, replay.id, at(4))
    end = ended(replace(replay, position=1, done=1), ReplayState.DONE, at(5))
    assert await store.replays.save(ReplayProgress(replay=end, taken=(1,))) is False
    found = await store.replays.get(one.id, replay.id)
    assert found == replace(replay, state=ReplayState.CANCELLED, finished_at=at(3), position=1, done=1)
    assert [row.sequence for row in await store.undelivered(one.id, 0, 9)] == [2]
    assert await store.replays.next_of(one.id) is None
    assert await store.replays.to_run() == []


async def test_who_lost_the_lease_writes_nothing(store: SqlStore) -> None:
    one = await a_told(store)
    await give_up(store, one, parked(1))
    replay = a_replay(one)
    await store.replays.add(replay)
    name = replay_lease(one.id)
    held = (await store.hold_leases("a", [name], 60))[name]
    progress = ReplayProgress(replay=replace(replay, done=1), held=Held(name, held.epoch - 1), taken=(1,))
    with pytest.raises(LeaseLostError):
        await store.replays.save(progress)
    assert await store.replays.get(one.id, replay.id) == replay
    assert await store.replays.save(replace(progress, held=held))


async def test_a_deleted_subscription_takes_its_replays_with_it(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    mine, theirs = a_replay(one), a_replay(other)
    for replay in (mine, theirs):
        await store.replays.add(replay)
        await store.replays.save(ReplayProgress(replay=replay, not_taken=(not_taken(1),)))
    name = replay_lease(one.id)
    held = (await store.hold_leases("a", [name], 60))[name]
    await store.delete_subscription(one.id)
    assert await store.replays.listed(one.id) == []
    assert await store.replays.not_taken(mine.id) == []
    assert await store.replays.save(ReplayProgress(replay=mine, not_taken=(not_taken(1),))) is False
    assert await store.replays.not_taken(mine.id) == []
    with pytest.raises(LeaseLostError):
        await store.replays.save(ReplayProgress(replay=mine, held=held))
    assert await store.replays.listed(other.id) == [theirs]
    assert await store.replays.not_taken(theirs.id) == [not_taken(1)]


async def test_dead_letters_are_chosen_by_when_they_were_given_up(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    for subscription in (one, other):
        await give_up(store, subscription, *(parked(n, next_attempt_at=at(10 * n)) for n in (1, 2, 3, 4, 5)))

    async def chosen(after: int = 0, limit: int = 9, **bounds: Any) -> list[int]:
        selection = Selection(wanted=Wanted.FAILED, **{"last": 9} | bounds)
        found = await store.replays.given_up(one.id, selection, after, limit)
        assert len(found) == limit or await store.replays.count_given_up(one.id, selection) == len(
            [*found, *range(after)]
        )
        return found

    assert await chosen() == [1, 2, 3, 4, 5]
    assert await chosen(since=at(20), until=at(40)) == [2, 3]
    assert await chosen(last=3) == [1, 2, 3]
    assert await chosen(first=4) == [4, 5]
    assert await chosen(after=2) == [3, 4, 5]
    assert await chosen(limit=2) == [1, 2]


async def test_what_is_parked_is_still_told(store: SqlStore) -> None:
    one, other = await a_told(store), await a_told(store)
    await store.save_progress(Progress(subscription=one, park=(parked(2), parked(5))))
    assert await store.replays.still_told(one.id, [1, 2, 3]) == {2}
    assert await store.replays.still_told(one.id, [1, 3, 9]) == set()
    assert await store.replays.still_told(one.id, []) == set()
    assert await store.replays.still_told(other.id, [2, 5]) == set()


async def test_the_first_entry_since_a_time_is_found(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)
    assert await store.replays.first_since(at(0)) == 1
    for seconds in (10, 10, 20, 15, 40):  # a clock that is set back: the journal's times stay
        await append(store, draft_about(consent), now=at(seconds))
    found = {seconds: await store.replays.first_since(at(seconds)) for seconds in (0, 10, 10.5, 20, 20.5, 40, 41)}
    assert found == {0: 1, 10: 1, 10.5: 3, 20: 3, 20.5: 5, 40: 5, 41: 6}


async def test_housekeeping_forgets_what_has_been_over_for_long(new_database: NewDatabase) -> None:
    store = new_database()()
    one = await a_told(store)
    old, young, going = (a_replay(one) for _ in range(3))
    for replay in (old, young, going):
        await store.replays.add(replay)
    for replay, seconds in ((old, 0), (young, 60)):
        end = ended(replay, ReplayState.DONE, at(seconds))
        await store.replays.save(ReplayProgress(replay=end, not_taken=(not_taken(1),)))
    await store.trim(at(30) + KEPT_FOR)
    assert [replay.id for replay in await store.replays.listed(one.id)] == [going.id, young.id]
    assert await store.replays.not_taken(old.id) == []
    assert len(await store.replays.not_taken(young.id)) == 1
    await store.close()


async def test_what_is_settled_behind_what_waits_is_kept(store: SqlStore) -> None:
    replay = a_replay(await a_told(store))
    await store.replays.add(replay)
    come = replace(replay, state=ReplayState.RUNNING, ahead=frozenset({4, 7}), tries={3: 2, 5: 1})
    await store.replays.save(ReplayProgress(replay=come))
    assert await store.replays.next_of(replay.subscription_id) == come
    await store.replays.save(ReplayProgress(replay=replay))
    assert await store.replays.next_of(replay.subscription_id) == replay


async def test_that_an_endpoint_asked_to_wait_stands_until_it_is_resumed(store: SqlStore) -> None:
    one = await a_told(store)
    replay = a_replay(one)
    await store.replays.add(replay)

    async def held(*asked: tuple[int, int]) -> tuple[Any, Any]:
        for begin, end in asked:
            await store.replays.save(ReplayProgress(replay=replay, asked_to_wait=(at(begin), at(end))))
        assert await store.save_progress(Progress(subscription=one))  # who tells what is new knows nothing of it
        found = await store.get_subscription(one.id)
        assert found is not None
        return found.held_at, found.held_until

    assert await held((0, 50)) == (at(0), at(50))
    assert await held((10, 20)) == (at(0), at(50))
    assert await held((10, 60)) == (at(10), at(60))
    assert await held((5, 15)) == (at(5), at(15))  # our clock was ahead
    assert await store.change_subscription(one, one.version)
    assert await held() == (at(5), at(15))
    assert await store.change_subscription(one, one.version + 1, is_anew=True)
    found = await store.get_subscription(one.id)
    assert found is not None
    assert found.held_until is None


async def test_one_that_cannot_be_read_holds_up_no_other(store: SqlStore, caplog: pytest.LogCaptureFixture) -> None:
    one = await a_told(store)
    damaged, next_one = a_replay(one), a_replay(one)
    for replay in (damaged, next_one):
        await store.replays.add(replay)
    damage = text("UPDATE replay SET selection = :broken WHERE id = :id")
    await store._write(lambda connection: connection.execute(damage, {"broken": '{"wanted": "x"}', "id": damaged.id}))
    for _ in range(3):
        assert await store.replays.next_of(one.id) == next_one
    assert len([said for said in caplog.messages if damaged.id in said]) == 1
    await store.replays.cancel(one.id, next_one.id, at(1))
    assert await store.replays.next_of(one.id) is None


async def test_how_far_behind_each_subscription_is(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)
    for n in range(1, 6):
        await append(store, draft_about(consent), now=at(n))
    behind, even = await a_told(store, cursor=2), await a_told(store, cursor=5)
    await store.save_progress(Progress(subscription=behind, park=(parked(1),)))
    await give_up(store, even, parked(2), parked(3))
    lags = {
        behind.id: Lag(entries=3, waits_since=at(3), parked=1),
        even.id: Lag(entries=0, waits_since=None, dead_letters=2),
    }
    assert await store.lags() == lags
    assert await store.lags(even.id) == {even.id: lags[even.id]}
    assert await store.lags("none") == {}
    found = (await store.survey(at(9), [])).subscriptions
    assert [(standing.id, standing.waits_since) for standing in found] == [(behind.id, at(3)), (even.id, None)]
