"""How many may begin within a second: a count of those that have, and no credit for those that have not."""

from collections import deque


class Pace:
    """At most so many begin within any second. Belongs to one replay."""

    def __init__(self, per_second: int, *, is_used_up: bool, now: float) -> None:
        """Begin.

        Args:
            per_second: How many.
            is_used_up: Whether somebody else may have used it up just before.
            now: Of a clock that is never set.
        """
        self._begun = deque([now] * per_second if is_used_up else [], maxlen=per_second)
        self._per_second = per_second

    def room(self, now: float) -> int:
        """How many may begin now."""
        while self._begun and now - self._begun[0] >= 1:
            self._begun.popleft()
        return self._per_second - len(self._begun)

    def wait(self, now: float) -> float:
        """How long until one may begin."""
        return 0.0 if self.room(now) else 1 - (now - self._begun[0])

    def begin(self, now: float) -> None:
        """One begins."""
        self._begun.append(now)
