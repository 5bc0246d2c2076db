"""One connection to a broker for all who need it: made when the first does, made anew once it is lost.

Everybody who waits for it shares one attempt and what comes of it, so that a broker which is away is not asked more often
because more is to be told. Nothing is tried while nobody waits: when to try again is for who sends to say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from tracker.adapters.sinks.broker import CONNECT_SECONDS, Broker, checked_addresses

_log = logging.getLogger(__name__)

Connection = TypeVar("Connection")
Said = TypeVar("Said")

LEAVE_SECONDS: Final = 2.0


class Line(Generic[Connection]):
    """Keeps one connection."""

    def __init__(
        self,
        *,
        connect: Callable[[], Coroutine[Any, Any, Connection]],
        is_up: Callable[[Connection], bool],
        leave: Callable[[Connection], Awaitable[None]],
    ) -> None:
        """Take how to come by a connection.

        Args:
            connect: Makes one; raises OSError.
            is_up: Whether one still stands.
            leave: Ends one, whether it stands or not.
        """
        self._connect = connect
        self._is_up = is_up
        self._leave = leave
        self._attempt: asyncio.Task[Connection] | None = None
        self._is_closed = False

    async def get(self) -> Connection:
        """The connection that stands, or a new one.

        Raises:
            OSError: None can be made.
        """
        if self._is_closed:
            raise ConnectionError("we are leaving")
        attempt = self._attempt
        if attempt is None or (attempt.done() and not self._stands(attempt)):
            attempt = self._attempt = asyncio.create_task(self._anew(attempt))
            attempt.add_done_callback(retrieve)
        return await outcome(attempt)

    def _stands(self, attempt: asyncio.Task[Connection]) -> bool:
        return _is_made(attempt) and self._is_up(attempt.result())

    async def _anew(self, before: asyncio.Task[Connection] | None) -> Connection:
        await self._end(before)
        return await self._connect()

    async def _end(self, attempt: asyncio.Task[Connection] | None) -> None:
        if attempt is not None and _is_made(attempt):
            try:
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._leave(attempt.result())
            except Exception as error:  # noqa: BLE001 - however it ends, it is over
                _log.debug("A broker's connection ended badly: %s", error)

    async def close(self) -> None:
        """End the connection, or the attempt at one."""
        self._is_closed = True
        attempt = self._attempt
        if attempt is not None and not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt}, timeout=LEAVE_SECONDS)
        if attempt is not None and attempt.done():
            await self._end(attempt)


def _is_made(attempt: asyncio.Task[Connection]) -> bool:
    return not attempt.cancelled() and attempt.exception() is None


async def connect_anywhere(broker: Broker, connect: Callable[[str, str, int], Awaitable[Connection]]) -> Connection:
    """Connect to the first server of a broker that can be, at one of the addresses that it may be.

    Args:
        broker: Which one.
        connect: Makes the connection, given a server's name, one of its addresses and the port; raises OSError.

    Raises:
        OSError: There is none.
    """
    failed: OSError = ConnectionError("it has no server")
    for host, port in broker.servers:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                addresses = await checked_addresses(broker, host, port)
        except OSError as error:  # a time-out is one too
            failed = error
            continue
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await connect(host, address, port)
            except OSError as error:
                failed = error
    raise failed


async def apart(work: Coroutine[Any, Any, Said], lost: "asyncio.Future[None] | None" = None) -> Said:
    """Wait for what a client does, in a task of its own: what it cancels when a connection is lost must not be us.

    Args:
        work: What it does.
        lost: Done when it can come to nothing any more.

    Raises:
        ConnectionError: The connection was lost.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(retrieve)
    try:
        awaited: set[asyncio.Future[Any]] = {task} if lost is None else {task, lost}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    if not task.done() or task.cancelled():
        raise ConnectionError("the connection was lost")
    return task.result()


async def outcome(shared: "asyncio.Task[Said]") -> Said:
    """Wait for what others wait for too: that we stop waiting does not stop it, and that it is stopped does not cancel us.

    Raises:
        ConnectionError: It was stopped.
    """
    await asyncio.wait({shared})
    if shared.cancelled():
        raise ConnectionError("the connection was lost")
    return shared.result()


def retrieve(task: "asyncio.Task[Any]") -> None:
    """Take note of what came of something for which perhaps nobody waits any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("A broker's client failed: %s", error)
