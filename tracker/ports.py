"""What the use cases need from the world, as protocols with their contracts.

Rules that hold for all of them:

* every time is aware; ours are UTC with microseconds;
* "there is none" is None or an empty answer; failure is a `TrackerError` of the family that the method names;
* what returns from a method that writes is durable: it survives the process and the power supply;
* asynchronous methods may be cancelled at any await; a write that was begun is then either wholly done or not at all.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from tracker.domain.consent import Channel, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.lifecycle import Verdict
from tracker.domain.report import Claim, Report
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.profiles.profile import Kind, Profile, Push

T = TypeVar("T")

Name = tuple[ProviderId, ConsentId]
"""What the world calls a consent."""


# ---------------------------------------------------------------------------------------------- time, ids, randomness


class Clock(Protocol):
    """Our clock."""

    def now(self) -> datetime:
        """The time, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that is never set."""


class Ids(Protocol):
    """Fresh ids."""

    def ordered(self) -> str:
        """Make a UUIDv7: later ones sort after earlier ones."""

    def random(self) -> str:
        """Make a UUIDv4, for ids that others see and must not guess an order from."""


class Entropy(Protocol):
    """Randomness."""

    def token(self, size: int) -> bytes:
        """So many unguessable bytes."""

    def fraction(self) -> float:
        """A number from 0 up to 1, for jitter."""


# ---------------------------------------------------------------------------------------------- providers and holders


@dataclass(frozen=True, eq=False, kw_only=True)
class Provider:
    """One data holder as we see it; (issuer, client_id) is unique.

    Attributes:
        id: Our name for it.
        profile: The rules of its ecosystem.
        client_id: Which of our applications speaks to it.
        issuer: What its tokens say in `iss`, to the letter.
        resource_url: Where its consents are.
        api_version: Which version of the API it serves.
        requests_per_second: How often it may be asked.
    """

    id: ProviderId
    profile: Profile
    client_id: str
    issuer: str
    resource_url: str
    api_version: str
    requests_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A signed token of a holder, and the key that verified it.

    Attributes:
        jws: The compact token as received.
        kid: The key id that it names.
        jwk: The public key that verified it, as a JWK.
        jwk_thumbprint: Its RFC 7638 SHA-256 thumbprint, base64url.
        jwks_uri: Where the key came from.
    """

    jws: bytes
    kid: str
    jwk: Mapping[str, Any]
    jwk_thumbprint: str
    jwks_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a holder said about one consent.

    Attributes:
        body: The answer, envelope taken off.
        token: The signed token that it came in; None if it was not signed.
    """

    body: Mapping[str, Any]
    token: Token | None


class HolderApi(Protocol):
    """The holders' consent endpoints."""

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Ask about one consent.

        Raises:
            ConsentNotStagedError: The holder does not know it (400 or 404).
            ConsentApiRefusedError: Our credentials or scope were refused, also with a fresh token.
            ConsentApiUnavailableError: No answer now.
            ConsentApiContractError: An answer outside the standard.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationKey:
    """A public key of a holder.

    Attributes:
        kid: Its id.
        key: What the JOSE adapter verifies with.
        jwk: The same as a JWK.
        jwk_thumbprint: RFC 7638 SHA-256 thumbprint, base64url.
        jwks_uri: Where it came from.
    """

    kid: str
    key: Any
    jwk: Mapping[str, Any]
    jwk_thumbprint: str
    jwks_uri: str


