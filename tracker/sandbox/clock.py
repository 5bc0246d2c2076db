"""The hub's own clock, and how it writes instants.

Real hubs write whole seconds with the offset of the Emirates, so that is the default; hubs that write microseconds
can be played too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from tracker.sandbox.errors import UnusableInputError

EMIRATES = timezone(timedelta(hours=4))

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Give the real time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class HubClock:
    """Tell the time as the hub sees it and as it writes it.

    Attributes:
        now: where the time comes from; must give aware instants.
        microseconds: keep them on the wire instead of cutting to whole seconds.
    """

    now: Now = utc_now
    microseconds: bool = False

    def instant(self) -> datetime:
        """Give the present, cut to what the wire can carry."""
        return self.cut(self.now())

    def epoch(self) -> int:
        """Give the present as a NumericDate in whole seconds (RFC 7519 §2)."""
        return int(self.now().timestamp())

    def cut(self, moment: datetime) -> datetime:
        """Cut an instant to what the wire can carry, so that the hub acts on the very times it tells.

        Raises:
            UnusableInputError: the instant has no offset.
        """
        if moment.tzinfo is None:
            raise UnusableInputError(f"{moment.isoformat()} has no offset from UTC; give one")
        moment = moment.astimezone(EMIRATES)
        return moment if self.microseconds else moment.replace(microsecond=0)

    def text(self, moment: datetime) -> str:
        """Write an instant the way it appears in payloads."""
        return self.cut(moment).isoformat(timespec="microseconds" if self.microseconds else "seconds")
