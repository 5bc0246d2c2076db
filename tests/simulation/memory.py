"""`ports.Store` in memory, as far as recording, asking and the clock need it: hundreds of times faster than a disk.

It keeps what it is given as it is and has no rules of its own. That it behaves as the real one does is shown by simulating
the same thing on both, which must end in the same journal.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import TypeVar

from tracker.domain.changed import changed
from tracker.domain.consent import ProviderId, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.report import Claim
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry, seal
from tracker.ports import AskLine, Confirmation, Evidence, InboxItem, Name, OtherEvent, Quarantined, StoredReport

T = TypeVar("T")

SOURCE = "urn:uuid:0198f1c0-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Due:
    """When a consent is due in which line."""

    ask: datetime | None
    urgent: datetime | None
    queued: datetime | None
    tick: datetime | None


class Line:
    """What is due, the longest overdue first. What was saved since with another time is passed over."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, TrackingId]] = []

    def put(self, due: datetime | None, key: TrackingId) -> None:
        """Note when something is due."""
        if due is not None:
            heappush(self._heap, (due, key))

    def take(
        self,
        now: datetime,
        limit: int,
        is_still: Callable[[TrackingId, datetime], bool],
        fits: Callable[[TrackingId], bool],
    ) -> list[TrackingId]:
        """Give what is due, as far as it fits; it stays in the line until it is saved with another time."""
        found: dict[TrackingId, None] = {}
        seen: list[tuple[datetime, TrackingId]] = []
        while self._heap and self._heap[0][0] <= now and len(found) < limit:
            due, key = heappop(self._heap)
            if not is_still(key, due):
                continue
            seen.append((due, key))
            if fits(key):
                found[key] = None
        for one in set(seen):
            heappush(self._heap, one)
        return list(found)


class MemoryStore:
    """Keeps everything in dictionaries. A script that raises may leave half of its work: nothing here makes one raise."""

    def __init__(self) -> None:
        self.consents: dict[TrackingId, TrackedConsent] = {}
        self.names: dict[Name, TrackingId] = {}
        self.due: dict[TrackingId, Due] = {}
        self.claims: dict[TrackingId, set[Claim]] = defaultdict(set)
        self.digests: set[str] = set()
        self.waiting: dict[Name, dict[str, StoredReport]] = defaultdict(dict)
        self.inbox: set[str] = set()
        self.entries: list[Entry] = []
        self.asks: dict[tuple[ProviderId, AskLine], Line] = defaultdict(Line)
        self.ticks = Line()

    async def transact(self, script: "Callable[[MemoryTransaction], T]") -> T:
        """Run a script."""
        return script(MemoryTransaction(self))

    async def admit(self, item: InboxItem) -> None:
        """Keep the id of an event: whoever brings it opens it himself."""
        self.inbox.add(item.id)

    async def get_consent(self, tracking_id: TrackingId) -> TrackedConsent | None:
        """Look a consent up by our key."""
        return self.consents.get(tracking_id)

    async def entries_after(self, sequence: int, limit: int, up_to: int | None = None) -> list[Entry]:
        """Read the journal in sequence."""
        return self.entries[sequence : sequence + limit]

    async def close(self) -> None:
        """Nothing waits."""


