"""Let consents go whose duties have passed: one by one, each in a transaction of its own, with an entry that says so.

Whatever else speaks of a consent takes its name first, and so does this. A report that comes at the same moment is on record
before, and is looked at here, or it comes afterwards and finds the tombstone. Who is killed in between has let it go, or not.

What goes because its duties have passed goes by a clock that was seen to go steadily for a day, and not on the day on which it
falls due: it cannot be undone.

Only one process looks for them, by a lease. That spares work, and nothing hangs on it: whoever comes second finds nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from tracker.domain.consent import Channel, TrackingId
from tracker.domain.errors import InconsistentRowError, StorageError
from tracker.domain.retention import Keeping, RetentionPlan, Ties, keeping, years_before
from tracker.domain.steady_clock import NOTHING_IS_CERTAIN
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Store, Transaction
from tracker.ports.retention import DISPOSAL_LEASE, Gone, RetentionStore
from tracker.usecases.drafting import draft_of
from tracker.usecases.recording import Office
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

DISPOSED: Final = "consent.disposed"
DUTIES_PASSED: Final = "duties_passed"
ERASURE_REQUESTED: Final = "erasure_requested"

_LEASE_SECONDS: Final = 60.0
_FORGETS_EVERY: Final = timedelta(hours=1)
_AT_ONCE: Final = 500
_LOOKED_THROUGH: Final = 10
"""So many times so many are looked through at a time: a database of ten million in less than two days."""


class Disposal:
    """Lets go what may go."""

    def __init__(
        self,
        store: Store,
        readings: RetentionStore,
        office: Office,
        plan: RetentionPlan,
        journal_bell: Bell,
        holder: str,
        trail: Trail | None = None,
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            readings: What is looked up there of consents that are over.
            office: Ids and the clock.
            plan: What is kept for how long.
            journal_bell: Rings when the journal has grown.
            holder: What this process goes by.
            trail: Where deeds leave their traces.
        """
        self._store = store
        self._readings = readings
        self._office = office
        self._plan = plan
        self._journal_bell = journal_bell
        self._holder = holder
        self._trail = trail or Trail()
        self._after = ""
        self._forgot_at: datetime | None = None
        self._is_to_scrub = False
        self._looked_at: datetime | None = None
        self._is_told_of_leap = False

    async def run_once(self) -> int:
        """Look at those whose erasure was asked for and is due, and at the next of all others; say how many are gone.

        Raises:
            StorageError: The database is away; what is gone is gone.
        """
        if not await self._store.hold_leases(self._holder, [DISPOSAL_LEASE], _LEASE_SECONDS):
            return 0
        now, gone = self._office.clock.now(), 0
        certain = await self._certain(now)
        await self._forget_old(now, certain)
        for tracking_id in await self._readings.asked_for(now, _AT_ONCE):
            gone += await self._look_again(tracking_id)
        for _ in range(_LOOKED_THROUGH):
            over, last = await self._readings.over_after(self._after, _AT_ONCE, self._plan.created_before(now))
            for consent in over:
                # Most have a duty that runs for years: these need not be held to see it.
                if keeping(
                    consent,
                    self._plan.of(consent),
                    _NOTHING,
                    now,
                    goes_unasked=self._plan.goes_unasked,
                    certain=certain,
                ).may_go:
                    gone += await self._dispose(consent)
            self._after = last or ""
            if last is None or not await self._store.hold_leases(self._holder, [DISPOSAL_LEASE], _LEASE_SECONDS):
                break
        self._is_to_scrub |= gone > 0
        if self._is_to_scrub:  # until nobody stands in the way
            self._is_to_scrub = not await self._readings.scrub()
        return gone

    async def _certain(self, now: datetime) -> datetime:
        """Look at our clock, and say up to which instant all has surely passed."""
        clock = await self._store.transact(lambda transaction: transaction.disposals.look_at_clock(now))
        certain = clock.certain(now)
        if clock.since == now and self._looked_at is not None and self._looked_at != clock.since:
            if not self._is_told_of_leap:
                _log.warning(
                    "Nothing is disposed of for a day: our clock has leapt since %s", self._looked_at.isoformat()
                )
            self._is_told_of_leap = True
        else:
            self._is_told_of_leap = False
        self._looked_at = now
        return certain

    async def _forget_old(self, now: datetime, certain: datetime) -> None:
        """Forget what is about no consent of ours, once an hour."""
        if certain == NOTHING_IS_CERTAIN:
            return
        if self._forgot_at is not None and timedelta() <= now - self._forgot_at < _FORGETS_EVERY:
            return
        plan = self._plan
        bounds = years_before(certain, plan.quarantine_years), years_before(certain, plan.unregistered_years)
        while forgotten := await self._readings.forget_before(*bounds, _AT_ONCE):
            self._is_to_scrub = True
            if forgotten < _AT_ONCE:
                break
        self._forgot_at = now

    async def _look_again(self, tracking_id: TrackingId) -> bool:
        try:
            consent = await self._store.get_consent(tracking_id)
        except InconsistentRowError as error:
            _log.error("Consent %s is to be erased and cannot be read: %s", tracking_id, error)
            return False
        return consent is not None and await self._dispose(consent)

    async def _dispose(self, consent: TrackedConsent) -> bool:
        """Let one go if it may, and say whether it did. One that cannot be read does not stop the others."""
        try:
            judged = await self._store.transact(partial(dispose_if_due, self._office, self._plan, consent))
        except StorageError as error:
            if error.retryable:
                raise
            _log.error("Consent %s cannot be disposed of: %s", consent.tracking_id, error)
            return False
        self._trail.appended(judged.entries)
        if judged.entries:
            self._journal_bell.ring()
        return judged.gone is not None


