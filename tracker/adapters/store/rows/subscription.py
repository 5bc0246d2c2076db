"""Rows of `subscription`, `parked` and `api_key`."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.manner import announced_values, manner_values, to_announced, to_manner
from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.rows.sending import sending_value, to_sending
from tracker.domain.completion import CompletionTerms
from tracker.domain.pull import PollFormat, PollTerms
from tracker.domain.subscription import EntryFilter, Parked, RetiredSecret, Subscription, SubscriptionState
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.ports import ApiKey


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
        "version": subscription.version,
        "paused_at": subscription.paused_at,
        "retired_secrets": [
            {"secret": retired.secret, "until": rfc3339(retired.until)} for retired in subscription.retired_secrets
        ],
        "manner": manner_values(subscription.manner),
        "announced": announced_values(subscription.announced),
        "poll_format": subscription.polling.format.value,
        "poll_visibility_seconds": round(subscription.polling.visibility.total_seconds()),
        "key_id": subscription.key_id,
        "completion": _completion_values(subscription.completion),
        "sending": sending_value(subscription.sending),
        "challenge": subscription.challenge,
        "tried_at": subscription.tried_at,
        "held_at": subscription.held_at,
        "held_until": subscription.held_until,
    }


@consistent("subscription", "id")
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
        version=row.version,
        paused_at=row.paused_at,
        retired_secrets=tuple(
            RetiredSecret(secret=retired["secret"], until=parse_rfc3339(retired["until"]))
            for retired in row.retired_secrets or ()
        ),
        manner=to_manner(row.manner),
        announced=to_announced(row.announced),
        polling=PollTerms(
            format=PollFormat(row.poll_format), visibility=timedelta(seconds=row.poll_visibility_seconds)
        ),
        key_id=row.key_id,
        completion=_to_completion(row.completion),
        sending=to_sending(row.sending),
        challenge=row.challenge,
        tried_at=row.tried_at,
        held_at=row.held_at,
        held_until=row.held_until,
    )


def _completion_values(terms: CompletionTerms | None) -> Values | None:
    if terms is None:
        return None
    return {
        "types": list(terms.types),
        "to": sorted(terms.to),
        "work": list(terms.work),
        "within_seconds": round(terms.within.total_seconds()),
        "after": terms.after,
    }


def _to_completion(values: Values | None) -> CompletionTerms | None:
    if values is None:
        return None
    return CompletionTerms(
        types=tuple(values["types"]),
        to=frozenset(values["to"]),
        work=tuple(values["work"]),
        within=timedelta(seconds=values["within_seconds"]),
        after=values["after"],
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
        "is_unordered": parked.is_unordered,
        "answer": parked.answer,
    }


@consistent("parked", "sequence")
def to_parked(row: Row[Any]) -> Parked:
    """A row of `parked`."""
    return Parked(
        sequence=row.sequence,
        tracking_id=row.tracking_id,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        last_error=row.last_error,
        is_unordered=row.is_unordered,
        answer=row.answer,
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


@consistent("api_key", "id")
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
