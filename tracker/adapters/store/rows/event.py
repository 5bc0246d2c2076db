"""Rows of `inbox` and `quarantine`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.ports import InboxItem, Quarantined


def inbox_values(item: InboxItem) -> Values:
    """The row of an inbox item."""
    return {
        "id": item.id,
        "profile": item.profile,
        "body": item.body,
        "received_at": item.received_at,
        "interaction_id": item.interaction_id,
        "attempts": item.attempts,
        "retries": item.retries,
        "due_at": item.received_at,
        "lane": item.lane,
    }


@consistent("inbox", "id")
def to_inbox_item(row: Row[Any], body: bytes) -> InboxItem:
    """A row of `inbox` without its body, and the body."""
    return InboxItem(
        id=row.id,
        profile=row.profile,
        body=body,
        received_at=row.received_at,
        interaction_id=row.interaction_id,
        attempts=row.attempts,
        retries=row.retries,
        lane=row.lane,
    )


def quarantine_values(event: Quarantined) -> Values:
    """The row of a quarantined event."""
    return {
        "id": event.id,
        "profile": event.profile,
        "step": event.step,
        "reason": event.reason,
        "verified": event.verified,
        "body": event.body,
        "received_at": event.received_at,
        "quarantined_at": event.quarantined_at,
        "interaction_id": event.interaction_id,
        "provider": event.provider,
        "kid": event.kid,
        "our_kid": event.our_kid,
        "keys_at_hand": None if event.keys_at_hand is None else list(event.keys_at_hand),
        "retries": event.retries,
        "size_bytes": len(event.body),
        "consent_id": event.consent_id,
    }


@consistent("quarantine", "id")
def to_quarantined(row: Row[Any]) -> Quarantined:
    """A row of `quarantine`."""
    facts = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's mapping
    del facts["size_bytes"]
    at_hand = facts.pop("keys_at_hand")
    return Quarantined(**facts, keys_at_hand=None if at_hand is None else tuple(at_hand))
