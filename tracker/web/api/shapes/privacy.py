"""Erasure and legal holds, over the wire."""

from typing import Literal, Self

from pydantic import Field, model_validator

from tracker.domain.consent import TrackingId
from tracker.domain.retention import Obstacle, Record
from tracker.ports.retention import Erasure, Gone, Hold
from tracker.usecases.holds import Placing
from tracker.usecases.privacy import Fate
from tracker.web.api.shapes.fields import ConsentIdText, In, Out, ProviderIdText, Query, ShortText, TimeOut


class ErasureIn(In):
    """A person who asks for erasure."""

    user_ref: ShortText = Field(description="Whose, in the back office's words.")
    dry_run: bool = Field(False, description="Only say what would become of each consent; nothing is written.")


class RecordsOut(Out):
    """How much there is of a consent, or was."""

    values: int = Field(description="Private values of entries. The entries themselves stay.")
    reports: int
    tokens: int = Field(description="The holder's signed tokens.")
    payments: int
    others: int = Field(description="Other events.")
    rest: int = Field(description="Confirmations, work of subscribers, what was not delivered.")

    @classmethod
    def of(cls, gone: Gone) -> Self:
        """Show it."""
        return cls(**{name: getattr(gone, name) for name in cls.model_fields})


class FateOut(Out):
    """What becomes of one consent."""

    tracking_id: str
    provider: str
    consent_id: str
    outcome: Literal["erased", "would_be_erased", "scheduled", "refused"] = Field(
        description="`scheduled`: it goes by itself once nothing stands against it. `refused`: so it would be, in a dry run."
    )
    because: tuple[Obstacle, ...] = Field(description="Why it stays.")
    until: TimeOut | None = Field(description="When its last duty passes, as far as that is known.")
    duties: dict[Record, TimeOut] = Field(description="Until when each type of its records must be kept.")
    records: RecordsOut | None = Field(description="What went, or would go.")

    @classmethod
    def of(cls, fate: Fate) -> Self:
        """Show it."""
        if fate.keeping.may_go:
            outcome: Literal["erased", "would_be_erased", "scheduled", "refused"] = (
                "erased" if fate.is_gone else "would_be_erased"
            )
        else:
            outcome = "scheduled" if fate.is_scheduled else "refused"
        consent = fate.consent
        return cls(
            tracking_id=consent.tracking_id,
            provider=consent.provider,
            consent_id=consent.consent_id,
            outcome=outcome,
            because=fate.keeping.obstacles,
            until=fate.keeping.until,
            duties=dict(fate.keeping.duties),
            records=None if fate.records is None else RecordsOut.of(fate.records),
        )


class FatesOut(Out):
    """What becomes of a person's consents; none are held if there are none."""

    items: tuple[FateOut, ...]


class ErasureOut(Out):
    """A consent that goes once nothing stands against it."""

    tracking_id: str
    requested_by: str
    requested_at: TimeOut
    look_at: TimeOut = Field(description="When it is looked at next.")

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """Show it."""
        return cls(**{name: getattr(erasure, name) for name in cls.model_fields})


class ErasuresOut(Out):
    """All that were scheduled, and are there still."""

    items: tuple[ErasureOut, ...]


class HoldIn(In):
    """A legal hold: on one consent, or on all that a person has now."""

    tracking_id: ShortText | None = None
    provider: ProviderIdText | None = Field(None, description="Goes with `consent_id`.")
    consent_id: ConsentIdText | None = None
    user_ref: ShortText | None = Field(None, description="What is registered for this person afterwards is not held.")
    reason: ShortText = Field(description="Why, in a sentence or by a file number.")

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if (self.provider is None) is not (self.consent_id is None):
            raise ValueError("provider and consent_id go together")
        if sum(one is not None for one in (self.tracking_id, self.consent_id, self.user_ref)) != 1:
            raise ValueError("one of tracking_id, provider with consent_id, and user_ref is needed")
        return self

    def placing(self, tracking_id: TrackingId | None, placed_by: str) -> Placing:
        """The same for the use case."""
        return Placing(tracking_id=tracking_id, user_ref=self.user_ref, reason=self.reason, placed_by=placed_by)


class LiftQuery(Query):
    """Why a hold is lifted."""

    why: ShortText = Field(description="Why it is lifted; the journal keeps it.")


class HoldOut(Out):
    """A legal hold on one consent. What was placed in one go has one id."""

    id: str
    tracking_id: str
    reason: str
    placed_by: str
    placed_at: TimeOut

    @classmethod
    def of(cls, hold: Hold) -> Self:
        """Show it."""
        return cls(**{name: getattr(hold, name) for name in cls.model_fields})


class HoldsOut(Out):
    """Legal holds that stand."""

    items: tuple[HoldOut, ...]
