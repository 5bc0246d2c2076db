"""Many events at the door, one write: each caller has an answer of its own, and none before the commit."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.store.counted import Counted
from tests.contract.facts import an_item, at
from tracker.adapters.store.gathering import MOST_AT_ONCE, Gathering
from tracker.domain.errors import StorageError


class Slow:
    """Writes when it is told to, or fails."""

    def __init__(self) -> None:
        self.begun: list[list[int]] = []
        self.kept: list[int] = []
        self.go_on = asyncio.Event()
        self.error: Callable[[list[int]], Exception | None] = lambda _: None

    async def write(self, values: Any) -> None:
        self.begun.append(list(values))
        await self.go_on.wait()
        if (error := self.error(list(values))) is not None:
            raise error
        self.kept.extend(values)


class UnfitError(StorageError):
    """It will never be taken."""

    retryable = False


async def begin(gathering: Gathering[int], slow: Slow, count: int) -> list[asyncio.Task[None]]:
    """Hand so many in, the first of which is being written by then."""
    tasks = [asyncio.create_task(gathering.add(0))]
    while not slow.begun:
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(gathering.add(number)) for number in range(1, count)]
    while len(gathering._waiting) < count - 1:
        await asyncio.sleep(0)
    return tasks


async def test_the_first_is_written_at_once_and_the_rest_together_after_it() -> None:
    slow = Slow()
    tasks = await begin(Gathering(slow.write), slow, 100)
    assert slow.begun == [[0]]
    assert not any(task.done() for task in tasks)
    slow.go_on.set()
    await asyncio.gather(*tasks)
    assert slow.begun == [[0], list(range(1, 100))]


async def test_no_write_is_larger_than_the_bound() -> None:
    slow = Slow()
    tasks = await begin(Gathering(slow.write), slow, 2 * MOST_AT_ONCE + 2)
    slow.go_on.set()
    await asyncio.gather(*tasks)
    assert [len(some) for some in slow.begun] == [1, MOST_AT_ONCE, MOST_AT_ONCE, 1]


async def test_nobody_is_let_go_before_the_write_has_returned() -> None:
    slow = Slow()
    tasks = await begin(Gathering(slow.write), slow, 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    slow.go_on.set()
    await asyncio.gather(*tasks)


async def test_what_is_refused_for_good_fails_alone() -> None:
    slow = Slow()
    slow.error = lambda values: UnfitError("7 is unfit.") if 7 in values else None
    tasks = await begin(Gathering(slow.write), slow, 20)
    slow.go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [number for number, result in enumerate(results) if result is not None] == [7]
    assert isinstance(results[7], UnfitError)
    assert sorted(slow.kept) == [number for number in range(20) if number != 7]


async def test_when_the_database_is_away_all_hear_it_and_nothing_is_tried_one_by_one() -> None:
    slow, away = Slow(), StorageError("It is away.")
    slow.error = lambda _: away
    gathering = Gathering(slow.write)
    tasks = await begin(gathering, slow, 10)
    slow.go_on.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, StorageError) and result.retryable for result in results)
    assert len(slow.begun) == 2
    assert len({id(result) for result in results}) == len(results)
    slow.error = lambda _: None
    await gathering.add(11)
    assert slow.kept == [11]


async def test_what_was_handed_in_is_written_though_its_caller_has_gone() -> None:
    slow = Slow()
    gathering = Gathering(slow.write)
    tasks = await begin(gathering, slow, 3)
    for task in tasks[:2]:
        task.cancel()
    await asyncio.wait(tasks[:2])
    slow.go_on.set()
    await tasks[2]
    assert slow.kept == [0, 1, 2]


async def test_closing_writes_all_that_waits_and_takes_nothing_more() -> None:
    slow = Slow()
    gathering = Gathering(slow.write)
    tasks = await begin(gathering, slow, 300)
    closing = asyncio.create_task(gathering.close())
    await asyncio.sleep(0)
    with pytest.raises(StorageError, match="closed"):
        await gathering.add(999)
    assert not closing.done()
    slow.go_on.set()
    await closing
    assert len(slow.kept) == 300
    await asyncio.gather(*tasks)


async def test_a_hundred_at_the_door_cost_a_few_statements_and_commits(counted: Counted) -> None:
    await counted.store.admit(an_item(1000))  # connections are made, and statements
    counted.statements.clear()
    counted.commits = 0
    await asyncio.gather(*(counted.store.admit(an_item(number)) for number in range(100)))
    inserts = [statement for statement in counted.statements if statement.startswith("INSERT")]
    assert len(inserts) == counted.commits <= 2
    assert await counted.store.inbox_depth() == (101, at(0))


async def test_one_that_cannot_be_kept_keeps_nobody_else_out(counted: Counted) -> None:
    items = [an_item(number) for number in range(20)]
    tasks = [asyncio.create_task(counted.store.admit(item)) for item in (*items, items[3])]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    # Of the two that are one row, either may be the one that is refused; or both, if the first commit was in between.
    assert [number for number, result in enumerate(results) if result is not None] in ([3], [20])
    assert await counted.store.inbox_depth() == (20, at(0))