class HolderKeys(Protocol):
    """The holders' signing keys, kept in memory."""

    def find(self, provider: Provider, kid: str) -> VerificationKey | None:
        """Look a key up among those fetched already. Fast, callable from any thread."""

    async def refresh(self, provider: Provider) -> None:
        """Fetch the keys if they are stale or a key was missing; many callers share one request.

        An unknown key id makes it ask again at most once per 30 s.

        Raises:
            KeysUnavailableError: They cannot be had now. What was fetched before stays usable for a day.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """What was inside an encrypted event.

    Attributes:
        client_id: Whose key opened it.
        kid: Which key.
        plaintext: The inner token, not trusted yet.
    """

    client_id: str
    kid: str
    plaintext: bytes


class EventCrypto(Protocol):
    """Opening events. Synchronous, CPU-bound, callable from any thread."""

    def knows_key(self, kid: str) -> bool:
        """Whether a key id is one of our encryption keys, retired ones too."""

    def decrypt(self, token: bytes, push: Push) -> Decrypted:
        """Decrypt a compact JWE with the key that its header names.

        Raises:
            UndecryptableEventError: It cannot be opened.
            MalformedEventError: It is not of the form.
        """

    def verify(self, token: bytes, key: VerificationKey, algorithms: Collection[str]) -> Mapping[str, Any]:
        """Verify a compact JWS and give its claims.

        Raises:
            UntrustedEventError: The signature is not by this key.
            MalformedEventError: What is signed is no JSON object.
        """


# ---------------------------------------------------------------------------------------------- the store


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
    """

    id: str
    profile: str
    body: bytes
    received_at: datetime
    interaction_id: str
    attempts: int = 0


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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        permissions: What it allows.
        creation_date_time: When the consent was made.
        authorization_expiration_date_time: Until when it can be authorized.
        base_consent_id: The root of its chain.
        jws_sha256: The signed token it rests on; None if it was not signed.
        jwe_sha256: The encrypted token around it.
        kid: The key that verified it.
        jwk_thumbprint: That key's thumbprint.
        zone_assumed: Some holder's time came without an offset.
        verdict: What it meant; None while it waits.
    """

    report: Report
    provider: ProviderId
    consent_id: ConsentId
    tracking_id: TrackingId | None = None
    event_type: str | None = None
    event_date_time: datetime | None = None
    vouched_at: datetime
    terms: Mapping[str, Any]
    permissions: tuple[str, ...] = ()
    creation_date_time: datetime | None = None
    authorization_expiration_date_time: datetime | None = None
    base_consent_id: str | None = None
    jws_sha256: str | None = None
    jwe_sha256: str | None = None
    kid: str | None = None
    jwk_thumbprint: str | None = None
    zone_assumed: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
        provider: Whose it is, if that is known.
        kid: The key ids that it named, outer and inner.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The holder vouched for what we know; nothing moved."""

    tracking_id: TrackingId
    vouched_at: datetime
    recorded_at: datetime
    channel: Channel
    status: Status


