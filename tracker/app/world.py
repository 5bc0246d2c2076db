"""What comes from outside and a test or the demo may put something else in the place of."""

from dataclasses import dataclass, field

from tracker.adapters.clock import SystemClock, SystemEntropy, SystemIds
from tracker.ports import Clock, Entropy, Ids, Spans
from tracker.profiles import PROFILES
from tracker.profiles.profile import Profile


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """What a test or the demo may put in the place of the real thing.

    Attributes:
        clock: Our clock.
        ids: Fresh ids.
        entropy: Randomness.
        profiles: The ecosystems that are known.
        spans: What takes the spans of whatever is followed; None: nothing is.
    """

    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=SystemIds)
    entropy: Entropy = field(default_factory=SystemEntropy)
    profiles: dict[str, Profile] = field(default_factory=lambda: dict(PROFILES))
    spans: Spans | None = None
