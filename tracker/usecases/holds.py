"""Legal holds: a consent on which one lies stays, whatever its clocks say, until it is lifted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tracker.domain.consent import Channel, TrackingId
from tracker.domain.errors import ConsentNotFoundError, HoldNotFoundError
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Store, Transaction
from tracker.ports.retention import Hold, RetentionStore
from tracker.usecases.drafting import draft_of
from tracker.usecases.persons import consents_of
from tracker.usecases.recording import Office
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

PLACED: Final = "consent.hold_placed"
LIFTED: Final = "consent.hold_lifted"

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """What a hold is to be put on: one consent, or all that a person has now.

    Attributes:
        tracking_id: The consent.
        user_ref: The person; what is registered for this person afterwards is not covered.
        reason: Why, in a sentence or by a file number.
        placed_by: Who places it.
    """

    tracking_id: TrackingId | None = None
    user_ref: str | None = None
    reason: str
    placed_by: str


class Holds:
    """Places and lifts legal holds."""

    def __init__(
        self,
        store: Store,
        readings: RetentionStore,
        office: Office,
        journal_bell: Bell,
        trail: Trail | None = None,
    ) -> None:
        self._store = store
        self._readings = readings
        self._office = office
        self._journal_bell = journal_bell
        self._trail = trail or Trail()

    async def place(self, placing: Placing) -> list[Hold]:
        """Put a hold on a consent, or on all of a person's: they have one id.

        Raises:
            ConsentNotFoundError: There is none to put it on.
        """
        found = await self._meant(placing)
        if not found:
            raise ConsentNotFoundError("There is no consent to put the hold on.")
        hold_id, placed = self._office.ids.ordered(), []
        for consent in found:
            hold = Hold(
                id=hold_id,
                tracking_id=consent.tracking_id,
                reason=placing.reason,
                placed_by=placing.placed_by,
                placed_at=self._office.clock.now(),
            )
            entries = await self._store.transact(partial(_place, self._office, hold))
            self._told(entries)
            placed += [hold] if entries else []  # one that went in this moment cannot be held
        if not placed:
            raise ConsentNotFoundError("There is no consent to put the hold on.")
        return placed

    async def _meant(self, placing: Placing) -> Sequence[TrackedConsent]:
        if placing.user_ref is not None:
            return [consent async for consent in consents_of(self._store, placing.user_ref)]
        one = None if placing.tracking_id is None else await self._store.get_consent(placing.tracking_id)
        return [] if one is None else [one]

    async def lift(self, hold_id: str, reason: str, lifted_by: str) -> int:
        """Lift a hold from all consents that it lies on; say how many these were.

        Raises:
            HoldNotFoundError: It lies on none.
        """
        lifted = 0
        for hold in await self.standing(hold_id):
            entries = await self._store.transact(partial(_lift, self._office, hold, reason, lifted_by))
            self._told(entries)
            lifted += len(entries)
        if not lifted:
            raise HoldNotFoundError
        return lifted

    async def standing(self, hold_id: str | None = None) -> list[Hold]:
        """All holds that stand, or those of one id, in the order in which they were placed."""
        found: list[Hold] = []
        after = ("", "") if hold_id is None else (hold_id, "")
        while page := await self._readings.holds(_PAGE, after):
            found += [hold for hold in page if hold_id in {None, hold.id}]
            after = page[-1].id, page[-1].tracking_id
            if hold_id is not None and after[0] != hold_id:
                break
        return found

    def _told(self, entries: Sequence[Entry]) -> None:
        self._trail.appended(entries)
        if entries:
            self._journal_bell.ring()


def _place(office: Office, hold: Hold, transaction: Transaction) -> list[Entry]:
    consent = transaction.lock_tracked([hold.tracking_id]).get(hold.tracking_id)
    if consent is None or not transaction.disposals.place_hold(hold):
        return []
    return _tell(
        office, transaction, consent, PLACED, {"hold_id": hold.id, "reason": hold.reason, "by": hold.placed_by}
    )


def _lift(office: Office, hold: Hold, reason: str, lifted_by: str, transaction: Transaction) -> list[Entry]:
    consent = transaction.lock_tracked([hold.tracking_id]).get(hold.tracking_id)
    if consent is None or hold not in transaction.disposals.holds_of(hold.tracking_id):
        return []
    transaction.disposals.lift_hold(hold)
    return _tell(office, transaction, consent, LIFTED, {"hold_id": hold.id, "reason": reason, "by": lifted_by})


def _tell(
    office: Office, transaction: Transaction, consent: TrackedConsent, entry_type: str, private: dict[str, str]
) -> list[Entry]:
    said = draft_of(office, consent, entry_type, channel=Channel.OPERATOR, reason=None, private=private)
    return transaction.append([said], office.clock.now())
