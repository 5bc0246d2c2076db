"""What others were told of a subscriber who cannot be reached: at 50, 70 and 90 % of the way to disablement, and at its end.

Told is a step, once, when it is reached; of several that were passed while nobody looked, the furthest. When the subscriber
takes something again after any step was told, that is told too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MARKS: Final = (50, 70, 90)
"""Per cent of the time after which an endpoint that takes nothing is disabled."""
DISABLED: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """How far on the way others were told that it is.

    Attributes:
        percent: The step that was told; 0: none, or that it recovered.
        failing_since: Since when it had been failing then; None: it was disabled for saying so, or nothing was told.
    """

    percent: int = 0
    failing_since: datetime | None = None

    @property
    def state(self) -> str:
        """What others take its state to be."""
        if self.percent == 0:
            return "active"
        return "disabled" if self.percent == DISABLED else "failing"


NOTHING: Final = Announced()


def step(told: Announced, failing_since: datetime, disable_after: timedelta, now: datetime) -> Announced:
    """The furthest step that is reached, if it was not told of this failing before; else what was told."""
    already = told.percent if told.failing_since == failing_since else 0
    reached = [mark for mark in MARKS if mark > already and now >= failing_since + disable_after * mark / 100]
    return Announced(percent=max(reached), failing_since=failing_since) if reached else told


def next_step_at(told: Announced, failing_since: datetime, disable_after: timedelta) -> datetime | None:
    """When the next step is reached; None: there is none before the end."""
    already = told.percent if told.failing_since == failing_since else 0
    ahead = [mark for mark in MARKS if mark > already]
    return failing_since + disable_after * min(ahead) / 100 if ahead else None
