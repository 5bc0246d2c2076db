"""Whether a provider's events come: told by which moves of its consents they told us, and which only polls found.

A move was told if an event told it first, or came within the grace after a poll had found it; else it was missed. A provider
has gone quiet

* when a move was missed and nothing at all was heard of it since the poll found that move: a channel that is wholly silent is
  noticed so by the first move, as soon as the grace is over. Where little goes on, silence cannot be told from one lost event;
  then it is asked more often until the next event, which costs little where little goes on;
* or when of the last 10 to 20 moves more were missed than told.

It is heard again with the first move that an event tells, after silence; else with three in a row.

Pure: the instants come in.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

KEPT: Final = 20
FEWEST: Final = 10
_TOLD, _MISSED = "t", "m"
_IN_A_ROW: Final = 3


class Quiet(StrEnum):
    """In which way a provider has gone quiet."""

    SILENT = "silent"
    """Nothing came at all."""
    LOSING = "losing"
    """More moves were missed than told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What is known of a provider's events.

    Attributes:
        record: What became of the last moves, the latest last; begins anew whenever it goes quiet or is heard again.
        quiet: In which way it is quiet; None while it is not.
        quiet_since: Since when.
        heard_again_at: When it was last heard again.
    """

    record: str = ""
    quiet: Quiet | None = None
    quiet_since: datetime | None = None
    heard_again_at: datetime | None = None

    def told(self, now: datetime) -> "Hearing":
        """An event told of a move, in time."""
        after = self._with(_TOLD)
        needed = 1 if self.quiet is Quiet.SILENT else _IN_A_ROW
        if self.quiet is None or not after.record.endswith(_TOLD * needed):
            return after
        return Hearing(heard_again_at=now)

    def missed(self, now: datetime, *, in_silence: bool) -> "Hearing":
        """No event told of a move in time.

        Args:
            now: Our clock.
            in_silence: Nothing at all was heard of the provider since a poll found the move.
        """
        after = self._with(_MISSED)
        if self.quiet is not None:
            return after
        is_losing = len(after.record) >= FEWEST and after.record.count(_MISSED) * 2 > len(after.record)
        if not in_silence and not is_losing:
            return after
        how = Quiet.SILENT if in_silence else Quiet.LOSING
        return Hearing(quiet=how, quiet_since=now, heard_again_at=self.heard_again_at)

    def _with(self, outcome: str) -> "Hearing":
        return replace(self, record=(self.record + outcome)[-KEPT:])
