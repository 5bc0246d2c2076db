"""SQLite: one writer, a few readers beside it, and a flush before anything counts as done.

All writes go through one thread. It takes whatever waits, what is urgent first, runs it in one transaction, each piece if
need be under a savepoint of its own so that a poisoned one fails alone, commits once, and only then lets the callers go.
`synchronous=FULL`: a commit that returned survives the power supply. Other processes may write to the same file (the command
line does): `BEGIN IMMEDIATE` waits for them in turn.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from tracker.adapters.store.failures import storage_error
from tracker.adapters.store.glances import Glances
from tracker.adapters.store.tables import batch
from tracker.domain.errors import ConfigurationError, StorageError

T = TypeVar("T")
_log = logging.getLogger(__name__)

_MOST_AT_ONCE = 256
_READERS = 3
_BUSY_MILLISECONDS = 10_000
_WAL_AGAIN_SECONDS = 0.02
_PRIMARY_CODE = 0xFF  # what an error is; the bits above say more closely


@dataclass(eq=False, slots=True)
class _Write:
    """One caller's piece of work.

    Attributes:
        work: What to do on the connection; gives the answer and the batch id that marks it, if it left one.
        loop: The caller's loop.
        answer: Where the caller waits.
        outcome: Set while the transaction runs, handed over after the commit.
        batch_id: What to look up when the commit's own answer is lost.
        flush: Whether it must survive the power supply too, and not only this process.
    """

    work: Callable[[Connection], tuple[Any, str | None]]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    outcome: Any = None
    error: BaseException | None = None
    batch_id: str | None = field(default=None)
    flush: bool = True

    def hand_over(self) -> None:
        """Let the caller go; runs on its loop."""
        if self.answer.done():  # it was cancelled: the write is done all the same
            return
        if self.error is None:
            self.answer.set_result(self.outcome)
        else:
            self.answer.set_exception(self.error)


class _Waiting:
    """Pieces that wait for the writer's thread: those that are urgent, and the others."""

    def __init__(self) -> None:
        self._urgent: deque[_Write] = deque()
        self._others: deque[_Write] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, piece: _Write, *, urgent: bool) -> None:
        """Let a piece wait for its turn."""
        with self._changed:
            (self._urgent if urgent else self._others).append(piece)
            self._changed.notify()

    def close(self) -> None:
        """Let the writer end once nothing waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self) -> list[_Write]:
        """Wait for the next pieces that share a transaction; none: there will be none any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._urgent or self._others)
            pieces = self._urgent or self._others
            return [pieces.popleft() for _ in range(min(len(pieces), _MOST_AT_ONCE))]


