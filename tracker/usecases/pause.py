"""Pause a consent, and resume it: ours alone, told to subscribers and to nobody else.

Spec: architecture of this tracker, the table of states: on an authorized consent that is no single payment; it stays while
the holder suspends and restores the consent, and ends with the consent.
"""

from dataclasses import replace
from functools import partial

from tracker.domain.changed import changed
from tracker.domain.consent import Status, TrackingId
from tracker.domain.errors import NotPausableError, RevocationPendingError
from tracker.domain.overlay import Deed
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Store, Transaction
from tracker.usecases.deed import Condition, held_for_a_deed
from tracker.usecases.recording import Office
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell


class Pausing:
    """Pauses and resumes consents. Doing it twice is doing it once."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, trail: Trail | None = None) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._trail = trail or Trail()

    async def pause(self, tracking_id: TrackingId, condition: Condition | None = None) -> None:
        """Do not use a consent until it is resumed.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ProviderNotFoundError: Its provider has left the configuration.
            NotPausableError: It is not authorized, or is for a single payment.
            RevocationPendingError: The holder has been asked to revoke it.
        """
        await self._set(tracking_id, paused=True, condition=condition)

    async def resume(self, tracking_id: TrackingId, condition: Condition | None = None) -> None:
        """Use it again, as far as nothing else stands against it.

        Raises:
            ConsentNotFoundError: It is not tracked.
            ProviderNotFoundError: Its provider has left the configuration.
            RevocationPendingError: The holder has been asked to revoke it.
        """
        await self._set(tracking_id, paused=False, condition=condition)

    async def _set(self, tracking_id: TrackingId, *, paused: bool, condition: Condition | None) -> None:
        entries = await self._store.transact(partial(_set, self._office, tracking_id, paused, condition))
        self._trail.appended(entries)
        if entries:
            self._journal_bell.ring()


def _set(
    office: Office,
    tracking_id: TrackingId,
    paused: bool,  # noqa: FBT001 - the only fact of the deed
    condition: Condition | None,
    transaction: Transaction,
) -> list[Entry]:
    recording, consent = held_for_a_deed(office, tracking_id, condition, transaction)
    if consent.overlay.paused is not paused:
        _require_allowed(office, consent, paused=paused)
        done = changed(consent, overlay=replace(consent.overlay, paused=paused))
        recording.deed(done, Deed.PAUSED if paused else Deed.RESUMED)
    return recording.finish()


def _require_allowed(office: Office, consent: TrackedConsent, *, paused: bool) -> None:
    if consent.overlay.revoking:
        raise RevocationPendingError
    if not paused:
        return
    profile = office.providers.require(consent.provider).profile
    if consent.told.status is not Status.AUTHORIZED:
        raise NotPausableError(f"Only an authorized consent can be paused; it is {consent.told.status}.")
    if not profile.may_be_paused(consent.kind, consent.terms):
        raise NotPausableError("A single payment cannot be paused: it is made or it is not.")
