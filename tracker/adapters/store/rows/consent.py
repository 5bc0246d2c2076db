"""Rows of `consent`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.at_hand import at_hand
from tracker.adapters.store.columns import instant_text
from tracker.adapters.store.rows.journey import (
    authorizers_from_json,
    authorizers_to_json,
    journey_from_json,
    journey_to_json,
)
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.rows.revocation import revocation_from_json, revocation_to_json
from tracker.adapters.store.sealed import CONSENT
from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.lifecycle import Told
from tracker.domain.noticed import Deadline, Noticed, Noticing
from tracker.domain.overlay import Overlay
from tracker.domain.payment import PaymentOutcome
from tracker.domain.report import Report
from tracker.domain.schedule import NextAsk
from tracker.domain.standing import Summary
from tracker.domain.tracked import Asking, TrackedConsent

_SECOND = timedelta(seconds=1)
_NOTHING_NOTICED = Noticing()


def consent_values(
    consent: TrackedConsent,
    decision: Decision,
    *,
    next_ask_at: datetime | None,
    next_tick_at: datetime | None,
    urgent_ask_at: datetime | None,
    queued_ask_at: datetime | None,
    next_notice_at: datetime | None,
    steady_ask_at: datetime | None,
) -> Values:
    """The row of a consent, without its key and its last sequence, which only the journal writes."""
    asking, revocation = consent.asking, consent.overlay.revocation
    return {
        "provider": consent.provider,
        "consent_id": consent.consent_id,
        "profile": consent.profile,
        "client_id": consent.client_id,
        "kind": consent.kind,
        "registered_at": consent.registered_at,
        "registered_expiry": consent.registered_expiry,
        "imported": consent.imported,
        "summary": summary_to_json(consent.summary),
        "status": decision.status.value,
        "status_date_time": decision.since,
        "expiration_date_time": decision.expiration_date_time,
        "told_status": consent.told.status.value,
        "told_confirmed": consent.told.confirmed,
        "told_usable": consent.told.usable,
        "judged_at": consent.judged_at,
        "paused": consent.overlay.paused,
        "revoking": consent.overlay.revoking,
        "asked_at": asking.asked_at,
        "leased_until": asking.leased_until,
        "requested_at": asking.requested_at,
        "failures": asking.failures,
        "not_before": asking.not_before,
        "doubted_at": asking.doubted_at,
        "suspected_at": asking.suspected_at,
        "expiry_told_at": asking.expiry_told_at,
        "siblings_wanted_at": asking.siblings_wanted_at,
        "learned_at": consent.learned_at,
        "confirmed_at": consent.confirmed_at,
        "confirmed_by": consent.confirmed_by,
        "revoked_by": consent.revoked_by,
        "base_consent_id": consent.base_consent_id,
        "user_ref": consent.user_ref,
        "permissions": list(consent.permissions),
        "terms": consent.terms,
        "creation_date_time": consent.creation_date_time,
        "authorization_expiration_date_time": consent.authorization_expiration_date_time,
        "version": consent.version,
        "updated_at": consent.updated_at,
        "next_ask_at": next_ask_at,
        "next_tick_at": next_tick_at,
        "urgent_ask_at": urgent_ask_at,
        "queued_ask_at": queued_ask_at,
        "noticing": noticing_to_json(consent.noticing),
        "next_notice_at": next_notice_at,
        "steady_ask_at": steady_ask_at,
        "revocation": None if revocation is None else revocation_to_json(revocation),
        "revocation_due_at": None if revocation is None else revocation.looked_at_next,
        "journey": journey_to_json(consent.journey),
        "authorizers": authorizers_to_json(consent.authorizers),
        "payment_outcome": consent.payment_outcome,
        "payment_date_time": consent.payment_date_time,
    }


@consistent("consent", "tracking_id")
def to_consent(row: Row[Any]) -> TrackedConsent:
    """A row of `consent`. Where its key is no more, what was sealed is not there."""
    told = CONSENT.opened(row)
    kept = TrackedConsent(
        tracking_id=TrackingId(row.tracking_id),
        provider=ProviderId(row.provider),
        consent_id=ConsentId(row.consent_id),
        profile=row.profile,
        client_id=row.client_id,
        kind=row.kind,
        registered_at=row.registered_at,
        registered_expiry=row.registered_expiry,
        imported=row.imported,
        summary=summary_from_json(row.summary),
        told=Told(status=Status(row.told_status), confirmed=row.told_confirmed, usable=row.told_usable),
        judged_at=row.judged_at,
        overlay=Overlay(paused=row.paused, revocation=revocation_from_json(row.revocation)),
        asking=Asking(
            asked_at=row.asked_at,
            leased_until=row.leased_until,
            requested_at=row.requested_at,
            failures=row.failures,
            not_before=row.not_before,
            doubted_at=row.doubted_at,
            suspected_at=row.suspected_at,
            expiry_told_at=row.expiry_told_at,
            siblings_wanted_at=row.siblings_wanted_at,
        ),
        noticing=noticing_from_json(row.noticing),
        learned_at=row.learned_at,
        confirmed_at=row.confirmed_at,
        confirmed_by=None if row.confirmed_by is None else Channel(row.confirmed_by),
        revoked_by=row.revoked_by,
        base_consent_id=row.base_consent_id,
        user_ref=told["user_ref"],
        permissions=tuple(row.permissions),
        terms=told["terms"],
        creation_date_time=row.creation_date_time,
        authorization_expiration_date_time=row.authorization_expiration_date_time,
        journey=journey_from_json(told["journey"]),
        authorizers=authorizers_from_json(told["authorizers"]),
        payment_outcome=None if row.payment_outcome is None else PaymentOutcome(row.payment_outcome),
        payment_date_time=row.payment_date_time,
        last_sequence=row.last_sequence,
        version=row.version,
        updated_at=row.updated_at,
    )
    if row.sealed is not None:
        at_hand().seen[row.tracking_id] = (kept, row.sealed, row.user_ref_hash)
    return kept


@consistent("consent", "tracking_id")
def to_next_ask(row: Row[Any]) -> NextAsk:
    """When its holder is to be asked about it."""
    return NextAsk(
        urgent_at=row.urgent_ask_at,
        ordinary_at=row.next_ask_at,
        steady_at=row.steady_ask_at,
        queued_at=row.queued_ask_at,
    )


def summary_to_json(summary: Summary) -> Values:
    """What is kept of a consent's reports, as JSON."""
    return {
        "asks": summary.asks,
        "standing": [_report_to_json(report) for report in summary.standing],
        "revived_date_time": instant_text(summary.revived_date_time),
        "end_hinted_at_ask": summary.end_hinted_at_ask,
    }


