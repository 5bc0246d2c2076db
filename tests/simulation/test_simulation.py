"""The simulation, small: nothing breaks in any weather, both stores agree, and what breaks is seen and made small."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.chance import DAY, START, Options, Scenario, Weather, scenarios
from tests.simulation.holder import Fate
from tests.simulation.holders import Account
from tests.simulation.ledger import Ledger
from tests.simulation.office import Chore, Staff, hire
from tests.simulation.report import report, spread
from tests.simulation.run import Outcome, in_memory, on_disk, run
from tests.simulation.shrink import shrunk, told
from tests.simulation.simulated_time import SimulatedClock, running_loop, simulate
from tests.simulation.witness import Broken
from tests.usecases.bench import UAE
from tracker.domain import decision, lifecycle, schedule
from tracker.domain.condition import HEALTHY, Condition
from tracker.domain.consent import Status
from tracker.domain.schedule import NextAsk
from tracker.usecases import recording

SMALL = Options(consents=25, days=8, providers=1, silent_every_days=6, away_every_days=2, throttled_every_days=2)
HARSH = replace(SMALL, lost=0.3, delayed=0.2, lapsed=0.1, repeated=0.4, failing=0.05, lagging=0.5)


def one(options: Options) -> Scenario:
    return scenarios(options)[0]


@pytest.mark.parametrize("options", [SMALL, replace(HARSH, seed=2), replace(HARSH, seed=3, requests_per_second=0.2)])
def test_in_any_weather_nothing_breaks(options: Options) -> None:
    outcome = run(one(options))
    assert outcome.broken == []
    assert (outcome.account.above_rate, outcome.account.while_told_to_wait) == (0, 0)
    assert outcome.figures.requests.total() > 100
    assert {lag.fate for lag in outcome.figures.lags} >= {Fate.PROMPT, Fate.LOST}


def test_without_any_loss_all_is_known_in_seconds() -> None:
    calm = Options(consents=25, days=6, providers=1, lost=0, delayed=0, lapsed=0, failing=0, lagging=0)
    outcome = run(one(replace(calm, silent_every_days=0, away_every_days=0, throttled_every_days=0)))
    lags = [lag.seconds for lag in outcome.figures.lags]
    assert len(lags) > 15
    assert max(lags) < 5
    assert outcome.figures.undetected == []
    assert {cause for cause, seconds in outcome.figures.after_end.items() if seconds} <= {"event_prompt"}


def test_one_seed_is_one_history() -> None:
    def journal(options: Options) -> list[bytes]:
        return [entry.leaf_bytes for entry in run(one(options)).journal]

    few = replace(SMALL, consents=10, days=5)
    assert journal(few) == journal(few)
    assert journal(few) != journal(replace(few, seed=7))


def test_the_store_in_memory_and_the_one_on_disk_end_in_the_same_journal(database: Path) -> None:
    scenario = one(replace(HARSH, consents=8, days=3))
    in_mind, on_file = run(scenario, in_memory), run(scenario, on_disk(database))
    assert on_file.broken == []
    assert [_said(entry) for entry in on_file.journal] == [_said(entry) for entry in in_mind.journal]
    assert on_file.figures.requests == in_mind.figures.requests
    assert on_file.figures.usable_seconds == in_mind.figures.usable_seconds
    assert len(in_mind.journal) > 15


def _said(entry: Any) -> tuple[object, ...]:
    found = entry.data
    return entry.sequence, entry.type, entry.leaf["time"], found["consent_id"], found["to"], found["usable"]


def test_the_report_says_what_was_missed() -> None:
    found = report([run(one(SMALL))])
    assert found["targets"]["nothing broken"] == {"found": 0, "target": 0, "met": True}
    assert found["requests"]["total"] == sum(found["requests"]["outcomes"].values())
    lost = found["detection_lag_seconds"]["of_consents_in_use"]["by_cause"]
    assert lost["prompt"]["p95"] < 5
    assert found["usable_after_end"]["hours"] <= found["usable_after_end"]["of_hours_shown_usable"]


def test_spreads_name_values_that_there_were() -> None:
    assert spread([]) == {"count": 0}
    assert spread([3.0]) == {"count": 1, "p50": 3.0, "p95": 3.0, "max": 3.0}
    assert spread([float(n) for n in range(1, 102)]) == {"count": 101, "p50": 51.0, "p95": 96.0, "max": 101.0}


# ------------------------------------------------------------------------------------------------ what breaks is seen


def _never_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "_may_expire", lambda _: False)


def _forgets_the_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = schedule.next_ask

    def forgetful(consent: Any, decided: Any, *rest: Any, **named: Any) -> NextAsk:
        return NextAsk() if decided.status is Status.SUSPENDED else whole(consent, decided, *rest, **named)

    monkeypatch.setattr(schedule, "next_ask", forgetful)


def _believes_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lifecycle.fold

    def forgetful(summary: Any, report: Any, rules: Any) -> Any:
        return whole(replace(summary, standing=()), report, rules)

    monkeypatch.setattr(lifecycle, "fold", forgetful)


def _keeps_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "are_seen_alike", lambda *_: True)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (_never_expires, "usable at or after its expiry"),
        (_forgets_the_suspended, "an open consent is not asked about any more"),
        (_believes_the_latest, "the fold and the set function differ"),
        (_keeps_the_version, "the version did not rise"),
    ],
)
def test_a_broken_tracker_is_seen(
    spoil: Callable[[pytest.MonkeyPatch], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    assert what in {broken.what for broken in run(one(HARSH)).broken}


def test_what_breaks_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    _forgets_the_suspended(monkeypatch)
    scenario = one(SMALL)
    broken = next(b for b in run(scenario).broken if b.what == "an open consent is not asked about any more")
    smallest = shrunk(scenario, broken)
    (life,) = smallest.lives
    assert [move.status for move in life.moves][1:] == [Status.SUSPENDED]
    assert "Suspended: event never" in told(smallest)


def test_what_no_consent_breaks_alone_is_looked_for_among_several() -> None:
    def two_at_once(scenario: Scenario) -> Outcome:
        broken = [Broken("x", "two", START)] if len(scenario.lives) >= 2 else []
        return Outcome(figures=None, broken=broken, account=None, journal=[])  # type: ignore[arg-type]

    scenario = one(replace(SMALL, consents=16))
    assert len(shrunk(scenario, Broken(scenario.lives[3].consent_id, "two", START), two_at_once).lives) == 2


# ------------------------------------------------------------------------------------------------ the world itself


def test_lives_are_true() -> None:
    lives = [life for scenario in scenarios(Options(consents=600)) for life in scenario.lives]
    assert len(lives) == 600
    for life in lives:
        assert life.moves[0].at < life.expires
        for number, move in enumerate(life.moves[1:], 1):
            before = life.moves[number - 1]
            assert before.at < move.at
            assert life.stamp(number - 1) <= life.stamp(number)
            assert move.status in UAE.kinds[life.kind].rules.moves[before.status]
            assert move.at < life.expires or move.status is Status.EXPIRED
    met = {(life.kind, move.status) for life in lives for move in life.moves}
    assert len(met) > 15
    groups = {life.base_consent_id for life in lives} - {None}
    assert len(groups) > 20


def test_an_account_counts_what_is_above_it() -> None:
    day = date(2026, 1, 5)
    account = Account(rate=2.0, daily=4)
    for seconds in (0.0, 0.0, 0.5, 0.5):
        account.ask(seconds, day)
    assert (account.above_rate, account.above_day) == (1, 0)
    account.wait(20.0)
    account.ask(10.0, day)
    account.ask(20.0, day + timedelta(days=1))
    assert (account.above_rate, account.above_day, account.while_told_to_wait) == (1, 1, 1)


def test_simulated_time_passes_at_once_and_in_order() -> None:
    async def story() -> tuple[list[int], float]:
        clock, seen = SimulatedClock(START), list[int]()

        async def later(days: int) -> None:
            await clock.until(START + days * DAY)
            seen.append(days)

        order = list(range(1, 60))
        random.Random(1).shuffle(order)
        await asyncio.gather(*map(later, order))
        with running_loop().standing_still():
            await asyncio.get_running_loop().run_in_executor(None, sum, range(10))
        return seen, clock.monotonic()

    seen, passed = simulate(story)
    assert seen == list(range(1, 60))
    assert passed == pytest.approx(59 * DAY.total_seconds(), abs=0.001)


def test_who_waits_for_less_than_time_can_show_waits_not_for_ever() -> None:
    async def story() -> float:
        begun, loop = running_loop().time(), running_loop()
        while loop.time() < begun + 1e-7:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
        return loop.time()

    assert simulate(story) > 0


def test_an_alarm_is_held_against_the_silences_that_there_were() -> None:
    silent = Weather(silent=((START + DAY, START + 2 * DAY), (START + 5 * DAY, START + 6 * DAY)))
    scenario = Scenario(provider="bank-1", options=SMALL, lives=(), weather=silent)

    async def story() -> Ledger:
        ledger = Ledger(scenario, SimulatedClock(START))
        for hours in (12, 30, 36, 126):
            await asyncio.sleep(hours * 3600 - running_loop().time())
            ledger.turned(Condition(probed=True))
            await asyncio.sleep(600)
            ledger.turned(Condition(quiet=True))
            ledger.turned(HEALTHY)
        return ledger

    figures = simulate(story).figures
    assert (figures.alarms, figures.false_alarms, figures.fears, figures.false_fears) == (4, 1, 4, 1)
    feared = [START + 1.25 * DAY, START + 5.25 * DAY]
    assert [silence.noticed_at for silence in figures.silences] == feared
    assert [silence.alarmed_at for silence in figures.silences] == [at + timedelta(minutes=10) for at in feared]


def test_a_chore_is_done_when_it_is_wanted_and_a_quiet_channel_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[float] = []

    async def look() -> None:
        done.append(running_loop().time())

    def with_a_chore(*args: Any) -> Staff:
        wanted = lambda notes, now: [now + timedelta(minutes=5)] if notes.entries else []
        chore = Chore(run=look, every_seconds=5, wanted=wanted)
        return replace(hire(*args), chores=(chore,), condition=lambda: Condition(quiet=len(done) > 3))

    monkeypatch.setattr("tests.simulation.run.hire", with_a_chore)
    outcome = run(one(replace(SMALL, consents=10, days=5)))
    assert outcome.broken == []
    assert outcome.figures.alarms == 1
    assert len(done) > 10
    assert all(seconds % 5 < 0.001 for seconds in done)
