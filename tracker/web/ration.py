"""How often the same thing may be logged: what strangers cause must not fill a disk, nor drown the rest of the log."""

from collections import defaultdict

from tracker.ports import Clock

A_MINUTE = 60
"""So many lines of each kind a minute."""
_WINDOW_SECONDS = 60.0


class Ration:
    """Counts lines by kind, for a minute each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._counts: dict[str, int] = defaultdict(int)

    def allows(self, kind: str) -> bool:
        """Count a line; say whether it may be written."""
        self._counts[kind] += 1
        return self._counts[kind] <= A_MINUTE

    def withheld(self) -> dict[str, int]:
        """When a minute is over: how many lines of each kind were withheld in it; a new one begins. Else empty."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since < _WINDOW_SECONDS:
            return {}
        self._since = now
        over = {kind: count - A_MINUTE for kind, count in self._counts.items() if count > A_MINUTE}
        self._counts.clear()
        return over
