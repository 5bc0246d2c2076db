"""An event loop whose time is simulated: nobody waits, the clock goes to the next thing that is due.

While a thread has work in hand (SQLite's writer) the clock stands still, so that what a database needs takes no time.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

_RESOLUTION_SECONDS = 1e-6
_ROUNDS_AT_ONE_INSTANT = 1000
"""Who waits for less than the resolution may look again and again, and would for ever: real time passes by itself."""
_LEAST_WAIT_SECONDS = 2 * _RESOLUTION_SECONDS


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Says at once that nothing came in, and lets the time pass that was to be waited for."""

    passes: Callable[[float], bool]

    def select(self, timeout: float | None = None) -> Any:
        """Look what came in; what is waited for, time passes for."""
        if timeout is not None and self.passes(timeout):
            return super().select(0)
        return super().select(None)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """A loop that is never idle."""

    def __init__(self) -> None:
        self._passed = 0.0
        self._in_hand = 0
        self._rounds = 0
        selector = _Selector()
        selector.passes = self._pass
        super().__init__(selector)
        self._clock_resolution = _RESOLUTION_SECONDS

    def time(self) -> float:
        """Seconds since it began."""
        return self._passed

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call later; at least a little: timers within the clock's resolution are called without any time passing."""
        return super().call_at(max(when, self._passed + _LEAST_WAIT_SECONDS), callback, *args, context=context)

    def _pass(self, seconds: float) -> bool:
        """Let so much time pass, unless a thread works for us; say whether nothing is to be waited for any more."""
        if seconds <= 0:
            self._rounds += 1
            if self._rounds > _ROUNDS_AT_ONE_INSTANT:
                self._passed += _RESOLUTION_SECONDS
            return True
        if self._in_hand:
            return False
        self._rounds = 0
        self._passed += seconds
        return True

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Hold the time while a thread works for us."""
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1


class SimulatedClock:
    """`ports.Clock` of a simulated loop."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._loop = running_loop()

    def now(self) -> datetime:
        """The time, cut to microseconds."""
        return self._start + timedelta(microseconds=round(self._loop.time() * 1e6))

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time()

    async def until(self, instant: datetime) -> None:
        """Wait for an instant."""
        seconds = (instant - self._start).total_seconds() - self._loop.time()
        if seconds > 0:
            await asyncio.sleep(seconds)


def running_loop() -> SimulatedLoop:
    """The loop that this runs on."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimulatedLoop):
        raise TypeError("This runs in simulated time only.")
    return loop


def simulate(story: Callable[[], Awaitable[T]]) -> T:
    """Run something in simulated time."""

    async def told() -> T:
        return await story()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(told())
