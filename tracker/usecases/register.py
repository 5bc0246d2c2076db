"""Begin to track consents, one or many, and file what came about them before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from tracker.domain.consent import ConsentId, TrackingId, require_consent_id
from tracker.domain.errors import (
    ConsentConflictError,
    ConsentDisposedError,
    InvalidRequestError,
    StorageError,
    TrackerError,
)
from tracker.domain.noticed import Noticing
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Name, Provider, Store, Transaction
from tracker.usecases.payments import tell_payment
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_MOST_REOPENED_EACH = 5
"""So many events that could not be believed, and claim to be about a consent, are opened again when it is registered."""
MOST_IN_ONE_TRANSACTION = 100
"""What comes in meanwhile waits for so many at most: some ten milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What our own application says of a consent that it is about to make, or has made.

    Attributes:
        provider: At which provider.
        kind: One of its profile's kinds.
        consent_id: What it is called there.
        base_consent_id: The root of its chain of renewals.
        user_ref: Whose it is, in the back office's words; personal.
        expiration_date_time: When it will end; may be past.
        authorization_expiration_date_time: Until when it can be authorized.
        permissions: What it is to allow.
        terms: Whatever else was asked for; personal.
    """

    provider: str
    kind: str
    consent_id: str
    base_consent_id: str | None = None
    user_ref: str | None = None
    expiration_date_time: datetime | None = None
    authorization_expiration_date_time: datetime | None = None
    permissions: tuple[str, ...] = ()
    terms: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """What came of one registration among many.

    Attributes:
        consent: It, as it is now on record; in a rehearsal as it would be. None if it was refused.
        is_new: Whether this registration made it.
        error: Why it was refused.
    """

    consent: TrackedConsent | None = None
    is_new: bool = False
    error: TrackerError | None = None


class Registrar:
    """Registers consents."""

    def __init__(
        self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell, trail: Trail | None = None
    ) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell
        self._trail = trail or Trail()

    async def register(self, registration: Registration) -> tuple[TrackedConsent, bool]:
        """Track a consent; say whether it is new.

        Raises:
            ProviderNotFoundError: No such provider.
            InvalidRequestError: Its profile has no such kind, or the id cannot be one.
            ConsentConflictError: It is tracked with another kind, chain or user.
            ConsentDisposedError: It was tracked, and disposed of: its name is never free again.
        """
        wanted = _Wanted.of(registration, self._office, is_imported=False)
        done = (await self._put_on_record([wanted], is_rehearsal=False))[0]
        if done.consent is None:
            raise done.error or InvalidRequestError
        self._ring([done])
        return done.consent, done.is_new

    async def register_many(
        self, registrations: Sequence[Registration], *, is_rehearsal: bool = False
    ) -> list[Registered]:
        """Track consents that were made elsewhere and come together; nobody is at the holder's pages for them.

        Args:
            registrations: In the order in which they count: of two that disagree, the first is right.
            is_rehearsal: Whether to say what would come of them, and keep nothing.

        Returns:
            What came of each, in order. One that is refused does not stop the others.

        Raises:
            StorageError: The database is away. Some may be on record; to send all again does no harm.
        """
        done: list[Registered] = []
        for first in range(0, len(registrations), MOST_IN_ONE_TRANSACTION):
            part = registrations[first : first + MOST_IN_ONE_TRANSACTION]
            done += await self._register_part(part, is_rehearsal=is_rehearsal)
        return done

    async def _register_part(self, part: Sequence[Registration], *, is_rehearsal: bool) -> list[Registered]:
        done = [Registered()] * len(part)
        wanted: list[_Wanted] = []
        places: list[int] = []
        for place, registration in enumerate(part):
            try:
                wanted.append(_Wanted.of(registration, self._office, is_imported=True))
                places.append(place)
            except TrackerError as error:
                done[place] = Registered(error=error)
        for place, outcome in zip(places, await self._transact(wanted, is_rehearsal=is_rehearsal), strict=True):
            done[place] = outcome
        if not is_rehearsal:
            self._ring(done)
        return done

    async def _transact(self, wanted: "Sequence[_Wanted]", *, is_rehearsal: bool) -> list[Registered]:
        """Register all in one transaction; if that cannot be, in halves, until what is wrong stands alone."""
        if not wanted:
            return []
        try:
            return await self._put_on_record(wanted, is_rehearsal=is_rehearsal)
        except StorageError as error:
            if error.retryable:
                raise
            if len(wanted) == 1:
                return [Registered(error=error)]
        middle = len(wanted) // 2
        first = await self._transact(wanted[:middle], is_rehearsal=is_rehearsal)
        return first + await self._transact(wanted[middle:], is_rehearsal=is_rehearsal)

    async def _put_on_record(self, wanted: "Sequence[_Wanted]", *, is_rehearsal: bool) -> list[Registered]:
        done, entries = await self._store.transact(partial(_register, self._office, wanted, is_rehearsal=is_rehearsal))
        self._trail.appended(entries)
        return done

    def _ring(self, done: Sequence[Registered]) -> None:
        if any(one.is_new for one in done):
            self._journal_bell.ring()
            self._ask_bell.ring()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A registration that can be: what does not depend on the database is seen to.

    Attributes:
        tracking_id: One for all runs of the script.
    """

    registration: Registration
    provider: Provider
    consent_id: ConsentId
    tracking_id: TrackingId
    is_imported: bool

    @classmethod
    def of(cls, registration: Registration, office: Office, *, is_imported: bool) -> "_Wanted":
        provider = office.providers.require(registration.provider)
        consent_id = require_consent_id(registration.consent_id)
        if registration.base_consent_id is not None:
            require_consent_id(registration.base_consent_id)
        if registration.kind not in provider.profile.kinds:
            known = ", ".join(provider.profile.kinds)
            raise InvalidRequestError(f"{provider.id} has no kind of consent {registration.kind!r}; it has {known}.")
        return cls(registration, provider, consent_id, TrackingId(office.ids.ordered()), is_imported)

    @property
    def name(self) -> Name:
        return self.provider.id, self.consent_id

    def begun(self, now: datetime, *, is_root: bool) -> TrackedConsent:
        """The consent as it begins; others may name it as their root already."""
        said = self.registration
        return TrackedConsent(
            tracking_id=self.tracking_id,
            provider=self.provider.id,
            consent_id=self.consent_id,
            profile=self.provider.profile.name,
            client_id=self.provider.client_id,
            kind=said.kind,
            registered_at=now,
            registered_expiry=said.expiration_date_time,
            imported=self.is_imported,
            noticing=Noticing(has_successors=is_root),
            base_consent_id=said.base_consent_id,
            user_ref=said.user_ref,
            permissions=said.permissions,
            terms=said.terms,
            authorization_expiration_date_time=said.authorization_expiration_date_time,
            updated_at=now,
        )


