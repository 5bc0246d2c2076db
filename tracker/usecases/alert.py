"""Saying that something is wrong without saying it ten thousand times, whoever provokes it."""

from tracker.ports import Clock

EVERY_SECONDS = 60.0


class Alert:
    """One kind of trouble: told at once, and then at most once a minute with how often it came meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._untold = 0
        self._silent_until = float("-inf")

    def count(self) -> int:
        """Note that it came once more. Give how often it came since it was last told, if it is to be told now; else 0."""
        self._untold += 1
        now = self._clock.monotonic()
        if now < self._silent_until:
            return 0
        untold, self._untold = self._untold, 0
        self._silent_until = now + EVERY_SECONDS
        return untold
