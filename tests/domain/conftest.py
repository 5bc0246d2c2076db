"""How many examples the properties try: few and always the same ones by default, many and fresh ones on demand.

`HYPOTHESIS_PROFILE=deep` tries 5,000 examples of each; `HYPOTHESIS_EXAMPLES` sets another number for it.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fast", max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "deep",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "5000")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