class Transaction(Protocol):
    """One transaction, as its script sees it. Synchronous: scripts run where the database is.

    Order: one `lock_…` first, then everything else, `append` last of all: it takes the journal's head, which nobody may
    hold while waiting for anything. A script may be run again from the start; it must have no effect but through this.
    """

    def lock_named(self, names: Collection[Name]) -> dict[Name, TrackedConsent]:
        """Hold these names until the end, registered or not, and give the consents that have them."""

    def lock_tracked(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, TrackedConsent]:
        """Hold these consents until the end."""

    def lock_due_asks(self, provider: ProviderId, now: datetime, limit: int) -> list[TrackedConsent]:
        """Hold a provider's consents that are due to be asked about, the longest overdue first, skipping leased ones."""

    def lock_due_ticks(self, now: datetime, limit: int) -> list[TrackedConsent]:
        """Hold consents about which the clock has something to tell."""

    def known_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these reports and other events are on record."""

    def known_claims(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, set[Claim]]:
        """The claims on record for each consent."""

    def waiting_reports(self, names: Collection[Name]) -> dict[Name, list[StoredReport]]:
        """Reports that came before their consent was registered, in the order of receipt."""

    def save(
        self,
        consent: TrackedConsent,
        decision: Decision,
        *,
        next_ask_at: datetime | None,
        next_tick_at: datetime | None,
    ) -> None:
        """Insert or update a consent that is held, and make what was decided of it searchable.

        `last_sequence` is not written: only `append` does that.
        """

    def add_report(self, report: StoredReport, evidence: Evidence | None) -> None:
        """Put a report on record, and its token; its digest must be new, or that of a waiting report that is now filed."""

    def add_other_event(self, event: OtherEvent, evidence: Evidence) -> None:
        """Put another verified event on record; its digest must be new."""

    def count_repeat(self, digest: str) -> None:
        """Note that a report came again."""

    def add_confirmation(self, confirmation: Confirmation) -> None:
        """Append to the confirmation log."""

    def quarantine(self, event: Quarantined) -> None:
        """Put an event aside; the oldest never-verified ones make room."""

    def drop_inbox(self, ids: Collection[str]) -> None:
        """Take inbox items out: what came of them is in this same transaction."""

    def append(self, drafts: Sequence[Draft], now: datetime) -> list[Entry]:
        """Take the head, seal the drafts in order, append them. Last of all, at most once."""


class Store(Protocol):
    """The database. Every method raises `StorageError` when it is away."""

    async def transact(self, script: Callable[[Transaction], T]) -> T:
        """Run a script in one transaction and give its answer after the commit. Nothing is kept if it raises."""

    # inbox

    async def admit(self, item: InboxItem) -> None:
        """Keep an event before it is answered for; many callers share one flush."""

    async def inbox_waiting(self, now: datetime, limit: int) -> list[InboxItem]:
        """Read what is due to be opened, in order of arrival."""

    async def postpone(self, ids: Collection[str], until: datetime) -> None:
        """Put off opening some items, and count the attempt."""

    async def hasten(self, ids: Collection[str], now: datetime) -> None:
        """Make items due at once that were put off."""

    async def inbox_depth(self) -> tuple[int, datetime | None]:
        """How many items wait, and since when the most overdue one should have been opened."""

    async def quarantined(self, limit: int, before: str | None = None) -> list[Quarantined]:
        """Read the quarantine, the newest first; `before` is an id."""

    # consents

    async def find_consent(self, name: Name) -> TrackedConsent | None:
        """Look a consent up by what the world calls it."""

    async def get_consent(self, tracking_id: TrackingId) -> TrackedConsent | None:
        """Look a consent up by our key."""

    async def search(self, query: "ConsentQuery", now: datetime) -> list[TrackedConsent]:
        """Search, in order of tracking id."""

    async def reports_of(self, tracking_id: TrackingId) -> list[StoredReport]:
        """All reports on record about a consent, in the order of recording."""

    async def entries_of(self, tracking_id: TrackingId) -> list[Entry]:
        """All entries about a consent, in sequence."""

    async def next_ask_at(self, tracking_id: TrackingId) -> datetime | None:
        """When the consent is due to be asked about."""

    # journal

    async def journal_id(self) -> str:
        """The UUID of this journal."""

    async def head(self) -> int:
        """The sequence of the last entry; 0 before the first."""

    async def entries_after(self, sequence: int, limit: int, up_to: int | None = None) -> list[Entry]:
        """Read the journal in sequence."""

    async def entries_at(self, sequences: Collection[int]) -> dict[int, Entry]:
        """Read some entries."""

    # subscriptions

    async def add_subscription(self, subscription: Subscription) -> None:
        """Keep a new subscription."""

    async def subscriptions(self) -> list[Subscription]:
        """All of them, in order of id."""

    async def get_subscription(self, subscription_id: str) -> Subscription | None:
        """One of them."""

    async def delete_subscription(self, subscription_id: str) -> bool:
        """Forget one; False if there was none."""

    async def parked(self, subscription_id: str) -> list[Parked]:
        """What a subscription has parked, in sequence."""

    async def save_progress(self, progress: "Progress") -> bool:
        """Write how far a subscription has come, all in one; False when it is gone."""

    # keys of our API's callers

    async def add_api_key(self, key: "ApiKey") -> None:
        """Keep a new key's hash."""

    async def api_keys(self) -> list["ApiKey"]:
        """All of them, in order of id."""

    async def get_api_key(self, key_id: str) -> "ApiKey | None":
        """One of them."""

    async def revoke_api_key(self, key_id: str, at: datetime) -> bool:
        """Revoke one; False if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuery:
    """A search for consents; what is None does not narrow it.

    Attributes:
        after: Only tracking ids that sort after this one.
        limit: At most so many.
    """

    provider: str | None = None
    kind: str | None = None
    status: Status | None = None
    effective_status: Status | None = None
    user_ref: str | None = None
    base_consent_id: str | None = None
    expiring_before: datetime | None = None
    updated_since: datetime | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a subscription has come.

    Attributes:
        subscription: As it now is: cursor, state, failures.
        park: Entries to park, or parked ones with a new time.
        settled: Parked entries that were delivered.
        given_up: Parked entries that became dead letters.
    """

    subscription: Subscription
    park: tuple[Parked, ...] = ()
    settled: tuple[int, ...] = ()
    given_up: tuple[Parked, ...] = ()


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


# ---------------------------------------------------------------------------------------------- leaving


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one attempt to tell a subscriber.

    Attributes:
        status: The HTTP status; None if there was no answer.
        retry_after_seconds: How long the endpoint asked us to wait.
        error: What went wrong, for people; None when it was taken.
        delivered: Whether it was taken.
    """

    status: int | None
    retry_after_seconds: float | None = None
    error: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the subscriber took it."""
        return self.error is None


class Sender(Protocol):
    """Posting notifications."""

    async def send(self, subscription: Subscription, entry_id: str, body: bytes, at: datetime) -> Delivery:
        """Sign and post one body; a failure is an answer, never an exception. Redirects are not followed."""


CheckpointSigner = Callable[[str, int, bytes], str]
"""(origin, tree size, root hash) to a signed note."""

Work = Callable[[], Awaitable[None]]
