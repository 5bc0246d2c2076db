"""Telling subscribers again: what of the journal, in which order, how fast, and whatever goes wrong meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.usecases.replaying import Retelling, retelling
from tests.usecases.telling import SUBSCRIPTION
from tracker.domain.errors import (
    InvalidRequestError,
    NotResendableError,
    ReplayNotFoundError,
    StorageError,
    SubscriptionNotFoundError,
    TooManyReplaysError,
)
from tracker.domain.replay import MOST_OPEN, MOST_SEQUENCES
from tracker.domain.subscription import EntryFilter, Parked, SubscriptionState
from tracker.ports import Progress
from tracker.usecases.rerun import MOST_AT_ONCE, WINDOW


@pytest.fixture
async def again(database: Path) -> AsyncIterator[Retelling]:
    async with retelling(database) as made:
        yield made


async def told_up_to(again: Retelling, *consents: int, cursor: int | None = None, **changes: Any) -> None:
    """A journal, and a subscription that has gone past it."""
    entries = await again.world.append(*consents)
    await again.world.subscribe(cursor=len(entries) if cursor is None else cursor, **changes)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


# ---------------------------------------------------------------------------------------------- what is chosen


async def test_named_entries_are_told_again_and_marked(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 3, 4)
    replay = await again.ask(sequences=(4, 2, 2))
    assert (await again.turns()).is_over
    assert sorted(again.world.subscriber.taken) == [2, 4]
    assert await again.counted(replay) == (2, 0, 0, "done")
    entries = await again.world.real_store.entries_at([2])
    body, headers = again.world.subscriber.bodies[2], again.world.subscriber.headers[2]
    assert body == entries[2].told(with_private=False, redelivered=True)
    told = json.loads(body)
    assert told.pop("redelivered") is True
    assert told == entries[2].leaf
    assert headers["webhook-id"] == entries[2].id


async def test_the_mark_stands_beside_private_values(again: Retelling) -> None:
    private = {"private": {"user_ref": "u"}, "private_salt": b"s" * 32}
    await again.world.append(1, **private)
    await again.world.subscribe(cursor=1, include_private=True)
    await again.ask(sequences=(1,))
    await again.turns()
    told = json.loads(again.world.subscriber.bodies[1])
    assert (told["redelivered"], told["private"]) == (True, {"user_ref": "u"})


async def test_a_range_is_what_the_subscription_has_gone_past_and_hears(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 1, 2, 1, 2, cursor=5)
    await again.world.append(3, type="payment.status_changed")
    everything = await again.ask(from_sequence=2)
    some = await again.ask(from_sequence=1, to_sequence=3)
    assert (everything.total, some.total) == (4, 3)
    await again.turns()
    assert sorted(again.world.subscriber.taken[:4]) == [2, 3, 4, 5]
    assert await again.counted(everything) == (4, 0, 0, "done")
    assert sorted(again.world.subscriber.taken[4:]) == [1, 2, 3]
    assert (await again.world.saved()).cursor == 5  # none of it moves what is new


async def test_what_the_filter_does_not_let_pass_is_skipped(again: Retelling) -> None:
    await told_up_to(again, *range(5), entry_filter=EntryFilter(types=("payment.*",)))
    named = await again.ask(sequences=(1, 2))
    ranged = await again.ask(from_sequence=1)
    await again.turns()
    assert again.world.subscriber.posts == []
    assert await again.counted(named) == (0, 0, 2, "done")
    assert await again.counted(ranged) == (0, 0, 5, "done")


async def test_what_is_still_parked_is_left_to_the_stream(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 1)
    waits = Parked(sequence=1, tracking_id="t", attempts=1, next_attempt_at=again.world.clock.now())
    await again.world.real_store.save_progress(Progress(subscription=await again.world.saved(), park=(waits,)))
    replay = await again.ask(from_sequence=1)
    await again.turns()
    assert sorted(again.world.subscriber.taken) == [2, 3]
    assert await again.counted(replay) == (2, 0, 1, "done")


async def test_dead_letters_of_a_span_are_told_and_are_none_any_more(again: Retelling) -> None:
    await told_up_to(again, *range(6))
    start = again.world.clock.now()
    for n in (1, 2, 3, 4):
        await again.give_up(n, seconds=n * 10)
    again.world.clock.advance(100)
    replay = await again.ask(since=start + timedelta(seconds=20), until=start + timedelta(seconds=40))
    assert replay.total == 2
    await again.turns()
    assert sorted(again.world.subscriber.taken) == [2, 3]
    assert set(again.world.dead_letters()) == {1, 4}
    missing = await again.ask(is_missing=True)
    await again.turns()
    assert sorted(again.world.subscriber.taken) == [1, 2, 3, 4]
    assert again.world.dead_letters() == {}
    assert await again.counted(missing) == (2, 0, 0, "done")


async def test_what_is_given_up_later_is_not_told_by_itself(again: Retelling) -> None:
    await told_up_to(again, *range(4))
    await again.give_up(1)
    again.world.clock.advance(1)
    await again.ask(
        since=again.world.clock.now() - timedelta(days=1), until=again.world.clock.now() + timedelta(days=1)
    )
    await again.give_up(2)
    await again.turns()
    assert again.world.subscriber.taken == [1]
    assert set(again.world.dead_letters()) == {2}
    await again.turns(3_600)
    assert again.world.subscriber.taken == [1]


async def test_from_a_time_on(again: Retelling) -> None:
    await again.world.append(1, 2)
    again.world.clock.advance(10)
    since = again.world.clock.now()
    await again.world.append(3, 4)
    await again.world.subscribe(cursor=4)
    await again.ask(from_time=since)
    empty = await again.ask(from_time=since + timedelta(seconds=1))
    await again.turns()
    assert sorted(again.world.subscriber.taken) == [3, 4]
    assert (empty.total, await again.counted(empty)) == (0, (0, 0, 0, "done"))


async def test_what_cannot_be_asked_for_is_refused(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 3, cursor=2)
    now = again.world.clock.now()
    wrong: list[dict[str, Any]] = [
        {},
        {"sequences": ()},
        {"sequences": (0,)},
        {"sequences": (1, 3)},
        {"sequences": tuple(range(1, MOST_SEQUENCES + 2))},
        {"sequences": (1,), "is_missing": True},
        {"is_missing": True, "to_sequence": 1},
        {"from_sequence": 0},
        {"from_sequence": 3},
        {"from_sequence": 2, "to_sequence": 1},
        {"since": now, "until": now},
        {"is_missing": True, "per_second": 0},
        {"is_missing": True, "per_second": 1_001},
    ]
    for request in wrong:
        with pytest.raises(InvalidRequestError):
            await again.ask(**request)
    with pytest.raises(SubscriptionNotFoundError):
        await again.replays.listed("none")
    with pytest.raises(ReplayNotFoundError):
        await again.replays.cancel(SUBSCRIPTION, "none")
    with pytest.raises(SubscriptionNotFoundError):
        await again.replays.cancel("none", "none")
    assert await again.replays.listed(SUBSCRIPTION) == []
    assert (await again.ask(from_sequence=1, to_sequence=99)).selection.last == 2


async def test_nothing_is_resent_to_who_fetches(again: Retelling) -> None:
    await told_up_to(again, 1, url="")
    with pytest.raises(NotResendableError):
        await again.ask(is_missing=True)


async def test_so_many_may_wait(again: Retelling) -> None:
    await told_up_to(again, 1, paused_at=again.world.clock.now())
    first = await again.ask(from_sequence=1)
    for _ in range(MOST_OPEN - 1):
        await again.ask(from_sequence=1)
    with pytest.raises(TooManyReplaysError):
        await again.ask(from_sequence=1)
    await again.replays.cancel(SUBSCRIPTION, first.id)
    await again.ask(from_sequence=1)


# ---------------------------------------------------------------------------------------------- order and pace


async def test_each_consent_is_told_in_order_and_a_few_at_once(again: Retelling) -> None:
    await told_up_to(again, *[n % 7 for n in range(100)])
    again.world.subscriber.before_answer = lambda: asyncio.sleep(0.002)
    replay = await again.ask(from_sequence=1)
    await again.turns()
    taken = again.world.subscriber.taken
    assert sorted(taken) == list(range(1, 101))
    for consent in range(7):
        story = [s for s in taken if (s - 1) % 7 == consent]
        assert story == sorted(story)
    assert again.world.subscriber.overlaps == []
    assert 1 < again.world.subscriber.most_under_way <= MOST_AT_ONCE
    assert await again.counted(replay) == (100, 0, 0, "done")


async def test_one_after_the_other(again: Retelling) -> None:
    await told_up_to(again, *range(5))
    await again.ask(from_sequence=3)
    await again.ask(sequences=(1,))
    await again.turns()
    assert again.world.subscriber.taken[-1] == 1


async def test_never_more_than_the_rate(again: Retelling) -> None:
    await told_up_to(again, *range(50))
    began: list[float] = []

    async def note() -> None:
        began.append(again.world.clock.monotonic())

    again.world.subscriber.before_answer = note
    replay = await again.ask(from_sequence=1, per_second=7)
    for n in range(1_000):
        if (await again.turn()).is_over:
            break
        again.world.clock.advance(0.07)
        if n == 20:
            again.restart()  # who goes on does not know how much was used up
    assert len(began) == 50 + (len(again.world.subscriber.taken) - 50)
    for at in began:
        assert sum(at - 0.999 <= other <= at for other in began) <= 7
    assert began[-1] - began[0] <= 50 / 7 + 3
    assert (await again.now(replay)).done == 50


async def test_what_is_new_does_not_wait_behind_it(again: Retelling) -> None:
    """Each has its own places: while all of the replay's posts hang, what comes is told."""
    await told_up_to(again, *range(20))
    gate = asyncio.Event()

    async def hang() -> None:
        if again.world.subscriber.most_under_way <= MOST_AT_ONCE and not again.world.news.rings:
            await gate.wait()

    again.world.subscriber.before_answer = hang
    await again.ask(from_sequence=1)
    running = asyncio.create_task(again.turn())
    await until(lambda: again.world.subscriber.most_under_way == MOST_AT_ONCE)
    await again.world.append(99)
    again.world.news.ring()
    await again.world.turn()
    assert again.world.subscriber.taken == [21]
    assert b"redelivered" not in again.world.subscriber.bodies[21]
    gate.set()
    await running
    assert set(again.world.subscriber.taken) == set(range(1, 22))