def engine_for(path: str, *, writer: bool) -> Engine:
    """Make an engine whose connections are set up as the tracker needs them.

    Args:
        path: The database file.
        writer: Whether transactions begin with the write lock; readers cannot write at all.
    """
    engine = create_engine(
        f"sqlite:///{path}",
        hide_parameters=True,  # they may be personal, and errors end up in logs
        poolclass=StaticPool if writer else QueuePool,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MILLISECONDS / 1000},
        **({} if writer else {"pool_size": _READERS, "max_overflow": 0}),
    )

    @event.listens_for(engine, "connect")
    def _set_up(dbapi_connection: Any, _: Any) -> None:
        dbapi_connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not the driver's guess
        dbapi_connection.execute(f"PRAGMA busy_timeout={_BUSY_MILLISECONDS}")
        _switch_to_wal(dbapi_connection)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32000",
            "temp_store=MEMORY",
            "secure_delete=ON",  # what is deleted is overwritten: it may be there because a person wanted it to be
            "wal_autocheckpoint=4000",  # pages: what is written twice between two checkpoints is copied once
            "secure_delete=FAST",  # what is deleted is written over where that is free; else see `written_over`
            *(() if writer else ("query_only=ON",)),
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch a file to WAL. SQLite does not wait for others while it does that, whatever the timeout: so we wait."""
    deadline = time.monotonic() + _BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_AGAIN_SECONDS)
        else:
            return


@contextmanager
def one_transaction(path: Path) -> Iterator[Connection]:
    """Open a file for one transaction that may write, and close it again. For migrations and look-ups by operators.

    Raises:
        ConfigurationError: It is no database that can be used.
    """
    engine = engine_for(str(path), writer=True)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise ConfigurationError(f"The database {path} cannot be used: {error.orig}.") from error
    finally:
        engine.dispose()


class SqliteDatabase:
    """A SQLite file that is open for one writer and a few readers of this process."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._write_engine = engine_for(self.path, writer=True)
        self._read_engine = engine_for(self.path, writer=False)
        self._waiting = _Waiting()
        self._glances = Glances(self.read)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._writer = threading.Thread(target=self._write_forever, name="sqlite-writer", daemon=True)
        self._closed = False
        self._writer.start()

    @property
    def waiting(self) -> int:
        """How many writes wait; roughly."""
        return len(self._waiting)

    async def write(
        self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False, flush: bool = True
    ) -> T:
        """Run work in a transaction that may be shared with others', and give its answer after the commit.

        Args:
            work: What to do on the connection.
            urgent: It is short, and its caller is waited for: it goes first, and shares with its like alone.
            flush: Whether the disk is waited for. If not, and nobody else in the transaction wants it, the operating system
                has it: it survives this process, and the power supply from the next flush on.

        Raises:
            StorageError: The database could not do it; nothing of it is kept.
        """
        if self._closed:
            raise StorageError("The database is closed.")
        loop = asyncio.get_running_loop()
        piece = _Write(work, loop, loop.create_future(), flush=flush)
        self._waiting.put(piece, urgent=urgent)
        answer: T = await piece.answer
        return answer

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a query beside the writer."""
        if self._closed:
            raise StorageError("The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._read_engine.connect() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise storage_error(error) from error

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """Run a query that looks up a row or two, together with those that come while others are under way."""
        if self._closed:
            raise StorageError("The database is closed.")
        return await self._glances.take(work)

    async def scrub(self) -> bool:
        """Bring all into the file and cut the log off, where older pages stand; false if some reader needs them still."""
        if self._closed:
            raise StorageError("The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(None, self._cut_the_log)

    def _cut_the_log(self) -> bool:
        connection = sqlite3.connect(self.path, timeout=_BUSY_MILLISECONDS / 1000)
        try:
            (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise StorageError(f"The log of the database could not be cut off: {error}.") from error
        finally:
            connection.close()
        return not is_busy

    async def close(self) -> None:
        """Do all that waits, then close. Writes that come later are refused."""
        if self._closed:
            return
        self._closed = True
        self._waiting.close()
        await asyncio.get_running_loop().run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()

    # ------------------------------------------------------------------------------------------ the writer's thread

    def _write_forever(self) -> None:
        while pieces := self._waiting.take():
            self._run(pieces)
            _hand_over(pieces)

    def _run(self, pieces: list[_Write]) -> None:
        """Run all in one transaction. Whatever happens, each piece has an outcome or an error afterwards."""
        try:
            with self._write_engine.connect() as connection:
                try:
                    _flush_at_commit(connection, is_wanted=any(piece.flush for piece in pieces))
                    connection.begin()
                    self._run_all(connection, pieces)
                    connection.commit()
                except BaseException:
                    with suppress(SQLAlchemyError):
                        connection.rollback()
                    raise
        except BaseException as error:  # noqa: BLE001 - handed to every caller, none is left waiting
            if not self._did_commit(pieces):
                for piece in pieces:
                    piece.error = piece.error or _caused_by(error)

    def _run_all(self, connection: Connection, pieces: list[_Write]) -> None:
        """Run several without savepoints, which cost; if one of them fails, all again, each under one of its own."""
        if len(pieces) > 1:
            try:
                for piece in pieces:
                    piece.outcome, piece.batch_id = piece.work(connection)
            except Exception:  # noqa: BLE001 - whoever fails will fail again, and hear of it
                connection.rollback()
                connection.begin()
            else:
                return
        for piece in pieces:
            self._run_one(connection, piece, alone=len(pieces) == 1)

    @staticmethod
    def _run_one(connection: Connection, piece: _Write, *, alone: bool) -> None:
        try:
            if alone:
                piece.outcome, piece.batch_id = piece.work(connection)
                return
            with connection.begin_nested():
                piece.outcome, piece.batch_id = piece.work(connection)
        except Exception as error:
            piece.error = _as_told(error)
            dbapi = connection.connection.dbapi_connection
            if alone or dbapi is None or not dbapi.in_transaction:
                raise  # SQLite gave the whole transaction up: nobody's piece is kept

    def _did_commit(self, pieces: list[_Write]) -> bool:
        """Whether a transaction whose commit gave no answer took place all the same."""
        marks = [piece.batch_id for piece in pieces if piece.batch_id is not None and piece.error is None]
        if not marks:
            return False
        try:
            with self._read_engine.connect() as connection:
                return connection.execute(select(batch.c.id).where(batch.c.id == marks[0])).first() is not None
        except SQLAlchemyError:
            _log.exception("The outcome of a commit could not be looked up; its callers are told that it failed.")
            return False


def _flush_at_commit(connection: Connection, *, is_wanted: bool) -> None:
    """Say whether the next commit waits for the disk. What was committed without is flushed with the next that does."""
    dbapi = connection.connection.dbapi_connection
    if dbapi is not None:
        cursor = dbapi.cursor()
        cursor.execute(f"PRAGMA synchronous={'FULL' if is_wanted else 'NORMAL'}")
        cursor.close()


def _hand_over(pieces: list[_Write]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for piece in pieces:
        by_loop.setdefault(piece.loop, []).append(piece)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_hand_over_all, theirs)


def _hand_over_all(pieces: list[_Write]) -> None:
    for piece in pieces:
        piece.hand_over()


def _as_told(error: Exception) -> Exception:
    """What the caller of a piece that failed is told: what its script raised, or the database's trouble in our words."""
    if isinstance(error, SQLAlchemyError):
        return _caused_by(error)
    if isinstance(error, StopIteration):  # a future cannot hold one, and those behind it would wait for ever
        wrapped = RuntimeError("The script raised StopIteration.")
        wrapped.__cause__ = error
        return wrapped
    return error


def _caused_by(error: BaseException) -> StorageError:
    told = storage_error(error)
    told.__cause__ = error
    return told
