"""What the notices about a consent have told so far, and how it stands in its chain of renewals: kept on its row."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from tracker.domain.consent import TrackingId

_REMEMBERED: Final = 8
"""So many deadlines: a holder may name another expiry, and then the first again."""


class Deadline(StrEnum):
    """What a ladder of notices leads to."""

    EXPIRY = "expiry"
    """The consent ends by itself."""
    AUTHORIZATION = "authorization"
    """It cannot be authorized any more."""
    ATTESTATION = "attestation"
    """It has ended, and that its data were deleted must be attested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """The last step that was told before one deadline.

    Attributes:
        deadline: Of what kind.
        ends_at: The deadline itself.
        before: How long before it the step was due; every longer one counts as told too.
    """

    deadline: Deadline
    ends_at: datetime
    before: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """Where we stand with telling what is coming.

    Attributes:
        told: What was told, one for each deadline, the latest last.
        overlaps_told: Younger consents of its chain of which it was told that both were authorized for too long.
        has_successors: Some other consent names it as the root of its chain.
        is_succeeded: A younger one of its chain is authorized, so that nobody need hear that it ends.
        look_at: When its chain is to be looked at; None: not before something changes in it.
    """

    told: tuple[Noticed, ...] = ()
    overlaps_told: tuple[TrackingId, ...] = ()
    has_successors: bool = False
    is_succeeded: bool = False
    look_at: datetime | None = None

    def has_told(self, step: Noticed) -> bool:
        """Whether a step was told, or a later one before the same deadline."""
        return any(
            (t.deadline, t.ends_at) == (step.deadline, step.ends_at) and t.before <= step.before for t in self.told
        )

    def with_told(self, step: Noticed) -> "Noticing":
        """The same once a step was told."""
        others = tuple(t for t in self.told if (t.deadline, t.ends_at) != (step.deadline, step.ends_at))
        return replace(self, told=(*others, step)[-_REMEMBERED:])
