"""What the store keeps, besides consents and entries, and how it is searched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.journey import Authorizers
from tracker.domain.lifecycle import Verdict
from tracker.domain.report import Report
from tracker.domain.schedule import NextAsk
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft
from tracker.ports.holders import Token

Name = tuple[ProviderId, ConsentId]
"""What the world calls a consent."""
Watched = tuple[TrackedConsent, NextAsk]
"""A consent, and when its holder is to be asked about it."""

PaymentKey = tuple[ProviderId, str]
"""A payment, by whom and what its provider calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """An event as it came, answered for and not yet opened.

    Attributes:
        id: UUIDv7, in order of arrival.
        profile: Whose door it came through.
        body: The compact token.
        received_at: The instant of the last byte.
        interaction_id: What it goes by in logs.
        attempts: How often opening it had to be put off.
        retries: How often it came back from the quarantine.
        lane: The provider that the path named, if it is one of ours. Lanes take turns when much waits; it means nothing else.
    """

    id: str
    profile: str
    body: bytes
    received_at: datetime
    interaction_id: str
    attempts: int = 0
    retries: int = 0
    lane: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A holder's signed token, kept.

    Attributes:
        jws_sha256: Hex SHA-256 of the token: its key here.
        jwe_sha256: Of what it came encrypted in; None for answers to polls.
        provider: Who signed.
        token: The token and the key that verified it.
        received_at: When we had it.
    """

    jws_sha256: str
    jwe_sha256: str | None
    provider: ProviderId
    token: Token
    received_at: datetime


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class StoredReport:
    """A report on record, with what it rests on.

    Attributes:
        report: What was claimed.
        provider: By whom.
        consent_id: About which consent.
        tracking_id: Ours; None while the consent is not registered: then it waits.
        event_type: Events: the holder's word for what happened.
        event_date_time: Events: when.
        vouched_at: The instant for which the holder vouched for it.
        terms: The holder's data object.
        permissions: What it allows; None if the holder did not say.
        creation_date_time: When the consent was made.
        authorization_expiration_date_time: Until when it can be authorized.
        base_consent_id: The root of its chain.
        jws_sha256: The signed token it rests on; None if it was not signed.
        jwe_sha256: The encrypted token around it.
        kid: The key that verified it.
        jwk_thumbprint: That key's thumbprint.
        zone_assumed: Some holder's time came without an offset.
        verdict: What it meant; None while it waits.
        authorizers: How far several authorizers had come, if it says so; on record with the consent only.
    """

    report: Report
    provider: ProviderId
    consent_id: ConsentId
    tracking_id: TrackingId | None = None
    event_type: str | None = None
    event_date_time: datetime | None = None
    vouched_at: datetime
    terms: Mapping[str, Any]
    permissions: tuple[str, ...] | None = None
    creation_date_time: datetime | None = None
    authorization_expiration_date_time: datetime | None = None
    base_consent_id: str | None = None
    jws_sha256: str | None = None
    jwe_sha256: str | None = None
    kid: str | None = None
    jwk_thumbprint: str | None = None
    zone_assumed: bool = False
    verdict: Verdict | None = None
    authorizers: Authorizers | None = None


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class OtherEvent:
    """A verified event that is no report on a consent's status: kept, so that nothing acknowledged is lost."""

    digest: str
    provider: ProviderId
    family: str
    consent_id: str | None
    event_type: str
    event_date_time: datetime
    received_at: datetime
    recorded_at: datetime
    data: Mapping[str, Any] | None
    jws_sha256: str


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Quarantined:
    """An event that could not be opened, or not be believed.

    Attributes:
        id: That of its inbox item.
        profile: Whose door it came through.
        step: Which step refused it: `gate`, `form`, `decrypt`, `verify`, `claims`, `read`, `record`.
        reason: A stable code of what was wrong.
        verified: Whether the holder's signature held: such ones are never evicted.
        body: As received.
        received_at: When.
        quarantined_at: When it was put aside.
        interaction_id: What it goes by in logs.
        provider: Whose it is, or says to be while it is not verified; None where that could not be read.
        kid: The holder's key that it names as the one that signed it.
        our_kid: The key of ours that it names as the one that it is encrypted for.
        keys_at_hand: Ids of the holder's keys that were at hand, the first `MOST_KEYS_SHOWN`; None if none was looked for.
        retries: How often it was tried again.
        consent_id: A consent that it claims to be about and that we did not hold; when it is registered, this is opened again.
    """

    id: str
    profile: str
    step: str
    reason: str
    verified: bool
    body: bytes
    received_at: datetime
    quarantined_at: datetime
    interaction_id: str
    provider: str | None = None
    kid: str | None = None
    our_kid: str | None = None
    keys_at_hand: tuple[str, ...] | None = None
    retries: int = 0
    consent_id: str | None = None


