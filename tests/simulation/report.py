"""Turns what was added up into one JSON object, and holds it against the targets."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, Final

from tests.simulation.holder import Fate
from tests.simulation.ledger import IN_USE, Figures, Lag
from tests.simulation.office import QUIET_WITHIN
from tests.simulation.run import Outcome

DAY_SECONDS: Final = 86_400.0
LOST_WITHIN_SECONDS: Final = 6 * 3600.0
OTHERS_WITHIN_SECONDS: Final = 5.0
REQUESTS_EACH_DAY: Final = 4.0
_SHOWN: Final = 20


def together(figures: Iterable[Figures]) -> Figures:
    """Add up the figures of several providers."""
    whole = Figures()
    for each in figures:
        for name in (field.name for field in fields(Figures)):
            value = getattr(each, name)
            match getattr(whole, name):
                case Counter() as counter:
                    counter.update(value)
                case set() as known:
                    known |= value
                case list() as known:
                    known += value
                case number:
                    setattr(whole, name, number + value)
    return whole


def report(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What a simulation shows."""
    figures = together(outcome.figures for outcome in outcomes)
    told: dict[str, Any] = {
        "usable_after_end": _after_end(figures),
        "usable_while_suspended": _shares(figures.while_suspended, figures.usable_seconds),
        "detection_lag_seconds": _lags(figures),
        "requests": _requests(figures),
        "silences": _silences(figures),
        "above_budget": {
            "rate": sum(o.account.above_rate for o in outcomes),
            "day": sum(o.account.above_day for o in outcomes),
            "while_told_to_wait": sum(o.account.while_told_to_wait for o in outcomes),
            "most_in_one_day": max((max(o.account.by_day.values(), default=0) for o in outcomes), default=0),
        },
        "broken": [f"{b.consent_id} at {b.at.isoformat()}: {b.what}" for o in outcomes for b in o.broken][:_SHOWN],
        "broken_count": sum(len(o.broken) for o in outcomes),
        "entries": sum(len(o.journal) for o in outcomes),
    }
    told["targets"] = _targets(told, figures)
    return told


def _after_end(figures: Figures) -> dict[str, Any]:
    return {
        **_shares(figures.after_end, figures.usable_seconds),
        "consents_ended": figures.ended,
        "consents_shown_after_end": len(figures.shown_after_end),
    }


def _shares(by_cause: Counter[str], usable_seconds: float) -> dict[str, Any]:
    """Of all the time in which any consent was shown usable; in millionths, and in hours."""
    whole = usable_seconds or 1.0
    return {
        "parts_per_million": round(by_cause.total() / whole * 1e6, 2),
        "hours": round(by_cause.total() / 3600, 2),
        "of_hours_shown_usable": round(usable_seconds / 3600, 1),
        "parts_per_million_by_cause": {c: round(s / whole * 1e6, 2) for c, s in by_cause.most_common() if s >= 1},
    }


def _lags(figures: Figures) -> dict[str, Any]:
    in_use = [lag for lag in figures.lags if lag.was_in_use]
    groups: dict[str, Callable[[Lag], str]] = {
        "by_cause": lambda lag: lag.fate.value,
        "by_channel": lambda lag: lag.channel.value,
        "by_cause_and_channel": lambda lag: " ".join(
            filter(None, (lag.fate.value, "by", lag.channel.value, lag.trouble and f"({lag.trouble})"))
        ),
    }
    told: dict[str, Any] = {"of_consents_in_use": {name: _grouped(in_use, key) for name, key in groups.items()}}
    journeys = [lag for lag in figures.lags if not lag.was_in_use]
    told["of_journeys"] = {"by_cause": _grouped(journeys, groups["by_cause"])}
    told["overtaken"] = figures.overtaken
    told["not_yet_at_the_end"] = {
        "moves": len(figures.undetected),
        "longest_hours": round(max((seconds for seconds, _ in figures.undetected), default=0.0) / 3600, 2),
    }
    return told


