"""Telling a subscriber again, or after all: what of the journal, how far that has come, and how long it waits.

A replay is a job. It goes through what was chosen in the journal's order, and only through what the subscription has gone past:
what comes after its cursor, and what is still parked, it is told anyway. Everything chosen ends in one of three ways: it was
*done*, which is taken by the endpoint; it *failed*, after a few tries; or it was *skipped*, because the subscription does
not hear it or is still being told it.

What is known of the past is the cursor and the dead letters. So `missing` can only mean the dead letters: what a narrower filter
has let pass is on no record, and is asked for by range.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

MOST_SEQUENCES: Final = 1_000
"""So many entries may be named one by one."""
MOST_OPEN: Final = 10
"""So many replays of one subscription may wait or run."""
MOST_OVER: Final = 100
"""So many of those that are over are kept for each subscription."""
KEPT_FOR: Final = timedelta(days=30)
"""And no longer than this."""
MOST_LISTED: Final = 100
"""So many failures of one replay are kept with their reasons; all are counted."""
FASTEST: Final = 1_000
"""So many posts a second at most."""
USUAL_RATE: Final = 20

_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (2, 10))
MOST_TRIES: Final = len(_PAUSES) + 1
"""So often an entry is tried that the endpoint refuses, while it takes others."""
_ENDPOINT_DOWN = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600, 1_800, 3_600))
_JITTER = 0.1
WAITS_AT_MOST: Final = timedelta(days=3)
"""A replay whose endpoint takes nothing for so long is stopped."""


class Wanted(StrEnum):
    """What of the journal is chosen."""

    SEQUENCES = "sequences"
    """Entries that were named."""
    FAILED = "failed"
    """Dead letters that were given up in a span of time."""
    RANGE = "range"
    """Everything from one sequence to another."""
    MISSING = "missing"
    """All dead letters."""


class ReplayState(StrEnum):
    """How a replay stands."""

    WAITING = "waiting"
    """It has not begun: another of its subscription goes first, or nothing is sent to it now."""
    RUNNING = "running"
    """It has begun."""
    DONE = "done"
    """It has gone through everything; some of it may have failed."""
    CANCELLED = "cancelled"
    """Somebody wanted no more of it."""
    STOPPED = "stopped"
    """The endpoint said that it is gone, or took nothing for days."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self not in {ReplayState.WAITING, ReplayState.RUNNING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was chosen.

    Attributes:
        wanted: In which way.
        sequences: Those that were named, in order; empty otherwise.
        first: Nothing before this sequence.
        last: Nothing after it; not beyond where the subscription was when the replay was asked for.
        since: Dead letters given up from here on.
        until: Dead letters given up before.
    """

    wanted: Wanted
    sequences: tuple[int, ...] = ()
    first: int = 1
    last: int
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_of_dead_letters(self) -> bool:
        """Whether only what was given up is chosen."""
        return self.wanted in {Wanted.FAILED, Wanted.MISSING}

    def named_after(self, sequence: int, limit: int) -> tuple[int, ...]:
        """The next of the sequences that can be told without looking: those that were named, or that are in the range."""
        if self.wanted is Wanted.RANGE:
            begin = max(sequence + 1, self.first)
            return tuple(range(begin, min(self.last + 1, begin + limit)))
        return tuple(one for one in self.sequences if one > sequence)[:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay.

    Attributes:
        id: UUIDv7: those of one subscription go in this order, one at a time.
        subscription_id: Who is told.
        selection: What.
        per_second: How many posts a second at most.
        state: How it stands.
        position: Everything chosen up to this sequence is settled, and counted.
        total: How many entries were chosen when it was asked for.
        done: How many of them the endpoint took.
        failed: How many it refused for good.
        skipped: How many were not sent.
        created_at: When it was asked for.
        started_at: When it began.
        finished_at: When it was over.
        failing_since: Since when the endpoint takes nothing; None while it does.
        failures: How often in a row it took nothing, spread over the ladder.
        tried_at: When that was last.
        next_attempt_at: When it is tried again.
        last_error: What is wrong, for people.
        ahead: What is settled, and counted, behind `position`, while something before it is not.
        tries: How often entries behind `position` were refused that are not settled.
    """

    id: str
    subscription_id: str
    selection: Selection
    per_second: int = USUAL_RATE
    state: ReplayState = ReplayState.WAITING
    position: int = 0
    total: int
    done: int = 0
    failed: int = 0
    skipped: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    tried_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    ahead: frozenset[int] = frozenset()
    tries: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """An entry that failed in a replay.

    Attributes:
        sequence: Which entry.
        tracking_id: Of which consent.
        attempts: How often it was refused in this replay.
        last_error: Why, for people.
        answer: How the endpoint's last answer begins, as text to be shown.
        failed_at: When it was given up.
    """

    sequence: int
    tracking_id: str
    attempts: int
    last_error: str | None
    answer: str | None = None
    failed_at: datetime


