"""Begin to track a consent, and file what came about it before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from tracker.domain.consent import TrackingId, require_consent_id
from tracker.domain.errors import ConsentConflictError, InvalidRequestError
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Provider, Store, Transaction
from tracker.usecases.recording import Office, Recording
from tracker.usecases.wake import Bell


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


class Registrar:
    """Registers consents."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell

    async def register(self, registration: Registration) -> tuple[TrackedConsent, bool]:
        """Track a consent; say whether it is new.

        Raises:
            ProviderNotFoundError: No such provider.
            InvalidRequestError: Its profile has no such kind, or the id cannot be one.
            ConsentConflictError: It is tracked with another kind, chain or user.
        """
        provider = self._office.providers.require(registration.provider)
        require_consent_id(registration.consent_id)
        if registration.base_consent_id is not None:
            require_consent_id(registration.base_consent_id)
        if registration.kind not in provider.profile.kinds:
            known = ", ".join(provider.profile.kinds)
            raise InvalidRequestError(f"{provider.id} has no kind of consent {registration.kind!r}; it has {known}.")
        # One id for all runs of the script.
        tracking_id = TrackingId(self._office.ids.ordered())
        consent, is_new = await self._store.transact(
            partial(_register, self._office, provider, registration, tracking_id)
        )
        if is_new:
            self._journal_bell.ring()
            self._ask_bell.ring()
        return consent, is_new


def _register(
    office: Office,
    provider: Provider,
    registration: Registration,
    tracking_id: TrackingId,
    transaction: Transaction,
) -> tuple[TrackedConsent, bool]:
    consent_id = require_consent_id(registration.consent_id)
    name = (provider.id, consent_id)
    found = transaction.lock_named([name]).get(name)
    if found is not None:
        _require_same(found, registration)
        return found, False
    recording = Recording(transaction, office, ())
    consent = TrackedConsent(
        tracking_id=tracking_id,
        provider=provider.id,
        consent_id=consent_id,
        profile=provider.profile.name,
        client_id=provider.client_id,
        kind=registration.kind,
        registered_at=recording.now,
        registered_expiry=registration.expiration_date_time,
        base_consent_id=registration.base_consent_id,
        user_ref=registration.user_ref,
        permissions=registration.permissions,
        terms=registration.terms,
        authorization_expiration_date_time=registration.authorization_expiration_date_time,
        updated_at=recording.now,
    )
    private = {"user_ref": registration.user_ref, "terms": registration.terms}
    recording.register(consent, {key: value for key, value in private.items() if value is not None})
    for early in transaction.waiting_reports([name]).get(name, []):
        recording.hear(tracking_id, early, None, is_repeat=False)
    recording.finish()
    return recording.current(tracking_id), True


def _require_same(found: TrackedConsent, registration: Registration) -> None:
    """Refuse to register a consent again as something else; what was not said is not different."""
    for name in ("kind", "base_consent_id", "user_ref"):
        said = getattr(registration, name)
        if said is not None and said != getattr(found, name):
            raise ConsentConflictError(f"The consent is tracked already, with another {name}.")
