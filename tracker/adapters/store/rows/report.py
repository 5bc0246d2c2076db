"""Rows of `report` and `other_event`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.sealed import REPORT
from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.lifecycle import Verdict
from tracker.domain.report import Claim, Report
from tracker.ports import OtherEvent, StoredReport


def report_values(stored: StoredReport) -> Values:
    """The row of a report."""
    report = stored.report
    return {
        "digest": report.digest,
        "tracking_id": stored.tracking_id,
        "provider": stored.provider,
        "consent_id": stored.consent_id,
        "channel": report.channel.value,
        "status": report.status.value,
        "raw_status": report.raw_status,
        "status_date_time": report.status_date_time,
        "received_at": report.received_at,
        "recorded_at": report.recorded_at,
        "asks": report.asks,
        "asked_at": report.asked_at,
        "ask": report.ask,
        "expiration_date_time": report.expiration_date_time,
        "revoked_by": report.revoked_by,
        "event_type": stored.event_type,
        "event_date_time": stored.event_date_time,
        "vouched_at": stored.vouched_at,
        "terms": stored.terms,
        "permissions": None if stored.permissions is None else list(stored.permissions),
        "creation_date_time": stored.creation_date_time,
        "authorization_expiration_date_time": stored.authorization_expiration_date_time,
        "base_consent_id": stored.base_consent_id,
        "jws_sha256": stored.jws_sha256,
        "jwe_sha256": stored.jwe_sha256,
        "kid": stored.kid,
        "jwk_thumbprint": stored.jwk_thumbprint,
        "zone_assumed": stored.zone_assumed,
        "verdict": stored.verdict,
    }


@consistent("report", "digest")
def to_report(row: Row[Any]) -> StoredReport:
    """A row of `report`."""
    return StoredReport(
        report=Report(
            digest=row.digest,
            channel=Channel(row.channel),
            status=Status(row.status),
            status_date_time=row.status_date_time,
            received_at=row.received_at,
            recorded_at=row.recorded_at,
            asks=row.asks,
            asked_at=row.asked_at,
            ask=row.ask,
            expiration_date_time=row.expiration_date_time,
            revoked_by=row.revoked_by,
            raw_status=row.raw_status,
        ),
        provider=ProviderId(row.provider),
        consent_id=ConsentId(row.consent_id),
        tracking_id=None if row.tracking_id is None else TrackingId(row.tracking_id),
        event_type=row.event_type,
        event_date_time=row.event_date_time,
        vouched_at=row.vouched_at,
        terms=REPORT.opened(row)["terms"] or {},
        permissions=None if row.permissions is None else tuple(row.permissions),
        creation_date_time=row.creation_date_time,
        authorization_expiration_date_time=row.authorization_expiration_date_time,
        base_consent_id=row.base_consent_id,
        jws_sha256=row.jws_sha256,
        jwe_sha256=row.jwe_sha256,
        kid=row.kid,
        jwk_thumbprint=row.jwk_thumbprint,
        zone_assumed=row.zone_assumed,
        verdict=None if row.verdict is None else Verdict(row.verdict),
    )


@consistent("report", "tracking_id")
def to_claim(row: Row[Any]) -> tuple[TrackingId, Claim]:
    """A claim that is on record, and about which consent; an error names the consent, as one claim may be many rows."""
    return TrackingId(row.tracking_id), (Status(row.status), row.status_date_time)


def other_event_values(event: OtherEvent) -> Values:
    """The row of an event that is no report."""
    return {
        "digest": event.digest,
        "provider": event.provider,
        "family": event.family,
        "consent_id": event.consent_id,
        "event_type": event.event_type,
        "event_date_time": event.event_date_time,
        "received_at": event.received_at,
        "recorded_at": event.recorded_at,
        "data": event.data,
        "jws_sha256": event.jws_sha256,
        "repeats": 0,
    }
