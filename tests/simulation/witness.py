"""Looks over the tracker's shoulder: at everything that it commits, whichever store it commits to.

After each transaction it checks what must hold at every instant, and hands on what was saved to whoever measures.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Any, TypeVar

from tests.simulation.holder import Life
from tests.simulation.simulated_time import SimulatedClock, running_loop
from tracker.domain.consent import Status
from tracker.domain.decision import Decision, decide
from tracker.domain.moves import Rules
from tracker.domain.report import Report
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.ports import Evidence, StoredReport

T = TypeVar("T")

_LONGEST_WAIT = timedelta(days=2)
_EVERY_SO_OFTEN = 25  # saves that told nothing are compared with the set function now and then: that takes long


@dataclass(frozen=True, slots=True)
class Saved:
    """What one transaction wrote of one consent."""

    consent: TrackedConsent
    decision: Decision
    due: Mapping[str, datetime | None]


@dataclass(slots=True)
class Notes:
    """What one transaction wrote."""

    saved: list[Saved] = field(default_factory=list)
    reports: list[StoredReport] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that must never be so, and was."""

    consent_id: str
    what: str
    at: datetime


@dataclass
class Case:
    """What the witness keeps of one consent."""

    life: Life
    rules: Rules
    heard: dict[str, Report] = field(default_factory=dict)
    version: int = 0
    has_ended: bool = False
    told: tuple[Status, bool] = (Status.NOT_STAGED, False)
    last_entry: int | None = None
    saves: int = 0
    latest: Saved | None = None
    ask_at: datetime | None = None