def retry_entry(tries: int) -> timedelta | None:
    """When to try an entry again that was refused so many times (1 or more); None: it has failed."""
    return _PAUSES[tries - 1] if tries <= len(_PAUSES) else None


def begun(replay: Replay, now: datetime) -> Replay:
    """It has begun, or goes on."""
    if replay.state is not ReplayState.WAITING:
        return replay
    return replace(replay, state=ReplayState.RUNNING, started_at=now)


def reachable(replay: Replay) -> Replay:
    """The endpoint has taken something."""
    return replace(replay, failing_since=None, failures=0, tried_at=None, next_attempt_at=None, last_error=None)


def put_off(
    replay: Replay, now: datetime, *, error: str | None, fraction: float, wait_seconds: float | None = None
) -> Replay:
    """The endpoint took nothing once more, or asked us to wait: go on later, and stop after days of that.

    Args:
        replay: As it was.
        now: When that was.
        error: What it said, for people.
        fraction: A random number from 0 up to 1; jitter only ever adds.
        wait_seconds: How long it asked us to wait; it is never tried earlier.
    """
    since = replay.failing_since
    if since is None or since > now:  # a clock that was ahead has begun to count
        since = now
    if now - since >= WAITS_AT_MOST:
        return ended(replace(replay, failing_since=since), ReplayState.STOPPED, now, error=error)
    wait = _ENDPOINT_DOWN[min(replay.failures, len(_ENDPOINT_DOWN) - 1)] * (1 + _JITTER * fraction)
    wait = max(wait, timedelta(seconds=wait_seconds or 0))
    return replace(
        replay,
        failing_since=since,
        failures=replay.failures + 1,
        tried_at=now,
        next_attempt_at=now + wait,
        last_error=error,
    )


def left_to_wait(replay: Replay, now: datetime) -> timedelta:
    """How long it still waits for its endpoint. A clock that was stepped back behind the last try says nothing."""
    if replay.next_attempt_at is None or replay.tried_at is None or now < replay.tried_at:
        return timedelta()
    return max(replay.next_attempt_at - now, timedelta())


def ended(replay: Replay, state: ReplayState, now: datetime, *, error: str | None = None) -> Replay:
    """It is over."""
    return replace(replay, state=state, finished_at=now, next_attempt_at=None, last_error=error)


def settled(
    replay: Replay,
    *,
    position: int,
    ahead: Collection[int] = (),
    tries: Mapping[int, int] | None = None,
    done: Collection[int],
    failed: Collection[int],
    skipped: Collection[int],
) -> Replay:
    """So many more are settled: everything up to a position, and some behind it.

    Args:
        replay: As it was.
        position: Everything chosen up to here is settled.
        ahead: What is settled behind that, by now.
        tries: How often what is not was refused.
        done: What was taken since the last time.
        failed: What was refused for good since.
        skipped: What was found not to be sent since.
    """
    return replace(
        replay,
        position=max(replay.position, position),
        ahead=frozenset(ahead),
        tries=tries or {},
        done=replay.done + len(done),
        failed=replay.failed + len(failed),
        skipped=replay.skipped + len(skipped),
    )
