"""When each deed runs: APScheduler ticks for what is due by the clock, and loops for what is due at once.

A tick only looks: what is due stands in the database and is claimed there, so a restart, a second process or a missed tick
loses nothing. Three things about APScheduler are worked around: `misfire_grace_time=None`, or a tick that is a second late is
dropped; on shutdown it cancels what runs, so what is under way is awaited here first; and it warns at every tick of a job
that still runs, so its jobs only begin a look and never wait for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tracker.domain.errors import TrackerError
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0  # a database that is back is used again within seconds, however long it was away


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A deed that looks for due work.

    Attributes:
        name: For logs; unique.
        run: One look.
        every_seconds: How often.
        bell: Also at once when it rings.
    """

    name: str
    run: Callable[[], Awaitable[object]]
    every_seconds: float
    bell: Bell | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A deed that goes on while there is work, and then waits for its bell.

    Attributes:
        name: For logs; unique.
        run: One piece of work; says how much it was, 0 for none.
        bell: What wakes it.
        wait_seconds: It looks by itself after so long.
        apart_seconds: Two pieces begin so far apart, unless the first took longer. What comes one by one is then worked on
            together, and what comes after a pause at once.
    """

    name: str
    run: Callable[[], Awaitable[int]]
    bell: Bell
    wait_seconds: float = 1.0
    apart_seconds: float = 0.0


class Worker:
    """Runs deeds until it is stopped. A deed that fails is logged and runs again."""

    def __init__(self, ticks: Sequence[Tick], loops: Sequence[Loop]) -> None:
        self._ticks = ticks
        self._loops = loops
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._standing: list[asyncio.Task[None]] = []
        self._failing: dict[str, type[Exception]] = {}
        self._stopping = asyncio.Event()

    @property
    def is_working(self) -> bool:
        """Whether all of it goes on: it was started, was not stopped, and nothing ended by itself."""
        is_on = self._scheduler.running and not self._stopping.is_set()
        return is_on and not any(task.done() for task in self._standing)

    def start(self) -> None:
        """Begin."""
        for tick in self._ticks:
            self._scheduler.add_job(
                self._tick, "interval", args=[tick], seconds=tick.every_seconds, id=tick.name, name=tick.name
            )
            self._begin(tick)
            if tick.bell is not None:
                self._standing.append(asyncio.create_task(self._listen(tick, tick.bell), name=f"bell of {tick.name}"))
        self._standing += [asyncio.create_task(self._go_on(loop), name=loop.name) for loop in self._loops]
        self._scheduler.start()

    async def stop(self) -> None:
        """Begin nothing new, let what is under way finish, then end."""
        self._stopping.set()
        pending = [*self._standing, *self._looks.values()]
        if pending:
            _, late = await asyncio.wait(pending, timeout=_GRACE_SECONDS)
            for task in late:
                _log.warning("%s did not finish in time and is cut short", task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # APScheduler takes itself down on the loop's next round

    async def _tick(self, tick: Tick) -> None:
        self._begin(tick)

    def _begin(self, tick: Tick) -> None:
        """Begin a look, unless one is under way or this is the end."""
        if tick.name in self._looks or self._stopping.is_set():
            return
        look = self._looks[tick.name] = asyncio.create_task(self._look(tick), name=tick.name)
        look.add_done_callback(lambda _: self._looks.pop(tick.name))

    async def _look(self, tick: Tick) -> None:
        """One look. A failure is logged once, however often it comes again."""
        try:
            await tick.run()
        except Exception as error:  # noqa: BLE001 - logged; the next tick looks again
            is_news = self._failing.get(tick.name) is not type(error)
            self._failing[tick.name] = type(error)
            if is_news and isinstance(error, TrackerError):
                _log.warning("%s failed; it will be tried again every %g s: %s", tick.name, tick.every_seconds, error)
            elif is_news:
                _log.exception("%s failed; it will be tried again every %g s", tick.name, tick.every_seconds)
        else:
            if self._failing.pop(tick.name, None) is not None:
                _log.info("%s works again", tick.name)

    async def _listen(self, tick: Tick, bell: Bell) -> None:
        heard = bell.rings
        while await self._wait_for(bell.next_ring(heard), None):
            if earlier := self._looks.get(tick.name):  # it may have looked before there was what the bell rang for
                await asyncio.wait({earlier})
            heard = bell.rings
            self._begin(tick)

    async def _go_on(self, loop: Loop) -> None:
        pause = _FIRST_PAUSE_SECONDS
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            heard, not_before = loop.bell.rings, clock() + loop.apart_seconds
            try:
                worked = await loop.run()
                pause = _FIRST_PAUSE_SECONDS
            except Exception as error:  # noqa: BLE001 - logged; nothing is lost, it is all in the database
                if isinstance(error, TrackerError):  # the database is away: that is no mistake, and comes again
                    _log.warning("%s failed; trying again in %.1f s: %s", loop.name, pause, error)
                else:
                    _log.exception("%s failed; trying again in %.1f s", loop.name, pause)
                await self._wait_for(None, pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            if not worked:
                await self._wait_for(loop.bell.next_ring(heard), loop.wait_seconds)
            elif (left := not_before - clock()) > 0:
                await self._wait_for(None, left)

    async def _wait_for(self, ring: asyncio.Future[None] | None, timeout: float | None) -> bool:
        """Wait for a ring, the end, or so many seconds; say whether it rang and is not the end."""
        stop = asyncio.ensure_future(self._stopping.wait())
        waits: set[asyncio.Future[Any]] = {stop} if ring is None else {stop, ring}
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            return ring is not None and ring.done() and not self._stopping.is_set()
        finally:
            for wait in waits:
                wait.cancel()