# ---------------------------------------------------------------------------------------------- refusals


async def test_an_entry_that_is_refused_is_tried_a_few_times_and_then_counted(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 1)
    await again.give_up(1)
    again.world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 204
    replay = await again.ask(from_sequence=1)
    assert (await again.turns()).is_over
    assert again.world.subscriber.tried.count(1) == 3
    # Its consent's next one goes after it, and only then.
    assert again.world.subscriber.tried.index(3) == len(again.world.subscriber.tried) - 1
    assert await again.counted(replay) == (2, 1, 0, "done")
    (lost,) = await again.replays.not_taken(await again.now(replay))
    assert (lost.sequence, lost.attempts, lost.last_error) == (1, 3, "The endpoint answered 422.")
    assert again.world.dead_letters() == {1: 9}
    assert (await again.world.saved()).state is SubscriptionState.ACTIVE


@pytest.mark.parametrize("answer", [500, 404, 0])
async def test_what_is_refused_while_others_pass_is_about_the_entry(again: Retelling, answer: int) -> None:
    await told_up_to(again, *range(10))
    again.world.subscriber.answer = lambda entry: answer if int(entry["sequence"]) == 1 else 204
    replay = await again.ask(from_sequence=1)
    assert (await again.turns(60)).is_over
    assert await again.counted(replay) == (9, 1, 0, "done")


