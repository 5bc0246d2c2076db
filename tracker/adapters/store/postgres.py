"""PostgreSQL: many writers in many processes, each piece of work in a transaction of its own.

Scripts are synchronous and run on SQLAlchemy's bridge over asyncpg, on the event loop. What is begun is finished, whether or
not its caller still waits. Scripts may be run again from the start, so whatever ends a transaction before its commit was asked
for is simply tried again: a deadlock, two who put the same row in, a server that went away. Only a commit that gave no answer is
looked into: its batch id stands in the database, or it never will.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

import asyncpg
from sqlalchemy import Connection, make_url, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError, NotSupportedError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tracker.adapters.store.failures import storage_error
from tracker.adapters.store.tables import batch
from tracker.domain.errors import ConfigurationError, StorageError

T = TypeVar("T")
_log = logging.getLogger(__name__)

APPLICATION: Final = "tracker"
"""What our connections go by in `pg_stat_activity`."""

_TRIES: Final = 5
_CONNECT_SECONDS: Final = 10
_COMMAND_SECONDS: Final = 60
_CLOSING_SECONDS: Final = 1
"""What writes get that are still under way after the others had theirs."""
_TARGET: Final = "target_session_attrs"

# By a statement, because poolers refuse what they do not know among the parameters of a new connection. Whoever is stopped or
# cut off in the middle of a transaction holds locks that all others need: the server ends that transaction, and it is run again.
# Who waited for a lock must see what was committed meanwhile, whatever other programs like better: judging depends on it.
# And an answer that is given after a commit must not be forgotten by a server that was told to be quick.
_SET_UP: Final = (
    "SET idle_in_transaction_session_timeout = '5s'; SET default_transaction_isolation = 'read committed';"
    " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_AGAIN: Final = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, and two who put the same row in: the second one finds it there when it is run again."""

# The driver's own errors come out as they are while a connection is made.
_TROUBLE: Final = (SQLAlchemyError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Work = Callable[[Connection], tuple[T, str | None]]


def engine_for(url: str, *, connections: int | None = None) -> AsyncEngine:
    """Make an engine whose connections are set up as the tracker needs them.

    Args:
        url: `postgresql://…`.
        connections: How many it keeps; None: none.
    """
    pool: dict[str, Any] = (
        {"poolclass": NullPool} if connections is None else {"pool_size": connections, "max_overflow": 0}
    )
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(_connect, url, is_for_work=connections is not None),
        hide_parameters=True,  # they may be personal, and errors end up in logs
        **pool,
    )


async def _connect(url: str, *, is_for_work: bool) -> Any:
    """Connect. The driver reads the URL itself, and so knows all that libpq knows: sslmode, several hosts and so on.

    A standby is only good enough for who names it: it may lie behind, and would go on saying that a consent may be used.
    """
    connection = await asyncpg.connect(
        url,
        target_session_attrs=None if _TARGET in make_url(url).query else "primary",
        timeout=_CONNECT_SECONDS,
        command_timeout=_COMMAND_SECONDS,
        server_settings={"application_name": APPLICATION, "timezone": "UTC"},
    )
    if is_for_work:
        try:
            await connection.execute(_SET_UP, timeout=_CONNECT_SECONDS)
        except BaseException:
            connection.terminate()
            raise
    return connection


async def in_one_transaction(url: str, work: Callable[[Connection], T]) -> T:
    """Do something in one transaction on a connection of its own. For migrations and look-ups by operators.

    Raises:
        ConfigurationError: There is no database that can be used.
    """
    engine = engine_for(url)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    except (*_TROUBLE, ValueError) as error:
        raise ConfigurationError(f"{told(url)} cannot be used: {_reason(error)}.") from error
    finally:
        await engine.dispose()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {_CONNECT_SECONDS} s"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0].rstrip(".")


def told(url: str) -> str:
    """A URL as it may be shown: where, and which database; no user, no password."""
    read = make_url(url)
    host = read.host or read.query.get("host") or "localhost"
    return f"PostgreSQL {read.database} at {host if isinstance(host, str) else ', '.join(host)}"


