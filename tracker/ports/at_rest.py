"""How what is encrypted at rest stands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRest:
    """How values and their keys stand in the database.

    Attributes:
        keys: How many keys of consents there are.
        bare_keys: How many of them stand as they are.
        old_keys: How many are encrypted with a key of the ring that is not its first.
        locked_keys: How many cannot be opened, by the id of the key of the ring that is missing.
        plain_rows: How many rows were written by an older version and are not encrypted yet, by their table.
    """

    keys: int
    bare_keys: int
    old_keys: int
    locked_keys: Mapping[str, int]
    plain_rows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingStep:
    """One batch of what was sealed.

    Attributes:
        table: Of which table.
        sealed: How many rows of it were sealed now.
        is_last: Whether that table is done.
    """

    table: str
    sealed: int
    is_last: bool


class SealingBook(Protocol):
    """Sealing what does not stand as it should. Every method raises `StorageError` when the database is away."""

    async def step(self, limit: int) -> SealingStep | None:
        """Seal up to so many rows, in one transaction; None: there is nothing left, or another process is at it.

        First keys that are not under the ring's first key, then rows that were written before there were keys.
        """

    async def is_done(self) -> bool:
        """Whether there is nothing left."""

    async def begin_anew(self) -> None:
        """Have all rows gone through once more."""

    async def standing(self) -> AtRest:
        """Count how everything stands; it reads all keys, and all rows of tables that were not gone through."""

    async def missing_keys(self, kids: Collection[str]) -> list[str]:
        """The ids of keys of the ring that are needed and are not among these."""
