"""Rows of `provider_ledger`, `provider_health` and `provider_moves`."""

from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.allowance import Allowance
from tracker.domain.breaker import Breaker, BreakerState
from tracker.domain.hearing import Hearing, Quiet
from tracker.domain.lags import Lags
from tracker.ports import Health, Ledger, Signs

_A_DAY_SECONDS = 86_400.0
SIGNS = tuple(field.name for field in fields(Signs))


def ledger_values(ledger: Ledger) -> Values:
    """The row of a ledger."""
    allowance, breaker = ledger.allowance, ledger.breaker
    return {
        "allowance": {
            "taken": [[at.isoformat(), count] for at, count in allowance.taken],
            "day": None if allowance.day is None else allowance.day.isoformat(),
            "used": allowance.used,
            "earlier": allowance.earlier,
            "held_until": _text(allowance.held_until),
            "held_for": allowance.held_for.total_seconds(),
            "share": allowance.share,
            "share_at": _text(allowance.share_at),
            "waiting": allowance.waiting,
            "waiting_until": _text(allowance.waiting_until),
            "wanted_until": _text(allowance.wanted_until),
        },
        "breaker": {
            "state": breaker.state.value,
            "since": _text(breaker.since),
            "until": _text(breaker.until),
            "openings": breaker.openings,
            "in_a_row": breaker.in_a_row,
            "answered": breaker.answered,
            "failed": breaker.failed,
            "counted_since": _text(breaker.counted_since),
        },
    }


@consistent("provider_ledger", "provider")
def to_ledger(row: Row[Any], at: datetime) -> Ledger:
    """A row of `provider_ledger`, and the instant of the clock that counts."""
    told, breaker = row.allowance, row.breaker
    return Ledger(
        allowance=Allowance(
            taken=tuple((datetime.fromisoformat(when), int(count)) for when, count in told["taken"]),
            day=None if told["day"] is None else date.fromisoformat(told["day"]),
            used=int(told["used"]),
            earlier=int(told.get("earlier", 0)),  # rows that were written before there was this have neither
            held_until=_time(told["held_until"]),
            held_for=timedelta(seconds=float(told.get("held_for", _A_DAY_SECONDS))),
            share=None if told["share"] is None else float(told["share"]),
            share_at=_time(told["share_at"]),
            waiting=int(told["waiting"]),
            waiting_until=_time(told["waiting_until"]),
            wanted_until=_time(told["wanted_until"]),
        ),
        breaker=Breaker(
            state=BreakerState(breaker["state"]),
            since=_time(breaker["since"]),
            until=_time(breaker["until"]),
            openings=int(breaker["openings"]),
            in_a_row=int(breaker["in_a_row"]),
            answered=int(breaker["answered"]),
            failed=int(breaker["failed"]),
            counted_since=_time(breaker["counted_since"]),
        ),
        at=at,
    )


def hearing_values(hearing: Hearing) -> Values:
    """What a row of `provider_health` says of a provider's events."""
    return {
        "record": hearing.record,
        "quiet": None if hearing.quiet is None else hearing.quiet.value,
        "quiet_since": hearing.quiet_since,
        "heard_again_at": hearing.heard_again_at,
    }


@consistent("provider_health", "provider")
def to_health(row: Row[Any]) -> Health:
    """A row of `provider_health`."""
    return Health(
        signs=Signs(**{name: getattr(row, name) for name in SIGNS}),
        hearing=Hearing(
            record=row.record,
            quiet=None if row.quiet is None else Quiet(row.quiet),
            quiet_since=row.quiet_since,
            heard_again_at=row.heard_again_at,
        ),
        stretch=row.stretch,
    )


def lags_values(lags: Lags) -> Values:
    """What a row of `provider_moves` counts."""
    steps = {str(step): count for step, count in sorted(lags.steps.items())}
    return {"moves": lags.count, "longest_seconds": lags.longest, "steps": steps}


@consistent("provider_moves", "provider")
def to_lags(row: Row[Any]) -> Lags:
    """A row of `provider_moves`."""
    steps = {int(step): int(count) for step, count in row.steps.items()}
    return Lags(count=row.moves, longest=row.longest_seconds, steps=steps)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