def _grouped(lags: Iterable[Lag], key: Callable[[Lag], str]) -> dict[str, Any]:
    found: dict[str, list[float]] = {}
    for lag in lags:
        found.setdefault(key(lag), []).append(lag.seconds)
    return {name: spread(found[name]) for name in sorted(found)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """How many, the middle one, the one below which 95 of 100 lie, the largest."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    return {
        "count": len(ordered),
        "p50": round(ordered[(len(ordered) - 1) // 2], 2),
        "p95": round(ordered[int((len(ordered) - 1) * 0.95)], 2),
        "max": round(ordered[-1], 2),
    }


def _requests(figures: Figures) -> dict[str, Any]:
    days = {state: seconds / DAY_SECONDS for state, seconds in figures.state_seconds.items()}
    in_use = sum(days.get(state.value, 0.0) for state in IN_USE)
    return {
        "total": figures.requests.total(),
        "outcomes": dict(figures.outcomes.most_common()),
        "consents_in_use_each_day": round(sum(figures.requests[s.value] for s in IN_USE) / in_use, 3) if in_use else 0,
        "consents_in_use_each_day_by_channel": {
            channel: round(figures.in_use_requests[channel] / seconds * DAY_SECONDS, 3)
            for channel, seconds in sorted(figures.in_use_seconds.items())
            if seconds
        },
        "of_one_consent_in_use_on_one_day": spread([float(n) for n in figures.consent_days.values()]),
        "by_status_each_consent_and_day": {
            state: {"consent_days": round(days[state], 1), "requests": figures.requests[state]}
            | ({"each_day": round(figures.requests[state] / days[state], 2)} if days[state] >= 1 else {})
            for state in sorted(days)
        },
    }


def _silences(figures: Figures) -> dict[str, Any]:
    found = [s for s in figures.silences if s.found_at is not None]
    alarmed = [
        max(0.0, (s.alarmed_at - s.found_at).total_seconds() / 3600) for s in found if s.alarmed_at and s.found_at
    ]
    waits = [max(0.0, (s.noticed_at - s.found_at).total_seconds() / 60) for s in found if s.noticed_at and s.found_at]
    return {
        "silences": len(figures.silences),
        "in_which_a_poll_found_a_move": len(found),
        "noticed": sum(s.noticed_at is not None for s in found),
        "minutes_from_first_find_to_notice": spread(waits),
        "hours_from_silence_to_first_find": spread(
            [(s.found_at - s.began).total_seconds() / 3600 for s in found if s.found_at]
        ),
        "hours_from_first_find_to_alarm": spread(alarmed),
        "alarms": figures.alarms,
        "false_alarms": figures.false_alarms,
        "fears": figures.fears,
        "false_fears": figures.false_fears,
    }


def _targets(told: dict[str, Any], figures: Figures) -> dict[str, Any]:
    def p95(lags: Iterable[Lag]) -> float | None:
        return spread([lag.seconds for lag in lags]).get("p95")

    lost = p95(lag for lag in figures.lags if lag.was_in_use and lag.fate is Fate.LOST)
    others = p95(lag for lag in figures.lags if lag.was_in_use and lag.fate not in {Fate.LOST, Fate.SILENT, Fate.NONE})
    silences = told["silences"]
    spent = told["requests"]["consents_in_use_each_day_by_channel"].get("open", 0)
    longest = silences["minutes_from_first_find_to_notice"].get("max")
    minutes = QUIET_WITHIN.total_seconds() / 60
    all_noticed = silences["noticed"] == silences["in_which_a_poll_found_a_move"]
    above = told["above_budget"]
    excess = above["rate"] + above["day"] + above["while_told_to_wait"]
    return {
        "nothing broken": _target(told["broken_count"], 0, met=told["broken_count"] == 0),
        "lost events p95 seconds": _target(lost, LOST_WITHIN_SECONDS, met=lost is None or lost <= LOST_WITHIN_SECONDS),
        "other events p95 seconds": _target(
            others, OTHERS_WITHIN_SECONDS, met=others is None or others <= OTHERS_WITHIN_SECONDS
        ),
        "requests of one in use each day, its channel not silent": _target(
            spent, REQUESTS_EACH_DAY, met=spent <= REQUESTS_EACH_DAY
        ),
        "silence noticed, minutes at most": _target(
            longest, minutes, met=all_noticed and (longest is None or longest <= minutes)
        ),
        "requests above a budget": _target(excess, 0, met=excess == 0),
    }


def _target(found: float | None, target: float, *, met: bool) -> dict[str, Any]:
    return {"found": found, "target": target, "met": met}
