"""What was heard, verified and read, and is ready to be judged; and what was not."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, ConsentId, ProviderId, TrackingId
from tracker.domain.journey import Authorizers
from tracker.domain.report import Report
from tracker.journal.canonical import canonical
from tracker.journal.entry import rfc3339
from tracker.ports import Evidence, Name, OtherEvent, Quarantined, StoredReport
from tracker.profiles.around import PaymentSnapshot
from tracker.profiles.profile import Event, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardReport:
    """The holder's word on a consent.

    Attributes:
        stored: As it will be on record, but for what only judging adds.
        evidence: The signed token that it came in, if it was signed.
    """

    stored: StoredReport
    evidence: Evidence | None

    @property
    def name(self) -> Name:
        """Which consent it is about."""
        return self.stored.provider, self.stored.consent_id


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardOther:
    """A verified event that says nothing of a consent's status.

    Attributes:
        event: As it will be on record.
        evidence: The signed token that it came in.
        asks_about: The consent that it makes us ask about, if any.
        payment: What it says of a payment under that consent, if it is about one.
    """

    event: OtherEvent
    evidence: Evidence
    asks_about: Name | None
    payment: PaymentSnapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event that was not believed.

    Attributes:
        quarantined: As it will be kept.
        asks_about: A consent that it claims to be about; worth asking the holder, within a budget.
    """

    quarantined: Quarantined
    asks_about: Name | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One inbox item and what came of it.

    Attributes:
        inbox_id: Which one.
        interaction_id: What it goes by in logs.
        outcome: What it turned out to be.
    """

    inbox_id: str
    interaction_id: str
    outcome: HeardReport | HeardOther | Refused


def meaning(provider: ProviderId, event: Event) -> str:
    """Digest what an event means: two with the same digest are the same event, sent again.

    `jti`, `iat`, encryption and signature do not count: they are random, or nobody promised them.
    """
    snapshot = event.snapshot
    parts = {
        "provider": provider,
        "family": event.family.value,
        "consent": event.consent_id,
        "event_type": event.event_type,
        "event_date_time": rfc3339(event.event_date_time),
        "status": None if snapshot is None else snapshot.raw_status,
        "status_date_time": None if snapshot is None else rfc3339(snapshot.status_date_time),
        "data": event.data,
    }
    return hashlib.sha256(canonical(parts)).hexdigest()


def are_same_terms(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None, status_members: frozenset[str]
) -> bool:
    """Whether two answers of a holder say the same but for what says the status."""
    if one is None or other is None:
        return one is other
    told, known = ({name: v for name, v in terms.items() if name not in status_members} for terms in (one, other))
    # Mostly nothing has changed, and then they look alike: the canonical form costs several times as much.
    return repr(told) == repr(known) or canonical(told) == canonical(known)


def told_authorizers(authorizers: Authorizers) -> dict[str, Any]:
    """How far several authorizers have come, as JSON."""
    return {
        "total_required": authorizers.total_required,
        "authorizations": [
            {
                "authorizer_id": one.authorizer_id,
                "authorizer_type": one.authorizer_type,
                "status": one.status,
                "date_time": None if one.date_time is None else rfc3339(one.date_time),
            }
            for one in authorizers.authorizations
        ],
    }


def from_snapshot(  # noqa: PLR0913 - the facts that come with a snapshot, each by its name
    snapshot: Snapshot,
    *,
    provider: ProviderId,
    digest: str,
    channel: Channel,
    received_at: datetime,
    vouched_at: datetime,
    evidence: Evidence | None,
    asked_at: datetime | None = None,
    ask: int | None = None,
    event: Event | None = None,
) -> HeardReport:
    """Make a report of what a holder said of a consent."""
    report = Report(
        digest=digest,
        channel=channel,
        status=snapshot.status,
        status_date_time=snapshot.status_date_time,
        received_at=received_at,
        recorded_at=received_at,
        asks=0,
        asked_at=asked_at,
        ask=ask,
        expiration_date_time=snapshot.expiration_date_time,
        revoked_by=snapshot.revoked_by,
        raw_status=snapshot.raw_status if snapshot.raw_status != snapshot.status.value else None,
    )
    stored = StoredReport(
        report=report,
        provider=provider,
        consent_id=ConsentId(snapshot.consent_id),
        event_type=None if event is None else event.event_type,
        event_date_time=None if event is None else event.event_date_time,
        vouched_at=vouched_at,
        terms=snapshot.terms,
        permissions=snapshot.permissions,
        creation_date_time=snapshot.creation_date_time,
        authorization_expiration_date_time=snapshot.authorization_expiration_date_time,
        base_consent_id=snapshot.base_consent_id,
        jws_sha256=None if evidence is None else evidence.jws_sha256,
        jwe_sha256=None if evidence is None else evidence.jwe_sha256,
        kid=None if evidence is None else evidence.token.kid,
        jwk_thumbprint=None if evidence is None else evidence.token.jwk_thumbprint,
        zone_assumed=snapshot.zone_assumed,
        authorizers=snapshot.authorizers,
    )
    return HeardReport(stored=stored, evidence=evidence)


def judged_as(stored: StoredReport, tracking_id: TrackingId, *, asks: int, recorded_at: datetime) -> StoredReport:
    """Add what only recording knows: whose it is, how often we had asked by then, and when that was."""
    report = changed(stored.report, asks=asks, recorded_at=recorded_at)
    return changed(stored, report=report, tracking_id=tracking_id)