async def test_bodies_that_are_all_refused_are_counted_and_keep_nobody_waiting(again: Retelling) -> None:
    await told_up_to(again, *range(20))
    again.world.subscriber.answer = lambda _: 400
    replay = await again.ask(from_sequence=1)
    assert (await again.turns(60)).is_over
    assert await again.counted(replay) == (0, 20, 0, "done")
    assert len(again.world.subscriber.posts) == 60


async def test_an_entry_alone_that_the_endpoint_answers_with_500_is_about_the_entry(again: Retelling) -> None:
    await told_up_to(again, 1)
    again.world.subscriber.answer = lambda _: 500
    replay = await again.ask(sequences=(1,))
    assert (await again.turns(60)).is_over
    assert await again.counted(replay) == (0, 1, 0, "done")


@pytest.mark.parametrize("answer", [503, 0])
async def test_of_an_entry_alone_that_nobody_answers_nothing_can_be_said(again: Retelling, answer: int) -> None:
    await told_up_to(again, 1)
    again.world.subscriber.answer = lambda _: answer
    replay = await again.ask(sequences=(1,))
    assert not (await again.turns(600)).is_over
    assert await again.counted(replay) == (0, 0, 0, "running")


@pytest.mark.parametrize("answer", [503, 0, 500])
async def test_an_endpoint_that_is_down_makes_it_wait_and_costs_no_try(again: Retelling, answer: int) -> None:
    await told_up_to(again, *range(40))
    again.world.subscriber.answer = lambda _: answer
    replay = await again.ask(from_sequence=1)
    assert not (await again.turns(7_200)).is_over
    waiting = await again.now(replay)
    assert (waiting.done, waiting.failed, waiting.failures > 5) == (0, 0, True)
    assert waiting.last_error is not None
    assert len(again.world.subscriber.posts) < 40  # no storm; one that is hung up on is posted twice
    again.world.subscriber.answer = lambda _: 204
    assert (await again.turns(4_000)).is_over
    assert await again.counted(replay) == (40, 0, 0, "done")
    assert (await again.now(replay)).last_error is None


