"""Rows of `payment`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.consent import ConsentId, ProviderId
from tracker.domain.payment import Payment, PaymentOutcome


def payment_values(payment: Payment) -> Values:
    """The row of a payment."""
    return {
        "provider": payment.provider,
        "payment_id": payment.payment_id,
        "consent_id": payment.consent_id,
        "status": payment.status,
        "outcome": payment.outcome.value,
        "is_final": payment.is_final,
        "status_date_time": payment.status_date_time,
        "creation_date_time": payment.creation_date_time,
        "transaction_id": payment.transaction_id,
        "reject_codes": list(payment.reject_codes),
        "amount": payment.amount,
        "currency": payment.currency,
        "received_at": payment.received_at,
        "recorded_at": payment.recorded_at,
        "jws_sha256": payment.jws_sha256,
        "jwe_sha256": payment.jwe_sha256,
        "kid": payment.kid,
        "jwk_thumbprint": payment.jwk_thumbprint,
    }


@consistent("payment", "payment_id")
def to_payment(row: Row[Any]) -> Payment:
    """A row of `payment`."""
    return Payment(
        provider=ProviderId(row.provider),
        payment_id=row.payment_id,
        consent_id=ConsentId(row.consent_id),
        status=row.status,
        outcome=PaymentOutcome(row.outcome),
        is_final=row.is_final,
        status_date_time=row.status_date_time,
        creation_date_time=row.creation_date_time,
        transaction_id=row.transaction_id,
        reject_codes=tuple(row.reject_codes),
        amount=row.amount,
        currency=row.currency,
        received_at=row.received_at,
        recorded_at=row.recorded_at,
        jws_sha256=row.jws_sha256,
        jwe_sha256=row.jwe_sha256,
        kid=row.kid,
        jwk_thumbprint=row.jwk_thumbprint,
    )
