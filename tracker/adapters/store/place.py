"""Where a database is, and how it is reached before the store is: to look at its schema, and to change that."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from tracker.adapters.store.store import Database

T = TypeVar("T")


class Wakeups(Protocol):
    """Passes rings on to other processes, and theirs to us."""

    def tell(self, name: str) -> None:
        """Wake the others; soon, and without waiting for it."""

    async def run(self) -> None:
        """Keep at it until cancelled."""


class DatabasePlace(Protocol):
    """A database as the configuration names it.

    Attributes:
        told: How it is called in messages; nothing secret.
        begins_by_itself: Whether a service gives an empty one its schema.
        is_shared: Whether several services may run on it.
    """

    told: str
    begins_by_itself: bool
    is_shared: bool

    def is_there(self) -> bool:
        """Whether there is anything at the place that could hold a schema. Nothing is made by asking.

        Raises:
            ConfigurationError: There can never be.
        """

    def run(self, work: Callable[[Connection], T]) -> T:
        """Do something in one transaction, on a connection of its own.

        Raises:
            ConfigurationError: There is no database that can be used.
        """

    def migrate(self, work: Callable[[Connection], T]) -> T:
        """The same with nobody beside us who migrates, or who could not bear it.

        Raises:
            ConfigurationError: A service runs that could not bear it, or there is no database that can be used.
        """

    def occupy(self) -> AbstractContextManager[object]:
        """Hold the place while a service runs, if it bears only one.

        Raises:
            ConfigurationError: Another service has it.
        """

    def is_occupied(self) -> bool:
        """Whether a service runs on it, as far as can be seen; nothing is made by asking."""

    def require_writable(self) -> None:
        """See to it that this user can write to it; nothing is made by asking.

        Raises:
            ConfigurationError: He cannot.
        """

    def open(self) -> Database:
        """Open it for the store."""

    def wakeups(self, heard: Callable[[str], None], names: frozenset[str]) -> Wakeups | None:
        """What wakes other services on it, and is woken by them; None: there are none."""
