"""What the store needs of a database."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Database(Protocol):
    """What the store needs of a database."""

    async def write(
        self, work: Callable[[Connection], tuple[T, str | None]], *, urgent: bool = False, flush: bool = True
    ) -> T:
        """Run work in a transaction and give its answer after the commit; with it, the batch id that it left.

        Where one waits for another, what is urgent goes first; it is short. Without `flush` the commit does not wait for the
        disk: it survives this process at once, and a loss of power from the next flush on.
        """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a query."""

    async def glance(self, work: Callable[[Connection], T]) -> T:
        """Run a query that looks up a row or two by their keys; many of these share what goes with it."""

    async def scrub(self) -> bool:
        """Leave nothing of what was deleted where it could be read, as far as that is ours to do; say whether it is done."""

    async def close(self) -> None:
        """Finish what waits."""
