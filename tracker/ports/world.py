"""Time, ids and randomness."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Our clock."""

    def now(self) -> datetime:
        """The time, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that is never set."""


class Ids(Protocol):
    """Fresh ids."""

    def ordered(self) -> str:
        """Make a UUIDv7: later ones sort after earlier ones."""

    def random(self) -> str:
        """Make a UUIDv4, for ids that others see and must not guess an order from."""


class Entropy(Protocol):
    """Randomness."""

    def token(self, size: int) -> bytes:
        """So many unguessable bytes."""

    def fraction(self) -> float:
        """A number from 0 up to 1, for jitter."""
