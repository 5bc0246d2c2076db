"""Let the clock speak: consents whose expiry has passed are told so at that instant, whatever their holders repeat.

And consents that nobody has finished authorizing: that is told once, and the holder is asked; later, if that is wanted, it is
asked to revoke them.
"""

from functools import partial
from typing import Final

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, TrackingId
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Store, Transaction
from tracker.usecases.abandoned import give_up
from tracker.usecases.drafting import draft_of
from tracker.usecases.overdue import alarm
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_AT_ONCE = 200
AUTHORIZATION_OVERDUE: Final = "consent.authorization_overdue"


class Expiry:
    """Tells what the clock alone changes."""

    def __init__(
        self, store: Store, office: Office, journal_bell: Bell, ask_bell: Bell, trail: Trail | None = None
    ) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._ask_bell = ask_bell
        self._trail = trail or Trail()

    async def run_once(self) -> int:
        """Tell all that is due, and say how many consents it was."""
        total = 0
        while True:
            count, entries, overdue = await self._store.transact(partial(_tick_due, self._office))
            total += count
            alarm(overdue)
            self._trail.appended(entries)
            if entries:
                self._journal_bell.ring()
                self._ask_bell.ring()  # the holder is asked at once whether it agrees
            if count < _AT_ONCE:
                return total


def _tick_due(office: Office, transaction: Transaction) -> tuple[int, list[Entry], list[TrackedConsent]]:
    # Consents of a provider that has left the configuration have no rules to judge them by: they wait for it to come back,
    # and must not stop the clock for the others.
    known = {provider.id for provider in office.providers}
    due = transaction.lock_due_ticks(office.clock.now(), _AT_ONCE, known)
    recording = Recording(transaction, office, due)
    for consent in due:
        recording.tick(consent.tracking_id)
        _tell_overdue(office, recording, consent.tracking_id)
        give_up(office, recording, consent.tracking_id)
    return len(due), recording.finish(), recording.overdue


def _tell_overdue(office: Office, recording: Recording, tracking_id: TrackingId) -> None:
    consent = recording.current(tracking_id)
    decision = consent.decision(office.providers.kind_of(consent).rules)
    due = consent.overdue_from(decision, office.pace.authorization_overdue)
    if due is None or due > recording.now:
        return
    journey, asking = consent.journey, consent.asking
    recording.change(
        changed(
            consent,
            journey=changed(journey, overdue_at=recording.now),
            asking=changed(asking, requested_at=recording.now),
        )
    )
    reason = "no_callback" if journey.returned_at is None else "not_finished"
    told = consent.told.status.value
    recording.tell(
        draft_of(office, consent, AUTHORIZATION_OVERDUE, channel=Channel.CLOCK, reason=reason, to_status=told)
    )
