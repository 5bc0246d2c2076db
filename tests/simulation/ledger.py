"""Adds up what a run shows: how long a consent was usable that its holder had ended, how late we learnt, what it cost."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from tests.simulation.chance import START, Scenario, Span, is_in
from tests.simulation.holder import Fate, Life
from tests.simulation.simulated_time import SimulatedClock
from tests.simulation.witness import Case
from tracker.domain.condition import HEALTHY, Condition
from tracker.domain.consent import Channel, Status

IN_USE: Final = frozenset({Status.AUTHORIZED, Status.SUSPENDED})
_NOBODY_ASKED = timedelta(seconds=2)  # what is due is asked about within two seconds, unless the budget is short


@dataclass(frozen=True, slots=True)
class Lag:
    """How long it took us to learn of a move.

    Attributes:
        seconds: From the move, or from when the consent was registered.
        fate: What became of its event.
        channel: How we learnt.
        trouble: What kept us from learning by asking: `away`, `stale`, or nothing.
        was_in_use: Whether it moved from Authorized or Suspended.
    """

    seconds: float
    fate: Fate
    channel: Channel
    trouble: str
    was_in_use: bool


@dataclass
class Shown:
    """What is shown of one consent since an instant."""

    since: datetime
    usable_until: datetime | None = None
    state: str = ""  # not registered yet
    ask_at: datetime | None = None
    outcome: str = ""
    known: int = -1
    troubles: set[str] = field(default_factory=set)


@dataclass
class Silence:
    """One time in which a channel was silent.

    Attributes:
        began: When.
        ended: When it was over.
        found_at: When a poll first found a move that it had not told.
        noticed_at: When the tracker began to fear it, and to ask more often; that of the find if it had raised the alarm already.
        alarmed_at: When it raised the alarm.
    """

    began: datetime
    ended: datetime
    found_at: datetime | None = None
    noticed_at: datetime | None = None
    alarmed_at: datetime | None = None


@dataclass
class Figures:
    """What is added up; of several providers, together."""

    usable_seconds: float = 0.0
    after_end: Counter[str] = field(default_factory=Counter)
    while_suspended: Counter[str] = field(default_factory=Counter)
    shown_after_end: set[str] = field(default_factory=set)
    ended: int = 0
    lags: list[Lag] = field(default_factory=list)
    overtaken: int = 0
    undetected: list[tuple[float, Fate]] = field(default_factory=list)
    state_seconds: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    consent_days: Counter[tuple[str, date]] = field(default_factory=Counter)
    silences: list[Silence] = field(default_factory=list)
    alarms: int = 0
    false_alarms: int = 0
    fears: int = 0
    false_fears: int = 0
    in_use_seconds: Counter[str] = field(default_factory=Counter)
    in_use_requests: Counter[str] = field(default_factory=Counter)


def _common(one: Span, other: Span) -> timedelta:
    """How long two spans are both on."""
    return max(timedelta(), min(one[1], other[1]) - max(one[0], other[0]))


class Ledger:
    """Adds up one provider's run."""

    def __init__(self, scenario: Scenario, clock: SimulatedClock) -> None:
        self.figures = Figures(silences=[Silence(begin, end) for begin, end in scenario.weather.silent])
        self._weather = scenario.weather
        self._clock = clock
        self._shown = {life.consent_id: Shown(START) for life in scenario.lives}
        self._lives = {life.consent_id: life for life in scenario.lives}
        self._is_open = True
        self._condition = HEALTHY
        self._alarm_is_true = False

    # ------------------------------------------------------------------------------------------ what comes in

    def saved(self, case: Case) -> None:
        """Note what is shown of a consent from now on, and what we have learnt."""
        if not self._is_open or case.latest is None:
            return
        now, shown, saved = self._clock.now(), self._shown[case.life.consent_id], case.latest
        self._account(case.life, shown, now)
        decision, told = saved.decision, saved.consent.told
        shown.usable_until = decision.expiration_date_time if decision.is_usable(now) else None
        if decision.is_usable(now) and decision.expiration_date_time is None:
            shown.usable_until = datetime.max.replace(tzinfo=now.tzinfo)
        shown.state = told.status.value if told.confirmed else "Expired, unconfirmed"
        shown.ask_at = case.ask_at
        if decision.report is not None and decision.since is not None:
            self._learn(case.life, shown, (decision.status, decision.since), decision.report.channel, now)

    def sent(self, life: Life) -> None:
        """A question is sent."""
        if self._is_open:
            state = self._shown[life.consent_id].state
            self.figures.requests[state] += 1
            if state in IN_USE:
                self.figures.consent_days[life.consent_id, self._clock.now().date()] += 1
                self.figures.in_use_requests[self._channel(self._clock.now())] += 1

    def asked(self, life: Life, outcome: str) -> None:
        """It is known what became of a question."""
        if not self._is_open:
            return
        shown = self._shown[life.consent_id]
        self._account(life, shown, self._clock.now())
        shown.outcome = outcome
        if outcome in {"failed", "stale"}:
            shown.troubles.add("away" if outcome == "failed" else "stale")
        self.figures.outcomes[outcome] += 1

    def turned(self, condition: Condition) -> None:
        """The tracker takes a channel for silent, or fears that, or does so no longer."""
        now = self._clock.now()
        if self._is_open:
            for name, shown in self._shown.items():
                self._account(self._lives[name], shown, now)
        was, self._condition = self._condition, condition
        self._alarm_is_true = condition.quiet and self._alarm_is_true
        if self._is_open and condition.quiet and not was.quiet:
            self._alarm(now)
        elif self._is_open and condition.probed and not was.probed:
            self._fear(now)

    def _alarm(self, now: datetime) -> None:
        self.figures.alarms += 1
        silence = next((s for s in self.figures.silences if s.began <= now and s.alarmed_at is None), None)
        if silence is not None and (now <= silence.ended or silence.found_at is not None):
            silence.alarmed_at = now
            self._alarm_is_true = True
            silence.noticed_at = silence.noticed_at or now
        elif is_in(self._weather.silent, now):
            self._alarm_is_true = True
        else:
            self.figures.false_alarms += 1

    def _fear(self, now: datetime) -> None:
        self.figures.fears += 1
        silence = next((s for s in self.figures.silences if s.began <= now <= s.ended), None)
        if silence is not None:
            silence.noticed_at = silence.noticed_at or now
        else:
            self.figures.false_fears += 1

    def close(self) -> Figures:
        """End the account; what comes later is not counted."""
        now = self._clock.now()
        for name, shown in self._shown.items():
            life = self._lives[name]
            self._account(life, shown, now)
            self.figures.ended += life.ended_at <= now
            for number in range(shown.known + 1, len(life.moves)):
                move = life.moves[number]
                if move.at <= now and move.status is not Status.EXPIRED:
                    self.figures.undetected.append(((now - move.at).total_seconds(), self.fate(life, number)))
        self._is_open = False
        return self.figures

    # ------------------------------------------------------------------------------------------ adding up

    def _channel(self, now: datetime) -> str:
        """Whether the provider's channel is silent, or it is not known yet that it is so no longer."""
        return "silent" if self._alarm_is_true or is_in(self._weather.silent, now) else "open"

    def fate(self, life: Life, number: int) -> Fate:
        """What became of the event about a move."""
        move = life.moves[number]
        if move.deliveries and all(is_in(self._weather.silent, move.at + sent.after) for sent in move.deliveries):
            return Fate.SILENT
        return move.fate

    def _account(self, life: Life, shown: Shown, now: datetime) -> None:
        """Add up the time since the last look, in which nothing has changed but the clock."""
        since, shown.since = shown.since, now
        if shown.state:
            self.figures.state_seconds[shown.state] += (now - since).total_seconds()
        if shown.state in IN_USE:
            silent = sum((_common(span, (since, now)) for span in self._weather.silent), timedelta())
            if self._alarm_is_true:
                silent = now - since
            self.figures.in_use_seconds["silent"] += silent.total_seconds()
            self.figures.in_use_seconds["open"] += (now - since - silent).total_seconds()
        if shown.usable_until is None:
            return
        until = min(now, shown.usable_until)
        if until <= since:
            return
        self.figures.usable_seconds += (until - since).total_seconds()
        if until > life.ended_at:
            self.figures.shown_after_end.add(life.consent_id)
            for cause, seconds in self._causes(life, shown, max(since, life.ended_at), until):
                self.figures.after_end[cause] += seconds
        for begin, end in life.not_authorized:
            if begin < until and end > since:
                for cause, seconds in self._causes(life, shown, max(since, begin), min(until, end)):
                    self.figures.while_suspended[cause] += seconds

    def _causes(self, life: Life, shown: Shown, begin: datetime, end: datetime) -> Iterable[tuple[str, float]]:
        """Why we did not know better from one instant to another."""
        number = life.record_at(begin)
        fate = Fate.NONE if number is None else self.fate(life, number)
        if shown.outcome in {"failed", "stale"} and shown.known != number:
            cause = "api_away" if shown.outcome == "failed" else "reads_lag"
            yield cause, (end - begin).total_seconds()
            return
        due = end if shown.ask_at is None else min(end, max(begin, shown.ask_at + _NOBODY_ASKED))
        yield f"event_{fate.value}", (due - begin).total_seconds()
        away = sum((_common(span, (due, end)) for span in (*self._weather.away, *self._weather.throttled)), timedelta())
        yield "api_away", away.total_seconds()
        yield "budget", max(0.0, (end - due - away).total_seconds())

    def _learn(self, life: Life, shown: Shown, claim: tuple[Status, datetime], channel: Channel, now: datetime) -> None:
        found = next(
            (n for n in range(len(life.moves) - 1, shown.known, -1) if (life.moves[n].status, life.stamp(n)) == claim),
            None,
        )
        if found is None:
            return
        fate, move = self.fate(life, found), life.moves[found]
        self.figures.overtaken += sum(
            life.moves[n].status is not Status.AWAITING_AUTHORIZATION for n in range(shown.known + 1, found)
        )
        shown.known = found
        trouble = next(iter(sorted(shown.troubles)), "") if channel is Channel.POLL else ""
        shown.troubles.clear()
        if move.status in {Status.EXPIRED, Status.AWAITING_AUTHORIZATION}:
            return  # the clock has told the one long ago, and nobody waits for the other, nor for an event of it
        # Of what was before the tracker knew the consent, nobody had to tell it.
        if fate is Fate.SILENT and channel is Channel.POLL and move.at >= life.registered_at:
            for silence in self.figures.silences:
                if silence.began <= move.at < silence.ended and silence.found_at is None:
                    silence.found_at = now
                    silence.noticed_at = now if self._condition.quiet else silence.noticed_at
        was_in_use = found > 0 and life.moves[found - 1].status in IN_USE
        lag = (now - max(move.at, life.registered_at)).total_seconds()
        self.figures.lags.append(Lag(max(0.0, lag), fate, channel, trouble, was_in_use))
