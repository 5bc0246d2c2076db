"""Consents over the wire."""

from typing import Annotated, Any

from pydantic import Field

from tracker.domain.consent import Status
from tracker.domain.limits import Limit, is_nearly_exhausted
from tracker.domain.overlay import Revocation, RevocationState
from tracker.domain.payment import PaymentOutcome
from tracker.profiles.around import Shelf
from tracker.usecases.consult import ConsentView, Known, Usability, UsableReason
from tracker.usecases.timeline import TimelineItem
from tracker.web.api.shapes.fields import (
    ConsentIdText,
    Deadline,
    In,
    Name,
    Out,
    PageQuery,
    ProviderIdText,
    Query,
    Seconds,
    ShortText,
    TimeIn,
    TimeOut,
    YesOrNo,
)
from tracker.web.api.shapes.journeys import AuthorizersOut, JourneyOut


class RegistrationIn(In):
    """A consent that our application is about to make, or has made."""

    provider: ProviderIdText = Field(description="The provider's id in the configuration.")
    kind: Name = Field(description="One of the kinds that the provider's profile has.")
    consent_id: ConsentIdText = Field(description="What the holder calls it.")
    base_consent_id: ConsentIdText | None = Field(None, description="The root of its chain of renewals.")
    user_ref: ShortText | None = Field(None, description="Whose it is, in your words; personal.")
    expiration_date_time: TimeIn | None = Field(None, description="When it ends; one that is past is asked about.")
    authorization_expiration_date_time: TimeIn | None = Field(None, description="Until when it can be authorized.")
    permissions: Annotated[tuple[ShortText, ...], Field(max_length=100, strict=False)] = Field(
        (), description="What it is to allow."
    )
    terms: dict[str, Any] | None = Field(None, description="Whatever else was asked for; personal.")


class LimitOut(Out):
    """One limit of what may be done under a consent."""

    name: str = Field(description="What is limited, in the standard's words.")
    maximum: str = Field(description="Up to how much; a decimal number.")
    used: str | None = Field(description="How much of it is used, by the holder; null if it did not say.")
    share: float | None = Field(description="Which part of it that is, from 0 to 1.")
    currency: str | None = Field(description="Of an amount; null for a count.")
    period: str | None = Field(description="For how long it holds before it begins anew; null: for the whole life.")

    @classmethod
    def of(cls, limit: Limit) -> "LimitOut":
        """Show a limit."""
        return cls(
            name=limit.name,
            maximum=f"{limit.maximum:f}",
            used=None if limit.used is None else f"{limit.used:f}",
            share=limit.share,
            currency=limit.currency,
            period=limit.period,
        )


class RevocationIn(In):
    """Who revokes."""

    revoked_by: Name = Field(
        description="What the holder is told of who revokes, in its ecosystem's words: the customer, or we ourselves."
    )


class RevocationOut(Out):
    """What became of the request to revoke a consent."""

    state: RevocationState = Field(
        description="`pending`; `refused`: the holder goes on with the consent; `ended`: the consent is at an end."
    )
    revoked_by: str = Field(description="What the holder is told of who revokes.")
    requested_at: TimeOut
    attempts: int = Field(description="How often it was sent.")
    sent_at: TimeOut | None = Field(description="When it was sent last.")
    next_attempt_at: TimeOut | None = Field(description="When something is done about it next, at the earliest.")
    last_error: str | None = Field(description="A code of what stood in the way last; the holder's own if it refused.")

    @classmethod
    def of(cls, made: Revocation) -> "RevocationOut":
        """Show it."""
        shared = {name: getattr(made, name) for name in cls.model_fields if name != "next_attempt_at"}
        return cls(**shared, next_attempt_at=made.due_at)


class LabelsOut(Out):
    """What a consent is called towards the customer, in the words of the ecosystem."""

    shelf: Shelf = Field(description="Where it is shown: among the current ones, or in the history.")
    status: str = Field(description="What its state is called.")
    type: str | None = Field(description="What kind of thing it is; null while that is not known.")


class KnownOut(Out):
    """On what rests what we believed."""

    at: TimeOut = Field(description="Nothing that was recorded later counts.")
    sequence: int = Field(description="The last of the consent's entries that counts.")
    beside: tuple[str, ...] = Field(
        description="Members that come from records beside the journal: no proof of the journal covers them."
    )
    untold: tuple[str, ...] = Field(
        description="Members of which nothing on record tells that time: they are null or empty, or only what entries tell."
    )

    @classmethod
    def of(cls, known: Known) -> "KnownOut":
        """Show it."""
        beside, untold = tuple(sorted(known.beside)), tuple(sorted(known.untold))
        return cls(at=known.at, sequence=known.sequence, beside=beside, untold=untold)


