"""How a provider is doing, as far as it matters to when it is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """A provider's condition.

    Attributes:
        quiet: Polls find moves of which its events should have told: it is asked more often.
        stretch: By how much base intervals are longer, so that its budget lasts; 1 and above.
    """

    quiet: bool = False
    stretch: float = 1.0


WELL = Condition()
