"""The store against plain lists and dicts: whatever is done in whatever order, both say the same, also after opening anew."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from tests.contract.facts import (
    DEMOBANK,
    IDS,
    NewDatabase,
    OpenStore,
    a_consent,
    a_decision,
    a_quarantined,
    a_report,
    an_item,
    at,
    digest,
    draft_about,
    name_of,
    stored,
)
from tracker.domain.consent import Channel, ConsentId, Status, TrackingId
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Confirmation, ConsentQuery, InboxItem, Quarantined, StoredReport, Transaction

_NAMES = st.sampled_from(["a", "b", "c", "d"]).map(ConsentId)
_SECONDS = st.integers(0, 9)
_LATER = at(1_000)


class StoreMachine(RuleBasedStateMachine):
    """One store, and what should be in it."""

    items = Bundle("items")

    def __init__(self, open_store: OpenStore) -> None:
        super().__init__()
        self._open_store = open_store
        self._runner = asyncio.Runner()
        self._store = open_store()
        self.consents: dict[ConsentId, TrackedConsent] = {}
        self.asks: dict[ConsentId, datetime | None] = {}
        self.reports: dict[str, StoredReport] = {}
        self.inbox: dict[str, tuple[datetime, InboxItem]] = {}
        self.quarantine: list[Quarantined] = []
        self.journal: list[tuple[TrackingId, int | None]] = []

    def teardown(self) -> None:
        self._runner.run(self._store.close())
        self._runner.close()

    def _transact(self, script: Any) -> Any:
        return self._runner.run(self._store.transact(script))

    # ------------------------------------------------------------------------------------------ deeds

    @rule(name=_NAMES, ask=st.none() | _SECONDS)
    def register(self, name: ConsentId, ask: int | None) -> None:
        consent = a_consent(name)

        def script(transaction: Transaction) -> list[StoredReport]:
            if transaction.lock_named([name_of(consent)]):
                return []
            early = transaction.waiting_reports([name_of(consent)]).get(name_of(consent), [])
            due = None if ask is None else at(ask)
            transaction.save(consent, a_decision(), next_ask_at=due, next_tick_at=None)
            for waiting in early:
                transaction.add_report(replace(waiting, tracking_id=consent.tracking_id), None)
            transaction.append([draft_about(consent)], _LATER)
            return early

        early = self._transact(script)
        if name in self.consents:
            assert early == []
            return
        waiting = [r for r in self.reports.values() if r.consent_id == name]
        assert early == sorted(waiting, key=lambda r: (r.report.received_at, r.report.digest))
        for report in waiting:
            self.reports[report.report.digest] = replace(report, tracking_id=consent.tracking_id)
        self.journal.append((consent.tracking_id, None))
        self.consents[name] = replace(consent, last_sequence=len(self.journal))
        self.asks[name] = None if ask is None else at(ask)

    @rule(name=_NAMES, number=st.integers(0, 15), since=_SECONDS)
    def record(self, name: ConsentId, number: int, since: int) -> None:
        """A report comes, or comes again."""
        report = a_report(f"{name} {number}", since=since, recorded_at=at(2_000 + len(self.reports)))
        claim = stored(report, self.consents.get(name, (DEMOBANK, name)))

        def script(transaction: Transaction) -> bool:
            held = transaction.lock_named([(DEMOBANK, name)])
            if transaction.known_digests([report.digest]):
                transaction.count_repeat(report.digest)
                return True
            transaction.add_report(stored(report, held.get((DEMOBANK, name), (DEMOBANK, name))), None)
            return False

        is_repeat = self._transact(script)
        assert is_repeat == (report.digest in self.reports)
        self.reports.setdefault(report.digest, claim)

    @rule(name=_NAMES, how_many=st.integers(1, 3), ask=_SECONDS)
    def confirm(self, name: ConsentId, how_many: int, ask: int) -> None:
        """What is known is heard again, and told several times in one transaction."""
        if name not in self.consents:
            return
        changed = replace(self.consents[name], version=self.consents[name].version + 1, confirmed_at=at(ask))

        def script(transaction: Transaction) -> None:
            (held,) = transaction.lock_tracked([changed.tracking_id]).values()
            assert held == self.consents[name]
            transaction.save(changed, a_decision(Status.AUTHORIZED), next_ask_at=at(ask), next_tick_at=None)
            transaction.add_confirmation(
                Confirmation(
                    tracking_id=changed.tracking_id,
                    vouched_at=at(ask),
                    recorded_at=_LATER,
                    channel=Channel.POLL,
                    status=Status.AUTHORIZED,
                )
            )
            transaction.append([draft_about(changed) for _ in range(how_many)], _LATER)

        self._transact(script)
        previous = changed.last_sequence
        for _ in range(how_many):
            self.journal.append((changed.tracking_id, previous))
            previous = len(self.journal)
        self.consents[name] = replace(changed, last_sequence=previous)
        self.asks[name] = at(ask)

    @rule(names=st.lists(_NAMES, min_size=1, max_size=3))
    def fail(self, names: list[ConsentId]) -> None:
        """A script does all sorts of things and then raises."""

        def script(transaction: Transaction) -> None:
            held = transaction.lock_named([(DEMOBANK, name) for name in names])
            for consent in held.values():
                transaction.save(consent, a_decision(), next_ask_at=at(5), next_tick_at=None)
            transaction.take_from_inbox(list(self.inbox))
            transaction.quarantine(a_quarantined())
            transaction.append([draft_about(consent) for consent in (*held.values(), a_consent())], _LATER)
            raise LookupError

        try:
            self._transact(script)
        except LookupError:
            return
        raise AssertionError("It did not raise.")

    @rule(target=items, received=_SECONDS)
    def admit(self, received: int) -> str:
        item = an_item(received)
        self._runner.run(self._store.admit(item))
        self.inbox[item.id] = (item.received_at, item)
        return item.id

    @rule(item=items, until=_SECONDS)
    def postpone(self, item: str, until: int) -> None:
        self._runner.run(self._store.postpone([item], at(until)))
        if item in self.inbox:
            before = self.inbox[item][1]
            self.inbox[item] = (at(until), replace(before, attempts=before.attempts + 1))

    @rule(item=items, now=_SECONDS)
    def hasten(self, item: str, now: int) -> None:
        self._runner.run(self._store.hasten([item], at(now)))
        if item in self.inbox:
            due, before = self.inbox[item]
            self.inbox[item] = (min(due, at(now)), before)

    @rule(item=consumes(items))
    def drop(self, item: str) -> None:
        self._transact(lambda transaction: transaction.take_from_inbox([item]))
        self.inbox.pop(item, None)

    @rule(item=consumes(items), verified=st.booleans())
    def set_aside(self, item: str, verified: bool) -> None:
        """An inbox item goes to the quarantine, in one transaction."""
        event = a_quarantined(id=IDS.ordered(), verified=verified)

        def script(transaction: Transaction) -> None:
            transaction.quarantine(event)
            transaction.take_from_inbox([item])

        self._transact(script)
        self.quarantine.append(event)
        self.inbox.pop(item, None)

    @rule()
    def close_and_open_again(self) -> None:
        self._runner.run(self._store.close())
        self._store = self._open_store()

    # ------------------------------------------------------------------------------------------ what must be so

    @invariant()
    def the_same_is_in_both(self) -> None:
        self._runner.run(self._compare())

    async def _compare(self) -> None:
        store = self._store
        consents = sorted(self.consents.values(), key=lambda consent: consent.tracking_id)
        assert await store.search(ConsentQuery(), _LATER) == consents
        for name, consent in self.consents.items():
            assert await store.find_consent((DEMOBANK, name)) == consent
            assert await store.next_ask_at(consent.tracking_id) == self.asks[name]
            theirs = [r for r in self.reports.values() if r.tracking_id == consent.tracking_id]
            assert await store.reports_of(consent.tracking_id) == theirs
        due = sorted(self.inbox.values(), key=lambda waiting: (waiting[0], waiting[1].id))
        assert await store.claim_inbox(_LATER, 1_000, 0) == [item for _, item in due]
        assert await store.inbox_depth() == (len(due), due[0][0] if due else None)
        assert await store.quarantined(1_000) == self.quarantine[::-1]
        entries = await store.entries_after(0, 1_000)
        assert [(entry.tracking_id, entry.previous) for entry in entries] == self.journal
        assert [entry.sequence for entry in entries] == list(range(1, len(self.journal) + 1))
        assert await store.head() == len(self.journal)
        known = await store.transact(lambda t: t.known_digests([*self.reports, digest("unheard of")]))
        assert known == self.reports.keys()


def test_the_store_and_a_model_of_it_agree(new_database: NewDatabase) -> None:
    run_state_machine_as_test(
        lambda: StoreMachine(new_database()),  # type: ignore[arg-type] # hypothesis calls it, and asks no more of it
        settings=settings(
            max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