_NOTHING: Final = Ties()


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of looking at a consent.

    Attributes:
        keeping: Why it stays; None: it is not there any more.
        gone: What went with it; None: it is there still.
        entries: What the journal tells of it.
    """

    keeping: Keeping | None
    gone: Gone | None = None
    entries: Sequence[Entry] = ()


def dispose_if_due(office: Office, plan: RetentionPlan, found: TrackedConsent, transaction: Transaction) -> Judged:
    """Hold a consent, look at it as it is now, and let it go if nothing stands against it."""
    consent = transaction.lock_named([found.name]).get(found.name)
    if consent is None or consent.tracking_id != found.tracking_id:
        return Judged(None)
    book, now = transaction.disposals, office.clock.now()
    ties = book.ties(consent)
    judged = keeping(
        consent, plan.of(consent), ties, now, goes_unasked=plan.goes_unasked, certain=certain_now(transaction, now)
    )
    if judged.may_go:
        return let_go(office, transaction, consent, judged, ERASURE_REQUESTED if ties.is_asked else DUTIES_PASSED)
    if ties.is_asked:
        book.look_again(consent.tracking_id, judged.look_again_at(now))
    return Judged(judged)


def certain_now(transaction: Transaction, now: datetime) -> datetime:
    """Up to which instant all has surely passed, by what was seen of our clock."""
    clock = transaction.disposals.clock()
    return NOTHING_IS_CERTAIN if clock is None else clock.certain(now)


def let_go(office: Office, transaction: Transaction, consent: TrackedConsent, judged: Keeping, reason: str) -> Judged:
    """Dispose of a consent that is held, and say so in the journal: why, and how much of what."""
    now = office.clock.now()
    gone = transaction.disposals.dispose(consent, now)
    counts = [f"{field.name}:{getattr(gone, field.name)}" for field in fields(gone)]
    told = draft_of(office, consent, DISPOSED, channel=Channel.CLOCK, reason=",".join([reason, *counts]))
    return Judged(judged, gone, transaction.append([told], now))
