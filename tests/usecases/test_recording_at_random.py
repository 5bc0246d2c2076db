"""Whatever is recorded through the real store, row, reports and journal say the same, and what the model of the rules says.

Reports go in by the deeds that bring them: events through the recorder, now and then several in one batch or before
their consent is registered; answers to questions that were counted before. Times, orders, repeats and steps of our clock
are those of the model's worlds. After every step three readers must stand where the model stands: one of the row, one
who judges all reports anew, and one who knows nothing but `to` and `usable` of the journal's entries in sequence.
"""

import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import count, groupby
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.facts import IDS, an_item
from tests.domain.test_judge_agrees_with_model import (
    Model,
    contradiction,
    entries_of_the_model,
    instant,
    is_meant_to_differ,
    model,
    ours,
    perhaps,
    report,
)
from tests.usecases.bench import DEMOBANK, Bench, Desk
from tracker.domain.consent import ConsentId, Status
from tracker.domain.decision import decide
from tracker.domain.moves import Rules
from tracker.domain.report import Report
from tracker.domain.standing import Summary, fold
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.journal.pack_word import Statement, told_by
from tracker.ports import StoredReport
from tracker.usecases.ask import _claim_one, _Question, _record_answer
from tracker.usecases.expire import AUTHORIZATION_OVERDUE
from tracker.usecases.heard import HeardReport, Opened

__all__ = ["model"]  # the fixture

bounded = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")),
    deadline=None,
    derandomize="HYPOTHESIS_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Each example is some dozen transactions, flushed to the disk. `HYPOTHESIS_EXAMPLES` tries as many, and fresh ones."""
_NUMBERS = count()