async def test_when_what_is_new_passes_it_does_not_wait_on(again: Retelling) -> None:
    await told_up_to(again, *range(8))
    again.world.subscriber.answer = lambda entry: 500 if "redelivered" in entry else 204
    replay = await again.ask(from_sequence=1)
    await again.turns(7_200)
    assert (await again.now(replay)).failures > 3
    for _ in range(60):
        await again.world.append(50)
        again.world.news.ring()
        await again.world.turns(2)
        if (await again.turns(10)).is_over:
            break
    assert await again.counted(replay) == (0, 8, 0, "done")


async def test_one_whose_endpoint_takes_nothing_for_days_is_stopped(again: Retelling) -> None:
    await told_up_to(again, *range(8))
    again.world.subscriber.answer = lambda _: 503
    replay = await again.ask(from_sequence=1)
    assert (await again.turns(4 * 86_400)).is_over
    found = await again.now(replay)
    assert (found.state.value, found.last_error) == ("stopped", "The endpoint answered 503.")


async def test_who_is_gone_is_told_nothing_more(again: Retelling) -> None:
    await told_up_to(again, 1, 1, 1)
    again.world.subscriber.answer = lambda entry: 410 if int(entry["sequence"]) == 2 else 204
    replay = await again.ask(from_sequence=1)
    assert (await again.turns()).is_over
    assert again.world.subscriber.tried == [1, 2]
    assert await again.counted(replay) == (1, 0, 0, "stopped")


async def test_an_endpoint_that_asks_us_to_wait_is_waited_for(again: Retelling) -> None:
    await told_up_to(again, 1)
    again.world.subscriber.answer = lambda _: "429:100"
    replay = await again.ask(sequences=(1,))
    turn = await again.turn()
    assert turn.next_at == again.world.clock.now() + timedelta(seconds=100)
    again.world.clock.advance(99)
    await again.turn()
    assert len(again.world.subscriber.posts) == 1
    again.world.subscriber.answer = lambda _: 204
    again.world.clock.advance(1)
    await again.turn()
    assert await again.counted(replay) == (1, 0, 0, "done")


# ---------------------------------------------------------------------------------------------- what happens meanwhile


async def test_one_that_is_not_told_waits_and_nothing_is_counted(again: Retelling) -> None:
    for changes in ({"paused_at": again.world.clock.now()}, {"state": SubscriptionState.DISABLED}):
        await told_up_to(again, *range(3), **changes)
        replay = await again.ask(from_sequence=1)
        assert (await again.turns()).is_over
        assert await again.world.real_store.replays.to_run() == []
        assert await again.counted(replay) == (0, 0, 0, "waiting")
        saved = await again.world.saved()
        back = replace(saved, paused_at=None, state=SubscriptionState.ACTIVE)
        await again.world.real_store.change_subscription(back, saved.version, is_anew=True)
        await again.turns()
        assert (await again.now(replay)).done >= 3
        await again.world.real_store.delete_subscription(SUBSCRIPTION)


async def test_one_that_is_paused_in_the_middle_goes_on_where_it_was(again: Retelling) -> None:
    await told_up_to(again, *range(80))

    async def pause() -> None:
        if len(again.world.subscriber.posts) == 40:
            saved = await again.world.saved()
            paused = replace(saved, paused_at=again.world.clock.now())
            await again.world.real_store.change_subscription(paused, saved.version)

    again.world.subscriber.before_answer = pause
    replay = await again.ask(from_sequence=1)
    assert (await again.turns()).is_over
    told = len(again.world.subscriber.taken)
    assert 40 < told <= 40 + MOST_AT_ONCE
    saved = await again.world.saved()
    await again.world.real_store.change_subscription(replace(saved, paused_at=None), saved.version)
    again.restart()
    again.world.subscriber.before_answer = None
    await again.turns()
    assert await again.counted(replay) == (80, 0, 0, "done")
    assert len(again.world.subscriber.taken) <= 80 + WINDOW


