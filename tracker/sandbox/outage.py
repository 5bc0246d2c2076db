"""A hub that is away: it listens no more, cuts every connection, or takes requests and never answers.

The control API stays, as far as it can still be reached: while nothing listens, only who holds a connection reaches it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from tracker.sandbox.dispatch import Sleep


class Mode(StrEnum):
    """How a hub is away."""

    REFUSE = "refuse"
    """Nothing listens: connections are refused, and those that are open are reset."""
    RESET = "reset"
    """Connections are taken and reset."""
    HANG = "hang"
    """Requests are taken and never answered; whoever waits is cut off at the end."""


class Outages:
    """Whether a hub is away.

    Attributes:
        mode: how; None while it is there.
        waiting: how many requests hang.
        stop_listening: set by whoever serves the hub.
        listen_again: likewise.
    """

    def __init__(self, sleep: Sleep) -> None:
        self.mode: Mode | None = None
        self.waiting = 0
        self.stop_listening: Callable[[], Awaitable[None]] = _nothing
        self.listen_again: Callable[[], Awaitable[None]] = _nothing
        self._sleep: Final = sleep
        self._over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    async def begin(self, mode: Mode, seconds: float | None = None) -> None:
        """Be away from now on; for so long, or until `end`."""
        await self.end()
        self.mode, self._over = mode, asyncio.Event()
        if mode is Mode.REFUSE:
            await self.stop_listening()
        if seconds is not None:
            self._ending = asyncio.create_task(self._end_after(seconds))

    async def end(self) -> None:
        """Be back."""
        if self._ending is not None and self._ending is not asyncio.current_task():
            self._ending.cancel()
        self._ending = None
        mode, self.mode = self.mode, None
        self._over.set()
        if mode is Mode.REFUSE:
            await self.listen_again()

    async def wait(self) -> None:
        """Wait until it is back."""
        self.waiting += 1
        try:
            await self._over.wait()
        finally:
            self.waiting -= 1

    async def close(self) -> None:
        """Let go of who waits, and listen no more."""
        self.listen_again = _nothing
        await self.end()

    async def _end_after(self, seconds: float) -> None:
        await self._sleep(seconds)
        await self.end()


async def _nothing() -> None:
    return
