"""In what manner a subscriber is told: what keeps its order, how much at a time, how often what is refused is tried again.

These are terms of a subscription, set by whoever made it. Waits are in whole seconds; jitter only ever adds to them, so
nothing is tried earlier than its terms say.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tracker.domain.errors import InvalidRequestError

MOST_WAITS: Final = 20
LONGEST_WAIT_ALONE_SECONDS: Final = 3_600
"""Twenty of these are 20 hours: what comes after an entry that is refused alone never waits for days."""
LONGEST_WAIT_DOWN_SECONDS: Final = 86_400
SHORTEST_UNTIL_DISABLED_SECONDS: Final = 60
LONGEST_UNTIL_DISABLED_SECONDS: Final = 30 * 86_400
MOST_IN_FLIGHT: Final = 64

_JITTER = 0.1


class Order(StrEnum):
    """What keeps its order."""

    CONSENT = "consent"
    """The entries of each consent: one at a time, and what was refused holds back what comes after it."""
    NONE = "none"
    """Nothing: what was refused waits by itself, and its consent's later entries go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How often what is refused is tried again.

    Attributes:
        alone_seconds: How long an entry waits each time it alone is refused; refused once more, it is given up.
        down_seconds: How long an endpoint that takes nothing is left alone each time; the last goes for all further times.
        disable_after_seconds: How long it may take nothing until it is disabled.
    """

    alone_seconds: tuple[int, ...] = (5, 15, 30, 60, 120, 300)
    down_seconds: tuple[int, ...] = (1, 5, 30, 120, 600, 1_800, 3_600)
    disable_after_seconds: int = 3 * 86_400

    @property
    def disable_after(self) -> timedelta:
        """How long an endpoint may take nothing until it is disabled."""
        return timedelta(seconds=self.disable_after_seconds)

    @property
    def longest_wait_alone(self) -> timedelta:
        """No entry waits for longer at a time."""
        return _with_jitter(max(self.alone_seconds), 1.0)

    def wait_alone(self, refusals: int, *, fraction: float) -> timedelta | None:
        """How long an entry waits that was refused alone so often; None: it is given up.

        Args:
            refusals: 1 or more.
            fraction: A random number from 0 up to 1, for jitter.
        """
        if refusals > len(self.alone_seconds):
            return None
        return _with_jitter(self.alone_seconds[refusals - 1], fraction)

    def wait_down(self, failures: int, *, fraction: float) -> timedelta:
        """How long an endpoint is left alone that took nothing so often in a row.

        Args:
            failures: 1 or more.
            fraction: A random number from 0 up to 1, for jitter.
        """
        return _with_jitter(self.down_seconds[min(failures, len(self.down_seconds)) - 1], fraction)


def _with_jitter(seconds: int, fraction: float) -> timedelta:
    return timedelta(seconds=seconds) * (1 + _JITTER * fraction)


LONGEST_WAIT_DOWN: Final = _with_jitter(LONGEST_WAIT_DOWN_SECONDS, 1.0)
"""No endpoint is left alone for longer at a time, whatever it asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """In what manner a subscriber is told.

    Attributes:
        order: What keeps its order.
        most_in_flight: How many posts may be under way at a time, at most; how many are is found out by trying.
        attempts: How often what is refused is tried again.
    """

    order: Order = Order.CONSENT
    most_in_flight: int = 16
    attempts: Attempts = field(default_factory=Attempts)

    def check(self) -> None:
        """See that the numbers are within what can be.

        Raises:
            InvalidRequestError: One is not.
        """
        if not 1 <= self.most_in_flight <= MOST_IN_FLIGHT:
            raise InvalidRequestError(f"most_in_flight is from 1 to {MOST_IN_FLIGHT}.")
        _check_waits("alone_seconds", self.attempts.alone_seconds, LONGEST_WAIT_ALONE_SECONDS)
        _check_waits("down_seconds", self.attempts.down_seconds, LONGEST_WAIT_DOWN_SECONDS)
        longest = LONGEST_UNTIL_DISABLED_SECONDS
        if not SHORTEST_UNTIL_DISABLED_SECONDS <= self.attempts.disable_after_seconds <= longest:
            raise InvalidRequestError(
                f"disable_after_seconds is from {SHORTEST_UNTIL_DISABLED_SECONDS} to {longest} (30 days)."
            )


def _check_waits(name: str, waits: tuple[int, ...], longest: int) -> None:
    if not 1 <= len(waits) <= MOST_WAITS:
        raise InvalidRequestError(f"{name} has from 1 to {MOST_WAITS} waits.")
    if not all(1 <= wait <= longest for wait in waits):
        raise InvalidRequestError(f"Each wait of {name} is from 1 to {longest} seconds.")
