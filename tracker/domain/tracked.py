"""A consent as we keep it: what it is, what was heard of it, what was told, and when to ask again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.journey import Authorizers, Journey, given_up_from, is_abandoned, overdue_from
from tracker.domain.lifecycle import Position, Told
from tracker.domain.moves import Rules
from tracker.domain.noticed import Noticing
from tracker.domain.overlay import Overlay
from tracker.domain.payment import Payment, PaymentOutcome
from tracker.domain.standing import Summary


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Asking:
    """Where we stand with asking the holder.

    Attributes:
        asked_at: When the latest question was sent.
        leased_until: A question is under way; after this instant whoever asked is taken for dead.
        requested_at: Somebody or something wants an answer to a question asked then or later; None once there is one.
        failures: How many questions in a row brought no answer.
        not_before: The holder asked us to wait until then, or we hold back after failures.
        doubted_at: Since when the consent has been in doubt.
        suspected_at: Since when something that was not verified has spoken of it, and no question was answered since.
        expiry_told_at: Since when the journal tells its expiry without the holder's word; None once there is that.
        siblings_wanted_at: The holder revoked it: when to ask about the others of its base group; None once that is done.
    """

    asked_at: datetime | None = None
    leased_until: datetime | None = None
    requested_at: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None
    doubted_at: datetime | None = None
    suspected_at: datetime | None = None
    expiry_told_at: datetime | None = None
    siblings_wanted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class TrackedConsent:
    """One consent.

    Attributes:
        tracking_id: Our key of it.
        provider: Whose it is; together with `consent_id` unique.
        consent_id: What the holder calls it.
        profile: The name of the ecosystem's rules.
        client_id: Which of our applications made it.
        kind: One of the profile's kinds.
        registered_at: When tracking began.
        registered_expiry: When our own application said that it ends.
        imported: Whether it came with many others: nobody was waiting for an answer about it.
        summary: What is kept of the reports.
        told: What the journal has told.
        judged_at: The latest instant at which it was judged.
        overlay: What we put over the holder's word.
        asking: Where we stand with asking.
        noticing: What its notices have told, and how it stands in its chain.
        learned_at: When we learnt the present status.
        confirmed_at: The latest instant for which the holder vouched for the present status.
        confirmed_by: By which channel.
        revoked_by: Who revoked, in the holder's words.
        base_consent_id: The root of its chain of renewals.
        user_ref: Whose it is in the back office's words; personal.
        permissions: What it allows.
        terms: The holder's data object as last seen; personal.
        creation_date_time: When it was made, by the holder.
        authorization_expiration_date_time: Until when it can be authorized.
        journey: What our own application saw of the way to an authorization.
        authorizers: How far several authorizers have come, by the holder.
        payment_outcome: What the latest word on a payment under it comes to.
        payment_date_time: Since when, by the holder.
        last_sequence: Its latest entry in the journal; None before the first.
        version: Rises with every change that a reader can see.
        updated_at: When that was.
    """

    tracking_id: TrackingId
    provider: ProviderId
    consent_id: ConsentId
    profile: str
    client_id: str
    kind: str
    registered_at: datetime
    registered_expiry: datetime | None = None
    imported: bool = False
    summary: Summary = field(default_factory=Summary)
    told: Told = field(default_factory=Told)
    judged_at: datetime | None = None
    overlay: Overlay = field(default_factory=Overlay)
    asking: Asking = field(default_factory=Asking)
    noticing: Noticing = field(default_factory=Noticing)
    learned_at: datetime | None = None
    confirmed_at: datetime | None = None
    confirmed_by: Channel | None = None
    revoked_by: str | None = None
    base_consent_id: str | None = None
    user_ref: str | None = None
    permissions: tuple[str, ...] = ()
    terms: Mapping[str, Any] | None = None
    creation_date_time: datetime | None = None
    authorization_expiration_date_time: datetime | None = None
    journey: Journey = field(default_factory=Journey)
    authorizers: Authorizers | None = None
    payment_outcome: PaymentOutcome | None = None
    payment_date_time: datetime | None = None
    last_sequence: int | None = None
    version: int = 1
    updated_at: datetime

    @property
    def name(self) -> tuple[ProviderId, ConsentId]:
        """What the world calls it."""
        return self.provider, self.consent_id

    def position(self, rules: Rules) -> Position:
        """What the judge needs to know of it."""
        return Position(
            rules=rules,
            registered_expiry=self.registered_expiry,
            summary=self.summary,
            told=self.told,
            judged_at=self.judged_at,
            paused=self.overlay.paused,
            revoking=self.overlay.revoking,
        )

    def decision(self, rules: Rules) -> Decision:
        """What is so, by the reports that stand."""
        return self.position(rules).decision()

    def overdue_from(self, decision: Decision, patience: timedelta) -> datetime | None:
        """When it is to be told that nobody has finished authorizing it; None: not at all, or told already."""
        if self.imported or self.told.status is Status.EXPIRED:
            return None
        until = self._others_may_until(decision)
        return overdue_from(self.journey, decision.status, self.registered_at, until, patience)

    def is_abandoned(self, decision: Decision) -> bool:
        """Whether nobody came back, and the holder was asked since and still waits."""
        return is_abandoned(self.journey, decision, self.confirmed_at)

    def given_up_from(self, decision: Decision, patience: timedelta | None) -> datetime | None:
        """When the holder is to be asked to revoke it, since it is abandoned; None: not at all, or that was done once."""
        is_ours = self.overlay.revocation is not None or decision.is_in_doubt or self.told.status is Status.EXPIRED
        if patience is None or is_ours or not self.is_abandoned(decision):
            return None
        return given_up_from(self.journey, self._others_may_until(decision), patience)

    @property
    def is_given_up(self) -> bool:
        """Whether the request to revoke it is the clock's."""
        revocation = self.overlay.revocation
        return revocation is not None and revocation.requested_at == self.journey.given_up_at

    def _others_may_until(self, decision: Decision) -> datetime | None:
        """Until when others have time who must authorize it too, once the first has come back; None if nobody must."""
        others_may = self.journey.code_received and self.authorizers is not None and self.authorizers.is_waiting
        return (self.authorization_expiration_date_time or decision.expiration_date_time) if others_may else None

    def is_shown_by(self, payment: Payment) -> bool:
        """Whether a word on a payment is the latest on any payment under it."""
        if self.payment_outcome is None or self.payment_date_time is None:
            return True
        known = (self.payment_date_time, self.payment_outcome.rank)
        return (payment.status_date_time, payment.outcome.rank) > known
