"""The posts to one subscriber that are under way, and how long each takes."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery
from tracker.usecases.backlog import Waiting
from tracker.usecases.wake import Bell


@dataclass(frozen=True, slots=True)
class Landed:
    """One that was answered.

    Attributes:
        waiting: Who was tried.
        delivery: What came of it.
        seconds: How long that took.
    """

    waiting: Waiting
    delivery: Delivery
    seconds: float


class Flight:
    """Posts under way."""

    def __init__(self, post: Callable[[Entry], Coroutine[Any, Any, Delivery]], clock: Clock) -> None:
        """Begin with none.

        Args:
            post: Posts one entry; a failure is an answer, never an exception.
            clock: Says how long that took.
        """
        self._post = post
        self._clock = clock
        self._under_way: dict[asyncio.Future[Delivery], tuple[Waiting, float]] = {}
        self._woken: asyncio.Future[None] | None = None
        self._ring: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def retries(self) -> int:
        """How many of them have a row: they were refused before, or take long."""
        return sum(1 for waiting, _ in self._under_way.values() if waiting.parked is not None)

    def start(self, waiting: Waiting, entry: Entry) -> None:
        """Post one more."""
        task = asyncio.ensure_future(self._post(entry))
        self._under_way[task] = (waiting, self._clock.monotonic())
        task.add_done_callback(self._wake)

    async def wait(self, bell: Bell, heard: int, seconds: float) -> None:
        """Wait for an answer, or until a bell has rung more often than that; at most so long."""
        # One future for all of them: to listen to each anew, at each answer, costs as much as the rest of the loop.
        loop = asyncio.get_running_loop()
        self._woken = woken = loop.create_future()
        if self._ring is None or self._ring.done():
            self._ring = bell.next_ring(heard)
            self._ring.add_done_callback(self._wake)
        if bell.rings > heard or any(task.done() for task in self._under_way):
            return
        timer = loop.call_later(seconds, self._wake)
        try:
            await woken
        finally:
            self._woken = None
            timer.cancel()

    def _wake(self, _: asyncio.Future[Any] | None = None) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    async def wait_for_all(self, seconds: float) -> None:
        """Wait for the answers of all, at most so long."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    def land(self) -> list[Landed]:
        """Take out those that were answered."""
        now = self._clock.monotonic()
        landed: list[Landed] = []
        for task in [task for task in self._under_way if task.done()]:
            waiting, began = self._under_way.pop(task)
            landed.append(Landed(waiting, task.result(), now - began))
        return landed

    async def abandon(self) -> None:
        """Break off those that are still under way; listen to nothing any more."""
        if self._ring is not None:
            self._ring.cancel()
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)
