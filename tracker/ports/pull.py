"""What the store keeps of subscribers that poll."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.pull import Window
from tracker.domain.subscription import Parked

EventSigner = Callable[[bytes], str]
"""The claims of a Security Event Token, as JSON, to the signed token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What one poll changes.

    Attributes:
        subscription_id: Whose.
        window: What is open from now on; its turn is the one after the window's that was read.
        acknowledged_at: When the subscriber took something, if it did in this poll.
        given_up: What it refused or ignored.
    """

    subscription_id: str
    window: Window
    acknowledged_at: datetime | None = None
    given_up: tuple[Parked, ...] = ()
