"""Ask about the others of a base group when the holder has revoked one of it.

A holder may revoke a whole group by one deed, and not every event of it arrives. The recording that learns of the first marks
that consent's row, whichever door the news came by, and that is all it does: the others are held and marked afterwards, in
a transaction of its own that takes all rows in one order. So no recording waits for rows that it did not know of, and
a process that dies in between loses nothing.

They are asked about at once, and again past the settling time: a holder's reads may lag behind its deeds.
"""

from datetime import datetime
from functools import partial

from tracker.domain import schedule
from tracker.domain.changed import changed
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Store, Transaction
from tracker.usecases.recording import Office, Recording
from tracker.usecases.wake import Bell

_AT_ONCE = 20


class Siblings:
    """Makes us ask about consents of the same base group."""

    def __init__(self, store: Store, office: Office, ask_bell: Bell) -> None:
        self._store = store
        self._office = office
        self._ask_bell = ask_bell

    async def run_once(self) -> int:
        """See to all revoked consents whose siblings are wanted, and say how many these were.

        Raises:
            StorageError: The database is away; what is left is still marked.
        """
        total = 0
        while True:
            revoked, wanted = await self._store.transact(partial(_want_siblings, self._office))
            total += revoked
            if wanted:
                self._ask_bell.ring()
            if not revoked:
                return total


def _want_siblings(office: Office, transaction: Transaction) -> tuple[int, int]:
    groups = transaction.lock_revoked(office.clock.now(), _AT_ONCE, [provider.id for provider in office.providers])
    held = {one.tracking_id: one for group in groups.siblings.values() for one in group}
    held |= {one.tracking_id: one for one in groups.revoked}
    recording = Recording(transaction, office, held.values())
    wanted = 0
    for revoked in groups.revoked:
        siblings = [one for one in groups.siblings[revoked.tracking_id] if _is_open(office, one)]
        wanted += len(siblings)
        for one in siblings:
            current = recording.current(one.tracking_id)
            recording.change(changed(current, asking=changed(current.asking, requested_at=recording.now)))
        again_at = _again_at(office, revoked) if siblings else None
        current = recording.current(revoked.tracking_id)
        recording.change(changed(current, asking=changed(current.asking, siblings_wanted_at=again_at)))
    recording.finish()
    return len(groups.revoked), wanted


def _is_open(office: Office, consent: TrackedConsent) -> bool:
    return consent.decision(office.providers.kind_of(consent).rules).status.is_open


def _again_at(office: Office, revoked: TrackedConsent) -> datetime | None:
    """When to ask once more; None after that."""
    learned_at, wanted_at = revoked.learned_at, revoked.asking.siblings_wanted_at
    if learned_at is None or wanted_at is None:
        return None
    settling = office.providers.kind_of(revoked).rules.settling
    again_at = schedule.siblings_again_at(learned_at, settling)
    return again_at if wanted_at < again_at else None
