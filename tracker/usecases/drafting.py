"""Entries that tell of something else than what was judged of a report: they move no consent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tracker.domain.consent import Channel
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft
from tracker.journal.entry import Evidence as EntryEvidence
from tracker.usecases.recording import SALT_BYTES, Office


def draft_of(  # noqa: PLR0913 - the facts of an entry, each by its name
    office: Office,
    consent: TrackedConsent,
    entry_type: str,
    *,
    channel: Channel,
    reason: str | None,
    to_status: str | None = None,
    status_date_time: datetime | None = None,
    received_at: datetime | None = None,
    evidence: tuple[EntryEvidence, ...] = (),
    private: Mapping[str, Any] | None = None,
) -> Draft:
    """Draft an entry about a consent as it now is.

    Args:
        office: Ids and salts.
        consent: About which; held.
        entry_type: What happened.
        channel: How we know.
        reason: A code.
        to_status: The effective status, where the entry tells of it.
        status_date_time: The holder's time of what happened.
        received_at: When we heard of it.
        evidence: What it rests on.
        private: What says something about a person.
    """
    return Draft(
        id=office.ids.ordered(),
        type=entry_type,
        provider=consent.provider,
        tracking_id=consent.tracking_id,
        consent_id=consent.consent_id,
        kind=consent.kind,
        from_status=None,
        to_status=to_status,
        status_date_time=status_date_time,
        received_at=received_at,
        channel=channel.value,
        inferred=not consent.told.confirmed,
        confirmed=consent.told.confirmed,
        usable=consent.told.usable,
        reason=reason,
        evidence=evidence,
        private=private,
        private_salt=None if private is None else office.entropy.token(SALT_BYTES),
    )
