"""The claims of a verified event: for whom it is, and whether it was valid when it came."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tracker.domain.errors import UntrustedEventError

LEEWAY_SECONDS = 60
"""How far the holder's clock and ours may be apart."""
_LARGEST = 10**11  # seconds since 1970: some three thousand years


def check_claims(claims: Mapping[str, Any], *, issuer: str, client_id: str, received_at: datetime) -> None:
    """Check `iss`, `aud`, `exp` and `nbf` as of the time of receipt: an event may wait here longer than it is valid.

    Spec: RFC 7519 §4.1; UAE webhook template v2.1 (`aud` is optional there; without it nothing says that it is for us).

    Raises:
        UntrustedEventError: They do not hold.
    """
    if claims.get("iss") != issuer:
        raise UntrustedEventError("issuer_wrong")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences or not all(isinstance(a, str) for a in audiences):
        raise UntrustedEventError("audience_wrong")
    received = received_at.timestamp()
    if received >= _number(claims, "exp") + LEEWAY_SECONDS:
        raise UntrustedEventError("lapsed")
    if "nbf" in claims and received < _number(claims, "nbf") - LEEWAY_SECONDS:
        raise UntrustedEventError("not_yet_valid")


def _number(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate; fractions are allowed, strings and truth values are not."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_LARGEST < value < _LARGEST:
        raise UntrustedEventError(f"{name}_invalid" if name in claims else f"{name}_missing")
    return float(value)


def issued_at(claims: Mapping[str, Any]) -> float | None:
    """`iat` as a NumericDate if it is one."""
    try:
        return _number(claims, "iat")
    except UntrustedEventError:
        return None