class ConsentOut(Out):
    """A consent."""

    tracking_id: str = Field(description="Our own key of it; it never changes.")
    provider: str
    consent_id: str
    profile: str = Field(description="The ecosystem's rules that it lives by.")
    client_id: str = Field(description="Which of our applications made it.")
    kind: str
    status: Status = Field(description="What the holder last said.")
    effective_status: Status = Field(description="The same with our clock added.")
    usable: bool = Field(description="Whether it may be used now: authorized, and nothing against it.")
    in_doubt: bool = Field(description="The holder contradicts itself; we are asking.")
    paused: bool = Field(description="We do not use it for now; its holder does not know.")
    revocation: RevocationOut | None = Field(
        description="We asked the holder to revoke it; while that is open, no use."
    )
    status_date_time: TimeOut | None = Field(description="Since when, by the holder.")
    learned_at: TimeOut | None = Field(description="When we learnt the present status.")
    confirmed: bool = Field(description="Whether the effective status is the holder's own word.")
    confirmed_at: TimeOut | None = Field(description="The latest instant for which the holder vouched.")
    confirmed_by: str | None = Field(description="How we heard that: `webhook` or `poll`.")
    revoked_by: str | None = Field(description="Who revoked it, in the holder's words.")
    reason: str | None = Field(description="Codes of what is contradictory, while it is in doubt.")
    created_date_time: TimeOut | None
    expiration_date_time: TimeOut | None
    authorization_expiration_date_time: TimeOut | None
    base_consent_id: str | None
    user_ref: str | None
    permissions: tuple[str, ...]
    next_poll_at: TimeOut | None = Field(description="When the holder is asked next; null in lists.")
    version: int | None = Field(
        description="Rises with every change; also the `ETag`. Null only where the query has `known_at`."
    )
    terms: dict[str, Any] | None = Field(description="The holder's data object as last seen.")
    limits: tuple[LimitOut, ...] = Field(description="What may be done under it at most, as far as its terms say.")
    nearly_exhausted: bool | None = Field(
        description="A forecast: little is left of its limits. Null if it has none, or nobody said how much is used."
    )
    attestation_due_at: TimeOut | None = Field(
        description="By when it must be attested that an ended consent's data were deleted; null if it need not be."
    )
    labels: LabelsOut | None = Field(description="Its words for the customer; null: it is not to be shown to them.")
    journey: JourneyOut | None = Field(description="Null only where the query has `known_at`.")
    abandoned: bool = Field(description="Nobody came back to authorize it, and its holder, asked since, still waits.")
    authorizers: AuthorizersOut | None = Field(description="Null unless several must authorize it.")
    payment_outcome: PaymentOutcome | None = Field(description="Of the latest word on a payment under it.")
    known: KnownOut | None = Field(description="Null unless the query has `known_at`: on what the answer rests then.")

    @classmethod
    def of(cls, seen: ConsentView) -> "ConsentOut":
        """Show a consent as it is at an instant."""
        consent, decision, limits, labels = seen.consent, seen.decision, seen.limits, seen.labels
        revocation = consent.overlay.revocation
        codes = {c.code for c in decision.contradictions} | ({"end_hinted"} if decision.end_hinted else set())
        return cls(
            tracking_id=consent.tracking_id,
            provider=consent.provider,
            consent_id=consent.consent_id,
            profile=consent.profile,
            client_id=consent.client_id,
            kind=consent.kind,
            status=decision.status,
            effective_status=seen.effective_status,
            usable=seen.usable,
            in_doubt=decision.is_in_doubt,
            paused=consent.overlay.paused and not seen.effective_status.is_terminal,
            revocation=None if revocation is None else RevocationOut.of(revocation),
            status_date_time=decision.since,
            learned_at=consent.learned_at,
            confirmed=seen.confirmed,
            confirmed_at=consent.confirmed_at,
            confirmed_by=consent.confirmed_by,
            revoked_by=decision.report.revoked_by if decision.report else consent.revoked_by if seen.known else None,
            reason=",".join(sorted(codes)) or None,
            created_date_time=consent.creation_date_time,
            expiration_date_time=decision.expiration_date_time,
            authorization_expiration_date_time=consent.authorization_expiration_date_time,
            base_consent_id=consent.base_consent_id,
            user_ref=consent.user_ref,
            permissions=consent.permissions,
            next_poll_at=seen.next_ask_at,
            version=None if seen.known else consent.version,
            terms=None if consent.terms is None else dict(consent.terms),
            limits=tuple(LimitOut.of(limit) for limit in limits),
            nearly_exhausted=is_nearly_exhausted(limits),
            attestation_due_at=seen.attestation_due_at,
            labels=None if labels is None else LabelsOut(shelf=labels.shelf, status=labels.status, type=labels.type),
            journey=None if seen.known else JourneyOut.of(consent.journey),
            abandoned=seen.abandoned,
            authorizers=None if consent.authorizers is None else AuthorizersOut.of(consent.authorizers),
            payment_outcome=consent.payment_outcome,
            known=None if seen.known is None else KnownOut.of(seen.known),
        )