def summary_from_json(value: Mapping[str, Any]) -> Summary:
    """The other way."""
    return Summary(
        asks=value["asks"],
        standing=tuple(_report_from_json(report) for report in value["standing"]),
        revived_date_time=_time(value["revived_date_time"]),
        end_hinted_at_ask=value["end_hinted_at_ask"],
    )


def noticing_to_json(noticing: Noticing) -> Values | None:
    """What `noticing` keeps; nothing for the many consents of which there is nothing to keep."""
    if noticing == _NOTHING_NOTICED:
        return None
    return {
        "told": [[t.deadline.value, instant_text(t.ends_at), t.before // _SECOND] for t in noticing.told],
        "overlaps_told": list(noticing.overlaps_told),
        "has_successors": noticing.has_successors,
        "is_succeeded": noticing.is_succeeded,
        "look_at": instant_text(noticing.look_at),
    }


def noticing_from_json(value: Mapping[str, Any] | None) -> Noticing:
    """The other way."""
    if value is None:
        return _NOTHING_NOTICED
    return Noticing(
        told=tuple(
            Noticed(deadline=Deadline(kind), ends_at=datetime.fromisoformat(at), before=seconds * _SECOND)
            for kind, at, seconds in value["told"]
        ),
        overlaps_told=tuple(map(TrackingId, value["overlaps_told"])),
        has_successors=value["has_successors"],
        is_succeeded=value["is_succeeded"],
        look_at=_time(value["look_at"]),
    )


def _report_to_json(report: Report) -> Values:
    return {
        "digest": report.digest,
        "channel": report.channel.value,
        "status": report.status.value,
        "status_date_time": instant_text(report.status_date_time),
        "received_at": instant_text(report.received_at),
        "recorded_at": instant_text(report.recorded_at),
        "asks": report.asks,
        "asked_at": instant_text(report.asked_at),
        "ask": report.ask,
        "expiration_date_time": instant_text(report.expiration_date_time),
        "revoked_by": report.revoked_by,
        "raw_status": report.raw_status,
    }


def _report_from_json(value: Mapping[str, Any]) -> Report:
    return Report(
        digest=value["digest"],
        channel=Channel(value["channel"]),
        status=Status(value["status"]),
        status_date_time=datetime.fromisoformat(value["status_date_time"]),
        received_at=datetime.fromisoformat(value["received_at"]),
        recorded_at=datetime.fromisoformat(value["recorded_at"]),
        asks=value["asks"],
        asked_at=_time(value["asked_at"]),
        ask=value["ask"],
        expiration_date_time=_time(value["expiration_date_time"]),
        revoked_by=value["revoked_by"],
        raw_status=value["raw_status"],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
