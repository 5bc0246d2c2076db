"""Waking those who wait for something to do. A lost ring would cost latency only: every waiter also looks by itself."""

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary


class Bell:
    """Rings for every task that listens to it.

    A ring is never lost: a task that was busy when it rang hears it as soon as it waits. Rings while nobody listens are
    heard as one. All of it happens on one event loop; from another thread use the loop's `call_soon_threadsafe`.

    Attributes:
        rings: How often it rang.
        pass_on: Called with each ring of ours, to wake other processes.
    """

    def __init__(self) -> None:
        self.rings = 0
        self.pass_on: Callable[[], None] | None = None
        self._heard: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._listening: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake all who wait, and those who will wait next; in other processes too."""
        self.ring_here()
        if self.pass_on is not None:
            self.pass_on()

    def ring_here(self) -> None:
        """Wake those of this process."""
        self.rings += 1
        for ring in self._listening:
            if not ring.done():
                ring.set_result(None)
        self._listening.clear()

    def next_ring(self, heard: int) -> asyncio.Future[None]:
        """Give a future that is done once it has rung more often than that; cancel it when it is not wanted any more."""
        ring: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.rings > heard:
            ring.set_result(None)
        else:
            self._listening.add(ring)
            ring.add_done_callback(self._listening.discard)
        return ring

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for a ring that the calling task has not heard yet; False if none came in so many seconds.

        Raises:
            RuntimeError: It was not called from a task.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Only a task can wait.")
        try:
            async with asyncio.timeout(timeout):
                await self.next_ring(self._heard.get(task, 0))
        except TimeoutError:
            return False
        self._heard[task] = self.rings
        return True
