"""Many askers, one request."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs a piece of work at most once at a time and gives its outcome to all who asked meanwhile.

    An asker that is cancelled leaves; the work goes on for the others, and to its end if there are none.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._flight: asyncio.Task[T] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the work is being done just now."""
        return self._flight is not None

    async def join(self) -> T:
        """Wait for the work that is under way, or begin it. Raises what the work raises."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._work())
            self._flight.add_done_callback(self._landed)
        return await asyncio.shield(self._flight)

    async def close(self) -> None:
        """Stop what is under way; whoever still waits for it is cancelled."""
        if (flight := self._flight) is not None:
            flight.cancel()
            await asyncio.wait([flight])

    def _landed(self, flight: asyncio.Task[T]) -> None:
        self._flight = None
        if not flight.cancelled():
            flight.exception()  # seen, even if every asker has left