def _register(
    office: Office, all_wanted: Sequence[_Wanted], transaction: Transaction, *, is_rehearsal: bool
) -> tuple[list[Registered], list[Entry]]:
    names = {wanted.name for wanted in all_wanted}
    known = transaction.lock_named(names)
    gone = transaction.disposals.tombstones(names - known.keys())
    early = transaction.waiting_reports(names - known.keys())
    roots = transaction.named_as_roots(names - known.keys())
    paid = transaction.payments_under(names - known.keys())
    recording = Recording(transaction, office, ())
    done: list[Registered] = []
    for wanted in all_wanted:
        found = known.get(wanted.name)
        if found is not None:
            conflict = _conflict(found, wanted.registration)
            done.append(Registered(error=conflict) if conflict else Registered(found))
            continue
        if wanted.name in gone:
            done.append(Registered(error=ConsentDisposedError()))
            continue
        consent = wanted.begun(recording.now, is_root=wanted.name in roots)
        if not is_rehearsal:
            private = {"user_ref": consent.user_ref, "terms": consent.terms}
            recording.register(consent, {key: value for key, value in private.items() if value is not None})
            for report in early.get(wanted.name, []):
                recording.hear(wanted.tracking_id, report, None, is_repeat=False)
            for payment in paid.get(wanted.name, []):
                tell_payment(office, recording, wanted.tracking_id, payment)
            consent = recording.current(wanted.tracking_id)
        known[wanted.name] = consent
        done.append(Registered(consent, is_new=True))
    if not is_rehearsal:
        new = {wanted.name for wanted, one in zip(all_wanted, done, strict=True) if one.is_new}
        # They change nothing by that either; but this time there is a consent that they can make us ask about.
        transaction.release_claimed(new, _MOST_REOPENED_EACH, recording.now)
    return done, recording.finish()


def _conflict(found: TrackedConsent, registration: Registration) -> ConsentConflictError | None:
    """Whether a consent is registered again as something else; what was not said is not different."""
    for name in ("kind", "base_consent_id", "user_ref"):
        said = getattr(registration, name)
        if said is not None and said != getattr(found, name):
            return ConsentConflictError(f"The consent is tracked already, with another {name}.")
    return None
