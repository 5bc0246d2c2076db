"""How long things took, counted in steps of a fifth: small, added up in any order, and good for any percentile."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor, log2
from typing import Final

_SHORTEST_SECONDS: Final = 0.001
_STEPS: Final = 4
"""So many to each doubling: a percentile is told at most 19 % too long."""
_LONGEST_STEP: Final = 160
"""Some hundred million seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lags:
    """Many durations.

    Attributes:
        count: How many.
        longest: The longest of them, in seconds.
        steps: How many there are in each step.
    """

    count: int = 0
    longest: float = 0.0
    steps: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Lags":
        """Count durations; one below zero, by somebody's clock, is none at all."""
        found = [max(0.0, one) for one in seconds]
        return cls(count=len(found), longest=max(found, default=0.0), steps=Counter(_step(one) for one in found))

    def __add__(self, other: "Lags") -> "Lags":
        """Both together."""
        steps = Counter(self.steps)
        steps.update(other.steps)
        return Lags(count=self.count + other.count, longest=max(self.longest, other.longest), steps=steps)

    def percentile(self, share: float) -> float | None:
        """What so large a share of them did not exceed, in seconds; None if there are none."""
        if not self.count:
            return None
        wanted, seen = ceil(self.count * share), 0
        for step in sorted(self.steps):
            seen += self.steps[step]
            if seen >= wanted:
                return min(self.longest, _SHORTEST_SECONDS * float(2 ** ((step + 1) / _STEPS)))
        return self.longest


def _step(seconds: float) -> int:
    if seconds <= _SHORTEST_SECONDS:
        return 0
    return min(_LONGEST_STEP, floor(log2(seconds / _SHORTEST_SECONDS) * _STEPS))
