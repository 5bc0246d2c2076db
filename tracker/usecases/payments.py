"""Payments under consents: the latest word on each is kept, and told; they never move a consent.

Words may come in any order, and before the consent's own events or its registration. What is kept depends on the words alone.
A consent shows the latest word of all on its payments: so a single payment that is consumed reads as paid or not.
"""

from collections.abc import Iterable
from typing import Any, Final

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, ConsentId, ProviderId, TrackingId
from tracker.domain.errors import NotFoundError
from tracker.domain.payment import Payment
from tracker.journal.entry import Evidence as EntryEvidence
from tracker.ports import Name, PaymentKey, Store, Transaction
from tracker.usecases.drafting import draft_of
from tracker.usecases.heard import HeardOther, Opened
from tracker.usecases.recording import Office, Recording

PAYMENT_CHANGED: Final = "payment.status_changed"


class Payments:
    """Reads payments for the back office."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def under(self, name: Name, limit: int, after: str = "") -> list[Payment]:
        """Payments under a consent, in order of their ids."""
        return await self._store.payments_of(name, limit, after)

    async def get(self, provider: str, payment_id: str) -> Payment:
        """One payment.

        Raises:
            NotFoundError: Its holder has told us of none such.
        """
        found = await self._store.get_payment((ProviderId(provider), payment_id))
        if found is None:
            raise NotFoundError(f"{provider} has told of no payment {payment_id}.")
        return found


class PaymentBook:
    """Where one transaction keeps words on payments."""

    def __init__(self, transaction: Transaction, office: Office, recording: Recording, keys: set[PaymentKey]) -> None:
        self._transaction = transaction
        self._office = office
        self._recording = recording
        self._known = transaction.lock_payments(keys) if keys else {}

    def put(self, heard: HeardOther, tracking_id: TrackingId | None) -> bool:
        """Keep what a verified event says of a payment; say whether that is news."""
        word = _payment_of(heard)
        if word is None:
            return False
        word = changed(word, recorded_at=self._recording.now)
        known = self._known.get(word.key)
        if known is not None and (known.consent_id != word.consent_id or not word.is_later_than(known)):
            return False
        self._known[word.key] = word
        self._transaction.save_payment(word)
        if tracking_id is not None:
            tell_payment(self._office, self._recording, tracking_id, word, known)
        return True


def keys_in(batch: Iterable[Opened]) -> set[PaymentKey]:
    """The payments that a batch of events speaks of."""
    found = (one.outcome for one in batch if isinstance(one.outcome, HeardOther))
    return {payment.key for heard in found if (payment := _payment_of(heard)) is not None}


def tell_payment(
    office: Office, recording: Recording, tracking_id: TrackingId, payment: Payment, known: Payment | None = None
) -> None:
    """Tell of a word on a payment that is later than what was known of it, and show it on its consent.

    Of several payments under one consent, the latest word of all is shown there.
    """
    consent = recording.told_by_now(tracking_id)
    if consent.is_shown_by(payment):
        shown = changed(consent, payment_outcome=payment.outcome, payment_date_time=payment.status_date_time)
        recording.change(shown)
    told: dict[str, Any] = {
        "payment_id": payment.payment_id,
        "from": None if known is None else known.status,
        "to": payment.status,
        "transaction_id": payment.transaction_id,
        "reject_codes": list(payment.reject_codes),
        "amount": payment.amount,
        "currency": payment.currency,
    }
    evidence = EntryEvidence(
        channel=Channel.WEBHOOK.value,
        signed=True,
        jws_sha256=payment.jws_sha256,
        jwe_sha256=payment.jwe_sha256,
        kid=payment.kid,
        jwk_thumbprint=payment.jwk_thumbprint,
    )
    recording.tell(
        draft_of(
            office,
            consent,
            PAYMENT_CHANGED,
            channel=Channel.WEBHOOK,
            reason=payment.outcome.value,
            status_date_time=payment.status_date_time,
            received_at=payment.received_at,
            evidence=(evidence,),
            private=told,
        )
    )


def _payment_of(heard: HeardOther) -> Payment | None:
    said, event = heard.payment, heard.event
    if said is None or event.consent_id is None:
        return None
    return Payment(
        provider=event.provider,
        payment_id=said.payment_id,
        consent_id=ConsentId(event.consent_id),
        status=said.status,
        outcome=said.outcome,
        is_final=said.is_final,
        status_date_time=said.status_date_time,
        creation_date_time=said.creation_date_time,
        transaction_id=said.transaction_id,
        reject_codes=said.reject_codes,
        amount=said.amount,
        currency=said.currency,
        received_at=event.received_at,
        recorded_at=event.recorded_at,
        jws_sha256=heard.evidence.jws_sha256,
        jwe_sha256=heard.evidence.jwe_sha256,
        kid=heard.evidence.token.kid,
        jwk_thumbprint=heard.evidence.token.jwk_thumbprint,
    )
