"""`ports.Store` in memory, as far as recording, asking and the clock need it: hundreds of times faster than a disk.

It keeps what it is given as it is and has no rules of its own. That it behaves as the real one does is shown by simulating
the same thing on both, which must end in the same journal.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import TypeVar

from tracker.domain.belief import Belief
from tracker.domain.changed import changed
from tracker.domain.consent import OPEN, Channel, ProviderId, Status, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.hearing import Hearing
from tracker.domain.payment import Payment
from tracker.domain.report import Claim
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry, seal
from tracker.ports import (
    AS_IT_IS,
    AskLine,
    Confirmation,
    Evidence,
    Health,
    InboxItem,
    Ledger,
    Name,
    OtherEvent,
    PaymentKey,
    ProviderFacts,
    Quarantined,
    RevokedGroups,
    Signs,
    StoredReport,
)
from tracker.ports.retention import Tombstone
from tracker.profiles import PROFILES

T = TypeVar("T")

_RULES = {name: kind.rules for name, kind in PROFILES["uae-v2.1"].kinds.items()}
SOURCE = "urn:uuid:0198f1c0-0000-7000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Due:
    """When a consent is due in which line."""

    ask: datetime | None
    urgent: datetime | None
    queued: datetime | None
    tick: datetime | None
    steady: datetime | None
    suspected: datetime | None
    status: Status


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
        self.last_of: dict[str, int] = {}
        self.asks: dict[tuple[ProviderId, str], Line] = defaultdict(Line)
        self.wanting: set[TrackingId] = set()
        self.groups: dict[str, set[TrackingId]] = defaultdict(set)
        self.heard: set[tuple[TrackingId, Status, datetime]] = set()
        self.ledgers: dict[str, Ledger] = {}
        self.health: dict[ProviderId, Health] = {}
        self.read_up_to = 0
        self.awaited: dict[int, datetime] = {}
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

    # what is known of the providers

    async def head(self) -> int:
        """The sequence of the last entry."""
        return len(self.entries)

    async def provider_health(self) -> dict[ProviderId, Health]:
        """How the providers are doing of which anything is known."""
        return self.health

    async def provider_facts(
        self, providers: Collection[ProviderId], now: datetime, since: datetime
    ) -> dict[ProviderId, ProviderFacts]:
        """What is known of these providers, but for what was counted of moves."""
        return {
            one: ProviderFacts(
                ledger=changed(self.ledgers[one], at=now) if one in self.ledgers else Ledger(at=now),
                health=self.health.get(one, Health()),
                lags={},
            )
            for one in providers
        }

    async def note_signs(self, signs: Mapping[ProviderId, Signs]) -> None:
        """Keep signs of life."""
        for one, sign in signs.items():
            known = self.health.get(one, Health())
            new = {field.name: at for field in fields(Signs) if (at := getattr(sign, field.name)) is not None}
            self.health[one] = changed(known, signs=replace(known.signs, **new))

    async def scheduled(self, provider: ProviderId) -> int:
        """How many of a provider's consents will be asked about by the schedule."""
        return sum(due.ask is not None or due.steady is not None for due in self.due.values())

    async def set_stretch(self, provider: ProviderId, stretch: float) -> None:
        """Keep by how much a provider's base intervals are longer."""
        self.health[provider] = changed(self.health.get(provider, Health()), stretch=stretch)


class Forgetful:
    """`ports.BeliefBook` and `ports.DisposalBook`, where nobody asks what was believed and nothing is disposed of."""

    def add(self, beliefs: Sequence[Belief]) -> None:
        """Keep nothing."""

    def tombstones(self, names: Collection[Name]) -> dict[Name, Tombstone]:
        """None has gone."""
        return {}

    def late_digests(self, digests: Collection[str]) -> set[str]:
        """Nothing comes after that."""
        return set()


