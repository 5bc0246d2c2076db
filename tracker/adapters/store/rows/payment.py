"""Rows of `payment`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.adapters.store.sealed import PAYMENT
from tracker.domain.consent import ConsentId, ProviderId
from tracker.domain.payment import Payment, PaymentOutcome


def payment_values(kept: Payment) -> Values:
    """The row of a payment."""
    return {
        "provider": kept.provider,
        "payment_id": kept.payment_id,
        "consent_id": kept.consent_id,
        "status": kept.status,
        "outcome": kept.outcome.value,
        "is_final": kept.is_final,
        "status_date_time": kept.status_date_time,
        "creation_date_time": kept.creation_date_time,
        "transaction_id": kept.transaction_id,
        "reject_codes": list(kept.reject_codes),
        "amount": kept.amount,
        "currency": kept.currency,
        "received_at": kept.received_at,
        "recorded_at": kept.recorded_at,
        "jws_sha256": kept.jws_sha256,
        "jwe_sha256": kept.jwe_sha256,
        "kid": kept.kid,
        "jwk_thumbprint": kept.jwk_thumbprint,
    }


@consistent("payment", "payment_id")
def to_payment(row: Row[Any]) -> Payment:
    """A row of `payment`. Where its consent's key is no more, what was sealed is not there."""
    told = PAYMENT.opened(row)
    return Payment(
        provider=ProviderId(row.provider),
        payment_id=row.payment_id,
        consent_id=ConsentId(row.consent_id),
        status=row.status,
        outcome=PaymentOutcome(row.outcome),
        is_final=row.is_final,
        status_date_time=row.status_date_time,
        creation_date_time=row.creation_date_time,
        transaction_id=told["transaction_id"],
        reject_codes=tuple(row.reject_codes),
        amount=told["amount"],
        currency=told["currency"],
        received_at=row.received_at,
        recorded_at=row.recorded_at,
        jws_sha256=row.jws_sha256,
        jwe_sha256=row.jwe_sha256,
        kid=row.kid,
        jwk_thumbprint=row.jwk_thumbprint,
    )