class Queue:
    """Instants at which something is due, the earliest first; what was put off meanwhile is passed over."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._now: dict[str, datetime | None] = {}
        self._waiting: tuple[datetime | None, asyncio.Future[None]] | None = None

    def put(self, key: str, due: datetime | None) -> None:
        """Note when a consent is due; None: never."""
        if self._now.get(key) != due:
            self._now[key] = due
            if due is not None:
                heappush(self._heap, (due, key))
                self._wake(due)

    def _wake(self, due: datetime) -> None:
        if self._waiting is not None and (self._waiting[0] is None or due < self._waiting[0]):
            if not self._waiting[1].done():
                self._waiting[1].set_result(None)
            self._waiting = None

    def earlier_than(self, due: datetime | None) -> asyncio.Future[None]:
        """Give a future that is done when something is due earlier than that, or at all; for one who waits."""
        self._waiting = (due, asyncio.get_running_loop().create_future())
        return self._waiting[1]

    def drop(self, up_to: datetime) -> None:
        """All that was due by then is done."""
        for key in [key for key, due in self._now.items() if due is not None and due <= up_to]:
            del self._now[key]

    def next(self) -> datetime | None:
        """The earliest."""
        while self._heap and self._now.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None


class Witness:
    """Sees every transaction of a run."""

    def __init__(
        self, lives: dict[str, Life], rules: dict[str, Rules], clock: SimulatedClock, on_saved: Callable[[Case], None]
    ) -> None:
        self.cases = {name: Case(life, rules[life.kind]) for name, life in lives.items()}
        self.broken: list[Broken] = []
        self.entries = 0
        self.asks, self.ticks = Queue(), Queue()
        self.due_at: Callable[[Saved], datetime | None] = lambda _: None
        self.on_notes: Callable[[Notes], None] = lambda _: None
        self._by_key: dict[str, Case] = {}
        self._clock = clock
        self._on_saved = on_saved

    def look_at(self, notes: Notes) -> None:
        """Check one transaction, and hand on what it saved."""
        now = self._clock.now()
        for saved in notes.saved:
            self._by_key.setdefault(saved.consent.tracking_id, self.cases[saved.consent.consent_id])
        for stored in notes.reports:
            if stored.tracking_id is not None:
                self._hear(self._by_key[stored.tracking_id], stored.report)
        for entry in notes.entries:
            self._read(entry, now)
        for saved in notes.saved:
            case = self.cases[saved.consent.consent_id]
            told_something = any(e.data["tracking_id"] == saved.consent.tracking_id for e in notes.entries)
            self._check(case, saved, now, thoroughly=told_something or case.saves % _EVERY_SO_OFTEN == 0)
            case.latest, case.ask_at = saved, self.due_at(saved)
            case.saves += 1
            case.version = saved.consent.version
            self.asks.put(saved.consent.tracking_id, case.ask_at)
            self.ticks.put(saved.consent.tracking_id, saved.due["next_tick_at"])
            self._on_saved(case)
        self.on_notes(notes)

    def look_again(self) -> None:
        """What makes questions due has changed: note anew when each is."""
        for case in self.cases.values():
            if case.latest is not None:
                case.ask_at = self.due_at(case.latest)
                self.asks.put(case.latest.consent.tracking_id, case.ask_at)
                self._on_saved(case)

    def break_(self, case: Case, what: str, now: datetime | None = None) -> None:
        """Note what must not be."""
        self.broken.append(Broken(case.life.consent_id, what, now or self._clock.now()))

    def _hear(self, case: Case, report: Report) -> None:
        case.heard.setdefault(report.digest, report)
        case.has_ended |= case.rules.is_end(report.status)

    def _read(self, entry: Entry, now: datetime) -> None:
        self.entries += 1
        case = self._by_key.get(str(entry.data.get("tracking_id")))
        if case is None:
            return
        if entry.previous != case.last_entry:
            self.break_(case, "an entry names another one as the one before", now)
        case.last_entry = entry.sequence
        if entry.to_status is not None:
            case.told = (Status(entry.to_status), entry.usable)

    def _check(self, case: Case, saved: Saved, now: datetime, *, thoroughly: bool) -> None:
        consent, decision = saved.consent, saved.decision
        for report in consent.summary.standing:
            self._hear(case, report)
        if (consent.told.status, consent.told.usable) != case.told:
            self.break_(case, "a subscriber stands elsewhere than the tracker", now)
        usable = decision.is_usable(now)
        if usable and case.has_ended:
            self.break_(case, "usable after a recorded end", now)
        if decision.is_usable(max(now, case.life.expires)):
            self.break_(case, "usable at or after its expiry", now)
        before = case.latest
        if consent.version < case.version or (
            before is not None and before.consent.told != consent.told and consent.version == case.version
        ):
            self.break_(case, "the version did not rise", now)
        is_open = decision.status.is_open or decision.status is Status.NOT_STAGED
        ask_at = self.due_at(saved)
        if is_open and (ask_at is None or ask_at > _latest(now, consent)):
            self.break_(case, "an open consent is not asked about any more", now)
        if thoroughly and decide(case.heard.values(), case.rules, consent.registered_expiry) != decision:
            self.break_(case, "the fold and the set function differ", now)


def _latest(now: datetime, consent: TrackedConsent) -> datetime:
    return max(now, consent.asking.not_before or now) + _LONGEST_WAIT


class WatchedStore:
    """A store, and the witness who sees what is committed to it. What a thread does for it takes no time."""

    def __init__(self, store: Any, witness: Witness) -> None:
        self._store = store
        self._witness = witness

    async def transact(self, script: Callable[[Any], T]) -> T:
        """Run a script in one transaction; the witness sees it before anybody else does."""

        def watched(transaction: Any) -> tuple[T, Notes]:
            beside = _WatchedTransaction(transaction)
            return script(beside), beside.notes

        with running_loop().standing_still():
            answer, notes = await self._store.transact(watched)
        self._witness.look_at(notes)
        return answer

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Everything else is the store's."""
        method = getattr(self._store, name)

        async def standing_still(*args: Any, **named: Any) -> Any:
            with running_loop().standing_still():
                return await method(*args, **named)

        return standing_still


class _WatchedTransaction:
    """A transaction, and notes of what it writes."""

    def __init__(self, transaction: Any) -> None:
        self._transaction = transaction
        self.notes = Notes()

    def save(self, consent: TrackedConsent, decision: Decision, **due: Any) -> None:
        self.notes.saved.append(Saved(consent, decision, due))
        self._transaction.save(consent, decision, **due)

    def add_report(self, report: StoredReport, evidence: Evidence | None) -> None:
        self.notes.reports.append(report)
        self._transaction.add_report(report, evidence)

    def append(self, drafts: list[Draft], now: datetime) -> list[Entry]:
        entries: list[Entry] = self._transaction.append(drafts, now)
        self.notes.entries += entries
        return entries

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)
