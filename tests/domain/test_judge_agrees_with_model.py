"""The judge agrees with the executable model of its rules, step by step, on the worlds that the model makes up.

The model stands beside the project. Its times are whole milliseconds, its words its own; everything else must be equal:
what is so, what stands, the verdict, and every entry. Left out is what is meant to differ, and tested elsewhere:

* an end that a kind cannot have (the model lets it end the consent), and an end that our own application saw
  (the model has no such doubt): such reports are not played;
* the model's `consent.drift_found`, which the judge does not tell;
* where an end that a holder may take back, and took back, is not older than every other word that stands: the model
  passes over it even so, the judge does not (`test_revival.py`). A world is played up to there.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.kinds import DATA_SHARING, PAYMENT, REVIVABLE
from tests.domain.playback import Playback
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import Contradiction, decide
from tracker.domain.lifecycle import Judgement, Position, holders_moves, view
from tracker.domain.moves import Rules
from tracker.domain.report import Claim, Report

MODEL = Path(__file__).parents[3] / "shared" / "model" / "judge"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MODULES = ("words", "judge", "worlds")


class Model(NamedTuple):
    """The model's modules."""

    words: ModuleType
    judge: ModuleType
    worlds: ModuleType


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    if not MODEL.is_dir():
        pytest.skip("the model of the judge is not beside the project (../shared/model/judge)")
    sys.path.insert(0, str(MODEL))
    try:
        yield Model(*(import_module(name) for name in MODULES))
    finally:
        sys.path.remove(str(MODEL))
        for name in MODULES:
            sys.modules.pop(name, None)


# ------------------------------------------------------------------------------------------------ the model's words


def instant(ms: int | None) -> datetime:
    assert ms is not None
    return EPOCH + timedelta(milliseconds=ms)


def perhaps(ms: int | None) -> datetime | None:
    return None if ms is None else instant(ms)


def ours(status: Any) -> Status:
    return Status.UNKNOWN if status == "?" else Status(str(status))


def claim(theirs: Any) -> Claim:
    return ours(theirs[0]), instant(theirs[1])


def contradiction(mark: Any) -> Contradiction:
    code, *rest = mark
    if code == "expiry_differs":
        return Contradiction(code, expiries=tuple(instant(ms) for ms in rest))
    return Contradiction(code, tuple(claim(c) for c in rest))


def report(r: Any) -> Report:
    return Report(
        digest=r.key,
        channel=Channel(str(r.channel)),
        status=ours(r.status),
        status_date_time=instant(r.time),
        received_at=instant(r.received_at),
        recorded_at=instant(r.recorded_at),
        asks=r.asks,
        asked_at=perhaps(r.asked_at),
        ask=r.ask,
        expiration_date_time=perhaps(r.expiry),
    )


def with_the_models_leeway(rules: Rules) -> Rules:
    return Rules(
        moves=rules.moves,
        revivable=rules.revivable,
        revivers=rules.revivers,
        terms_may_change=rules.terms_may_change,
        leeway=timedelta(seconds=60),
    )


def kinds(model: Model) -> list[tuple[Any, Rules]]:
    pairs = (
        (model.words.DATA_SHARING, DATA_SHARING),
        (model.words.PAYMENT, PAYMENT),
        (model.words.UK_V4, REVIVABLE),
    )
    return [(profile, with_the_models_leeway(rules)) for profile, rules in pairs]


# ------------------------------------------------------------------------------------------------ side by side


def is_meant_to_differ(r: Report, rules: Rules) -> bool:
    impossible_end = r.status.is_terminal and not rules.can_have(r.status)
    return impossible_end or (r.status.is_terminal and not r.channel.is_holders_word)


