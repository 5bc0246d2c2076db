"""Waking other processes by PostgreSQL's LISTEN and NOTIFY. A lost one costs latency only: every waiter looks by itself too.

Nothing of this is in the transactions that do the work: a NOTIFY makes commits wait for each other. The first ring is passed on
at once, those of the next moments together after it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import asyncpg

_log = logging.getLogger(__name__)

_CHANNEL: Final = "tracker"
_APART_SECONDS: Final = 0.01
_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 10


class PostgresWakeups:
    """Passes rings on to the other processes, and theirs to us."""

    def __init__(self, url: str, heard: Callable[[str], None], names: frozenset[str]) -> None:
        """Prepare; nothing is connected.

        Args:
            url: `postgresql://…`.
            heard: Called with each name that another process told.
            names: All there are; after a time without a connection each is taken as told.
        """
        self._url = url
        self._heard = heard
        self._names = names
        self._to_tell: set[str] = set()
        self._told = asyncio.Event()

    def tell(self, name: str) -> None:
        """Wake the others; soon, and without waiting for it."""
        self._to_tell.add(name)
        self._told.set()

    async def run(self) -> None:
        """Keep a connection for it, until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=_CONNECT_SECONDS)
                pause = _FIRST_PAUSE_SECONDS
                try:
                    await self._serve(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                _log.warning("Other processes cannot be woken at once; trying again in %.1f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _serve(self, connection: Any) -> None:
        await connection.add_listener(_CHANNEL, self._hear)
        for name in self._names:  # whoever told it meanwhile was not heard
            self._heard(name)
        closed = asyncio.Event()
        connection.add_termination_listener(lambda _: closed.set())
        while not closed.is_set():
            await _either(self._told, closed)
            if self._to_tell and not closed.is_set():
                self._told.clear()
                names = ",".join(sorted(self._to_tell))
                self._to_tell.clear()
                await connection.execute("SELECT pg_notify($1, $2)", _CHANNEL, names, timeout=_CONNECT_SECONDS)
                await asyncio.sleep(_APART_SECONDS)

    def _hear(self, connection: Any, sender: int, _: str, names: str) -> None:
        if sender != connection.get_server_pid():
            for name in self._names & set(names.split(",")):
                self._heard(name)


async def _either(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
