"""What is counted while it happens, for whoever watches the service."""

from collections.abc import Mapping
from typing import Protocol


class Meters(Protocol):
    """Counting. Never raises, never waits, and nothing is ever decided by what was counted.

    Words that become labels come from our code or from the configuration, never from outside. Durations are in seconds.
    """

    def request_answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request was answered; `route` is the pattern that matched, not the path."""

    def event_answered(self, *, status: int, reason: str) -> None:
        """The door answered an event; `reason` is empty for one that was kept."""

    def batch_recorded(
        self, outcomes: Mapping[str, int], refused: Mapping[tuple[str, str], int], *, entries: int, seconds: float
    ) -> None:
        """A batch of events is on record: how many had which outcome, and of those refused how many at which step and why."""

    def holder_asked(self, *, provider: str, outcome: str, seconds: float) -> None:
        """A holder was asked about a consent."""

    def revocation_sent(self, *, provider: str, outcome: str) -> None:
        """A holder was asked to revoke a consent."""

    def checkpoint_made(self, *, outcome: str) -> None:
        """A checkpoint was `signed`, or `refused`: the journal is not what was signed of it before."""

    def subscriber_told(self, *, outcome: str, seconds: float) -> None:
        """A notification was posted, whatever came of it."""
