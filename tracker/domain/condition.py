"""How a provider is, as far as it says how often to ask: a small value that whoever watches providers fills in."""

from dataclasses import dataclass
from typing import Final

from tracker.domain.consent import ProviderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a provider is at this moment.

    Attributes:
        quiet: Its events seem to be lost: what they would have told must be asked for.
        probed: Its events may be lost: for a while it is asked somewhat more often, to see.
        stretch: Its budget is short: ask more slowly by this factor; 1 or more.
    """

    quiet: bool = False
    probed: bool = False
    stretch: float = 1.0


HEALTHY: Final = Condition()
"""Nothing is known against it."""


def always_healthy(_provider: ProviderId) -> Condition:
    """The condition of any provider while nobody watches them."""
    return HEALTHY