def passes_over_a_later_end(summary: Any, profile: Any) -> bool:
    """Whether the model leaves out an end that was taken back though no open status that stands is later."""
    taken_back = [
        r.time
        for r in summary.standing
        if r.status in profile.revivable and summary.revived is not None and r.time < summary.revived
    ]
    still_open = [r.time for r in summary.standing if not ours(r.status).is_terminal and ours(r.status).is_open]
    return bool(taken_back) and max(taken_back) >= max(still_open, default=max(taken_back))


def entries_of_the_model(entries: Any) -> list[tuple[object, ...]]:
    said: list[tuple[object, ...]] = []
    for e in entries:
        if e.type == "consent.drift_found":
            continue
        from_status = None if e.from_ is None else ours(e.from_)
        via = tuple(ours(s) for s in e.via)
        channel, reasons = Channel(str(e.channel)), tuple(sorted(e.reasons))
        said.append((e.type, from_status, ours(e.to), e.usable, e.confirmed, e.late, via, channel, reasons))
    return said


def entries_of_ours(judgement: Judgement) -> list[tuple[object, ...]]:
    return [
        (s.type.value, s.from_status, s.to_status, s.usable, s.confirmed, s.late, s.via, s.channel, s.reasons)
        for s in judgement.statements
    ]


def compare(model: Model, profile: Any, rules: Rules, steps: list[Any], registered: int | None = None) -> Counter[str]:
    """Play steps (the model's reports, and instants in ms) to both, and require the same of both after every one.

    The model has no clock that steps back: it is given the latest instant so far, the judge what our clock shows.
    """
    theirs = model.judge.Consent(profile, registered)
    playback = Playback(Position(rules=rules, registered_expiry=perhaps(registered)))
    keys: set[str] = set()
    claims: set[Any] = set()
    latest, seen = 0, Counter[str]()
    for step in steps:
        now = step if isinstance(step, int) else step.recorded_at
        latest = max(latest, now)
        if isinstance(step, int):
            theirs, entries = model.judge.tick(theirs, latest)
            verdict, judgement = None, playback.look(instant(now))
        elif is_meant_to_differ(report(step), rules):
            continue
        else:
            theirs, verdict, entries = model.judge.record(
                theirs, step, latest, repeat=step.key in keys, on_record=step.claim in claims
            )
            if passes_over_a_later_end(theirs.summary, profile):
                seen["cut short"] += 1
                break
            keys.add(step.key)
            claims.add(step.claim)
            judgement = playback.hear(report(step))
        assert judgement.verdict == verdict
        assert entries_of_ours(judgement) == entries_of_the_model(entries)
        require_the_same_to_be_so(model, theirs, playback.position, latest)
        seen.update([verdict or "Tick", *(s.type for s in judgement.statements)])
    require_the_same_of_the_whole(model, profile, rules, [s for s in steps if not isinstance(s, int)], registered)
    return seen


def require_the_same_to_be_so(model: Model, theirs: Any, position: Position, latest: int) -> None:
    said, decision = theirs.decision(), position.decision()
    status, confirmed = model.judge.effective(said, latest)
    assert decision.status is ours(said.status)
    assert decision.since == perhaps(said.since)
    assert decision.expiration_date_time == perhaps(said.expiry)
    assert decision.contradictions == frozenset(contradiction(m) for m in said.contradictions)
    assert decision.effective_status(instant(latest)) is ours(status)
    assert decision.is_confirmed(instant(latest)) == confirmed
    assert decision.is_usable(instant(latest)) == model.judge.usable(said, latest)
    assert [r.digest for r in position.summary.standing] == [r.key for r in theirs.summary.standing]
    told = position.told
    assert (told.status, told.confirmed, told.usable) == (
        ours(theirs.told.status),
        theirs.told.confirmed,
        theirs.told.usable,
    )