class MemoryTransaction:
    """Implements `ports.Transaction`, as far as it is needed."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.providers = MemoryBook(store)
        self.beliefs = Forgetful()
        self.disposals = Forgetful()

    def release_claimed(self, names: Collection[Name], most_each: int, now: datetime) -> list[str]:
        """Nothing is put aside here."""
        return []

    def lock_named(self, names: Collection[Name]) -> dict[Name, TrackedConsent]:
        """Give the consents that have these names."""
        store = self._store
        return {name: store.consents[store.names[name]] for name in sorted(names) if name in store.names}

    def lock_tracked(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, TrackedConsent]:
        """Give these consents."""
        return {key: self._store.consents[key] for key in tracking_ids if key in self._store.consents}

    def named_as_roots(self, names: Collection[Name]) -> set[Name]:
        """Which of these names other consents have for the root of their chain."""
        roots = {(one.provider, one.base_consent_id) for one in self._store.consents.values() if one.base_consent_id}
        return {name for name in names if name in roots}

    def lock_payments(self, keys: Collection[PaymentKey]) -> dict[PaymentKey, Payment]:
        """No holder here tells of payments."""
        return {}

    def payments_under(self, names: Collection[Name]) -> dict[Name, list[Payment]]:
        """No holder here tells of payments."""
        return {}

    def lock_due_asks(
        self,
        provider: ProviderId,
        now: datetime,
        limit: int,
        line: AskLine = AskLine.ORDINARY,
        tempo: Tempo = AS_IT_IS,
    ) -> list[TrackedConsent]:
        """Give what is due in a line, skipping what is leased."""
        due, consents = self._store.due, self._store.consents

        def is_free(key: TrackingId) -> bool:
            leased_until = consents[key].asking.leased_until
            return leased_until is None or leased_until <= now

        def is_doubtful(key: TrackingId) -> bool:
            return is_free(key) and consents[key].asking.doubted_at is not None

        def is_urgent(key: TrackingId) -> bool:
            return is_free(key) and consents[key].asking.doubted_at is None

        def is_not_urgent(key: TrackingId) -> bool:
            urgent = due[key].urgent
            return is_free(key) and (urgent is None or urgent > now)

        def may_be_asked(key: TrackingId) -> bool:
            not_before = consents[key].asking.not_before
            return is_free(key) and (not_before is None or not_before <= now)

        asks = self._store.asks
        match line:
            case AskLine.DOUBTFUL:
                keys = asks[provider, "urgent"].take(now, limit, lambda key, at: due[key].urgent == at, is_doubtful)
            case AskLine.URGENT:
                keys = asks[provider, "urgent"].take(now, limit, lambda key, at: due[key].urgent == at, is_urgent)
            case AskLine.SUSPECTED:
                keys = asks[provider, "suspected"].take(
                    now, limit, lambda key, at: due[key].suspected == at, may_be_asked
                )
            case AskLine.ORDINARY:
                found = asks[provider, "ask"].take(now, limit, lambda key, at: due[key].ask == at, is_not_urgent)
                overdue = {key: due[key].ask or now for key in found}
                for status, earlier in tempo.earlier.items():
                    found = asks[provider, status].take(
                        now + earlier,
                        limit,
                        lambda key, at, status=status: due[key].steady == at and due[key].status is status,
                        is_not_urgent,
                    )
                    overdue |= {key: (due[key].steady or now) - earlier for key in found}
                keys = sorted(overdue, key=lambda key: overdue[key])[:limit]
            case AskLine.QUEUED:
                keys = asks[provider, "queued"].take(now, limit, lambda key, at: due[key].queued == at, is_free)
        return [consents[key] for key in keys]

    def lock_revoked(self, now: datetime, limit: int, providers: Collection[ProviderId]) -> RevokedGroups:
        """Give consents whose siblings are wanted, and these."""
        store = self._store
        revoked = [
            store.consents[key]
            for key in sorted(store.wanting)
            if (at := store.consents[key].asking.siblings_wanted_at) is not None and at <= now
        ][:limit]
        siblings = {
            one.tracking_id: [
                store.consents[key]
                for key in sorted(store.groups[one.base_consent_id or one.consent_id])
                if key != one.tracking_id and store.consents[key].decision(_RULES[one.kind]).status in OPEN
            ]
            for one in revoked
        }
        return RevokedGroups(revoked, siblings)

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
        next_notice_at: datetime | None = None,  # nobody is told of anything before it comes
        steady_ask_at: datetime | None = None,
    ) -> None:
        """Keep a consent as it is."""
        store, key = self._store, consent.tracking_id
        known = store.consents.get(key)
        last = None if known is None else known.last_sequence
        store.consents[key] = changed(consent, last_sequence=last)
        store.names[consent.provider, consent.consent_id] = key
        suspected_at = consent.asking.suspected_at
        store.due[key] = Due(
            next_ask_at, urgent_ask_at, queued_ask_at, next_tick_at, steady_ask_at, suspected_at, decision.status
        )
        store.asks[consent.provider, "ask"].put(next_ask_at, key)
        store.asks[consent.provider, "urgent"].put(urgent_ask_at, key)
        store.asks[consent.provider, "queued"].put(queued_ask_at, key)
        store.asks[consent.provider, "suspected"].put(suspected_at, key)
        store.asks[consent.provider, decision.status].put(steady_ask_at, key)
        store.groups[consent.base_consent_id or consent.consent_id].add(key)
        if consent.asking.siblings_wanted_at is not None:
            store.wanting.add(key)
        else:
            store.wanting.discard(key)
        store.ticks.put(next_tick_at, key)

    def add_report(self, report: StoredReport, evidence: Evidence | None) -> None:
        """Remember what was claimed."""
        self._store.digests.add(report.report.digest)
        if report.tracking_id is None:
            self._store.waiting[report.provider, report.consent_id][report.report.digest] = report
        else:
            self._store.claims[report.tracking_id].add(report.report.claim)
            if report.report.channel is Channel.WEBHOOK:
                self._store.heard.add((report.tracking_id, *report.report.claim))

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
            sequence = len(store.entries) + 1
            previous = store.last_of.get(draft.lane)
            entry = seal(draft, sequence=sequence, previous=previous, recorded_at=now, source=SOURCE)
            store.last_of[draft.lane] = sequence
            if draft.tracking_id is not None:
                key = TrackingId(draft.tracking_id)
                store.consents[key] = changed(store.consents[key], last_sequence=sequence)
            store.entries.append(entry)
            sealed.append(entry)
        return sealed


class MemoryBook:
    """Implements `ports.ProviderBook`, but for what is counted of moves."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def lock_ledger(self, provider: ProviderId, now: datetime) -> Ledger:
        """Give a provider's ledger."""
        known = self._store.ledgers.get(provider)
        return Ledger(at=now) if known is None else changed(known, at=now)

    def save_ledger(self, provider: ProviderId, ledger: Ledger) -> None:
        """Keep it."""
        self._store.ledgers[provider] = ledger

    def read_on(self, reading: str, limit: int) -> list[Entry]:
        """Go on with the reading of the journal."""
        found = self._store.entries[self._store.read_up_to : self._store.read_up_to + limit]
        self._store.read_up_to += len(found)
        return found

    def registered_at(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, datetime]:
        """When tracking of these consents began."""
        return {key: self._store.consents[key].registered_at for key in tracking_ids if key in self._store.consents}

    def count_moves(self, counted: object) -> None:
        """Nobody reads it here."""

    def await_events(self, found: Mapping[int, datetime]) -> None:
        """Wait for events of moves that polls found."""
        self._store.awaited |= found

    def overdue(self, now: datetime, limit: int) -> list[Entry]:
        """What was waited for long enough."""
        due = sorted((at, sequence) for sequence, at in self._store.awaited.items() if at <= now)
        return [self._store.entries[sequence - 1] for _, sequence in due[:limit]]

    def settle(self, sequences: Collection[int]) -> None:
        """Wait for these no longer."""
        for sequence in sequences:
            del self._store.awaited[sequence]

    def is_told(self, tracking_id: TrackingId, status: Status, status_date_time: datetime) -> bool:
        """Whether an event with this claim is on record; here both are cut to the same second."""
        return (tracking_id, status, status_date_time) in self._store.heard

    def lock_health(self, provider: ProviderId) -> Health:
        """What is known of a provider."""
        return self._store.health.get(provider, Health())

    def save_hearing(self, provider: ProviderId, hearing: Hearing) -> None:
        """Keep whether a provider's events come."""
        self._store.health[provider] = changed(self.lock_health(provider), hearing=hearing)
