import asyncio
import gc
from typing import Any

import pytest

from tracker.adapters.hub.single_flight import SingleFlight
from tracker.domain.errors import KeysUnavailableError


class Work:
    """Counts its runs and ends when told."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.runs += 1
        self.begun.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.runs


async def test_many_askers_share_one_run() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    askers = [asyncio.create_task(flight.join()) for _ in range(100)]
    await work.begun.wait()
    work.gate.set()
    assert await asyncio.gather(*askers) == [1] * 100
    assert await flight.join() == 2


async def test_cancelled_asker_leaves_the_work_to_the_others() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    first, second = asyncio.create_task(flight.join()), asyncio.create_task(flight.join())
    await work.begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.gate.set()
    assert await second == 1
    assert work.runs == 1


async def test_failure_reaches_all_and_is_not_kept() -> None:
    work = Work()
    work.gate.set()
    work.error = KeysUnavailableError()
    flight = SingleFlight(work.__call__)
    outcomes = await asyncio.gather(flight.join(), flight.join(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [KeysUnavailableError] * 2
    work.error = None
    assert await flight.join() == 2


async def test_failure_that_nobody_waits_for_is_not_reported_as_lost() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    work = Work()
    work.error = KeysUnavailableError()
    flight = SingleFlight(work.__call__)
    asker = asyncio.create_task(flight.join())
    await work.begun.wait()
    asker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker
    work.gate.set()
    while flight.is_under_way:
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_close_ends_what_is_under_way() -> None:
    work = Work()
    flight = SingleFlight(work.__call__)
    asker = asyncio.create_task(flight.join())
    await work.begun.wait()
    await flight.close()
    with pytest.raises(asyncio.CancelledError):
        await asker
    assert not flight.is_under_way
    await flight.close()
