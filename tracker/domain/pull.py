"""What a subscriber that polls was handed and has not answered for: the window behind its cursor. Pure.

Everything up to `scanned` that is not among the open ones is settled: acknowledged, refused or not wanted. So the window is
all that is to be kept, and neither an acknowledgement nor an entry costs a row. An entry that was handed out is not handed
out again before the visibility time is over, and meanwhile no later one of its consent is. One answer may hold several
entries of a consent, the oldest first.

Spec: RFC 8936 §2: what is not acknowledged is kept, and may be transmitted again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

MOST_OPEN: Final = 500
"""So many entries may be open; then the window waits for answers, rather than that anything is forgotten."""
MOST_IGNORED: Final = 7
"""An entry that was handed out so often, while others were acknowledged each time, is given up."""
SHORTEST_VISIBILITY: Final = timedelta(seconds=1)
LONGEST_VISIBILITY: Final = timedelta(hours=12)


class PollFormat(StrEnum):
    """What an entry is handed out as."""

    ENTRY = "entry"
    """The CloudEvent that a webhook would carry."""
    SET = "set"
    """A signed Security Event Token. Spec: RFC 8417."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTerms:
    """How a subscription is polled.

    Attributes:
        format: What entries are handed out as.
        visibility: So long an entry that was handed out is kept back from the next poll.
    """

    format: PollFormat = PollFormat.ENTRY
    visibility: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    """An entry that is wanted and not settled.

    Attributes:
        sequence: Which one.
        entry_id: The same, as the subscriber names it.
        tracking_id: Whose consent's order it keeps.
        handed_at: When it was handed out last; None: not yet, it waits behind another of its consent.
        ignored: How often it was handed out and others were acknowledged after that, but not this one.
    """

    sequence: int
    entry_id: str
    tracking_id: str
    handed_at: datetime | None = None
    ignored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is open.

    Attributes:
        scanned: The last sequence that was looked at.
        open: What is not settled up to there, in sequence.
        turn: How often it was written; whoever writes names the one that he read.
    """

    scanned: int
    open: tuple[OpenEntry, ...] = ()
    turn: int = 0

    @property
    def cursor(self) -> int:
        """Up to where everything is settled."""
        return self.open[0].sequence - 1 if self.open else self.scanned


class Handout:
    """One poll's changes to a window.

    Attributes:
        scanned: The last sequence that was looked at.
        chosen: What is handed out now, in sequence.
        acknowledged: What the subscriber has taken.
        refused: What it refused.
        ignored: What is given up because it was handed out again and again.
        has_more: Whether something else could be handed out now.
    """

    def __init__(self, window: Window, now: datetime, visibility: timedelta) -> None:
        """Begin with what is open.

        Args:
            window: As it was read.
            now: The time.
            visibility: How long what was handed out is kept back.
        """
        self._before = window
        self._now = now
        self._visibility = visibility
        self._open = {one.entry_id: one for one in window.open}
        self._blocked: set[str] = set()
        self._limit = 0
        self.scanned = window.scanned
        self.chosen: list[OpenEntry] = []
        self.acknowledged: list[OpenEntry] = []
        self.refused: list[OpenEntry] = []
        self.ignored: list[OpenEntry] = []
        self.has_more = False

    # ------------------------------------------------------------------------------------------ answers

    def settle(self, acknowledged: Iterable[str], refused: Collection[str]) -> None:
        """Take the subscriber's answers in. What is not open was settled before, or never handed out: it does not count."""
        self.refused += [self._open.pop(one) for one in refused if self._was_handed(one)]
        self.acknowledged += [self._open.pop(one) for one in acknowledged if self._was_handed(one)]

    def _was_handed(self, entry_id: str) -> bool:
        one = self._open.get(entry_id)
        return one is not None and one.handed_at is not None

    # ------------------------------------------------------------------------------------------ handing out

    @property
    def has_room(self) -> bool:
        """Whether another entry may become open."""
        return len(self._open) < MOST_OPEN

    def hand_out_again(self, limit: int, acknowledged_at: datetime | None) -> None:
        """Choose among what is open.

        Args:
            limit: At most so many.
            acknowledged_at: When the subscriber last took something.
        """
        self._limit = limit
        for one in sorted(self._open.values(), key=lambda one: one.sequence):
            if one.tracking_id in self._blocked:
                continue
            if self._is_out(one):
                self._blocked.add(one.tracking_id)
                continue
            if one.handed_at is not None and acknowledged_at is not None and acknowledged_at > one.handed_at:
                one = replace(one, ignored=one.ignored + 1)  # noqa: PLW2901 - the same entry, as it now is
            if one.ignored >= MOST_IGNORED:
                self.ignored.append(self._open.pop(one.entry_id))
            else:
                self._offer(one)

    def skip(self, sequence: int) -> None:
        """Pass over an entry that is not wanted."""
        self.scanned = sequence

    def take(self, one: OpenEntry) -> bool:
        """Take the next entry of the journal that is wanted; False: there is no place for it yet."""
        is_blocked = one.tracking_id in self._blocked
        if not is_blocked and len(self.chosen) >= self._limit:
            self.has_more = True
            return False
        if not self.has_room:
            return False
        self.scanned = one.sequence
        self._open[one.entry_id] = one
        if not is_blocked:
            self._offer(one)
        return True

    def drop(self, sequences: Collection[int]) -> None:
        """Settle some of what was chosen: it is not wanted any more, or not there any more."""
        for one in [one for one in self.chosen if one.sequence in sequences]:
            self.chosen.remove(one)
            del self._open[one.entry_id]

    def _offer(self, one: OpenEntry) -> None:
        if len(self.chosen) < self._limit:
            handed = replace(one, handed_at=self._now)
            self._open[one.entry_id] = handed
            self.chosen.append(handed)
        else:
            self.has_more = True
            self._blocked.add(one.tracking_id)  # another may leave its place, and that is not for what comes after this

    def _is_out(self, one: OpenEntry) -> bool:
        """Whether it may be at work with the subscriber.

        What lies ahead was handed out by a process with a faster clock; what lies far ahead, before ours was stepped back.
        """
        return one.handed_at is not None and abs(self._now - one.handed_at) < self._visibility

    # ------------------------------------------------------------------------------------------ what came of it

    @property
    def after(self) -> Window:
        """The window from here on."""
        still = tuple(sorted(self._open.values(), key=lambda one: one.sequence))
        return Window(scanned=self.scanned, open=still, turn=self._before.turn + 1)

    @property
    def has_changes(self) -> bool:
        """Whether more has changed than how far was looked."""
        return bool(self.chosen or self.acknowledged or self.refused or self.ignored) or set(self._before.open) != set(
            self._open.values()
        )
