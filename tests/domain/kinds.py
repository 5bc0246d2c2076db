"""Kinds of consent that belong to no ecosystem: the rules that the judge's tests give it."""

from typing import Final

from tracker.domain.consent import Channel, Status
from tracker.domain.moves import Rules

NS, UN = Status.NOT_STAGED, Status.UNKNOWN
AW, AU, SU = Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED, Status.SUSPENDED
RJ, CO, EX, RV = Status.REJECTED, Status.CONSUMED, Status.EXPIRED, Status.REVOKED

_MOVES: Final = {
    NS: frozenset({AW, AU, SU, RJ, EX, RV}),
    AW: frozenset({AU, RJ, EX, RV}),
    AU: frozenset({SU, EX, RV}),
    SU: frozenset({AU, EX, RV}),
}

DATA_SHARING: Final = Rules(moves=_MOVES)
"""Cannot be consumed."""

PAYMENT: Final = Rules(moves={**_MOVES, NS: _MOVES[NS] | {CO}, AU: _MOVES[AU] | {CO}})
"""Can be consumed."""

REVIVABLE: Final = Rules(
    moves={**_MOVES, RV: frozenset({AU})},
    revivable=frozenset({RV}),
    revivers=frozenset({Channel.WEBHOOK, Channel.POLL}),
    terms_may_change=True,
)
"""Cannot be consumed; a revocation can be taken back, and the expiry can be moved."""

KINDS: Final = {"data sharing": DATA_SHARING, "payment": PAYMENT, "revivable": REVIVABLE}