class MemoryTransaction:
    """Implements `ports.Transaction`, as far as it is needed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def lock_named(self, names: Collection[Name]) -> dict[Name, TrackedConsent]:
        """Give the consents that have these names."""
        store = self._store
        return {name: store.consents[store.names[name]] for name in sorted(names) if name in store.names}

    def lock_tracked(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, TrackedConsent]:
        """Give these consents."""
        return {key: self._store.consents[key] for key in tracking_ids if key in self._store.consents}

    def lock_due_asks(
        self, provider: ProviderId, now: datetime, limit: int, line: AskLine = AskLine.ORDINARY
    ) -> list[TrackedConsent]:
        """Give what is due in a line, skipping what is leased."""
        due, consents = self._store.due, self._store.consents

        def is_free(key: TrackingId) -> bool:
            leased_until = consents[key].asking.leased_until
            return leased_until is None or leased_until <= now

        def is_not_urgent(key: TrackingId) -> bool:
            urgent = due[key].urgent
            return is_free(key) and (urgent is None or urgent > now)

        waiting = self._store.asks[provider, line]
        match line:
            case AskLine.URGENT:
                keys = waiting.take(now, limit, lambda key, at: due[key].urgent == at, is_free)
            case AskLine.ORDINARY:
                keys = waiting.take(now, limit, lambda key, at: due[key].ask == at, is_not_urgent)
            case AskLine.QUEUED:
                keys = waiting.take(now, limit, lambda key, at: due[key].queued == at, lambda _: True)
        return [consents[key] for key in keys]

    def lock_due_ticks(
        self, now: datetime, limit: int, providers: Collection[ProviderId] | None = None
    ) -> list[TrackedConsent]:
        """Give consents about which the clock has something to tell."""
        due, consents = self._store.due, self._store.consents
        keys = self._store.ticks.take(now, limit, lambda key, at: due[key].tick == at, lambda _: True)
        return [consents[key] for key in keys if providers is None or consents[key].provider in providers]

    def known_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these are on record."""
        return self._store.digests.intersection(digests)

    def known_claims(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, set[Claim]]:
        """The claims on record for each consent."""
        return {key: set(self._store.claims[key]) for key in tracking_ids}

    def waiting_reports(self, names: Collection[Name]) -> dict[Name, list[StoredReport]]:
        """Reports that came before their consent was registered."""
        found = {name: list(self._store.waiting.pop(name, {}).values()) for name in names}
        return {name: sorted(some, key=lambda stored: stored.report.received_at) for name, some in found.items()}

    def save(
        self,
        consent: TrackedConsent,
        decision: Decision,
        *,
        next_ask_at: datetime | None,
        next_tick_at: datetime | None,
        urgent_ask_at: datetime | None = None,
        queued_ask_at: datetime | None = None,
    ) -> None:
        """Keep a consent as it is."""
        store, key = self._store, consent.tracking_id
        known = store.consents.get(key)
        last = None if known is None else known.last_sequence
        store.consents[key] = changed(consent, last_sequence=last)
        store.names[consent.provider, consent.consent_id] = key
        store.due[key] = Due(next_ask_at, urgent_ask_at, queued_ask_at, next_tick_at)
        store.asks[consent.provider, AskLine.ORDINARY].put(next_ask_at, key)
        store.asks[consent.provider, AskLine.URGENT].put(urgent_ask_at, key)
        store.asks[consent.provider, AskLine.QUEUED].put(queued_ask_at, key)
        store.ticks.put(next_tick_at, key)

    def add_report(self, report: StoredReport, evidence: Evidence | None) -> None:
        """Remember what was claimed."""
        self._store.digests.add(report.report.digest)
        if report.tracking_id is None:
            self._store.waiting[report.provider, report.consent_id][report.report.digest] = report
        else:
            self._store.claims[report.tracking_id].add(report.report.claim)

    def add_other_event(self, event: OtherEvent, evidence: Evidence) -> None:
        """Remember that it came."""
        self._store.digests.add(event.digest)

    def count_repeat(self, digest: str) -> None:
        """Nobody reads it here."""

    def add_confirmation(self, confirmation: Confirmation) -> None:
        """Nobody reads it here."""

    def quarantine(self, event: Quarantined) -> None:
        """Nobody reads it here."""

    def take_from_inbox(self, ids: Collection[str]) -> set[str]:
        """Give those that were there."""
        there = self._store.inbox.intersection(ids)
        self._store.inbox -= there
        return there

    def append(self, drafts: Sequence[Draft], now: datetime) -> list[Entry]:
        """Seal the drafts in order."""
        store, sealed = self._store, []
        for draft in drafts:
            key = TrackingId(draft.tracking_id)
            sequence = len(store.entries) + 1
            previous = store.consents[key].last_sequence
            entry = seal(draft, sequence=sequence, previous=previous, recorded_at=now, source=SOURCE)
            store.consents[key] = changed(store.consents[key], last_sequence=sequence)
            store.entries.append(entry)
            sealed.append(entry)
        return sealed