async def test_one_that_is_cancelled_while_a_post_is_under_way_ends_and_counts_it(again: Retelling) -> None:
    await told_up_to(again, *range(40))
    for n in range(1, 41):
        await again.give_up(n)
    ended: list[str] = []

    async def cancel() -> None:
        if len(again.world.subscriber.posts) >= 10 and not ended:
            ended.append("")
            ended[0] = (await again.replays.cancel(SUBSCRIPTION, replay.id)).state.value

    again.world.subscriber.before_answer = cancel
    replay = await again.ask(is_missing=True)
    assert (await again.turns()).is_over
    taken = again.world.subscriber.taken
    assert ended == ["cancelled"]
    assert len(taken) <= 10 + MOST_AT_ONCE
    assert await again.counted(replay) == (len(taken), 0, 0, "cancelled")
    assert set(again.world.dead_letters()) == set(range(1, 41)) - set(taken)
    await again.turns(600)
    assert again.world.subscriber.taken == taken


async def test_what_was_told_behind_one_that_waits_is_counted_when_it_is_cancelled(again: Retelling) -> None:
    await told_up_to(again, *range(6))
    await again.give_up(*range(1, 7))
    again.world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 204
    replay = await again.ask(is_missing=True)
    assert not (await again.turn()).is_over
    await again.replays.cancel(SUBSCRIPTION, replay.id)
    assert (await again.turn()).is_over
    assert await again.counted(replay) == (5, 0, 0, "cancelled")
    assert set(again.world.dead_letters()) == {1}


async def test_what_is_under_way_when_we_stop_is_counted_if_it_comes_in_time(again: Retelling) -> None:
    await told_up_to(again, *range(3))
    again.restart(grace_seconds=20)
    gate = asyncio.Event()
    again.world.subscriber.before_answer = gate.wait
    replay = await again.ask(from_sequence=1)
    running = asyncio.create_task(again.replayer.run())
    await until(lambda: again.world.subscriber.most_under_way == 3)
    running.cancel()
    await asyncio.sleep(0.01)
    gate.set()
    await asyncio.wait({running})
    assert (await again.now(replay)).done == 3


async def test_one_whose_subscription_is_deleted_ends(again: Retelling) -> None:
    await told_up_to(again, *range(40))

    async def delete() -> None:
        if len(again.world.subscriber.posts) == 10:
            await again.world.real_store.delete_subscription(SUBSCRIPTION)

    again.world.subscriber.before_answer = delete
    await again.ask(from_sequence=1)
    assert (await again.turns()).is_over
    assert len(again.world.subscriber.posts) <= 10 + MOST_AT_ONCE
    assert await again.world.real_store.replays.listed(SUBSCRIPTION) == []


async def test_a_clock_that_is_set_back_holds_nothing_up(again: Retelling) -> None:
    await told_up_to(again, 1, 2, 3, 1)
    again.world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 503
    replay = await again.ask(from_sequence=1, per_second=1)
    await again.turns(20)
    again.world.clock.set(again.world.clock.now() - timedelta(days=2))
    again.world.subscriber.answer = lambda _: 204
    assert (await again.turns(60)).is_over
    assert (await again.now(replay)).done == 4
    # And read by another, which knows nothing but what was written:
    again.world.subscriber.answer = lambda _: 503
    later = await again.ask(from_sequence=1)
    await again.turns(7_200)
    again.world.clock.set(again.world.clock.now() - timedelta(days=2))
    again.restart()
    again.world.subscriber.answer = lambda _: 204
    assert (await again.turns(5)).is_over
    assert (await again.now(later)).done == 4


@pytest.mark.parametrize("at_save", [1, 2, 3])
async def test_a_crash_where_something_was_about_to_be_written_repeats_a_window_at_most(
    again: Retelling, at_save: int
) -> None:
    await told_up_to(again, *[n % 9 for n in range(100)])
    await again.give_up(*range(1, 101))
    left = at_save

    def fail(name: str) -> None:
        nonlocal left
        left -= name == "save"
        if not left:
            raise StorageError

    again.book.on_call = fail
    replay = await again.ask(is_missing=True)
    with pytest.raises(StorageError):
        await again.turns()
    again.book.on_call = lambda _: None
    again.restart()
    assert (await again.turns()).is_over
    taken = again.world.subscriber.taken
    assert set(taken) == set(range(1, 101))
    assert len(taken) <= 100 + WINDOW
    assert await again.counted(replay) == (100, 0, 0, "done")
    assert again.world.dead_letters() == {}


