"""How often a provider may be asked: so many questions in any second, so many a day, and who of two kinds is next.

Pure: the instants come in, from one clock for all who share an allowance. What was asked counts from the instant at which it
was taken in hand until a whole span later; so in no span are there ever more questions than its rate allows, whoever asks,
and what a process took and never sent is lost, not sent by another.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Final

SHARE: Final = 0.5
"""Of the rate, for those who wait for an answer, while the schedule could use all of it."""
_SLICES: Final = 20
_WANTED_FOR: Final = timedelta(seconds=5)
"""Whoever wants more says so again before this is over, or is gone."""
_AT_ONCE_SHARE: Final = 0.05
_BY_THE_HOUR_SHARE: Final = 0.85
"""Of the day's questions the ordinary ones have these, the second as the day goes by; the rest is for what is urgent."""
_ROUNDING: Final = 1e-6
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often a provider may be asked.

    Attributes:
        per_second: Questions a second; may be a fraction.
        per_day: Questions a day, in UTC; 0: no limit.
    """

    per_second: float
    per_day: int = 0

    @property
    def at_once(self) -> int:
        """How many questions there may be in one span."""
        return max(1, ceil(self.per_second))

    @property
    def span(self) -> timedelta:
        """The time in which there may be so many: a second, or a little more where the rate is no whole number."""
        return timedelta(seconds=self.at_once / self.per_second)


@dataclass(frozen=True, slots=True)
class Room:
    """How many questions may be asked now.

    Attributes:
        urgent: Of any kind.
        ordinary: Of those, so many that can wait.
    """

    urgent: int
    ordinary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What was asked of a provider lately.

    Attributes:
        taken: When questions were taken in hand, and how many; what is older than a span is left out.
        day: The day of `used`; None before the first question.
        used: How many that day.
        earlier: How many on the day before that with any: our clock may be set back into it.
        held_until: The provider asked to be left alone until then.
        held_for: How long that was when it asked.
        share: How many questions those may have who wait for an answer, while the schedule wants more than there is.
        share_at: When that was so.
        waiting: How many wait for their turn, as far as is known.
        waiting_until: When that is not true any more.
        wanted_until: Until then the schedule could use more than it had.
    """

    taken: tuple[tuple[datetime, int], ...] = ()
    day: date | None = None
    used: int = 0
    earlier: int = 0
    held_until: datetime | None = None
    held_for: timedelta = _DAY
    share: float | None = None
    share_at: datetime | None = None
    waiting: int = 0
    waiting_until: datetime | None = None
    wanted_until: datetime | None = None

    # ------------------------------------------------------------------------------------------ what there is

    def room(self, limits: Limits, now: datetime) -> Room:
        """How many questions may be asked now."""
        free = self._free(limits, now)
        if not limits.per_day:
            return Room(free, free)
        used = self.used_on(now)
        left = max(0, limits.per_day - used)
        passed = (now - datetime.combine(now.date(), time(), UTC)) / _DAY
        by_now = int(limits.per_day * (_AT_ONCE_SHARE + _BY_THE_HOUR_SHARE * passed))
        return Room(min(free, left), min(free, left, max(0, by_now - used)))

    def for_schedule(self, limits: Limits, now: datetime) -> Room:
        """How many of these the schedule may have: some are kept free for those who wait."""
        room = self.room(limits, now)
        waiting = self.waiting if self.waiting_until is not None and now < self.waiting_until else 0
        kept = min(waiting, int(self._share(limits, now) + _ROUNDING))
        return Room(max(0, room.urgent - kept), max(0, room.ordinary - kept))

    def for_turns(self, limits: Limits, now: datetime) -> int:
        """How many of these those may have who wait for an answer."""
        room = self.room(limits, now).urgent
        is_wanted = self.wanted_until is not None and now < self.wanted_until
        return min(room, int(self._share(limits, now) + _ROUNDING)) if is_wanted else room

    def wait(self, limits: Limits, now: datetime) -> timedelta:
        """How long one who waits has no turn, if nobody else takes it; no time at all when there is one."""
        if self.for_turns(limits, now):
            return timedelta()
        if (held := self._held(now)) > timedelta():
            return held
        if limits.per_day and self.used_on(now) >= limits.per_day:
            return datetime.combine(now.date() + _DAY, time(), UTC) - now
        if not self._free(limits, now):
            return min(at for at, _ in self._within_span(limits, now)) + limits.span - now
        return timedelta(seconds=(1 - self._share(limits, now)) / (limits.per_second * SHARE))

    def is_held(self, now: datetime) -> bool:
        """Whether the provider asked to be left alone and it is not over."""
        return self._held(now) > timedelta()

    def used_on(self, now: datetime) -> int:
        """How many questions were asked on this day; a clock that is stepped back does not give them back."""
        if self.day is None or now.date() > self.day:
            return 0
        return self.used if now.date() == self.day else self.used + self.earlier

    # ------------------------------------------------------------------------------------------ what changes it

    def settled(self, limits: Limits, now: datetime) -> "Allowance":
        """The same by this clock, if it was stepped back: what lies ahead of it was done just now, and lasts from now on.

        A day that comes again is counted as one with the day after it; one that is farther ahead was none at all, and what was
        asked on it was asked today. Otherwise nothing could be asked until it comes.
        """
        settled, latest = self, now + limits.span / _SLICES  # as far ahead as slices are written
        if any(at > latest for at, _ in self.taken):
            settled = replace(settled, taken=tuple((min(at, latest), count) for at, count in self.taken))
        if self.held_until is not None and self._held(now) > self.held_for:
            settled = replace(settled, held_until=now + self.held_for)
        if self.day is not None and self.day - now.date() > _DAY:
            settled = replace(settled, day=now.date(), used=self.used + self.earlier, earlier=0)
        if self.share_at is not None and self.share_at > now:
            settled = replace(settled, share_at=now)
        soon = now + _wanted(limits)
        if any(until is not None and until > soon for until in (self.waiting_until, self.wanted_until)):
            settled = replace(settled, waiting_until=None, wanted_until=None)  # who is not gone says so again
        return settled

    def take(self, questions: int, limits: Limits, now: datetime) -> "Allowance":
        """Take questions in hand. Never more than there is room for."""
        if questions < 1:
            return self
        is_new_day = self.day is None or now.date() > self.day
        day = now.date() if self.day is None else max(self.day, now.date())
        used, earlier = (questions, self.used) if is_new_day else (self.used + questions, self.earlier)
        kept = self._within_span(limits, now)
        at = _slice(now, limits)
        same = sum(count for when, count in kept if when == at)
        others = tuple((when, count) for when, count in kept if when != at)
        return replace(self, taken=(*others, (at, same + questions)), day=day, used=used, earlier=earlier)

    def take_turns(self, questions: int, limits: Limits, now: datetime) -> "Allowance":
        """Take questions in hand that somebody waits for."""
        share = max(0.0, self._share(limits, now) - questions)
        return replace(self.take(questions, limits, now), share=share, share_at=now)

    def wanted(self, now: datetime, limits: Limits, *, more: bool) -> "Allowance":
        """Note whether the schedule could have used more."""
        if not more:
            return self if self.wanted_until is None else replace(self, wanted_until=None)
        return self if _lasts(self.wanted_until, now, limits) else replace(self, wanted_until=now + _wanted(limits))

    def awaited(self, waiting: int, now: datetime, limits: Limits) -> "Allowance":
        """Note how many wait for their turn."""
        if waiting == self.waiting and _lasts(self.waiting_until, now, limits):
            return self
        return replace(self, waiting=waiting, waiting_until=now + _wanted(limits))

    def held(self, seconds: float, now: datetime) -> "Allowance":
        """The provider asked to be left alone for so long."""
        span = timedelta(seconds=seconds)
        if self._held(now) >= span:
            return self
        return replace(self, held_until=now + span, held_for=span)

    # ------------------------------------------------------------------------------------------ inside

    def _free(self, limits: Limits, now: datetime) -> int:
        if self.is_held(now):
            return 0
        return max(0, limits.at_once - sum(count for _, count in self._within_span(limits, now)))

    def _held(self, now: datetime) -> timedelta:
        return timedelta() if self.held_until is None else self.held_until - now

    def _within_span(self, limits: Limits, now: datetime) -> tuple[tuple[datetime, int], ...]:
        return tuple((at, count) for at, count in self.taken if at > now - limits.span)

    def _share(self, limits: Limits, now: datetime) -> float:
        most = max(1.0, limits.at_once * SHARE)
        if self.share is None or self.share_at is None:
            return most
        since = max(0.0, (now - self.share_at).total_seconds())
        return min(most, self.share + since * limits.per_second * SHARE)


def _wanted(limits: Limits) -> timedelta:
    return max(_WANTED_FOR, 2 * limits.span)


def _lasts(until: datetime | None, now: datetime, limits: Limits) -> bool:
    """Whether what was noted lasts for a good while yet: then it need not be noted again."""
    return until is not None and _wanted(limits) / 2 < until - now <= _wanted(limits)


def _slice(now: datetime, limits: Limits) -> datetime:
    """Write many questions down as a few: as if they were sent at the end of a small part of the span."""
    if limits.at_once <= _SLICES:
        return now
    part = limits.span / _SLICES
    begun = datetime.combine(now.date(), time(), UTC)
    return begun + -(-(now - begun) // part) * part
