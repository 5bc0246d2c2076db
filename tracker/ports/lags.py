"""How far behind a subscription is."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How far behind a subscription is, and what it was not told.

    Attributes:
        entries: How many entries the journal has behind its cursor, heard or not.
        waits_since: When the first of them was recorded; None if there is none.
        parked: How many it has gone past, and will be told yet.
        dead_letters: How many it has gone past, and will not be told by itself.
    """

    entries: int = 0
    waits_since: datetime | None = None
    parked: int = 0
    dead_letters: int = 0
