"""Whether a provider's events come: told by which moves of its consents they told us, and which only polls found.

A move was told if an event told it first, or came within the grace after a poll had found it; else it was missed. It was missed
in silence if besides nothing at all was heard of the provider since the move: an event of whatever it be, that came after it,
shows that the channel lives. A provider

* may have gone quiet (`unsure`) with the first move that was missed in silence, as soon as the grace is over. Where little goes
  on, nothing tells that from one lost event but the next move; so for a while it is asked somewhat more often, and no more
  comes of it;
* has gone quiet (`silent`) with the second, if still nothing was heard. Of one event in twenty that is lost, one in four hundred
  makes that happen by chance; of a channel that is wholly silent, the second move does;
* has gone quiet (`losing`) when of the last 10 to 20 moves more were missed than told.

It is heard again with the first move that an event tells; after `losing`, with three in a row.

Pure: the instants come in.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

KEPT: Final = 20
FEWEST: Final = 10
PROBED_FOR: Final = timedelta(minutes=30)
"""So long a provider is asked more often that may have gone quiet."""
CLOCKS_AGREE: Final = timedelta(minutes=1)
"""By so much a holder's clock may be behind ours, and what it dates before an event that we heard may come after it."""
_TOLD, _MISSED = "t", "m"
_IN_A_ROW: Final = 3


class Quiet(StrEnum):
    """In which way a provider has gone quiet."""

    UNSURE = "unsure"
    """One move was missed, and nothing came since: one event was lost, or nothing comes at all."""
    SILENT = "silent"
    """Nothing comes at all."""
    LOSING = "losing"
    """More moves were missed than told."""

    @property
    def is_alarming(self) -> bool:
        """Whether it is known, and not only to be feared."""
        return self is not Quiet.UNSURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What is known of a provider's events.

    Attributes:
        record: What became of the last moves, the latest last; begins anew with every alarm, and when one is over.
        quiet: In which way it is quiet; None while it is not.
        quiet_since: Since when.
        heard_again_at: When an alarm was last over.
    """

    record: str = ""
    quiet: Quiet | None = None
    quiet_since: datetime | None = None
    heard_again_at: datetime | None = None

    @property
    def is_alarming(self) -> bool:
        """Whether it is known that its events do not come."""
        return self.quiet is not None and self.quiet.is_alarming

    def is_probed(self, now: datetime, heard_at: datetime | None) -> bool:
        """Whether it is to be asked more often, to see whether it has gone quiet.

        Args:
            now: Our clock.
            heard_at: When an event of it last came.
        """
        if self.quiet is not Quiet.UNSURE or self.quiet_since is None or self._was_heard(heard_at):
            return False
        return now < self.quiet_since + PROBED_FOR

    def told(self, now: datetime) -> "Hearing":
        """An event told of a move, in time."""
        after = self._with(_TOLD)
        if not self.is_alarming:
            return replace(after, quiet=None, quiet_since=None)
        needed = _IN_A_ROW if self.quiet is Quiet.LOSING else 1
        return Hearing(heard_again_at=now) if after.record.endswith(_TOLD * needed) else after

    def missed(self, now: datetime, *, moved_at: datetime, heard_at: datetime | None) -> "Hearing":
        """No event told of a move in time.

        Args:
            now: Our clock.
            moved_at: When it was, by the holder's clock.
            heard_at: When an event of the provider last came; None: none ever did.
        """
        after = self._with(_MISSED)
        if self.is_alarming:
            return after
        if len(after.record) >= FEWEST and after.record.count(_MISSED) * 2 > len(after.record):
            return Hearing(quiet=Quiet.LOSING, quiet_since=now, heard_again_at=self.heard_again_at)
        is_first = self.quiet is None or self._was_heard(heard_at)
        if heard_at is not None and heard_at > moved_at + CLOCKS_AGREE:
            return replace(after, quiet=None, quiet_since=None) if is_first else after
        if is_first:
            return replace(after, quiet=Quiet.UNSURE, quiet_since=now)
        return Hearing(quiet=Quiet.SILENT, quiet_since=now, heard_again_at=self.heard_again_at)

    def _was_heard(self, heard_at: datetime | None) -> bool:
        """Whether anything was heard since it was last noted how it is."""
        return heard_at is not None and self.quiet_since is not None and heard_at > self.quiet_since

    def _with(self, outcome: str) -> "Hearing":
        return replace(self, record=(self.record + outcome)[-KEPT:])
