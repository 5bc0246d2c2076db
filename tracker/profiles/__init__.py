"""The ecosystems that the tracker knows, by the names that the configuration uses.

Nothing outside this package knows what any of them is like: the rest of the tracker asks a `Profile`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tracker.profiles.profile import Profile
from tracker.profiles.uae_v2_1 import UAE_V2_1

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({UAE_V2_1.name: UAE_V2_1})
"""The built-in profiles by name."""
