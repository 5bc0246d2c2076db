"""The terms as granted: those that a pack tells, and that its verification finds in its entries."""

from collections.abc import Sequence
from typing import Any, Final

from tracker.journal.entry import Entry

_AUTHORIZED: Final = "Authorized"


def terms_as_granted(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """The terms as granted: those that were known last when the consent was first authorized.

    None if it never was, if nobody said any, or if they were destroyed.
    """
    stated: Entry | None = None
    for entry in entries:
        if entry.private is not None and isinstance(entry.private.get("terms"), dict):
            stated = entry
        elif _told_terms(entry) and entry.private is None:
            stated = None  # what was said last is not there any more: what was said before it are other terms
        if entry.to_status == _AUTHORIZED:
            if stated is None or stated.private is None:
                return None
            return {
                "authorized_by": entry.sequence,
                "stated_by": stated.sequence,
                "data": stated.private["terms"],
            }
    return None


def _told_terms(entry: Entry) -> bool:
    """Whether an entry may have told terms: then it has a private value, destroyed or not, and is about the consent itself."""
    return entry.data["private_digest"] is not None and entry.type.startswith("consent.")
