"""The parts of an evidence pack as JSON, made of what the store keeps. Pure; `docs/evidence.md` has their forms."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from tracker.domain.completion import Work
from tracker.domain.subscription import Subscription
from tracker.journal.entry import Entry
from tracker.journal.instant import rfc3339
from tracker.journal.private import base64url
from tracker.ports import Aftermath, KeptKey, KeptToken, StoredReport, Untold

Part = dict[str, Any]


def entry_part(entry: Entry, proof: Sequence[bytes], *, with_private: bool) -> Part:
    """An entry with its proof."""
    shown = entry.private if with_private else None
    salt = entry.private_salt if shown is not None else None
    return {
        "entry": entry.leaf,
        "leaf_hash": entry.leaf_hash.hex(),
        "private": shown,
        "private_salt": None if salt is None else base64url(salt),
        "proof": [node.hex() for node in proof],
    }


def token_part(token: KeptToken) -> Part:
    """A holder's token, and how it was verified."""
    done = token.verification
    return {
        "jws_sha256": token.jws_sha256,
        "jwe_sha256": token.jwe_sha256,
        "jws": token.jws.decode("ascii"),
        "kid": token.kid,
        "jwk_thumbprint": token.jwk_thumbprint,
        "received_at": rfc3339(token.received_at),
        "key_fetched_at": _time(token.key_fetched_at),
        "verification": None
        if done is None
        else {
            "at": rfc3339(done.at),
            "alg": done.alg,
            "iss": done.issuer,
            "aud": list(done.audience),
            "checks": list(done.checks),
        },
    }


def unsigned_parts(reports: Sequence[StoredReport]) -> list[Part]:
    """What the holder answered without signing it, in the order of recording."""
    return [
        {
            "received_at": rfc3339(stored.report.received_at),
            "status": stored.report.status.value,
            "status_date_time": rfc3339(stored.report.status_date_time),
        }
        for stored in reports
        if stored.report.channel.is_holders_word and stored.jws_sha256 is None
    ]


def key_part(key: KeptKey) -> Part:
    """A holder's key, and what vouched for it."""
    return {
        "kid": key.kid,
        "jwk_thumbprint": key.jwk_thumbprint,
        "jwk": key.jwk,
        "jwks_uri": key.jwks_uri,
        "x5c": list(key.origin.x5c),
        "tls_chain_sha256": list(key.origin.tls_chain),
        "fetched_at": _time(key.origin.fetched_at),
        "first_seen_at": rfc3339(key.first_seen_at),
    }


def told_parts(subscriptions: Sequence[Subscription], entries: Sequence[Entry], aftermath: Aftermath) -> list[Part]:
    """Who is told of these entries, by the terms of today, and how far that came."""
    untold = {(one.subscription_id, one.sequence): one for one in aftermath.untold}
    parts = []
    for subscription in subscriptions:
        heard = [entry for entry in entries if _hears(subscription, entry)]
        work = [one for one in aftermath.work if one.subscription_id == subscription.id]
        if not heard and not work:
            continue
        parts.append(
            {
                "subscription_id": subscription.id,
                "description": subscription.description,
                "address": _address(subscription.url),
                "created_at": rfc3339(subscription.created_at),
                "last_answered_at": _time(subscription.last_delivered_at),
                "entries": [_told_part(subscription, entry, untold) for entry in heard],
                "work": [_work_part(one) for one in work],
            }
        )
    return parts


def _hears(subscription: Subscription, entry: Entry) -> bool:
    return subscription.entry_filter.passes(
        entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status
    )


def _told_part(subscription: Subscription, entry: Entry, untold: Mapping[tuple[str, int], Untold]) -> Part:
    failed = untold.get((subscription.id, entry.sequence))
    if failed is not None:
        state = "refused" if failed.given_up_at is None else "given_up"
    elif subscription.cursor < entry.sequence:
        state = "waiting"
    else:
        # A subscription begins behind the head unless it asks for what was before, and where it began is not kept.
        state = "unknown" if entry.recorded_at < subscription.created_at else "settled"
    return {
        "sequence": entry.sequence,
        "state": state,
        "attempts": None if failed is None else failed.attempts,
        "given_up_at": None if failed is None else _time(failed.given_up_at),
    }


def _work_part(work: Work) -> Part:
    return {
        "sequence": work.sequence,
        "work": work.work,
        "due_at": rfc3339(work.due_at),
        "reported_at": _time(work.reported_at),
        "done_at": _time(work.done_at),
        "evidence_url": work.evidence_url,
    }


def _address(url: str) -> str | None:
    """Where a subscriber is told, without what may be secret in a URL; None for one that polls."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}" if url else None


def _time(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