async def test_who_is_stopped_writes_down_what_was_taken(again: Retelling) -> None:
    await told_up_to(again, *range(60))
    replay = await again.ask(from_sequence=1)
    running = asyncio.create_task(again.replayer.run())
    await until(lambda: len(again.world.subscriber.posts) >= 20)
    running.cancel()
    await asyncio.wait({running})
    assert (await again.now(replay)).done >= 16
    again.restart()
    again.world.clock.advance(1)
    running = asyncio.create_task(again.replayer.run())
    async with asyncio.timeout(20):
        while (await again.now(replay)).done < 60:
            again.world.clock.advance(1)
            again.changed.ring()
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait({running})
    assert len(again.world.subscriber.taken) <= 60 + MOST_AT_ONCE


@pytest.mark.parametrize("is_another", [False, True])
async def test_one_that_is_broken_off_again_and_again_tells_nothing_twice_and_comes_to_an_end(
    again: Retelling, *, is_another: bool
) -> None:
    """What was settled behind an entry that waits was forgotten, and its tries too: it began anew with each break."""
    await told_up_to(again, *range(100))
    await again.give_up(3, 50)
    again.world.subscriber.answer = lambda entry: 422 if int(entry["sequence"]) == 1 else 204
    replay = await again.ask(from_sequence=1)

    async def break_off() -> None:
        if len(again.world.subscriber.posts) % 7 == 6:
            await become(again, SubscriptionState.FAILING)

    again.world.subscriber.before_answer = break_off
    for _ in range(60):
        before = len(again.world.subscriber.posts)
        assert (await again.turns(15)).is_over
        await become(again, SubscriptionState.ACTIVE)
        if is_another:
            again.restart()
        if (await again.now(replay)).state.is_over:
            break
        assert len(again.world.subscriber.posts) > before
    assert await again.counted(replay) == (99, 1, 0, "done")
    assert sorted(again.world.subscriber.taken) == list(range(2, 101))
    assert again.world.subscriber.tried.count(1) == 3
    (lost,) = await again.replays.not_taken(await again.now(replay))
    assert (lost.sequence, lost.attempts) == (1, 3)
    assert again.world.dead_letters() == {}


async def become(again: Retelling, state: SubscriptionState) -> None:
    """What the loop that tells what is new finds out."""
    changed = replace(await again.world.saved(), state=state)
    assert await again.world.real_store.save_progress(Progress(subscription=changed))


@pytest.mark.parametrize("answer", ["429:100", "503:100"])
async def test_what_is_new_leaves_an_endpoint_alone_too_that_asked_a_replay_to_wait(
    again: Retelling, answer: str
) -> None:
    """Only the replay waited; the stream posted on."""
    world = again.world
    await told_up_to(again, 1, 2)
    await world.turn()
    world.subscriber.answer = lambda entry: answer if "redelivered" in entry else 204
    await again.ask(from_sequence=1)
    await again.turn()
    asked = len(world.subscriber.posts)
    await world.append(3)
    running = asyncio.create_task(world.notifier.run())
    world.news.ring()
    await asyncio.sleep(0.05)
    world.clock.advance(99)
    world.news.ring()
    await asyncio.sleep(0.05)
    assert len(world.subscriber.posts) == asked
    world.clock.advance(1)
    world.news.ring()
    await until(lambda: 3 in world.subscriber.taken)
    running.cancel()
    await asyncio.wait({running})
    assert (await world.saved()).state is SubscriptionState.ACTIVE


async def test_who_just_begins_to_tell_what_is_new_knows_that_the_endpoint_asked_to_wait(again: Retelling) -> None:
    world = again.world
    await told_up_to(again, 1)
    world.subscriber.answer = lambda entry: "429:100" if "redelivered" in entry else 204
    await again.ask(from_sequence=1)
    await again.turn()
    await world.append(2)
    assert (await world.turn()).next_at == world.clock.now() + timedelta(seconds=100)
    world.clock.set(world.clock.now() - timedelta(days=10))  # by this clock it was not asked yet
    await world.turn()
    assert 2 in world.subscriber.taken
