"""What a profile must be able to say of its ecosystem. The rest of the tracker asks, and never knows which one it is.

A profile holds facts and small pure functions: no HTTP, no database, no clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any, Protocol

from tracker.domain.consent import Status
from tracker.domain.errors import TrackerError
from tracker.domain.journey import Authorizers
from tracker.domain.limits import Limit
from tracker.domain.moves import Rules
from tracker.profiles.around import AroundConsents, PaymentSnapshot


class UnreadableMessageError(TrackerError):
    """The holder's message is not of the form that the profile knows.

    Attributes:
        reason: A stable code of what is missing or wrong.
    """

    code = "message_unreadable"

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason


def _never(_: Mapping[str, Any]) -> bool:
    return False


def _unlimited(_: Mapping[str, Any]) -> tuple[Limit, ...]:
    return ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """One kind of consent.

    Attributes:
        name: As the API shows it.
        rules: Its legal moves, for the judge.
        path: Where its consents are, below the provider's resource URL; `{api_version}` stands for the configured
            version.
        scope: What a client-credentials token must cover to ask about it.
        accept: The Accept header for asking: signed answers first where the standard has them.
        must_be_signed: Whether an unsigned answer is outside the standard.
        status_members: The members of the terms that say the status; when only they change, the terms have not.
        attest_within: So long after its end it must be attested that its data were deleted; None: it need not be.
        read_limits: The limits that terms set, and how much of them is used. Never fails, whatever they are.
        is_single: Whether terms are those of a consent for one use. Never fails, whatever they are.
        revokers: What the holder may be told of who revokes, when we do; empty: we cannot revoke such a consent.
        revoked_by_us: What it is told when that is our own decision; one of these, or None if there is none such.
    """

    name: str
    rules: Rules
    path: str
    scope: str
    accept: str
    must_be_signed: bool
    status_members: frozenset[str]
    attest_within: timedelta | None = None
    is_single: Callable[[Mapping[str, Any]], bool] = _never
    read_limits: Callable[[Mapping[str, Any]], tuple[Limit, ...]] = _unlimited
    revokers: frozenset[str] = frozenset()
    revoked_by_us: str | None = None


@dataclass(frozen=True, kw_only=True)
class RevokeCall:
    """What is sent to where a consent is, to have it revoked.

    Attributes:
        method: HTTP's.
        media_type: Of the body.
        content: The body, or what stands beside the claims that any signed request has.
        must_be_signed: Whether it goes as a signed token.
    """

    method: str
    media_type: str
    content: Mapping[str, Any]
    must_be_signed: bool


@dataclass(frozen=True, kw_only=True)
class Push:
    """How the ecosystem's events come: compact JWE around compact JWS.

    Attributes:
        jwe_algs: Key management algorithms that may be used.
        jwe_encs: Content encryption algorithms that may be used.
        jws_algs: Signature algorithms that may be used.
        max_body_bytes: The largest body that is taken.
        accepted_status: What a stored event is answered with.
    """

    jwe_algs: frozenset[str]
    jwe_encs: frozenset[str]
    jws_algs: frozenset[str]
    max_body_bytes: int
    accepted_status: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the holder says of one consent at one time.

    Attributes:
        consent_id: Whose it is.
        status: The canonical status; `UNKNOWN` for a word that the profile does not have.
        raw_status: The holder's own word.
        status_date_time: Since when. All times are aware; without an offset they are read in the profile's zone.
        creation_date_time: When the consent was made.
        expiration_date_time: When it ends by itself.
        authorization_expiration_date_time: Until when it can be authorized.
        base_consent_id: The root of its chain of renewals.
        revoked_by: Who revoked it, in the holder's words.
        permissions: What it allows, as the API shows it; None if it does not say.
        terms: The holder's whole data object, unknown members and all, with quirks of form made even.
        zone_assumed: Some time came without an offset.
        authorizers: How far several authorizers have come; None if it does not say.
    """

    consent_id: str
    status: Status
    raw_status: str
    status_date_time: datetime
    creation_date_time: datetime | None = None
    expiration_date_time: datetime | None = None
    authorization_expiration_date_time: datetime | None = None
    base_consent_id: str | None = None
    revoked_by: str | None = None
    permissions: tuple[str, ...] | None = None
    terms: Mapping[str, Any]
    zone_assumed: bool = False
    authorizers: Authorizers | None = None


class Family(StrEnum):
    """What an event is about."""

    CONSENT = "consent"
    PAYMENT = "payment"
    INSURANCE_QUOTE = "insurance_quote"
    FX_QUOTE = "fx_quote"
    ACCOUNT_OPENING = "account_opening"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event, read.

    Attributes:
        family: What it is about. Only `CONSENT` is a report on a consent.
        event_type: The holder's word for what happened.
        event_date_time: When, by the holder's clock.
        consent_id: The consent that it names, if any.
        data: The holder's data object; None when the event has none.
        snapshot: What it says of the consent; None when it has no data: then we ask.
        ids_disagree: The event and the data in it name different consents: kept, never counted.
        payment: `PAYMENT`: what it says of a payment, as far as that can be read.
    """

    family: Family
    event_type: str
    event_date_time: datetime
    consent_id: str | None
    data: Mapping[str, Any] | None
    snapshot: Snapshot | None
    ids_disagree: bool = False
    payment: PaymentSnapshot | None = None


class RefusalMeaning(Enum):
    """What a holder's 400 to a question about a consent comes to."""

    NOT_STAGED = "it does not know the consent"
    PASSING = "a fault of its own, which may pass"
    OUTSIDE = "nothing that this request can have caused"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A holder's error document, read.

    Attributes:
        code: The holder's word for what is wrong, safe to be logged; None if it names none.
        meaning: What a 400 with this document means. Every other status speaks for itself.
    """

    code: str | None
    meaning: RefusalMeaning


class Profile(AroundConsents, Protocol):
    """One ecosystem's rules."""

    @property
    def name(self) -> str:
        """The profile's id, as the configuration names it."""

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Its kinds of consent, by name."""

    @property
    def push(self) -> Push:
        """How its events come."""

    @property
    def default_api_version(self) -> str:
        """What `{api_version}` stands for unless the provider says otherwise."""

    def read_event(self, claims: Mapping[str, Any]) -> Event:
        """Read the verified claims of an event.

        Raises:
            UnreadableMessageError: They are not an event of this ecosystem.
        """

    def consent_id_of(self, claims: Mapping[str, Any]) -> str | None:
        """Which consent an event names, however little else of it can be read. Never fails."""

    def read_consent(self, kind: str, body: Mapping[str, Any]) -> Snapshot:
        """Read the holder's answer about one consent, signature and envelope taken off.

        Raises:
            UnreadableMessageError: It is not such an answer.
        """

    def open_answer(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the envelope off a signed answer: what would have been the body of an unsigned one.

        Raises:
            UnreadableMessageError: There is none in it.
        """

    def revoke_call(self, kind: str, revoked_by: str) -> RevokeCall:
        """Say how a consent is revoked.

        Raises:
            ValueError: There is no such kind, or it does not know such a revoker: the caller's mistake.
        """

    def may_be_paused(self, kind: str, terms: Mapping[str, Any] | None) -> bool:
        """Whether a consent of this kind, with these terms, is used so often that a pause has a meaning. Never fails."""

    def read_refusal(self, document: object) -> Refusal:
        """Read the body of an error, envelope taken off; None stands for a body that is no JSON. Never fails."""