class PostgresDatabase:
    """A PostgreSQL database with a few connections of this process.

    Args:
        url: `postgresql://user:pass@host/db`.
        connections: How many.
    """

    def __init__(self, url: str, *, connections: int = 10) -> None:
        self._engine = engine_for(url, connections=connections)
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writing: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def write(self, work: Work[T], *, urgent: bool = False, flush: bool = True) -> T:  # noqa: ARG002 - none waits here
        """Run work in a transaction, and give its answer after the commit. It is done even if the caller is cancelled.

        Raises:
            StorageError: The database could not do it; nothing of it is kept.
        """
        if self._closed:
            raise StorageError("The database is closed.")
        writing = asyncio.create_task(self._write(work if flush else partial(_unflushed, work)))
        self._writing.add(writing)
        writing.add_done_callback(self._done)
        return await asyncio.shield(writing)

    def _done(self, writing: asyncio.Task[Any]) -> None:
        self._writing.discard(writing)
        if not writing.cancelled():
            writing.exception()  # its caller may be gone

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a query; once more, if its connection turns out to be broken or to remember a table as it was."""
        if self._closed:
            raise StorageError("The database is closed.")
        for is_last in (False, True):
            try:
                async with self._reading.connect() as connection:
                    return await connection.run_sync(work)
            except DBAPIError as error:
                if is_last or not _may_succeed(error):
                    raise storage_error(error) from error
            except _TROUBLE as error:
                raise storage_error(error) from error
        raise AssertionError

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """Run a query that looks up a row or two. Here each has a connection: waiting for others would cost more."""
        return await self.read(work)

    async def scrub(self) -> bool:
        """Nothing of it is ours to do: the server cleans its files and writes over them; see the handbook."""
        return True

    async def close(self) -> None:
        """Finish what is under way, then close. What comes later is refused.

        What is not done in time waits for a database that says nothing any more; nobody was told that it is done.
        """
        self._closed = True
        if self._writing:
            await asyncio.wait(self._writing, timeout=_CLOSING_SECONDS)
        for late in self._writing:
            late.cancel()
        if self._writing:
            await asyncio.wait(self._writing, timeout=1)
        await self._engine.dispose()

    # ------------------------------------------------------------------------------------------ inside

    async def _write(self, work: Work[T]) -> T:
        for left in reversed(range(_TRIES)):
            try:
                return await self._write_once(work)
            except _TROUBLE as error:
                if not left or not _may_succeed(error):
                    raise storage_error(error) from error
        raise AssertionError

    async def _write_once(self, work: Work[T]) -> T:
        trouble: Exception | None = None
        async with self._engine.connect() as connection:
            async with _rolled_back_on_failure(connection):
                answer, batch_id = await connection.run_sync(work)
            try:
                await connection.commit()
            except _TROUBLE as error:
                trouble = error
        # Looked up when the connection has been given back: who holds one and waits for another may wait for his like.
        if trouble is not None and (batch_id is None or not await self._did_commit(batch_id)):
            # Not to be tried again from here: without a mark nobody knows, and with one the answer is no.
            raise storage_error(trouble) from trouble
        return answer

    async def _did_commit(self, batch_id: str) -> bool:
        """Whether a commit that gave no answer took place: who puts the same mark in waits for it, and finds it or does not."""
        try:
            async with self._engine.connect() as connection:
                mark = insert(batch).values(id=batch_id, recorded_at=text("now()")).on_conflict_do_nothing()
                found = await connection.execute(mark)
                await connection.rollback()
                return found.rowcount == 0
        except _TROUBLE:
            _log.exception("The outcome of a commit could not be looked up; its callers are told that it failed.")
            return False


def _unflushed(work: Work[T], connection: Connection) -> tuple[T, str | None]:
    """Work whose commit does not wait for the server's disk: the server has it, and flushes it within a second."""
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    return work(connection)


@asynccontextmanager
async def _rolled_back_on_failure(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await connection.rollback()
        raise


def _may_succeed(error: BaseException) -> bool:
    """Whether the same work, run again from the start, may find things otherwise."""
    if isinstance(error, NotSupportedError):  # a statement was prepared for a table as it was before a migration
        return True
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _sqlstate(error) in _AGAIN)


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
