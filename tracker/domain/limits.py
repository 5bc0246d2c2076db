"""Limits of what may be done under a consent, how much of them is used, and whether a renewal allows more or less.

How much is used is the holder's figure as last seen, and a forecast only: whether a consent is used up, the holder alone says.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

NEARLY: Final = Decimal("0.8")
"""Nearly exhausted: so much of a limit that will not be renewed is used, or nothing more than one last time is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit.

    Attributes:
        name: What is limited, in the standard's words.
        maximum: Up to how much.
        used: How much of it is used; None: nobody said, or it is no limit that is used up.
        currency: Of an amount of money; None: it is a count.
        period: For how long it holds before it begins anew, in the standard's word; None: for the consent's whole life.
    """

    name: str
    maximum: Decimal
    used: Decimal | None = None
    currency: str | None = None
    period: str | None = None

    @property
    def share(self) -> float | None:
        """Which part of it is used: 0 to 1, or more where the holder let it happen; None if nobody knows."""
        if self.used is None:
            return None
        return float(self.used / self.maximum) if self.maximum else 1.0

    @property
    def is_nearly_exhausted(self) -> bool:
        """Whether little is left of what will not come back."""
        if self.used is None or self.period is not None:
            return False
        is_last = self.currency is None and self.maximum - self.used <= 1 < self.maximum
        return is_last or self.used >= self.maximum * NEARLY


def is_nearly_exhausted(limits: Collection[Limit]) -> bool | None:
    """Whether the consent will be used up soon; None if nobody said how much is used."""
    if all(limit.used is None or limit.period is not None for limit in limits):
        return None
    return any(limit.is_nearly_exhausted for limit in limits)


class Change(StrEnum):
    """How the scope of a renewal compares with that of the consent before it."""

    SAME = "same"
    WIDER = "wider"
    NARROWER = "narrower"
    DIFFERENT = "different"
    """Wider in some and narrower in others, or not to be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeChange:
    """What a renewal allows that the consent before it did not, and the other way round.

    Attributes:
        change: In a word.
        added: Permissions.
        removed: Permissions.
        raised: Names of limits that are higher, or gone.
        lowered: Names of limits that are lower, or new.
    """

    change: Change
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    raised: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()


def scope_change(
    before: Collection[str], after: Collection[str], limits_before: Sequence[Limit], limits_after: Sequence[Limit]
) -> ScopeChange:
    """Compare what two consents of one chain allow."""
    added, removed = sorted({*after} - {*before}), sorted({*before} - {*after})
    was, now = ({limit.name: limit for limit in limits} for limits in (limits_before, limits_after))
    # Where money or time are counted otherwise, what is more and what is less cannot be said: then it is both.
    other = {name for name in was.keys() & now.keys() if _measure(was[name]) != _measure(now[name])}
    raised = sorted(other | _higher(was, now))
    lowered = sorted(other | _higher(now, was))
    is_wider, is_narrower = bool(added or raised), bool(removed or lowered)
    change = {
        (False, False): Change.SAME,
        (True, False): Change.WIDER,
        (False, True): Change.NARROWER,
        (True, True): Change.DIFFERENT,
    }[is_wider, is_narrower]
    return ScopeChange(
        change=change, added=tuple(added), removed=tuple(removed), raised=tuple(raised), lowered=tuple(lowered)
    )


def _measure(limit: Limit) -> tuple[str | None, str | None]:
    return limit.currency, limit.period


def _higher(was: Mapping[str, Limit], now: Mapping[str, Limit]) -> set[str]:
    """The limits that are higher now, or that there are none of any more."""
    return {name for name, limit in was.items() if name not in now or now[name].maximum > limit.maximum}
