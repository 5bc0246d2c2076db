"""What subscribers must do, until they have reported it: made due from the journal, told when overdue, told when done.

What is due is found by reading the journal with a cursor of its own for each subscription, which moves in the write that makes
the rows: no entry slips through a crash, and one that never reached the subscriber is overdue all the same. Any number of
processes may take each step: whoever comes second changes nothing.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from tracker.domain.changed import changed
from tracker.domain.completion import Work
from tracker.domain.consent import Channel, TrackingId
from tracker.domain.errors import (
    CompletionConflictError,
    CompletionNotFoundError,
    ConsentNotFoundError,
    InconsistentRowError,
    InvalidRequestError,
    SubscriptionNotFoundError,
    TrackerError,
)
from tracker.domain.subscription import Subscription
from tracker.journal.entry import Draft, Entry
from tracker.ports import Store, Transaction, WorkKey, WorkQuery
from tracker.usecases.drafting import draft_of
from tracker.usecases.due_work import find_due
from tracker.usecases.recording import Office, Recording
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

OVERDUE: Final = "subscription.completion_overdue"
COMPLETED: Final = "subscription.completed"
_PAGES_AT_ONCE = 20
_TOLD_AT_ONCE = 100
_PUT_OFF_SECONDS: Final = 300.0
_AHEAD = timedelta(minutes=5)
"""A subscriber's clock may be so far ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionReport:
    """What a subscriber reports.

    Attributes:
        entry_id: The entry that asked for it.
        sequence: The same, if its id is not given.
        work: What was done.
        evidence_url: Where the proof is; it is never followed.
        done_at: When, by the subscriber's clock.
    """

    entry_id: str | None = None
    sequence: int | None = None
    work: str
    evidence_url: str
    done_at: datetime


class Completions:
    """Looks after the work that subscribers must do."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, trail: Trail | None = None) -> None:
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._trail = trail or Trail()
        self._damaged: dict[str, float] = {}  # of these rows it was said; until then they are not looked at again

    @property
    def now(self) -> datetime:
        """By what clock it is due."""
        return self._office.clock.now()

    # ------------------------------------------------------------------------------------------ becoming due

    async def run_once(self) -> int:
        """Find what has become due, and tell what is overdue; say how much was told. One that fails stops no other.

        Raises:
            TrackerError: Something could not be done; all else was.
        """
        errors: list[TrackerError] = []
        for subscription in await self._store.requiring_completion():
            try:
                await find_due(self._store, subscription, pages=_PAGES_AT_ONCE)
            except TrackerError as error:
                errors.append(error)
        total = await self._tell_all()
        if errors:
            raise errors[0]
        return total

    async def _tell_all(self) -> int:
        total = 0
        known = [
            provider.id for provider in self._office.providers
        ]  # without its provider nothing can be told of a consent
        passed_over = 0  # what stays where it is is not to keep what comes after it from being told
        while True:
            overdue, damaged = await self._store.overdue_work(self.now, _TOLD_AT_ONCE, known, passed_over)
            for error in damaged:
                self._put_off(error.row, error)
            told = await self._tell([work for work in overdue if not self._is_put_off(work.tracking_id)])
            total += told
            passed_over += len(damaged) + len(overdue) - told
            if len(overdue) + len(damaged) < _TOLD_AT_ONCE:
                return total

    def _is_put_off(self, row: str) -> bool:
        return self._damaged.get(row, float("-inf")) > self._office.clock.monotonic()

    def _put_off(self, row: str, error: InconsistentRowError) -> None:
        """Say once that a row is damaged, and look at it again only after a while."""
        if row not in self._damaged:
            _log.error("%s It is left out until somebody mends it.", error)
        if not self._is_put_off(row):
            self._damaged[row] = self._office.clock.monotonic() + _PUT_OFF_SECONDS

    async def _tell(self, overdue: Sequence[Work]) -> int:
        if not overdue:
            return 0
        try:
            entries = await self._store.transact(partial(_tell_overdue, self._office, overdue))
        except InconsistentRowError as error:
            if len(overdue) > 1:  # one damaged consent is not to keep the others from being told
                return sum([await self._tell([w]) for w in overdue if not self._is_put_off(w.tracking_id)])
            self._put_off(overdue[0].tracking_id, error)
            return 0
        self._told(entries)
        return len(entries)

    # ------------------------------------------------------------------------------------------ reports

    async def report(
        self, subscription_id: str, report: CompletionReport, check: Callable[[Subscription], None]
    ) -> Work:
        """Take a report. The same one again changes nothing.

        Args:
            subscription_id: Whose.
            report: What was done.
            check: Raises if this caller must not.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            CompletionNotFoundError: The entry asks for no such work.
            CompletionConflictError: Something else was reported of it.
            InvalidRequestError: It lies ahead.
        """
        subscription = await self._subscription(subscription_id)
        check(subscription)
        if report.done_at > self.now + _AHEAD:
            raise InvalidRequestError("done_at lies ahead.")
        work = await self._find(subscription, report)
        done, entries = await self._store.transact(partial(_take, self._office, work, report))
        self._told(entries)
        return done

    async def _subscription(self, subscription_id: str) -> Subscription:
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        return subscription

    async def _find(self, subscription: Subscription, report: CompletionReport) -> Work:
        found = await self._look_up(subscription.id, report)
        if found is None:  # whoever is quick reports before it was found to be due
            await find_due(self._store, subscription, pages=_PAGES_AT_ONCE)
            found = await self._look_up(subscription.id, report)
        if found is None:
            raise CompletionNotFoundError
        return found

    async def _look_up(self, subscription_id: str, report: CompletionReport) -> Work | None:
        if report.entry_id is not None:
            return await self._store.find_work_of_entry(subscription_id, report.entry_id, report.work)
        return await self._store.find_work((subscription_id, report.sequence or 0, report.work))

    async def list(self, subscription_id: str, wanted: WorkQuery) -> Sequence[Work]:
        """A page of what a subscriber must do.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        await self._subscription(subscription_id)
        return await self._store.work_of(subscription_id, wanted)

    def _told(self, entries: Sequence[Entry]) -> None:
        self._trail.appended(entries)
        if entries:
            self._journal_bell.ring()


