"""How often somebody may have something posted to a subscription's URL by hand: nobody is to be flooded through us."""

from collections import OrderedDict, deque
from typing import Final

from tracker.domain.errors import RateLimitedError
from tracker.ports import Clock

MOST: Final = 10
WITHIN_SECONDS: Final = 60.0
"""So many pings and challenges together to one subscription in any such time, by each process."""
_REMEMBERED: Final = 10_000


class Sparing:
    """Counts pings and challenges, by subscription."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._posted: OrderedDict[str, deque[float]] = OrderedDict()

    def spend(self, subscription_id: str) -> None:
        """Count one that is about to be posted.

        Raises:
            RateLimitedError: There were enough.
        """
        now = self._clock.monotonic()
        posted = self._posted.setdefault(subscription_id, deque())
        self._posted.move_to_end(subscription_id)
        while posted and now - posted[0] >= WITHIN_SECONDS:
            posted.popleft()
        if len(posted) >= MOST:
            raise RateLimitedError(WITHIN_SECONDS - (now - posted[0]))
        posted.append(now)
        if len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)
