"""Rows of `replay` and `replay_failure`."""

from typing import Any

from sqlalchemy import Row

from tracker.adapters.store.rows.reading import Values, consistent
from tracker.domain.replay import NotTaken, Replay, ReplayState, Selection, Wanted
from tracker.journal.instant import parse_rfc3339, rfc3339

_AS_THEY_ARE = (
    "id",
    "subscription_id",
    "per_second",
    "position",
    "total",
    "done",
    "failed",
    "skipped",
    "created_at",
    "started_at",
    "finished_at",
    "failing_since",
    "failures",
    "tried_at",
    "next_attempt_at",
    "last_error",
)
_FAILURE = ("sequence", "tracking_id", "attempts", "last_error", "answer", "failed_at")


def replay_values(replay: Replay) -> Values:
    """The row of a replay."""
    chosen = replay.selection
    selection = {
        "wanted": chosen.wanted.value,
        "sequences": list(chosen.sequences),
        "first": chosen.first,
        "last": chosen.last,
        "since": None if chosen.since is None else rfc3339(chosen.since),
        "until": None if chosen.until is None else rfc3339(chosen.until),
    }
    values = {name: getattr(replay, name) for name in _AS_THEY_ARE}
    ahead = {"settled": sorted(replay.ahead), "tries": {str(one): count for one, count in replay.tries.items()}}
    is_any = replay.ahead or replay.tries
    return values | {"state": replay.state.value, "selection": selection, "ahead": ahead if is_any else None}


@consistent("replay", "id")
def to_replay(row: Row[Any]) -> Replay:
    """A row of `replay`."""
    chosen = row.selection
    selection = Selection(
        wanted=Wanted(chosen["wanted"]),
        sequences=tuple(chosen["sequences"]),
        first=chosen["first"],
        last=chosen["last"],
        since=None if chosen["since"] is None else parse_rfc3339(chosen["since"]),
        until=None if chosen["until"] is None else parse_rfc3339(chosen["until"]),
    )
    plain = {name: getattr(row, name) for name in _AS_THEY_ARE}
    ahead = row.ahead or {"settled": (), "tries": {}}
    return Replay(
        selection=selection,
        state=ReplayState(row.state),
        ahead=frozenset(ahead["settled"]),
        tries={int(one): count for one, count in ahead["tries"].items()},
        **plain,
    )


def not_taken_values(replay_id: str, not_taken: NotTaken) -> Values:
    """The row of an entry that failed."""
    return {"replay_id": replay_id, **{name: getattr(not_taken, name) for name in _FAILURE}}


@consistent("replay_failure", "sequence")
def to_not_taken(row: Row[Any]) -> NotTaken:
    """A row of `replay_failure`."""
    return NotTaken(**{name: getattr(row, name) for name in _FAILURE})
