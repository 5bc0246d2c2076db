"""Payments under consents, over the wire."""

from pydantic import Field

from tracker.domain.payment import Payment, PaymentOutcome
from tracker.web.api.shapes.fields import Out, PageQuery, TimeOut


class PaymentsQuery(PageQuery):
    """A page of the payments under a consent."""


class PaymentOut(Out):
    """The latest that the holder said of a payment."""

    payment_id: str
    consent_id: str
    status: str = Field(description="In the holder's words.")
    outcome: PaymentOutcome = Field(description="What that comes to; `pending` for a word that is not known.")
    is_final: bool = Field(description="Whether it will not change any more, as far as is known.")
    status_date_time: TimeOut
    created_date_time: TimeOut | None
    transaction_id: str | None = Field(description="What the rail calls it.")
    reject_codes: tuple[str, ...] = Field(description="Why it was rejected.")
    amount: str | None = Field(description="As the holder writes it; personal.")
    currency: str | None
    received_at: TimeOut = Field(description="When we heard it.")

    @classmethod
    def of(cls, payment: Payment) -> "PaymentOut":
        """Show it."""
        same = {name: getattr(payment, name) for name in cls.model_fields if name != "created_date_time"}
        return cls(**same, created_date_time=payment.creation_date_time)


class PaymentsOut(Out):
    """A page of payments."""

    items: tuple[PaymentOut, ...]
    next_cursor: str | None
