"""From when until when the tokens that we sign are valid, by a clock that may be a minute ahead of the holder's or behind it.

A holder takes no token that begins in its future, and refuses those with an `iat` in there too. A clock of ours that is ahead by
more than its leeway, which nobody tells, would have every question refused. So ours begin a minute ago, and end two minutes
from now: that is longer than a holder's clock may be ahead and the request on its way.

Spec: UAE Open Finance v2.1, client assertion: `exp` at most five minutes after `iat`, `nbf` optional. `iat` is to be now; what
is now for both is within a minute.
"""

from datetime import datetime
from typing import Final

_APART_SECONDS: Final = 60
"""How far the holder's clock and ours may be apart, as for its tokens."""
_SECONDS: Final = 120


def validity(now: datetime) -> dict[str, int]:
    """The claims `iat`, `nbf` and `exp` of a token that is sent now."""
    seconds = int(now.timestamp())
    begins = seconds - _APART_SECONDS
    return {"iat": begins, "nbf": begins, "exp": seconds + _SECONDS}
