"""A PostgreSQL database as a place: it is there or it is not, and any number of services share it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Final, TypeVar

from sqlalchemy import Connection, func, select, text

from tracker.adapters.store.postgres import APPLICATION, PostgresDatabase, in_one_transaction, told
from tracker.adapters.store.wakeups import PostgresWakeups

T = TypeVar("T")

_MIGRATING: Final = 0x636F6E73656E7473  # a number of our own among the advisory locks of a database


class PostgresPlace:
    """Implements `DatabasePlace` for a URL."""

    begins_by_itself = False
    is_shared = True

    def __init__(self, url: str) -> None:
        self._url = url
        self.told = told(url)

    def is_there(self) -> bool:
        """Whoever runs something on it will see."""
        return True

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction. In a thread: the driver wants a loop, and the caller may stand in one."""
        with ThreadPoolExecutor(1, thread_name_prefix="postgres") as thread:
            return thread.submit(asyncio.run, in_one_transaction(self._url, work)).result()

    def migrate(self, work: Callable[[Connection], T]) -> T:
        """The same; two who migrate at once do it one after the other, and the second finds it done."""

        def alone(connection: Connection) -> T:
            connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            return work(connection)

        return self.run(alone)

    def occupy(self) -> nullcontext[None]:
        """Any number of services."""
        return nullcontext()

    def is_occupied(self) -> bool:
        """By the connections of others of our name."""

        def look(connection: Connection) -> bool:
            others = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = :name AND pid <> pg_backend_pid()"
            )
            return bool(connection.execute(others, {"name": APPLICATION}).scalar())

        return self.run(look)

    def require_writable(self) -> None:
        """Whether a standby was named, or a read-only user, is told by the first who writes."""

    def open(self) -> PostgresDatabase:
        """Open it."""
        return PostgresDatabase(self._url)

    def wakeups(self, heard: Callable[[str], None], names: frozenset[str]) -> PostgresWakeups:
        """By a connection of its own."""
        return PostgresWakeups(self._url, heard, names)
