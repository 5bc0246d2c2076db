"""Whether our clock can be believed as far as something is done by it that cannot be undone. Pure.

A clock that is a year ahead for a minute makes every duty of that year look as if it had passed. So nothing goes by the clock
alone unless it was seen, again and again, to go on as clocks do for a whole day, and what it says fell due a day ago at least.
A leap of less than a day is not noticed, and cannot do harm: that is what the second day is for.

What was seen is kept in the database, and is of all processes together: two whose clocks disagree unsettle one another.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_A_DAY: Final = timedelta(days=1)
_CLOCKS_AGREE: Final = timedelta(minutes=5)
NOTHING_IS_CERTAIN: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SteadyClock:
    """What was seen of our clock.

    Attributes:
        seen_at: What it said when it was looked at last.
        since: What it said when it was looked at first after it had leapt, or had not been looked at for a day.
    """

    seen_at: datetime
    since: datetime

    def seen(self, now: datetime, others: datetime | None = None) -> "SteadyClock":
        """The same after another look.

        Args:
            now: What it says.
            others: What a clock of another machine says, if there is one: the database's.
        """
        agrees = others is None or abs(others - now) <= _CLOCKS_AGREE
        return SteadyClock(now, self.since if self._goes_on(now) and agrees else now)

    def certain(self, now: datetime) -> datetime:
        """Up to which instant all has surely passed, if it says `now`."""
        is_sure = self._goes_on(now) and now - self.since >= _A_DAY
        return now - _A_DAY if is_sure else NOTHING_IS_CERTAIN

    def _goes_on(self, now: datetime) -> bool:
        return -_CLOCKS_AGREE <= now - self.seen_at <= _A_DAY


def first_seen(now: datetime) -> SteadyClock:
    """What is known after the first look."""
    return SteadyClock(now, now)
