"""Which status may follow which: the table that a profile gives the judge for one kind of consent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tracker.domain.consent import TERMINAL, Channel, Status


@dataclass(frozen=True, eq=False, kw_only=True)
class Rules:
    """What the judge asks of a profile about one kind of consent.

    Attributes:
        moves: The statuses that may directly follow each status.
        revivable: Terminal statuses that can be taken back by the holder.
        revivers: The channels over which an Authorized of a later date takes them back.
        terms_may_change: Whether a holder may change the expiry of a consent.
        settling: How long a holder's reads may lag behind its events, by our clock.
        leeway: How far a holder's clock may be ahead of ours before we doubt it.
    """

    moves: Mapping[Status, frozenset[Status]]
    revivable: frozenset[Status] = frozenset()
    revivers: frozenset[Channel] = frozenset()
    terms_may_change: bool = False
    settling: timedelta = timedelta(minutes=5)
    leeway: timedelta = timedelta(seconds=300)
    _reach: Mapping[Status, frozenset[Status]] = field(init=False, repr=False)
    _ends: frozenset[Status] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Follow the moves to their ends, once."""
        object.__setattr__(self, "_reach", {status: self._reachable_from(status) for status in Status})
        object.__setattr__(self, "_ends", TERMINAL & self._reach[Status.NOT_STAGED])

    def _reachable_from(self, start: Status) -> frozenset[Status]:
        seen: set[Status] = set()
        front = list(self.moves.get(start, ()))
        while front:
            status = front.pop()
            if status not in seen:
                seen.add(status)
                front.extend(self.moves.get(status, ()))
        return frozenset(seen)

    def can_reach(self, start: Status, end: Status) -> bool:
        """Whether a legal path leads from one status to the other."""
        return end in self._reach[start]

    def can_have(self, status: Status) -> bool:
        """Whether a consent of this kind can ever have a status."""
        return status in self._reach[Status.NOT_STAGED]

    def is_end(self, status: Status) -> bool:
        """Whether a status ends a consent of this kind."""
        return status in self._ends

    def via(self, start: Status, end: Status) -> tuple[Status, ...]:
        """Name the steps between two statuses that nobody told us of: the inner part of the shortest legal path."""
        if start is end:
            return ()
        paths: list[tuple[Status, ...]] = [(start,)]
        for path in paths:  # grows while it is read: the shortest come first
            for status in sorted(self.moves.get(path[-1], ()), key=lambda s: s.rank):
                if status is end:
                    return path[1:]
                if status not in path:
                    paths.append((*path, status))
        return ()
