"""Answer the back office: what a consent is, and whether it may be used now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tracker.domain.changed import changed
from tracker.domain.consent import ConsentId, ProviderId, Status, TrackingId, is_consent_id
from tracker.domain.decision import Decision
from tracker.domain.errors import ConsentDisposedError, ConsentNotFoundError, InvalidRequestError
from tracker.domain.lifecycle import view
from tracker.domain.limits import Limit
from tracker.domain.notices import attestation_due
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import rfc3339
from tracker.ports import AS_IT_IS, Clock, ConsentQuery, Name, Store, Watched
from tracker.ports.retention import RetentionStore, Tombstone
from tracker.profiles.around import Labels, Shown
from tracker.profiles.profile import Kind, Profile
from tracker.usecases.back_then import overlay_at
from tracker.usecases.foresight import notice_rules
from tracker.usecases.providers import Providers


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """On what rests what we believed.

    Attributes:
        at: The instant: nothing that was recorded later counts.
        sequence: The last of the consent's entries that counts.
        beside: Names of what comes from records of ours beside the journal; a proof of the journal does not cover it.
        untold: Names of what nothing on record tells of that instant: it is shown as null, or as nothing.
    """

    at: datetime
    sequence: int
    beside: frozenset[str] = frozenset()
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """A consent as a reader sees it at an instant.

    Attributes:
        consent: What is kept of it.
        decision: What is so, by the reports that stand.
        at: The instant.
        kind: The rules of its kind.
        profile: Whose words and rules it has.
        next_ask_at: When the holder is asked next, as far as that was looked up.
        known: Set where this is not what we know today, but what we believed at an instant.
    """

    consent: TrackedConsent
    decision: Decision
    at: datetime
    kind: Kind
    profile: Profile
    next_ask_at: datetime | None = None
    known: Known | None = None

    @property
    def effective_status(self) -> Status:
        """The status with our clock added."""
        return self.decision.effective_status(self.at)

    @property
    def confirmed(self) -> bool:
        """Whether the effective status is the holder's own word."""
        return self.decision.is_confirmed(self.at)

    @property
    def usable(self) -> bool:
        """Whether it may be used."""
        overlay = self.consent.overlay
        return self.decision.is_usable(self.at, paused=overlay.paused, revoking=overlay.revoking)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What its terms limit, and how much of that is used."""
        return self.kind.read_limits(self.consent.terms or {})

    @property
    def attestation_due_at(self) -> datetime | None:
        """By when it must be attested that its data were deleted; None while it has not ended, or need not be."""
        return attestation_due(self.decision, notice_rules(self.kind, self.consent), self.at)

    @property
    def abandoned(self) -> bool:
        """Whether nobody came back to finish authorizing it, and its holder still waits."""
        return self.consent.is_abandoned(self.decision)

    @property
    def labels(self) -> Labels | None:
        """What it is called towards the customer; None if it is not to be shown."""
        consent = self.consent
        shown = Shown(
            kind=consent.kind,
            status=self.effective_status,
            paused=consent.overlay.paused,
            revoking=consent.overlay.revoking,
            terms=consent.terms,
            payment_outcome=consent.payment_outcome,
        )
        return self.profile.labels(shown)


_CLOCKS_AGREE_SECONDS = 60.0


class UsableReason(StrEnum):
    """Why a consent may not be used; the first that applies."""

    UNKNOWN_CONSENT = "unknown_consent"
    NOT_STAGED = "not_staged"
    AWAITING_AUTHORIZATION = "awaiting_authorization"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    CONSUMED = "consumed"
    EXPIRED = "expired"
    EXPIRED_UNCONFIRMED = "expired_unconfirmed"
    REVOKED = "revoked"
    REVOCATION_PENDING = "revocation_pending"
    PAUSED = "paused"
    IN_DOUBT = "in_doubt"
    PERMISSION_MISSING = "permission_missing"
    KNOWLEDGE_TOO_OLD = "knowledge_too_old"
    OK = "ok"


_BY_STATUS = {
    Status.NOT_STAGED: UsableReason.NOT_STAGED,
    Status.AWAITING_AUTHORIZATION: UsableReason.AWAITING_AUTHORIZATION,
    Status.REJECTED: UsableReason.REJECTED,
    Status.SUSPENDED: UsableReason.SUSPENDED,
    Status.CONSUMED: UsableReason.CONSUMED,
    Status.EXPIRED: UsableReason.EXPIRED,
    Status.REVOKED: UsableReason.REVOKED,
}


_BEYOND_ASKING = frozenset(
    {
        UsableReason.UNKNOWN_CONSENT,
        UsableReason.REJECTED,
        UsableReason.CONSUMED,
        UsableReason.EXPIRED,
        UsableReason.EXPIRED_UNCONFIRMED,
        UsableReason.REVOKED,
        UsableReason.REVOCATION_PENDING,
        UsableReason.PAUSED,
        UsableReason.PERMISSION_MISSING,
    }
)
"""What no answer of a holder takes away: an end stands, the clock has spoken, or we ourselves are against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usability:
    """The answer to "may we use it now?".

    Attributes:
        reason: `OK`, or why not.
        effective_status: Of the consent; None when it is not known.
        confirmed_at: The latest instant for which the holder vouched.
        age_seconds: How long ago that was.
        tracking_id: Of the consent.
        is_too_old: What is known of it is older than was wanted, whatever the reason.
    """

    reason: UsableReason
    effective_status: Status | None = None
    confirmed_at: datetime | None = None
    age_seconds: float | None = None
    tracking_id: TrackingId | None = None
    is_too_old: bool = False

    @property
    def worth_asking(self) -> bool:
        """Whether an answer of the holder's could be news, and could make it usable."""
        return self.is_too_old and self.reason not in _BEYOND_ASKING

    @property
    def usable(self) -> bool:
        """Whether it may be used: only without any reason against it."""
        return self.reason is UsableReason.OK