_KNOWN_AT = Field(None, description="What we believed at this time: by what was recorded up to then, not judged again.")


class AsOfQuery(Query):
    """A look into the past; both together: what we believed at one time of another."""

    as_of: TimeIn | None = Field(None, description="What it was at this time, as we know today.")
    known_at: TimeIn | None = _KNOWN_AT


class TimelineQuery(Query):
    """A story, whole or as it was known."""

    known_at: TimeIn | None = Field(None, description="The story as it could be told at this time.")


class LookupQuery(AsOfQuery):
    """A consent named in the query, for those behind proxies that decode paths."""

    provider: ProviderIdText = Field(description="The provider's id in the configuration.")
    consent_id: ConsentIdText = Field(description="What the holder calls it.")


class ConsentsQuery(PageQuery):
    """A search. All that is given must hold."""

    provider: ProviderIdText | None = Field(None, description="Only this provider's.")
    kind: Name | None = Field(None, description="Only this kind.")
    status: Status | None = Field(None, description="What the holder last said.")
    effective_status: Status | None = Field(None, description="The same with our clock added.")
    user_ref: ShortText | None = Field(None, description="Only this user's, as you named them.")
    base_consent_id: ConsentIdText | None = Field(None, description="Only this chain of renewals, by its root.")
    expiring_before: TimeIn | None = Field(None, description="Ends before this time; ended ones too.")
    updated_since: TimeIn | None = Field(None, description="Changed at this time or after it.")
    known_at: TimeIn | None = Field(
        None,
        description=(
            "What we believed at this time: statuses and `expiring_before` are those of then; not together with "
            "`updated_since`. A page may hold fewer than `limit`, or none, and have a `next_cursor`."
        ),
    )


class ConsentsOut(Out):
    """A page of consents."""

    items: tuple[ConsentOut, ...]
    next_cursor: str | None


class UsableQuery(Query):
    """What it is to be used for."""

    permission: ShortText | None = Field(None, description="It must have been granted this.")
    max_age: Seconds | None = Field(None, description="The holder must have vouched for it within so many seconds.")
    fresh: YesOrNo = Field(
        False,
        description="Ask the holder first if it has not vouched for it within `max_age` (0 unless given).",
    )
    within: Deadline = Field(
        3.0, description="So many seconds the holder has for that; then the answer is given without."
    )


class UsableOut(Out):
    """Whether it may be used now. False whenever anything is in doubt."""

    usable: bool
    reason: UsableReason = Field(description="`ok`, or the first reason that applies, in this order.")
    effective_status: Status | None = Field(description="Null for a consent that is not tracked.")
    confirmed_at: TimeOut | None
    age_seconds: float | None = Field(description="How long ago that was.")

    @classmethod
    def of(cls, found: Usability) -> "UsableOut":
        """Show it."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class TimelineItemOut(Out):
    """One line of a consent's story."""

    type: str = Field(description="As the journal calls it; `consent.status_changed` for every move.")
    from_status: str | None = Field(serialization_alias="from")
    to_status: str | None = Field(serialization_alias="to")
    status_date_time: TimeOut | None = Field(description="The holder's time.")
    learned_at: TimeOut | None = Field(description="When we recorded it.")
    received_at: TimeOut | None = Field(description="When we heard it.")
    channel: str | None = Field(description="How.")
    late: bool = Field(description="We knew something younger already.")
    inferred: bool = Field(description="Nobody told us: it follows from a gap, or from our clock.")
    corrected: bool = Field(description="It takes an end back for an earlier one.")
    confirmed: bool = Field(description="Whether it is the holder's own word.")
    reason: str | None = Field(description="Codes of what was wrong.")
    sequence: int | None = Field(description="The journal entry that tells it.")

    @classmethod
    def of(cls, item: TimelineItem) -> "TimelineItemOut":
        """Show it."""
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class TimelineOut(Out):
    """A consent's story: every move in the holder's order, and every other entry."""

    items: tuple[TimelineItemOut, ...]
