"""Rows into what the domain knows, and back. A row that says what the domain cannot is an error that names it."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from sqlalchemy import Row

from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.errors import InconsistentRowError
from tracker.domain.lifecycle import Told, Verdict
from tracker.domain.report import Report
from tracker.domain.standing import Summary
from tracker.domain.subscription import EntryFilter, Parked, Subscription, SubscriptionState
from tracker.domain.tracked import Asking, Overlay, TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import ApiKey, Evidence, InboxItem, OtherEvent, Quarantined, StoredReport

Values = dict[str, Any]
T = TypeVar("T")


def _consistent(table: str, key: str) -> Callable[[Callable[[Row[Any]], T]], Callable[[Row[Any]], T]]:
    """Turn whatever a row's words break into an error that names the row."""

    def wrap(read: Callable[[Row[Any]], T]) -> Callable[[Row[Any]], T]:
        @wraps(read)
        def checked(row: Row[Any]) -> T:
            try:
                return read(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                name = str(getattr(row, key, "?"))
                raise InconsistentRowError(table, name, f"{type(error).__name__}: {error}") from error

        return checked

    return wrap


# ---------------------------------------------------------------------------------------------- consents


def consent_values(
    consent: TrackedConsent, decision: Decision, next_ask_at: datetime | None, next_tick_at: datetime | None
) -> Values:
    """The row of a consent, without its key and its last sequence, which only the journal writes."""
    asking = consent.asking
    return {
        "provider": consent.provider,
        "consent_id": consent.consent_id,
        "profile": consent.profile,
        "client_id": consent.client_id,
        "kind": consent.kind,
        "registered_at": consent.registered_at,
        "registered_expiry": consent.registered_expiry,
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
    }


@_consistent("consent", "tracking_id")
def to_consent(row: Row[Any]) -> TrackedConsent:
    """A row of `consent`."""
    return TrackedConsent(
        tracking_id=TrackingId(row.tracking_id),
        provider=ProviderId(row.provider),
        consent_id=ConsentId(row.consent_id),
        profile=row.profile,
        client_id=row.client_id,
        kind=row.kind,
        registered_at=row.registered_at,
        registered_expiry=row.registered_expiry,
        summary=summary_from_json(row.summary),
        told=Told(status=Status(row.told_status), confirmed=row.told_confirmed, usable=row.told_usable),
        judged_at=row.judged_at,
        overlay=Overlay(paused=row.paused, revoking=row.revoking),
        asking=Asking(
            asked_at=row.asked_at,
            leased_until=row.leased_until,
            requested_at=row.requested_at,
            failures=row.failures,
            not_before=row.not_before,
            doubted_at=row.doubted_at,
        ),
        learned_at=row.learned_at,
        confirmed_at=row.confirmed_at,
        confirmed_by=None if row.confirmed_by is None else Channel(row.confirmed_by),
        revoked_by=row.revoked_by,
        base_consent_id=row.base_consent_id,
        user_ref=row.user_ref,
        permissions=tuple(row.permissions),
        terms=row.terms,
        creation_date_time=row.creation_date_time,
        authorization_expiration_date_time=row.authorization_expiration_date_time,
        last_sequence=row.last_sequence,
        version=row.version,
        updated_at=row.updated_at,
    )


def summary_to_json(summary: Summary) -> Values:
    """What is kept of a consent's reports, as JSON."""
    return {
        "asks": summary.asks,
        "standing": [_report_to_json(report) for report in summary.standing],
        "revived_date_time": _text(summary.revived_date_time),
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


def _report_to_json(report: Report) -> Values:
    return {
        "digest": report.digest,
        "channel": report.channel.value,
        "status": report.status.value,
        "status_date_time": _text(report.status_date_time),
        "received_at": _text(report.received_at),
        "recorded_at": _text(report.recorded_at),
        "asks": report.asks,
        "asked_at": _text(report.asked_at),
        "ask": report.ask,
        "expiration_date_time": _text(report.expiration_date_time),
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


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# ---------------------------------------------------------------------------------------------- reports and events


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
        "permissions": list(stored.permissions),
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


@_consistent("report", "digest")
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
        terms=row.terms,
        permissions=tuple(row.permissions),
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


def evidence_values(evidence: Evidence) -> tuple[Values, Values]:
    """The rows of a signed token and of the key that verified it."""
    token = evidence.token
    return (
        {
            "jws_sha256": evidence.jws_sha256,
            "jwe_sha256": evidence.jwe_sha256,
            "provider": evidence.provider,
            "jws": token.jws,
            "kid": token.kid,
            "jwk_thumbprint": token.jwk_thumbprint,
            "received_at": evidence.received_at,
        },
        {
            "provider": evidence.provider,
            "jwk_thumbprint": token.jwk_thumbprint,
            "kid": token.kid,
            "jwk": dict(token.jwk),
            "jwks_uri": token.jwks_uri,
            "first_seen_at": evidence.received_at,
        },
    )


# ---------------------------------------------------------------------------------------------- inbox and quarantine


def inbox_values(item: InboxItem) -> Values:
    """The row of an inbox item."""
    return {
        "id": item.id,
        "profile": item.profile,
        "body": item.body,
        "received_at": item.received_at,
        "interaction_id": item.interaction_id,
        "attempts": item.attempts,
        "due_at": item.received_at,
    }


@_consistent("inbox", "id")
def to_inbox_item(row: Row[Any]) -> InboxItem:
    """A row of `inbox`."""
    return InboxItem(
        id=row.id,
        profile=row.profile,
        body=row.body,
        received_at=row.received_at,
        interaction_id=row.interaction_id,
        attempts=row.attempts,
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
    }


@_consistent("quarantine", "id")
def to_quarantined(row: Row[Any]) -> Quarantined:
    """A row of `quarantine`."""
    return Quarantined(**row._mapping)  # noqa: SLF001 - the documented way to a row's mapping


# ---------------------------------------------------------------------------------------------- journal


def entry_values(entry: Entry) -> Values:
    """The row of an entry."""
    return {
        "sequence": entry.sequence,
        "id": entry.leaf["id"],
        "tracking_id": entry.tracking_id,
        "recorded_at": entry.recorded_at,
        "leaf": entry.leaf_bytes,
        "leaf_hash": entry.leaf_hash,
        "private": None if entry.private is None else dict(entry.private),
        "private_salt": entry.private_salt,
    }


@_consistent("entry", "sequence")
def to_entry(row: Row[Any]) -> Entry:
    """A row of `entry`; the leaf is what was hashed, byte for byte."""
    return Entry(
        sequence=row.sequence,
        recorded_at=row.recorded_at,
        leaf=json.loads(row.leaf),
        leaf_bytes=row.leaf,
        leaf_hash=row.leaf_hash,
        private=row.private,
        private_salt=row.private_salt,
    )


# ---------------------------------------------------------------------------------------------- subscriptions, API keys


def subscription_values(subscription: Subscription) -> Values:
    """The row of a subscription."""
    heard = subscription.entry_filter
    return {
        "id": subscription.id,
        "url": subscription.url,
        "entry_filter": {
            "types": list(heard.types),
            "provider": sorted(heard.provider),
            "kind": sorted(heard.kind),
            "to": sorted(heard.to),
        },
        "secret": subscription.secret,
        "description": subscription.description,
        "include_private": subscription.include_private,
        "cursor": subscription.cursor,
        "state": subscription.state.value,
        "failing_since": subscription.failing_since,
        "failures": subscription.failures,
        "next_attempt_at": subscription.next_attempt_at,
        "last_delivered_at": subscription.last_delivered_at,
        "last_error": subscription.last_error,
        "created_at": subscription.created_at,
    }


@_consistent("subscription", "id")
def to_subscription(row: Row[Any]) -> Subscription:
    """A row of `subscription`."""
    heard = row.entry_filter
    return Subscription(
        id=row.id,
        url=row.url,
        entry_filter=EntryFilter(
            types=tuple(heard["types"]),
            provider=frozenset(heard["provider"]),
            kind=frozenset(heard["kind"]),
            to=frozenset(heard["to"]),
        ),
        secret=row.secret,
        description=row.description,
        include_private=row.include_private,
        cursor=row.cursor,
        state=SubscriptionState(row.state),
        failing_since=row.failing_since,
        failures=row.failures,
        next_attempt_at=row.next_attempt_at,
        last_delivered_at=row.last_delivered_at,
        last_error=row.last_error,
        created_at=row.created_at,
    )


def parked_values(subscription_id: str, parked: Parked) -> Values:
    """The row of a parked entry."""
    return {
        "subscription_id": subscription_id,
        "sequence": parked.sequence,
        "tracking_id": parked.tracking_id,
        "attempts": parked.attempts,
        "next_attempt_at": parked.next_attempt_at,
        "last_error": parked.last_error,
    }


@_consistent("parked", "sequence")
def to_parked(row: Row[Any]) -> Parked:
    """A row of `parked`."""
    return Parked(
        sequence=row.sequence,
        tracking_id=row.tracking_id,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
    )


def api_key_values(key: ApiKey) -> Values:
    """The row of an API key."""
    return {
        "id": key.id,
        "name": key.name,
        "secret_sha256": key.secret_sha256,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


@_consistent("api_key", "id")
def to_api_key(row: Row[Any]) -> ApiKey:
    """A row of `api_key`."""
    return ApiKey(
        id=row.id,
        name=row.name,
        secret_sha256=row.secret_sha256,
        scopes=frozenset(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