class Consulting:
    """Reads for the back office."""

    def __init__(
        self,
        store: Store,
        providers: Providers,
        clock: Clock,
        tempo_of: Callable[[ProviderId], Tempo] = lambda _provider: AS_IT_IS,
        graves: RetentionStore | None = None,
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            providers: Whom we know.
            clock: Our clock.
            tempo_of: What the condition of each provider makes of the schedule.
            graves: Where it is known of which consents nothing is left; None: nobody need tell these from others.
        """
        self._store = store
        self._providers = providers
        self._clock = clock
        self._tempo_of = tempo_of
        self._graves = graves

    async def get(self, provider: str, consent_id: str) -> ConsentView:
        """One consent by what the world calls it.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ConsentDisposedError: Not any more.
        """
        found = await self._store.find_watched(_name(provider, consent_id)) if is_consent_id(consent_id) else None
        if found is None and self._graves is not None and is_consent_id(consent_id):
            _require_none(await self._graves.tombstone(_name(provider, consent_id)))
        return self._view(found)

    async def get_tracked(self, tracking_id: str) -> ConsentView:
        """One consent by our key.

        Raises:
            ConsentNotFoundError: There is none.
            ConsentDisposedError: Not any more.
        """
        found = await self._store.get_watched(TrackingId(tracking_id))
        if found is None and self._graves is not None:
            _require_none(await self._graves.tombstone_of(TrackingId(tracking_id)))
        return self._view(found)

    async def as_of(self, found: ConsentView, instant: datetime) -> ConsentView:
        """What it was at an instant, as we know today; and whether we ourselves were against using it then.

        Raises:
            InvalidRequestError: The instant has not come: nobody knows what will be then.
        """
        if instant > max(self._clock.now(), found.at):
            raise InvalidRequestError("as_of lies in the future; nobody knows what will be then.")
        consent, rules = found.consent, self._providers.kind_of(found.consent).rules
        on_record = (stored.report for stored in await self._store.reports_of(consent.tracking_id))
        # An answer that told nothing new is not on record by itself, but it stands, and what came after may hang on it.
        reports = {report.digest: report for report in (*on_record, *consent.summary.standing)}.values()
        # All that we know: by our clock some of it may lie ahead, if the clock was stepped back since.
        today = max((self._clock.now(), *(report.recorded_at for report in reports)))
        decision, _ = view(reports, rules, instant, today, consent.registered_expiry)
        overlay = consent.overlay  # of today whatever the time of it: our clock may have been stepped back
        if instant < self._clock.now():
            overlay = overlay_at(overlay, await self._store.entries_of(consent.tracking_id), instant)
        return replace(found, consent=changed(consent, overlay=overlay), decision=decision, at=instant)

    async def search(self, query: ConsentQuery) -> Sequence[ConsentView]:
        """Search among the consents of the providers that are configured, in order of tracking id."""
        now = self._clock.now()
        known = replace(query, providers=frozenset(provider.id for provider in self._providers))
        return [self._seen(consent, now) for consent in await self._store.search(known, now)]

    async def usable(
        self,
        provider: str,
        consent_id: str,
        *,
        permission: str | None,
        max_age_seconds: float | None,
        fresh_since: datetime | None = None,
    ) -> Usability:
        """Say whether a consent may be used now; no whenever anything is in doubt.

        Args:
            provider: Whose it is.
            consent_id: What it is called there.
            permission: What it must allow.
            max_age_seconds: How long ago the holder may have vouched for it.
            fresh_since: What it vouched for at this instant or later is not too old, whatever `max_age_seconds` says.
        """
        consent = await self._store.find_consent(_name(provider, consent_id)) if is_consent_id(consent_id) else None
        if consent is None or self._providers.get(provider) is None:
            return Usability(reason=UsableReason.UNKNOWN_CONSENT)
        now = self._clock.now()
        seen = self._seen(consent, now)
        age = None if consent.confirmed_at is None else (now - consent.confirmed_at).total_seconds()
        # If our clock has been stepped back since the holder vouched, nobody knows how long ago that was.
        too_old = max_age_seconds is not None and (age is None or not -_CLOCKS_AGREE_SECONDS <= age <= max_age_seconds)
        if fresh_since is not None and consent.confirmed_at is not None and fresh_since <= consent.confirmed_at <= now:
            too_old = False
        return Usability(
            tracking_id=consent.tracking_id,
            is_too_old=too_old,
            reason=reason_of(seen, permission, too_old=too_old),
            effective_status=seen.effective_status,
            confirmed_at=consent.confirmed_at,
            age_seconds=None if age is None else max(0.0, age),
        )

    def _view(self, found: Watched | None) -> ConsentView:
        if found is None:
            raise ConsentNotFoundError
        consent, next_ask = found
        seen = self._seen(consent, self._clock.now())
        return replace(seen, next_ask_at=next_ask.due_at(seen.decision.status, self._tempo_of(consent.provider)))

    async def chain(self, provider: str, base_consent_id: str, limit: int) -> list[ConsentView]:
        """Those of a chain of renewals, at most so many, the last registered first; none if nobody tracks any."""
        if not is_consent_id(base_consent_id) or self._providers.get(provider) is None:
            return []
        found = await self._store.chain((ProviderId(provider), ConsentId(base_consent_id)), limit)
        now = self._clock.now()
        return [self._seen(consent, now) for consent in found]

    def _seen(self, consent: TrackedConsent, now: datetime) -> ConsentView:
        kind, profile = self._providers.kind_of(consent), self._providers.require(consent.provider).profile
        position = consent.position(kind.rules)
        decision, at = position.decision(), position.instant(now)
        return ConsentView(consent=consent, decision=decision, at=at, kind=kind, profile=profile)


def _require_none(tombstone: Tombstone | None) -> None:
    if tombstone is not None:
        raise ConsentDisposedError(f"The consent was disposed of on {rfc3339(tombstone.disposed_at)}.")


def _name(provider: str, consent_id: str) -> Name:
    return ProviderId(provider), ConsentId(consent_id)


def reason_of(seen: ConsentView, permission: str | None = None, *, too_old: bool = False) -> UsableReason:
    """Why a consent may not be used as it is seen; the first that applies."""
    status = seen.effective_status
    if status is Status.EXPIRED and not seen.confirmed:
        return UsableReason.EXPIRED_UNCONFIRMED
    if status is not Status.AUTHORIZED:
        return _BY_STATUS.get(status, UsableReason.IN_DOUBT)
    overlay = seen.consent.overlay
    conditions = (
        (overlay.revoking, UsableReason.REVOCATION_PENDING),
        (overlay.paused, UsableReason.PAUSED),
        (not seen.usable, UsableReason.IN_DOUBT),
        (permission is not None and permission not in seen.consent.permissions, UsableReason.PERMISSION_MISSING),
        (too_old, UsableReason.KNOWLEDGE_TOO_OLD),
    )
    return next((reason for applies, reason in conditions if applies), UsableReason.OK)
