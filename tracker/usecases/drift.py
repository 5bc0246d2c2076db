"""Moves that no event told of: what is told of them, and which moves can be missed at all."""

from datetime import datetime
from typing import Final

from tracker.domain.consent import Channel, ProviderId, Status, TrackingId
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry, Evidence, parse_rfc3339
from tracker.ports import Ids

DRIFT_FOUND: Final = "consent.drift_found"
_MOVED: Final = "consent.status_changed"
_CODES: Final = {
    Status.AUTHORIZED: "authorized_missed",
    Status.SUSPENDED: "suspended_missed",
    Status.REJECTED: "rejected_missed",
    Status.CONSUMED: "consumed_missed",
    Status.EXPIRED: "expired_missed",
    Status.REVOKED: "revoked_missed",
}
"""What was missed, as the entry's `reason` says it."""


def is_move(entry: Entry) -> bool:
    """Whether an entry tells a move of which the holder should have sent an event.

    What the clock inferred is none; nor is a doubt, nor the staging, which no event tells.
    """
    data = entry.data
    is_holders = data["channel"] in {Channel.WEBHOOK.value, Channel.POLL.value} and not data["inferred"]
    return entry.type == _MOVED and is_holders and data["to"] in _CODES and data["status_date_time"] is not None


def mover(entry: Entry) -> ProviderId:
    """Whose consent moved."""
    return ProviderId(str(entry.provider))


def moved_one(entry: Entry) -> TrackingId:
    """Which consent moved."""
    return TrackingId(str(entry.tracking_id))


def moved_at(entry: Entry) -> datetime:
    """The holder's time of a move."""
    return parse_rfc3339(entry.data["status_date_time"])


def drift(consent: TrackedConsent, found: Entry, ids: Ids) -> Draft:
    """Tell that no event told of a move which a poll found.

    `to` and `usable` are what is so now, as in every entry: what was missed may be long past. That is named by `reason`, its time
    by `status_date_time`, and the answer that showed it by the evidence.
    """
    data, told = found.data, consent.told
    missed = Status(data["to"])
    return Draft(
        id=ids.ordered(),
        type=DRIFT_FOUND,
        provider=consent.provider,
        tracking_id=consent.tracking_id,
        consent_id=consent.consent_id,
        kind=consent.kind,
        from_status=None,
        to_status=told.status,
        status_date_time=moved_at(found),
        received_at=None if data["received_at"] is None else parse_rfc3339(data["received_at"]),
        channel=Channel.POLL.value,
        inferred=not told.confirmed,
        confirmed=told.confirmed,
        revoked_by=data["revoked_by"],
        reason=_CODES[missed],
        usable=told.usable,
        evidence=tuple(Evidence(**proof) for proof in data["evidence"]),
    )