def require_the_same_of_the_whole(
    model: Model, profile: Any, rules: Rules, reports: list[Any], registered: int | None
) -> None:
    """The set function, the timeline, and what was known of each instant at each other."""
    first = {r.key: r for r in reversed(reports)}
    whole = [r for r in reports if first[r.key] is r and not is_meant_to_differ(report(r), rules)]
    said = [report(r) for r in whole]
    moves = [((ours(s), instant(ms)), inferred) for s, ms, inferred in model.judge.timeline(whole, profile)]
    assert holders_moves(said, rules) == moves
    summary = model.judge.Summary()
    for r in whole:
        summary = model.judge.fold(summary, r, profile)
        if passes_over_a_later_end(summary, profile):
            return
    if not profile.revivable:  # there each part of the reports would have to be looked through like the whole
        instants = sorted(
            {r.time for r in whole} | {r.recorded_at for r in whole} | {r.expiry or r.time for r in whole}
        )
        for as_of in instants[::2]:
            for known_at in instants[::3]:
                seen, status = view(said, rules, instant(as_of), instant(known_at), perhaps(registered))
                theirs, confirmed = model.judge.view(whole, profile, as_of, known_at, registered)
                assert (status, seen.is_confirmed(instant(as_of))) == (ours(theirs), confirmed)
    decision, theirs = decide(said, rules, perhaps(registered)), model.judge.decide(whole, profile, registered)
    assert (decision.status, decision.since) == (ours(theirs.status), perhaps(theirs.since))
    assert decision.contradictions == frozenset(contradiction(m) for m in theirs.contradictions)


def with_ticks(draw: Any, steps: list[Any], instants: list[int]) -> list[Any]:
    """Look at the clock here and there; now and then our clock has just stepped back."""
    out = list(steps)
    for ms in draw(st.lists(st.sampled_from(instants), max_size=4)):
        out.insert(draw(st.integers(0, len(out))), ms)
    return out


# ------------------------------------------------------------------------------------------------ the worlds


@pytest.mark.parametrize("kind", range(3), ids=["data sharing", "payment", "revivable"])
@given(data=st.data())
def test_agrees_on_reports_that_are_true_to_no_holder(model: Model, kind: int, data: st.DataObject) -> None:
    profile, rules = kinds(model)[kind]
    plain = data.draw(st.sampled_from([False, False, True]))
    _, reports = data.draw(model.worlds.any_reports(plain=plain, terminal=data.draw(st.booleans())))
    again = data.draw(st.lists(st.sampled_from(reports), max_size=3))
    start, far = model.worlds.START, model.worlds.FAR
    steps = sorted([*reports, *again], key=lambda r: r.recorded_at)
    steps = with_ticks(data.draw, steps, [start, start + 1000, start + 300_000, start + 10**6, far])
    registered = data.draw(st.sampled_from([None, None, start + 2000, far]))
    compare(model, profile, rules, steps, registered)


@pytest.mark.parametrize("kind", range(3), ids=["data sharing", "payment", "revivable"])
@given(data=st.data())
def test_agrees_on_what_reaches_us_of_a_simulated_holder(model: Model, kind: int, data: st.DataObject) -> None:
    profile, rules = kinds(model)[kind]
    draw, flag, worlds = data.draw, st.booleans(), model.worlds
    start = worlds.START
    expiry = draw(st.sampled_from([worlds.FAR, worlds.FAR, start + 4_000_000, start + 1000]))
    holder = worlds.histories(
        strict=draw(flag),
        seconds=draw(flag),
        backwards=draw(flag),
        skew=draw(flag),
        takes_back=draw(flag),
        expiry=expiry,
    )
    world = draw(worlds.worlds(holder, lag=draw(flag), jumps=draw(flag), open_delay=draw(flag)))
    if draw(flag):
        world = world.then_poll(draw(st.sampled_from([1, 360_001])))
    arrivals, _ = world.reports()
    instants = [start, start + 1001, start + 4_000_000, start + 9_000_000, min(expiry, start + 10**8)]
    steps = with_ticks(draw, arrivals, instants)
    compare(model, profile, rules, steps, draw(st.sampled_from([None, start + 4_000_000])))