@dataclass
class Story:
    """One consent on the desk, and beside it the model's."""

    model: Model
    desk: Desk
    kind: str
    registered: int | None
    name: str = field(default_factory=lambda: f"consent-{next(_NUMBERS):06d}")
    theirs: Any = None
    tracked: TrackedConsent | None = None
    latest: int = 0
    keys: set[str] = field(default_factory=set)
    claims: set[Any] = field(default_factory=set)
    said: list[tuple[object, ...]] = field(default_factory=list)
    heard: list[Report] = field(default_factory=list)

    def __post_init__(self) -> None:
        # How far a holder's clock may be ahead is a parameter, and another one in the model.
        profile = replace(self.model.words.KINDS[self.kind], leeway=int(self.rules.leeway.total_seconds() * 1000))
        self.theirs = self.model.judge.Consent(profile, self.registered)

    @property
    def bench(self) -> Bench:
        return self.desk.bench

    @property
    def rules(self) -> Rules:
        return self.bench.profile.kinds[self.kind].rules

    # ---------------------------------------------------------------------------------------- doing

    def events(self, reports: list[Any]) -> None:
        """One batch of events; before registration they are kept."""
        self.bench.clock.set(instant(reports[0].recorded_at))
        batch = [Opened(inbox_id=IDS.ordered(), interaction_id="i", outcome=self._heard(r)) for r in reports]
        for opened in batch:
            self._do(self.bench.store.admit(an_item(id=opened.inbox_id)))
        self._do(self.bench.recorder.record(batch))
        if self.tracked is not None:
            for r in reports:
                self._model_hears(r, r.recorded_at)

    def register(self, at: int, early: list[Any]) -> None:
        self.bench.clock.set(instant(at))
        self.tracked = self._do(
            self.bench.register(
                self.name, kind=self.kind, expiration_date_time=perhaps(self.registered), terms={"Purpose": "test"}
            )
        )
        first = {r.key: r for r in reversed(early)}
        for r in sorted(first.values(), key=lambda r: (r.received_at, r.key)):
            self._model_hears(replace(r, recorded_at=at), at)

    def ask(self, up_to: int) -> None:
        """Count questions; their answers may come later, or never."""
        assert self.tracked is not None
        while self._row().summary.asks < up_to:
            script = partial(_claim_one, self.bench.office, self.tracked.tracking_id)
            assert self._do(self.bench.store.transact(script)) is not None

    def answer(self, r: Any) -> None:
        self.bench.clock.set(instant(r.recorded_at))
        question = _Question(self._row(), r.ask, instant(r.asked_at))
        script = partial(_record_answer, self.bench.office, question, self._heard(r), None)
        self._do(self.bench.store.transact(script))
        self._model_hears(r, r.recorded_at)

    def look(self, ms: int) -> None:
        """Let the clock speak, if it has something to say of this consent."""
        self.bench.clock.set(instant(ms))
        before = self._row()
        self._do(self.bench.expiry.run_once())
        if self._row() != before:
            self.latest = max(self.latest, ms)
            self.theirs, entries = self.model.judge.tick(self.theirs, self.latest)
            self.said += entries_of_the_model(entries)

    def _model_hears(self, r: Any, now: int) -> None:
        self.latest = max(self.latest, now)
        is_repeat = r.key in self.keys
        self.theirs, _, entries = self.model.judge.record(
            self.theirs, r, self.latest, repeat=is_repeat, on_record=r.claim in self.claims
        )
        self.said += entries_of_the_model(entries)
        if not is_repeat:
            self.heard.append(self._report(r))
        self.keys.add(r.key)
        self.claims.add(r.claim)

    def _report(self, r: Any) -> Report:
        return replace(report(r), digest=f"{self.name} {r.key}")

    def _heard(self, r: Any) -> HeardReport:
        found = self._report(r)
        stored = StoredReport(
            report=found,
            provider=DEMOBANK,
            consent_id=ConsentId(self.name),
            vouched_at=found.asked_at or found.received_at,
            terms={"Purpose": "test"},
        )
        return HeardReport(stored=stored, evidence=None)

    def _do(self, deed: Any) -> Any:
        return self.desk.run.run(deed)

    def _row(self) -> TrackedConsent:
        assert self.tracked is not None
        row = self._do(self.bench.store.get_consent(self.tracked.tracking_id))
        assert isinstance(row, TrackedConsent)
        return row

    # ---------------------------------------------------------------------------------------- looking

    def check(self) -> None:
        row, at = self._row(), instant(self.latest)
        theirs = self.theirs.decision()
        decision = row.decision(self.rules)
        assert (decision.status, decision.since) == (ours(theirs.status), perhaps(theirs.since))
        assert decision.expiration_date_time == perhaps(theirs.expiry)
        assert decision.contradictions == frozenset(contradiction(m) for m in theirs.contradictions)
        usable = self.model.judge.usable(theirs, self.latest)
        status, confirmed = (ours(self.theirs.told.status), self.theirs.told.confirmed)
        assert (row.told.status, row.told.confirmed, row.told.usable) == (status, confirmed, self.theirs.told.usable)
        assert [r.digest for r in row.summary.standing] == [
            f"{self.name} {r.key}" for r in self.theirs.summary.standing
        ]
        self._require_the_same_of_all_reports(row, at, usable=usable)
        self._require_the_same_of_the_journal(row)

    def _require_the_same_of_all_reports(self, row: TrackedConsent, at: datetime, *, usable: bool) -> None:
        summary = Summary(asks=row.summary.asks)
        for r in self.heard:
            summary = fold(summary, r, self.rules)
        assert summary == row.summary
        registered = perhaps(self.registered)
        assert decide(self.heard, self.rules, registered) == row.decision(self.rules)
        seen = self._do(self.bench.consulting.get(DEMOBANK, self.name))
        assert seen.effective_status is row.decision(self.rules).effective_status(max(at, seen.at))
        # What is on record today, judged as of today.
        today = self._do(self.bench.consulting.as_of(seen, at))
        assert today.decision == row.decision(self.rules)
        assert today.usable == usable

    def _require_the_same_of_the_journal(self, row: TrackedConsent) -> None:
        entries: list[Entry] = self._do(self.bench.store.entries_of(row.tracking_id))
        assert [e.previous for e in entries] == [None, *(e.sequence for e in entries[:-1])]
        assert entries[-1].sequence == row.last_sequence
        status, usable = Status.NOT_STAGED, False
        for e in entries:
            status, usable = Status(e.data["to"]), e.usable
        assert (status, usable) == (row.told.status, row.told.usable)
        self._require_that_a_report_states_what_is_told(entries)
        judged = [e for e in entries[1:] if e.type != AUTHORIZATION_OVERDUE]
        assert [_as_told(e) for e in judged] == [(*s[:6], *s[7:]) for s in self.said]  # `via` is not in a leaf

    def _require_that_a_report_states_what_is_told(self, entries: list[Entry]) -> None:
        """What an evidence pack is verified by: no entry tells as the holder's word what no report before it states."""
        assert self.tracked is not None
        reports = self._do(self.bench.store.reports_of(self.tracked.tracking_id))
        for entry in entries:
            told = told_by(entry) if entry.data["channel"] in {"webhook", "poll"} else None
            if told is not None:
                had = [one.report for one in reports if one.report.received_at <= entry.recorded_at]
                stated = [Statement(r.status.value.lower(), r.status_date_time) for r in had]
                assert any(told.is_met_by(one) for one in stated), entry.data


