"""A SQLite file as a place: made when it is missing, nobody else's to read, one service at a time."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from tracker.adapters.store.service_lock import ServiceLock
from tracker.adapters.store.sqlite import SqliteDatabase, one_transaction
from tracker.domain.errors import ConfigurationError

T = TypeVar("T")


class SqlitePlace:
    """Implements `DatabasePlace` for a file."""

    begins_by_itself = True
    is_shared = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.told = str(path)

    def is_there(self) -> bool:
        """Whether there is a file."""
        if not self._path.parent.is_dir():
            raise ConfigurationError(
                f"The folder of the database {self.told} is not there; make it, or change [database] url."
            )
        if self._path.is_dir():
            raise ConfigurationError(f"The database {self.told} is a folder; name a file in [database] url.")
        return self._path.exists()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction; a missing file is made."""
        if not self.is_there():
            # It will hold secrets of subscriptions and terms of consents; its log files get its mode.
            self._path.touch(mode=0o600)
        with one_transaction(self._path) as connection:
            return work(connection)

    def migrate(self, work: Callable[[Connection], T]) -> T:
        """The same while no service runs on the file."""
        self.is_there()
        with ServiceLock(self._path):
            return self.run(work)

    def occupy(self) -> ServiceLock:
        """One service a file."""
        return ServiceLock(self._path)

    def is_occupied(self) -> bool:
        """By its lock."""
        return ServiceLock(self._path).is_held()

    def require_writable(self) -> None:
        """The file, and the folder: its log files come and go there."""
        self.is_there()
        for one in (self._path.parent, self._path):
            if one.exists() and not os.access(one, os.W_OK):
                what = "database" if one == self._path else "folder of the database"
                raise ConfigurationError(
                    f"The {what} {one.absolute()} cannot be written to; make the user that runs the tracker its owner."
                )

    def open(self) -> SqliteDatabase:
        """Open the file."""
        return SqliteDatabase(self._path)

    def wakeups(self, heard: Callable[[str], None], names: frozenset[str]) -> None:
        """There is no other service."""
