"""What is put into a store: valid by default, a test says only what matters to it."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from tests.journal.drafts import a_draft
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.journey import Authorization, Authorizers
from tracker.domain.payment import Payment, PaymentOutcome
from tracker.domain.report import Report
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.ports import (
    Evidence,
    Ids,
    InboxItem,
    Name,
    OtherEvent,
    Quarantined,
    Store,
    StoredReport,
    Token,
    Transaction,
)

DEMOBANK = ProviderId("demobank")
OTHERBANK = ProviderId("otherbank")
CONSENT_1: Name = (DEMOBANK, ConsentId("consent-1"))
START = datetime(2026, 3, 2, 6, tzinfo=UTC)

OpenStore = Callable[[], SqlStore]
"""Opens a store on one database."""

IDS = SystemIds()


class NewDatabase(Protocol):
    """Makes an empty database with the newest schema."""

    def __call__(self, ids: Ids | None = None) -> OpenStore: ...


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def digest(number: object) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def a_consent(consent_id: str = "consent-1", provider: ProviderId = DEMOBANK, **changes: Any) -> TrackedConsent:
    facts: dict[str, Any] = {
        "tracking_id": TrackingId(IDS.ordered()),
        "provider": provider,
        "consent_id": ConsentId(consent_id),
        "profile": "uae-v2.1",
        "client_id": "tpp-client-001",
        "kind": "account-access",
        "registered_at": START,
        "updated_at": START,
    }
    return TrackedConsent(**facts | changes)


def name_of(consent: TrackedConsent) -> Name:
    return consent.provider, consent.consent_id


def a_decision(
    status: Status = Status.NOT_STAGED, *, since: datetime | None = None, expiry: datetime | None = None
) -> Decision:
    return Decision(status=status, since=since, expiration_date_time=expiry)


def a_report(number: object = 1, status: Status = Status.AUTHORIZED, since: float = 0, **changes: Any) -> Report:
    facts: dict[str, Any] = {
        "digest": digest(number),
        "channel": Channel.WEBHOOK,
        "status": status,
        "status_date_time": at(since),
        "received_at": at(since + 1),
        "recorded_at": at(since + 2),
        "asks": 0,
    }
    return Report(**facts | changes)


def stored(report: Report, about: TrackedConsent | Name = CONSENT_1, **changes: Any) -> StoredReport:
    """A report on record: about a consent, or about a name and then waiting."""
    tracking_id = about.tracking_id if isinstance(about, TrackedConsent) else None
    provider, consent_id = name_of(about) if isinstance(about, TrackedConsent) else about
    facts: dict[str, Any] = {
        "report": report,
        "provider": provider,
        "consent_id": consent_id,
        "tracking_id": tracking_id,
        "vouched_at": report.received_at,
        "terms": {"ConsentId": consent_id},
    }
    return StoredReport(**facts | changes)


def an_evidence(number: object = 1, **changes: Any) -> Evidence:
    token = Token(
        jws=f"header.{number}.signature".encode(),
        kid="hub-key-1",
        jwk={"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        jwk_thumbprint="NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        jwks_uri="https://keys.hub.example/jwks.json",
    )
    facts: dict[str, Any] = {
        "jws_sha256": digest(f"jws {number}"),
        "jwe_sha256": digest(f"jwe {number}"),
        "provider": DEMOBANK,
        "token": token,
        "received_at": START,
    }
    return Evidence(**facts | changes)


def an_other_event(number: object = 1, **changes: Any) -> OtherEvent:
    facts: dict[str, Any] = {
        "digest": digest(f"other {number}"),
        "provider": DEMOBANK,
        "family": "payment",
        "consent_id": "consent-1",
        "event_type": "Resource.Updated",
        "event_date_time": START,
        "received_at": START,
        "recorded_at": START,
        "data": {"PaymentId": str(number)},
        "jws_sha256": digest(f"jws {number}"),
    }
    return OtherEvent(**facts | changes)


def a_payment(payment_id: str = "payment-1", about: Name = CONSENT_1, **changes: Any) -> Payment:
    facts: dict[str, Any] = {
        "provider": about[0],
        "payment_id": payment_id,
        "consent_id": about[1],
        "status": "Pending",
        "outcome": PaymentOutcome.PENDING,
        "is_final": False,
        "status_date_time": START,
        "received_at": at(1),
        "recorded_at": at(2),
        "jws_sha256": digest(f"jws {payment_id}"),
        "jwe_sha256": None,
        "kid": "hub-key-1",
        "jwk_thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    }
    return Payment(**facts | changes)


def some_authorizers(*statuses: str) -> Authorizers:
    done = tuple(
        Authorization(authorizer_id=f"A{number}", authorizer_type="Approver", status=status, date_time=START)
        for number, status in enumerate(statuses or ("Approved", "Pending"), 1)
    )
    return Authorizers(total_required=2, authorizations=done, approved=1, is_waiting=True)


def an_item(received: float = 0, **changes: Any) -> InboxItem:
    facts: dict[str, Any] = {
        "id": IDS.ordered(),
        "profile": "uae-v2.1",
        "body": b"a.b.c.d.e",
        "received_at": at(received),
        "interaction_id": "interaction",
    }
    return InboxItem(**facts | changes)


def a_quarantined(*, verified: bool = False, **changes: Any) -> Quarantined:
    facts: dict[str, Any] = {
        "id": IDS.ordered(),
        "profile": "uae-v2.1",
        "step": "verify",
        "reason": "signature_invalid",
        "verified": verified,
        "body": b"a.b.c.d.e",
        "received_at": START,
        "quarantined_at": at(1),
        "interaction_id": "interaction",
    }
    return Quarantined(**facts | changes)


def a_subscription(**changes: Any) -> Subscription:
    facts: dict[str, Any] = {
        "id": IDS.ordered(),
        "url": "https://backoffice.example/hook",
        "secret": "whsec_c2VjcmV0",
        "cursor": 0,
        "created_at": START,
    }
    return Subscription(**facts | changes)


def parked(sequence: int, **changes: Any) -> Parked:
    facts: dict[str, Any] = {"sequence": sequence, "tracking_id": "t", "next_attempt_at": at(5)}
    return Parked(**facts | changes)


def draft_about(consent: TrackedConsent, **changes: Any) -> Draft:
    facts: dict[str, Any] = {
        "id": IDS.ordered(),
        "provider": consent.provider,
        "tracking_id": consent.tracking_id,
        "consent_id": consent.consent_id,
        "kind": consent.kind,
    }
    return a_draft(**facts | changes)


async def save(
    store: Store,
    *consents: TrackedConsent,
    decision: Decision | None = None,
    ask: datetime | None = None,
    tick: datetime | None = None,
    notice: datetime | None = None,
) -> None:
    """Insert consents, or update them, with one decision for all."""

    def script(transaction: Transaction) -> None:
        transaction.lock_named([name_of(consent) for consent in consents])
        for consent in consents:
            transaction.save(
                consent, decision or a_decision(), next_ask_at=ask, next_tick_at=tick, next_notice_at=notice
            )

    await store.transact(script)


async def record(store: Store, *reports: StoredReport, evidence: Evidence | None = None) -> None:
    def script(transaction: Transaction) -> None:
        for report in reports:
            transaction.add_report(report, evidence)

    await store.transact(script)


async def append(store: Store, *drafts: Draft, now: datetime = START) -> list[Entry]:
    """Append drafts about consents that are held."""

    def script(transaction: Transaction) -> list[Entry]:
        transaction.lock_tracked([TrackingId(draft.tracking_id) for draft in drafts if draft.tracking_id])
        return transaction.append(drafts, now)

    return await store.transact(script)


def sequences(entries: Iterable[Entry]) -> list[int]:
    return [entry.sequence for entry in entries]
