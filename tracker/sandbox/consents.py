"""The consents of one hub: staged, found, moved, and flipped when a time limit passes."""

import heapq
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.sandbox.authorizers import several
from tracker.sandbox.clients import Client
from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Change, Consent, ExpiryPolicy, Status
from tracker.sandbox.errors import ConsentExistsError, UnknownConsentError, UnusableInputError
from tracker.sandbox.kinds import RESOURCES, Kind

MAX_ID_LENGTH = 128
MAX_VALIDITY = timedelta(days=366)
"""Spec: at most one year after creation; longer ones are refused at staging."""

DEFAULT_VALIDITY = timedelta(days=180)

KEPT_BY_THE_HUB = frozenset(
    {"ConsentId", "BaseConsentId", "Status", "CreationDateTime", "StatusUpdateDateTime", "ExpirationDateTime"}
    | {"AuthorizationExpirationDateTime", "RevokedBy"}
)
"""Members of `Data` that nobody may write freely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a third party would have asked for in its pushed authorization request. Everything has a default.

    Attributes:
        base_consent_id: root of the chain that this consent renews.
        creation: when it was staged; now unless given.
        expiration: an instant, or a span after creation; at most a year.
        authorization_expiration: payments only; an instant, or a span after creation.
        data: members of `Data` that differ from the kind's plausible defaults.
        meta: the resource's `Meta`.
        authorizers: payments only; so many people must authorize it, two or more.
        webhook_url: where its events go; where the client is registered for unless given.
        webhook_active: whether events are wanted for it.
        expiry: what happens when a time limit passes; the hub's own policy when None.
    """

    base_consent_id: str | None = None
    creation: datetime | None = None
    expiration: datetime | timedelta = DEFAULT_VALIDITY
    authorization_expiration: datetime | timedelta | None = None
    data: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None
    authorizers: int | None = None
    webhook_url: str | None = None
    webhook_active: bool = True
    expiry: ExpiryPolicy | None = None


class Consents:
    """Every consent that was staged with one hub.

    Attributes:
        expiry: the policy for consents that have none of their own.
    """

    def __init__(self, clock: HubClock, expiry: ExpiryPolicy) -> None:
        self.expiry = expiry
        self._clock = clock
        self._consents: dict[str, Consent] = {}
        # Sorted by when they have to be looked at; an entry may be out of date, the consent itself decides.
        self._due: list[tuple[datetime, str]] = []

    def __iter__(self) -> Iterator[Consent]:
        return iter(self._consents.values())

    def stage(self, kind: Kind, consent_id: str, client: Client, terms: Terms) -> Consent:
        """Bring a consent into being, awaiting authorization.

        Raises:
            ConsentExistsError: the id is taken.
            UnusableInputError: the id or the terms are none that a hub would take.
        """
        _check_id(consent_id)
        if consent_id in self._consents:
            raise ConsentExistsError(f"consent {consent_id} was staged before")
        creation = self._clock.cut(terms.creation or self._clock.now())
        expiration = self._resolve(terms.expiration, creation)
        if not creation < expiration <= creation + MAX_VALIDITY:
            raise UnusableInputError("ExpirationDateTime must lie within a year after the creation")
        window = None
        if terms.authorization_expiration is not None:
            if kind is not Kind.PAYMENT:
                raise UnusableInputError("only payment consents have an AuthorizationExpirationDateTime in v2.1")
            window = self._resolve(terms.authorization_expiration, creation)
        meta = None if terms.meta is None else deepcopy(dict(terms.meta))
        if terms.authorizers is not None:
            if kind is not Kind.PAYMENT:
                raise UnusableInputError("only payment consents have several authorizers in v2.1")
            meta = (meta or {}) | several(terms.authorizers)
        consent = Consent(
            kind=kind,
            consent_id=consent_id,
            client_id=client.client_id,
            creation_date_time=creation,
            expiration_date_time=expiration,
            data=RESOURCES[kind].data() | _free_members(terms.data),
            webhook_url=terms.webhook_url,
            base_consent_id=terms.base_consent_id,
            authorization_expiration_date_time=window,
            webhook_active=terms.webhook_active,
            meta=meta,
            expiry=terms.expiry,
            history=[Change(Status.AWAITING_AUTHORIZATION, creation)],
        )
        self._consents[consent_id] = consent
        self._schedule(consent)
        return consent

    def get(self, consent_id: str) -> Consent | None:
        """Look a consent up."""
        return self._consents.get(consent_id)

    def require(self, consent_id: str) -> Consent:
        """Look a consent up.

        Raises:
            UnknownConsentError: it was never staged.
        """
        consent = self._consents.get(consent_id)
        if consent is None:
            raise UnknownConsentError(f"no consent {consent_id!r} was staged with this hub")
        return consent

    def move(self, consent: Consent, status: str, *, at: datetime | None, revoked_by: str | None, force: bool) -> None:
        """Move a consent; its next flip is planned anew. Raises what `Consent.move` raises."""
        moment = self._clock.cut(at) if at is not None else self._clock.instant()
        consent.move(status, moment, revoked_by=revoked_by, force=force)
        self._schedule(consent)

    def update(self, consent: Consent, data: Mapping[str, Any]) -> None:
        """Change members of `Data` that are not the status, such as `PaymentConsumption`.

        Raises:
            UnusableInputError: a member that the hub alone writes.
        """
        consent.data |= _free_members(data)

    def flip(self, consent: Consent) -> bool:
        """Make the moves whose time has come; tells whether there were any."""
        moved = False
        while (change := consent.next_flip(self.expiry)) is not None and change.status_update_date_time <= self._now():
            began = self._clock.cut(change.status_update_date_time)
            consent.move(change.status, max(began, consent.status_update_date_time), force=True)
            moved = True
        return moved

    def flip_due(self) -> list[Consent]:
        """Make every move whose time has come; gives the consents that moved."""
        moved = []
        while self._due and self._due[0][0] <= self._now():
            consent = self._consents[heapq.heappop(self._due)[1]]
            if self.flip(consent):
                moved.append(consent)
        return moved

    def set_expiry(self, expiry: ExpiryPolicy) -> None:
        """Change the hub's policy, also for consents staged before."""
        self.expiry = expiry
        self._due.clear()
        for consent in self._consents.values():
            self._schedule(consent)

    def _schedule(self, consent: Consent) -> None:
        change = consent.next_flip(self.expiry)
        if change is not None:
            heapq.heappush(self._due, (change.status_update_date_time, consent.consent_id))

    def _now(self) -> datetime:
        return self._clock.now()

    def _resolve(self, limit: datetime | timedelta, creation: datetime) -> datetime:
        return self._clock.cut(creation + limit if isinstance(limit, timedelta) else limit)


def _check_id(consent_id: str) -> None:
    if not 1 <= len(consent_id) <= MAX_ID_LENGTH:
        raise UnusableInputError(f"a consent id has 1 to {MAX_ID_LENGTH} characters")


def _free_members(data: Mapping[str, Any] | None) -> dict[str, Any]:
    members = deepcopy(dict(data or {}))
    if kept := KEPT_BY_THE_HUB & members.keys():
        raise UnusableInputError(f"the hub itself writes {', '.join(sorted(kept))}")
    return members
