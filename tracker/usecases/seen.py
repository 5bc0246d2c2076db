"""What readers of a consent see of it, and what they do not."""

from dataclasses import fields
from typing import Final

from tracker.domain.standing import Summary
from tracker.domain.tracked import Asking, TrackedConsent


def are_seen_alike(one: TrackedConsent, other: TrackedConsent) -> bool:
    """Whether no reader sees a difference between two states of a consent: if any does, its version rises."""
    return (
        all(getattr(one, name) == getattr(other, name) for name in _SEEN)
        and one.overlay.seen == other.overlay.seen
        and all(getattr(one.asking, name) == getattr(other.asking, name) for name in _SEEN_OF_ASKING)
        and all(getattr(one.summary, name) == getattr(other.summary, name) for name in _SEEN_OF_SUMMARY)
    )


def _seen(of: type, *unseen: str) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of) if field.compare and field.name not in unseen)


_SEEN: Final = _seen(TrackedConsent, "asking", "noticing", "summary", "judged_at", "last_sequence", "overlay")
_SEEN_OF_ASKING: Final = _seen(
    Asking,
    "asked_at",
    "leased_until",
    "requested_at",
    "failures",
    "not_before",
    "suspected_at",
    "expiry_told_at",
    "siblings_wanted_at",
)
_SEEN_OF_SUMMARY: Final = _seen(Summary, "asks", "standing")
