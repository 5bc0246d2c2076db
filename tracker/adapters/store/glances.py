"""Small queries that share a trip to the threads that read: while some are under way, what comes next gathers for the next trip.

A look into the index takes some µs; going to another thread and coming back takes hundreds, because both want the interpreter.
Nobody lingers: the first goes at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tracker.adapters.store.failures import storage_error
from tracker.domain.errors import StorageError

T = TypeVar("T")
Work = Callable[[Connection], Any]

MOST_AT_ONCE = 64


@dataclass(eq=False, slots=True)
class _Glance:
    """What one caller wants to know, and where he waits."""

    work: Work
    answer: asyncio.Future[Any]

    def end(self, found: Any, error: Exception | None) -> None:
        if self.answer.done():  # he was cancelled
            return
        if error is None:
            self.answer.set_result(found)
        else:
            self.answer.set_exception(error)


class Glances:
    """Gathers small queries. Belongs to one event loop at a time."""

    def __init__(self, read: Callable[[Work], Awaitable[Any]]) -> None:
        """Prepare.

        Args:
            read: Runs a query on a connection, in another thread.
        """
        self._read = read
        self._waiting: list[_Glance] = []
        self._reading: asyncio.Task[None] | None = None

    async def take(self, work: Callable[[Connection], T]) -> T:
        """Run a query, together with others'. Each sees all that was committed before it was asked.

        Raises:
            StorageError: The database could not do it.
        """
        glance = _Glance(work, asyncio.get_running_loop().create_future())
        self._waiting.append(glance)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="gathered reads")
        answer: T = await glance.answer
        return answer

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._read_some(some)
        finally:
            self._reading = None

    async def _read_some(self, some: list[_Glance]) -> None:
        try:
            answers = await self._read(lambda connection: [_tried(one.work, connection) for one in some])
        except BaseException as error:
            for one in some:  # one object for all would gather the traces of all
                told = StorageError(str(error) or "The service is being taken down.")
                told.__cause__ = error
                one.end(None, told)
            if not isinstance(error, Exception):
                raise
        else:
            for one, (found, trouble) in zip(some, answers, strict=True):
                one.end(found, trouble)


def _tried(work: Work, connection: Connection) -> tuple[Any, Exception | None]:
    """Whoever fails fails alone."""
    try:
        return work(connection), None
    except SQLAlchemyError as error:
        told = storage_error(error)
        told.__cause__ = error
        return None, told
    except Exception as error:  # noqa: BLE001 - handed to its caller
        return None, error