def _key(work: Work) -> WorkKey:
    return work.subscription_id, work.sequence, work.work


def _tell_overdue(office: Office, overdue: Sequence[Work], transaction: Transaction) -> list[Entry]:
    held = transaction.lock_tracked({TrackingId(work.tracking_id) for work in overdue})
    recording = Recording(transaction, office, held.values())
    # Also where there is no such consent any more: nobody would ever come to an end with it.
    for work in transaction.completions.mark_overdue([_key(work) for work in overdue], recording.now):
        if TrackingId(work.tracking_id) in held:
            recording.tell(_draft(office, recording, work, OVERDUE, Channel.CLOCK, work.due_at, {}))
    return recording.finish()


def _take(office: Office, work: Work, report: CompletionReport, transaction: Transaction) -> tuple[Work, list[Entry]]:
    tracking_id = TrackingId(work.tracking_id)
    held = transaction.lock_tracked([tracking_id])
    if tracking_id not in held:
        raise ConsentNotFoundError
    recording = Recording(transaction, office, held.values())
    known = transaction.completions.find(_key(work))
    if known is None:  # the subscription was deleted meanwhile
        raise CompletionNotFoundError
    if known.reported_at is not None:
        if (known.evidence_url, known.done_at) != (report.evidence_url, report.done_at):
            raise CompletionConflictError
        return known, []
    transaction.completions.report(_key(work), report.evidence_url, report.done_at, recording.now)
    proof = {"evidence_url": report.evidence_url}
    recording.tell(_draft(office, recording, work, COMPLETED, Channel.OPERATOR, report.done_at, proof))
    entries = recording.finish()
    return transaction.completions.find(_key(work)) or known, entries


def _draft(
    office: Office,
    recording: Recording,
    work: Work,
    entry_type: str,
    channel: Channel,
    time: datetime,
    proof: dict[str, str],
) -> Draft:
    consent = recording.current(TrackingId(work.tracking_id))
    if office.providers.get(consent.provider) is None:
        # Whether it is usable by now nobody can say who does not know its provider's rules; that something was done can be.
        consent = changed(consent, told=replace(consent.told, usable=False))
    else:
        consent = recording.told_by_now(TrackingId(work.tracking_id))
    asked = {"subscription_id": work.subscription_id, "entry_id": work.entry_id, "sequence": f"{work.sequence:020d}"}
    return draft_of(
        office,
        consent,
        entry_type,
        channel=channel,
        reason=work.work,
        status_date_time=time,
        received_at=recording.now if channel is Channel.OPERATOR else None,
        private=asked | proof,
    )
