"""Budgets that several processes share: each has a store of its own on one database, and one clock counts for all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.clocks import ManualClock
from tests.contract.facts import NewDatabase
from tests.usecases.bench import DEMOBANK, a_provider
from tracker.adapters.store.store import SqlStore
from tracker.domain.allowance import Room
from tracker.domain.errors import ConsentApiRefusedError, ConsentApiUnavailableError
from tracker.ports import Provider, Transaction
from tracker.usecases.budget import Budget


@dataclass
class Pair:
    """Two processes, and what they have in common."""

    one: Budget
    other: Budget
    clock: ManualClock
    store: SqlStore
    provider: Provider

    async def ask(self, budget: Budget, most: int = 50) -> int:
        return len(await budget.spend(self.provider, most, all_of_it))


def all_of_it(room: Room, _: Transaction) -> Sequence[int]:
    return range(room.urgent)


@pytest_asyncio.fixture
async def pair(new_database: NewDatabase) -> AsyncIterator[Pair]:
    open_store = new_database()
    stores, clock = [open_store(), open_store()], ManualClock()
    one, other = (Budget(store, clock) for store in stores)
    yield Pair(one, other, clock, stores[0], a_provider(DEMOBANK, "https://x"))
    for store in stores:
        await store.close()


async def test_two_that_poll_together_never_ask_more_than_one_may(pair: Pair) -> None:
    sent: list[tuple[float, int]] = []
    for step in range(40):
        both = await asyncio.gather(pair.ask(pair.one, 1 + step % 4), pair.ask(pair.other, 3))
        sent.append((pair.clock.monotonic(), sum(both)))
        pair.clock.advance(0.15)
    for begin, _ in sent:
        assert sum(count for at, count in sent if begin <= at < begin + 0.999) <= 5
    assert sum(count for _, count in sent) >= 25  # and all of what there is


async def test_no_day_has_more_than_its_own_whoever_asks(pair: Pair) -> None:
    pair.provider = a_provider(DEMOBANK, "https://x", daily_requests=23)
    sent = 0
    for _ in range(10):
        sent += sum(await asyncio.gather(pair.ask(pair.one), pair.ask(pair.other)))
        pair.clock.advance(1)
    assert sent == 23
    with pytest.raises(ConsentApiUnavailableError, match="in a day") as raised:
        await pair.other.turn(pair.provider, 5)
    assert raised.value.retry_after_seconds == pytest.approx(18 * 3600 - 10)
    pair.clock.advance(18 * 3600 - 10)
    await pair.other.turn(pair.provider, 5)


async def test_who_dies_with_questions_in_hand_has_used_them_up_and_who_dies_before_has_not(pair: Pair) -> None:
    def dies(_room: Room, _transaction: Transaction) -> Sequence[int]:
        raise KeyError

    with pytest.raises(KeyError):
        await pair.one.spend(pair.provider, 50, dies)
    assert await pair.ask(pair.one, 3) == 3  # and nobody ever hears of it again
    assert await pair.ask(pair.other) == 2


async def test_a_provider_that_wants_to_be_left_alone_is_by_all(pair: Pair) -> None:
    assert await pair.ask(pair.one, 1) == 1
    await pair.one.heard(pair.provider, ConsentApiUnavailableError(retry_after_seconds=30))
    pair.clock.advance(29)
    assert await pair.ask(pair.other) == 0
    with pytest.raises(ConsentApiUnavailableError, match="left alone"):
        await pair.other.turn(pair.provider, 0.5)
    pair.clock.advance(1)
    assert await pair.ask(pair.other) == 5


async def test_failures_of_one_stop_all_and_one_question_at_a_time_tries(pair: Pair) -> None:
    assert await pair.ask(pair.one) == 5
    await asyncio.gather(*(pair.one.heard(pair.provider, ConsentApiUnavailableError()) for _ in range(5)))
    pair.clock.advance(1)
    assert await pair.ask(pair.other) == 0
    with pytest.raises(ConsentApiUnavailableError, match="again and again"):
        await pair.other.turn(pair.provider, 0.5)
    pair.clock.advance(4)
    assert sorted(await asyncio.gather(pair.ask(pair.one), pair.ask(pair.other))) == [0, 1]
    pair.clock.advance(29)
    assert sum(await asyncio.gather(pair.ask(pair.one), pair.ask(pair.other))) == 0
    pair.clock.advance(1)  # whoever had it is dead
    assert await pair.ask(pair.other) == 1
    await pair.other.heard(pair.provider, ConsentApiUnavailableError())
    pair.clock.advance(9)
    assert await pair.ask(pair.one) == 0
    pair.clock.advance(1)
    assert await pair.ask(pair.other) == 1
    await pair.other.heard(pair.provider, None)
    pair.clock.advance(1)
    assert await pair.ask(pair.one) == 5


async def test_a_refusal_of_ours_is_an_answer(pair: Pair) -> None:
    for _ in range(3):
        assert await pair.ask(pair.one) == 5
        await asyncio.gather(*(pair.one.heard(pair.provider, ConsentApiRefusedError()) for _ in range(5)))
        pair.clock.advance(1)
    assert await pair.ask(pair.other) == 5


async def test_who_waits_in_one_process_and_the_schedule_in_another_share(pair: Pair) -> None:
    asked = {"schedule": 0, "waiting": 0}

    async def wait_for_ever() -> None:
        while True:
            await pair.one.turn(pair.provider, 10)
            asked["waiting"] += 1

    waiting = [asyncio.create_task(wait_for_ever()) for _ in range(6)]
    for _ in range(24):
        asked["schedule"] += await pair.ask(pair.other)
        await asyncio.sleep(0.05)
        pair.clock.advance(0.5)
        pair.one._counters[DEMOBANK].returned.ring()  # nobody sleeps for our clock
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert asked["schedule"] + asked["waiting"] <= 5 * 13
    assert min(asked.values()) >= 15


async def test_a_look_that_finds_nothing_due_writes_nothing(pair: Pair) -> None:
    def nothing(_room: Room, _transaction: Transaction) -> Sequence[int]:
        return ()

    await pair.one.spend(pair.provider, 50, nothing)
    before = await pair.store.provider_facts([DEMOBANK], pair.clock.now(), pair.clock.now())
    pair.clock.advance(1)
    await pair.one.spend(pair.provider, 50, nothing)
    after = await pair.store.provider_facts([DEMOBANK], pair.clock.now(), pair.clock.now())
    assert before[DEMOBANK].ledger.allowance == after[DEMOBANK].ledger.allowance
    assert await pair.one.room(pair.provider) == 5


async def test_more_than_there_is_room_for_is_a_mistake_of_ours_and_taken_by_nobody(pair: Pair) -> None:
    with pytest.raises(ValueError, match="room"):
        await pair.one.spend(pair.provider, 50, lambda room, _: range(room.urgent + 1))
    assert await pair.one.room(pair.provider) == 5


async def test_who_goes_first_takes_of_the_same_budget(pair: Pair) -> None:
    for left in (4, 3, 2, 1, 0):
        await (pair.one if left % 2 else pair.other).turn_first(pair.provider, 1)
        assert await pair.one.room(pair.provider) == left


async def test_a_clock_that_was_ahead_keeps_nobody_from_asking(pair: Pair) -> None:
    true_time = pair.clock.now()
    pair.clock.advance(7200)
    for _ in range(5):
        await pair.one.heard(pair.provider, ConsentApiUnavailableError())  # the breaker opens
    await pair.one.hold_back(pair.provider, 30)
    pair.clock.set(true_time)
    assert await pair.ask(pair.other) == 0
    pair.clock.advance(29)
    assert await pair.ask(pair.other) == 0
    pair.clock.advance(31)
    assert await pair.ask(pair.other) == 1
