"""Which deed runs when: ticks, bells, loops, failures and the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tracker import worker as worker_module
from tracker.domain.errors import KeysUnavailableError
from tracker.usecases.wake import Bell
from tracker.worker import Loop, Tick, Worker

NEVER = 3600.0
SOON = 0.01


class Deed:
    """Counts its runs; may be held up, may fail, may find work."""

    def __init__(self) -> None:
        self.runs = 0
        self.ended = 0
        self.most_at_once = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.work: list[int] = []
        self._news = asyncio.Condition()

    async def __call__(self) -> int:
        self.runs += 1
        self.most_at_once = max(self.most_at_once, self.runs - self.ended)
        async with self._news:
            self._news.notify_all()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
            return self.work.pop(0) if self.work else 0
        finally:
            self.ended += 1

    async def has_run(self, times: int) -> None:
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: self.runs >= times)

    def hold(self) -> asyncio.Event:
        self.gate = asyncio.Event()
        return self.gate


@asynccontextmanager
async def working(*parts: Tick | Loop) -> AsyncIterator[Worker]:
    worker = Worker([p for p in parts if isinstance(p, Tick)], [p for p in parts if isinstance(p, Loop)])
    worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def a_tick(run: Callable[[], Awaitable[object]], every_seconds: float = NEVER, bell: Bell | None = None) -> Tick:
    return Tick(name="looking", run=run, every_seconds=every_seconds, bell=bell)


def is_working(worker: Worker) -> bool:
    return worker.is_working


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0)


# ---------------------------------------------------------------------------------------------- ticks


async def test_a_tick_looks_at_once_and_then_again_and_again() -> None:
    once, often = Deed(), Deed()
    ticks = a_tick(once), Tick(name="often", run=often, every_seconds=SOON)
    async with working(*ticks):
        await often.has_run(4)
    assert once.runs == 1


async def test_a_look_that_is_under_way_is_not_begun_again_and_nobody_is_warned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    slow, quick = Deed(), Deed()
    gate = slow.hold()
    async with working(a_tick(slow, SOON), Tick(name="quick", run=quick, every_seconds=SOON)):
        await quick.has_run(8)  # meanwhile the slow one was due as often
        assert slow.runs == 1
        gate.set()
        slow.gate = None
        await slow.has_run(3)
    assert slow.most_at_once == 1
    assert caplog.records == []


async def test_a_look_that_fails_is_logged_once_in_full_and_looks_again_beside_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "tracker.worker")
    ill, well = Deed(), Deed()
    ill.error = RuntimeError("no luck")
    async with working(a_tick(ill, SOON), Tick(name="well", run=well, every_seconds=SOON)):
        await ill.has_run(4)
        await well.has_run(4)
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info is not None
        assert record.exc_info[1] is ill.error
        assert "looking failed" in record.getMessage()
        ill.error = ValueError("something else")
        await until(lambda: len(caplog.records) == 2)
        ill.error = None
        await until(lambda: len(caplog.records) == 3)
    assert caplog.records[2].getMessage() == "looking works again"


async def test_trouble_that_we_know_is_a_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tracker.worker")
    ill = Deed()
    ill.error = KeysUnavailableError("The bank is away.")
    async with working(a_tick(ill, SOON)):
        await ill.has_run(2)
        ill.error = KeysUnavailableError("The bank was away a moment ago.")
        await ill.has_run(2)
    (record,) = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert record.getMessage().endswith("s: The bank is away.")


async def test_a_bell_makes_it_look_at_once() -> None:
    deed, bell = Deed(), Bell()
    async with working(a_tick(deed, bell=bell)):
        await deed.has_run(1)
        for runs in (2, 3):
            await asyncio.sleep(0)
            bell.ring()
            await deed.has_run(runs)


async def test_a_bell_that_rings_during_a_look_makes_it_look_once_more() -> None:
    deed, bell = Deed(), Bell()
    gate = deed.hold()
    async with working(a_tick(deed, bell=bell)):
        await deed.has_run(1)
        for _ in range(5):
            bell.ring()
            await asyncio.sleep(0)
        assert deed.runs == 1
        gate.set()
        await deed.has_run(2)
    assert (deed.runs, deed.most_at_once) == (2, 1)


# ---------------------------------------------------------------------------------------------- loops


async def test_a_loop_goes_on_while_there_is_work_and_then_waits_for_its_bell() -> None:
    deed, bell = Deed(), Bell()
    deed.work = [256, 256, 3]
    async with working(Loop(name="opening", run=deed, bell=bell, wait_seconds=NEVER)):
        await deed.has_run(4)
        bell.ring()
        await deed.has_run(5)
    assert deed.runs == 5


async def test_a_bell_that_rings_while_a_loop_works_is_heard_afterwards() -> None:
    deed, bell = Deed(), Bell()
    gate = deed.hold()
    async with working(Loop(name="opening", run=deed, bell=bell, wait_seconds=NEVER)):
        await deed.has_run(1)
        bell.ring()
        gate.set()
        await deed.has_run(2)


async def test_pieces_of_a_loop_begin_apart_but_the_first_after_a_pause_at_once() -> None:
    deed, bell, clock = Deed(), Bell(), asyncio.get_running_loop().time
    deed.work = [1, 1]
    began = clock()
    async with working(Loop(name="opening", run=deed, bell=bell, wait_seconds=NEVER, apart_seconds=0.05)):
        await deed.has_run(3)
        assert clock() - began >= 0.1  # not the deeds' own time, which is none
        bell.ring()
        rang = clock()
        await deed.has_run(4)
        assert clock() - rang < NEVER / 2


async def test_a_loop_looks_by_itself_when_no_bell_rings() -> None:
    deed = Deed()
    async with working(Loop(name="opening", run=deed, bell=Bell(), wait_seconds=SOON)):
        await deed.has_run(4)


async def test_a_loop_that_fails_pauses_longer_each_time_and_recovers(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(worker_module, "_LONGEST_PAUSE_SECONDS", 0.004)
    pauses: list[float | None] = []
    deed = Deed()
    deed.error = RuntimeError("no luck")
    worker = Worker([], [Loop(name="opening", run=deed, bell=Bell(), wait_seconds=NEVER)])
    wait_for = worker._wait_for

    async def noted(ring: asyncio.Future[None] | None, timeout: float | None) -> bool:
        pauses.append(timeout)
        return await wait_for(ring, timeout)

    monkeypatch.setattr(worker, "_wait_for", noted)
    worker.start()
    await deed.has_run(5)
    assert is_working(worker)
    deed.error = None
    await until(lambda: NEVER in pauses)
    await worker.stop()
    assert pauses[:4] == [0.001, 0.002, 0.004, 0.004]
    assert len(caplog.records) >= 5
    assert all(record.exc_info for record in caplog.records)


# ---------------------------------------------------------------------------------------------- the end


async def test_on_stopping_what_is_under_way_is_finished_and_nothing_is_begun() -> None:
    look, loop, bell = Deed(), Deed(), Bell()
    gates = [look.hold(), loop.hold()]
    loop.work = [1, 1, 1]
    worker = Worker([a_tick(look, SOON, bell)], [Loop(name="opening", run=loop, bell=bell)])
    worker.start()
    await look.has_run(1)
    await loop.has_run(1)
    stopping = asyncio.create_task(worker.stop())
    await until(lambda: not is_working(worker))
    bell.ring()
    for gate in gates:
        gate.set()
    await stopping
    assert (look.runs, look.ended, loop.runs, loop.ended) == (1, 1, 1, 1)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_does_not_finish_in_time_is_cut_short(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_GRACE_SECONDS", 0.02)
    look, loop = Deed(), Deed()
    look.hold()
    loop.hold()
    async with working(a_tick(look), Loop(name="opening", run=loop, bell=Bell())):
        await look.has_run(1)
        await loop.has_run(1)
    assert (look.ended, loop.ended) == (1, 1)
    assert {record.getMessage().split(" did")[0] for record in caplog.records} == {"looking", "opening"}


async def test_a_worker_that_was_never_started_can_be_stopped() -> None:
    worker = Worker([a_tick(Deed())], [])
    assert not is_working(worker)
    await worker.stop()
    await worker.stop()


async def test_it_is_working_from_start_to_stop_unless_something_has_died() -> None:
    deed, bell = Deed(), Bell()
    worker = Worker([a_tick(deed, bell=bell)], [Loop(name="opening", run=deed, bell=bell)])
    assert not is_working(worker)
    worker.start()
    await deed.has_run(2)
    assert is_working(worker)
    await worker.stop()
    assert not is_working(worker)


@pytest.mark.parametrize("name", ["opening", "bell of looking"])
async def test_it_is_not_working_when_a_loop_has_died(name: str) -> None:
    deed, bell = Deed(), Bell()
    async with working(a_tick(deed, bell=bell), Loop(name="opening", run=deed, bell=bell)) as worker:
        await deed.has_run(2)
        (task,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
        task.cancel()
        await asyncio.wait({task})
        assert not is_working(worker)
