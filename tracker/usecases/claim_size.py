"""How many events are taken in hand at once: as many as are surely done while the lease on them lasts.

Where machine or database are slow, or both busy, a full batch may take longer than that. Then others would take the same events
in hand as well, all would do everything twice, and it would get slower still.
"""

_SHRINK_ABOVE = 1 / 3  # of the lease
_GROW_BELOW = 1 / 10


class ClaimSize:
    """What the next batch may be, by how long the last ones took."""

    def __init__(self, most: int, lease_seconds: float, *, least: int = 16) -> None:
        """Begin with as many as there may ever be.

        Args:
            most: No more than these.
            lease_seconds: How long they are ours; 0: there is nobody else, and it never changes.
            least: No fewer than these.
        """
        self._most = most
        self._least = least
        self._lease_seconds = lease_seconds
        self.now = most

    def took(self, count: int, seconds: float) -> None:
        """Note how long so many took, from the claim to the record."""
        if seconds > self._lease_seconds * _SHRINK_ABOVE and self._lease_seconds > 0:
            self.now = max(self._least, min(self.now, count) // 2)
        elif seconds < self._lease_seconds * _GROW_BELOW and count >= self.now:
            self.now = min(self._most, self.now * 2)

    def failed(self) -> None:
        """Note that the database would not do it; a smaller one it may."""
        if self._lease_seconds > 0:
            self.now = max(self._least, self.now // 2)
