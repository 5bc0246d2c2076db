"""A circuit breaker: who fails again and again is left alone, then asked one question, and only then asked as before.

Pure: the instants come in. All processes fold into one breaker, so one question at a time tries it for all of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

FAILURES_IN_A_ROW: Final = 5
SHARE_OF_FAILURES: Final = 0.5
FEWEST_FOR_A_SHARE: Final = 20
COUNTED_FOR: Final = timedelta(minutes=1)
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=1)
PROBE_TAKES: Final = timedelta(seconds=30)
"""After so long whoever took the one question is taken for dead; a question has 10 seconds."""


class BreakerState(StrEnum):
    """What may be asked."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing for a while, then one question."""
    HALF_OPEN = "half_open"
    """One question is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Where it stands.

    Attributes:
        state: What may be asked.
        since: Since when it has not been closed; None while it is.
        until: Open: when one question may be asked. Half open: until when its answer is waited for.
        openings: How often in a row it opened; the waits grow with it.
        in_a_row: Failures since the last answer.
        answered: Answers since `counted_since`.
        failed: Failures since then.
        counted_since: When counting began anew.
    """

    state: BreakerState = BreakerState.CLOSED
    since: datetime | None = None
    until: datetime | None = None
    openings: int = 0
    in_a_row: int = 0
    answered: int = 0
    failed: int = 0
    counted_since: datetime | None = None

    def wait(self, now: datetime) -> timedelta:
        """How long nothing may be asked; no time at all when something may."""
        if self.state is BreakerState.CLOSED or self.until is None:
            return timedelta()
        return min(max(self.until - now, timedelta()), self._longest)

    def settled(self, now: datetime) -> "Breaker":
        """The same by this clock: if that was stepped back, what is waited for is waited for from now on, and no longer."""
        if self.until is None or self.until - now <= self._longest:
            return self
        return replace(self, until=now + self._longest)

    @property
    def _longest(self) -> timedelta:
        """No longer than this can it have been meant to be waited for."""
        return PROBE_TAKES if self.state is BreakerState.HALF_OPEN else LONGEST_WAIT

    def room(self, now: datetime) -> int | None:
        """How many questions it lets through; None: any number."""
        if self.state is BreakerState.CLOSED:
            return None
        return 0 if self.wait(now) else 1

    def let_through(self, now: datetime) -> "Breaker":
        """Note that a question was taken in hand: if it is not closed, that is the one that tries it."""
        if self.state is BreakerState.CLOSED:
            return self
        return replace(self, state=BreakerState.HALF_OPEN, until=now + PROBE_TAKES)

    def heard(self, outcomes: Iterable[bool], now: datetime) -> "Breaker":
        """Fold in what came of questions, in their order: True for an answer, whatever it says."""
        breaker = self
        for is_answer in outcomes:
            breaker = breaker._heard(now, is_answer=is_answer)
        return breaker

    def _heard(self, now: datetime, *, is_answer: bool) -> "Breaker":
        match self.state:
            case BreakerState.OPEN:
                return self  # of a question that was sent before it opened
            case BreakerState.HALF_OPEN:
                return Breaker() if is_answer else self._open(now)
            case BreakerState.CLOSED:
                return self._count(now, is_answer=is_answer)

    def _count(self, now: datetime, *, is_answer: bool) -> "Breaker":
        begun = self.counted_since
        is_old = begun is None or not timedelta() <= now - begun < COUNTED_FOR
        answered = (0 if is_old else self.answered) + is_answer
        failed = (0 if is_old else self.failed) + (not is_answer)
        in_a_row, total = 0 if is_answer else self.in_a_row + 1, answered + failed
        share_is_too_large = total >= FEWEST_FOR_A_SHARE and failed >= SHARE_OF_FAILURES * total
        if not is_answer and (in_a_row >= FAILURES_IN_A_ROW or share_is_too_large):
            return self._open(now)
        counted_since = now if is_old else begun
        return replace(self, in_a_row=in_a_row, answered=answered, failed=failed, counted_since=counted_since)

    def _open(self, now: datetime) -> "Breaker":
        openings = self.openings + 1
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(openings - 1, 10))
        return Breaker(state=BreakerState.OPEN, since=self.since or now, until=now + wait, openings=openings)