def _as_told(entry: Entry) -> tuple[object, ...]:
    found = entry.data
    from_status = None if found["from"] is None else Status(found["from"])
    reasons = tuple(found["reason"].split(",")) if found["reason"] else ()
    told = (entry.type, from_status, Status(found["to"]), found["usable"], found["confirmed"], found["late"])
    return (*told, found["channel"], reasons)


def play(story: Story, reports: list[Any], looks: list[int], early: int, start: int) -> None:
    waiting: list[Any] = []
    while len(waiting) < min(early, len(reports)) and not reports[len(waiting)].is_poll:
        if reports[len(waiting)].asks:
            break
        waiting.append(reports[len(waiting)])
    for r in waiting:
        story.events([r])
    story.register(max([start, *(r.recorded_at for r in waiting)]), waiting)
    story.check()
    looks = list(looks)
    rest = reports[len(waiting) :]
    for (is_poll, asks, _, _), together in groupby(rest, lambda r: (r.is_poll, r.asks, r.recorded_at, r.ask)):
        story.ask(asks)
        group = list(together)
        if is_poll:
            story.answer(group[0])  # nothing brings the same answer twice
        else:
            story.events(group)
        story.check()
        if looks:
            story.look(looks.pop())
            story.check()


def playable(reports: list[Any], rules: Rules) -> list[Any]:
    return [r for r in reports if r.channel in {"webhook", "poll"} and not is_meant_to_differ(report(r), rules)]


@bounded
@given(data=st.data())
def test_reports_that_are_true_to_no_holder(model: Model, desk: Desk, data: st.DataObject) -> None:
    draw, start, far = data.draw, model.worlds.START, model.worlds.FAR
    kind = draw(st.sampled_from(sorted(model.words.KINDS)))
    _, reports = draw(model.worlds.any_reports(plain=draw(st.booleans()), terminal=draw(st.booleans())))
    events = [r for r in reports if r.channel == "webhook"]
    again = draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
    # Alike twice in one batch, and once more after everything else.
    last = reports[-1]
    again += [replace(r, asks=last.asks, recorded_at=last.recorded_at + 1000) for r in again]
    steps = sorted([*reports, *again], key=lambda r: r.recorded_at)
    looks = draw(st.lists(st.sampled_from([start, start + 300_000, start + 10**6, far]), max_size=5))
    registered = draw(st.sampled_from([None, None, start + 2000, far]))
    story = Story(model, desk, kind, registered)
    play(story, playable(steps, story.rules), looks, draw(st.integers(0, 3)), start)


@bounded
@given(data=st.data())
def test_what_reaches_us_of_a_simulated_holder(model: Model, desk: Desk, data: st.DataObject) -> None:
    draw, flag, worlds = data.draw, st.booleans(), model.worlds
    start = worlds.START
    expiry = draw(st.sampled_from([worlds.FAR, worlds.FAR, start + 4_000_000, start + 1000]))
    holder = worlds.histories(seconds=draw(flag), backwards=draw(flag), skew=draw(flag), expiry=expiry)
    world = draw(worlds.worlds(holder, lag=draw(flag), jumps=draw(flag)))
    if draw(flag):
        world = world.then_poll(draw(st.sampled_from([1, 360_001])))
    arrivals, _ = world.reports()
    looks = draw(st.lists(st.sampled_from([start, start + 4_000_000, start + 9_000_000]), max_size=5))
    story = Story(model, desk, world.history.kind, draw(st.sampled_from([None, start + 4_000_000])))
    play(story, playable(arrivals, story.rules), looks, draw(st.integers(0, 2)), start - 10_000)