MOST_KEYS_SHOWN = 20
"""So many ids of a holder's keys are kept with an event that was put aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which events of the quarantine are meant; what is None does not narrow it.

    Attributes:
        reason: Why they are there.
        step: At which step they failed.
        provider: Whose they said to be.
        verified: Whether they had been verified.
        our_kids: For which keys of ours they are.
    """

    reason: str | None = None
    step: str | None = None
    provider: str | None = None
    verified: bool | None = None
    our_kids: frozenset[str] | None = None


EVERYTHING_ASIDE = QuarantineFilter()
"""All of the quarantine."""


@dataclass(frozen=True, slots=True)
class LackedKey:
    """An event of the quarantine that a key of its holder was lacking for.

    Attributes:
        id: Which one.
        kid: The key that it names.
        received_at: When it came: it is opened with a key that was good then.
    """

    id: str
    kid: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The holder vouched for what we know; nothing moved."""

    tracking_id: TrackingId
    vouched_at: datetime
    recorded_at: datetime
    channel: Channel
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuery:
    """A search for consents; what is None does not narrow it.

    Attributes:
        providers: Only theirs.
        after: Only tracking ids that sort after this one.
        limit: At most so many.
    """

    provider: str | None = None
    providers: frozenset[ProviderId] | None = None
    kind: str | None = None
    status: Status | None = None
    effective_status: Status | None = None
    user_ref: str | None = None
    base_consent_id: str | None = None
    expiring_before: datetime | None = None
    updated_since: datetime | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that one process holds: it alone does what the lease is for.

    Attributes:
        name: What for.
        epoch: Rises with each new holder; a write that names an older one is refused.
    """

    name: str
    epoch: int


PROCESS_PREFIX = "process "
"""Names of leases by which a process says that it is alive begin so."""


def subscription_lease(subscription_id: str) -> str:
    """The lease of whoever tells a subscriber."""
    return f"subscription {subscription_id}"


@dataclass(frozen=True, slots=True)
class Telling:
    """What the journal is to tell; at least one draft.

    Attributes:
        drafts: In order.
        at: When it is, by our clock.
    """

    drafts: tuple[Draft, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a subscription has come.

    Attributes:
        subscription: As it now is: cursor, state, failures.
        held: By what right it is written; None: nobody else can be at it.
        park: Entries to park, or parked ones with a new time.
        settled: Parked entries that were delivered.
        given_up: Parked entries that became dead letters.
        telling: What the journal is to tell of the endpoint. If the terms are others by now, it is not told: what was found
            out of the endpoint is not written either.
    """

    subscription: Subscription
    held: Held | None = None
    park: tuple[Parked, ...] = ()
    settled: tuple[int, ...] = ()
    given_up: tuple[Parked, ...] = ()
    telling: Telling | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """An entry that a subscriber was not told, although the subscription has gone on behind it.

    Attributes:
        sequence: Which entry.
        tracking_id: Of which consent.
        attempts: How often it was refused; 0: it waits behind an earlier one of its consent.
        last_error: Why it was refused, for people.
        next_attempt_at: When it is tried again, at the earliest; None once it was given up.
        given_up_at: When it was given up.
        answer: How the endpoint's answer begins, as text to be shown.
    """

    sequence: int
    tracking_id: str
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None = None
    given_up_at: datetime | None = None
    answer: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of one of our API's callers; the key itself is not kept.

    Attributes:
        id: The public part.
        name: For people.
        secret_sha256: Hex SHA-256 of the secret part.
        scopes: Among read, write, audit, admin.
        created_at: When it was made.
        expires_at: When it ends; None: never.
        revoked_at: When it was revoked.
    """

    id: str
    name: str
    secret_sha256: str
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
