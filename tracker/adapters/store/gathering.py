"""Small writes of one kind that share a transaction: while one is under way, what comes next gathers for the one after it.

Nobody lingers: the first is written at once. Whoever waits is let go after the commit, and only then. What was handed in is
written whether or not its caller still waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tracker.domain.errors import StorageError

T = TypeVar("T")

MOST_AT_ONCE = 256
CLOSING_SECONDS = 4


@dataclass(eq=False, slots=True)
class _One(Generic[T]):
    """What one caller handed in, and where he waits."""

    value: T
    done: asyncio.Future[None]

    def end(self, error: Exception | None) -> None:
        if self.done.done():  # he was cancelled
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Gathering(Generic[T]):
    """Gathers values and writes them. Belongs to one event loop at a time."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[object]]) -> None:
        """Prepare.

        Args:
            write: Writes some in one transaction, all or nothing; returns after the commit.
        """
        self._write = write
        self._waiting: deque[_One[T]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def add(self, value: T) -> None:
        """Write a value, together with others'.

        Raises:
            StorageError: The database could not do it.
        """
        if self._closed:
            raise StorageError("The database is closed.")
        one = _One(value, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="gathered writes")
        await one.done

    async def close(self) -> None:
        """Write all that waits, as far as there is time for it; what comes later is refused."""
        self._closed = True
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=CLOSING_SECONDS)

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), MOST_AT_ONCE)
                await self._write_some([self._waiting.popleft() for _ in range(count)])
        finally:
            self._writing = None

    async def _write_some(self, some: Sequence[_One[T]]) -> None:
        """Write some; if the database will not take them, halve them until what it refuses stands alone."""
        try:
            await self._write([one.value for one in some])
        except Exception as error:  # noqa: BLE001 - it is every caller's own
            if len(some) > 1 and not (isinstance(error, StorageError) and error.retryable):
                middle = len(some) // 2
                await self._write_some(some[:middle])
                await self._write_some(some[middle:])
                return
            for one in some:
                one.end(_of_ones_own(error, is_shared=len(some) > 1))
        except BaseException:
            for one in some:
                one.end(StorageError("The service is being taken down."))
            raise
        else:
            for one in some:
                one.end(None)


def _of_ones_own(error: Exception, *, is_shared: bool) -> Exception:
    """An error for one of many callers: raised in several places, one object would gather the traces of all."""
    if not is_shared or not isinstance(error, StorageError):
        return error
    told = type(error)(str(error))
    told.__cause__ = error.__cause__
    return told
