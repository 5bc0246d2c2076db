"""Holders' public keys as JWKs: their thumbprints, and sets of them that an auditor brings along.

Spec: RFC 7517 (JWK, JWK Set), RFC 7638 (thumbprint), RFC 8037 §2 (Ed25519).
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from tracker.domain.errors import TrackerError
from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.private import base64url
from tracker.journal.strict import AmbiguousJsonError, loads

MAX_KEYS_BYTES: Final = 4 * 1_048_576

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""What makes a public key, by its type."""

Jwk = Mapping[str, Any]


class HolderKeysError(TrackerError):
    """The file of holders' keys cannot be used."""

    code = "holder_keys_unusable"


def thumbprint(jwk: Jwk) -> str | None:
    """RFC 7638 SHA-256 thumbprint, base64url; None for what is no public key that we know the form of."""
    kind = jwk.get("kty")
    names = _MEMBERS.get(kind, ()) if isinstance(kind, str) else ()
    members = {name: jwk.get(name) for name in names}
    if not members or not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        return base64url(sha256(canonical({"kty": kind, **members})).digest())
    except NotCanonicalError:
        return None


def parse_holder_keys(data: bytes, provider: str) -> list[Jwk]:
    """Read the keys of one provider that an auditor trusts.

    Args:
        data: A JWK Set; or an object with a JWK Set for each provider, by its id.
        provider: Whose are wanted.

    Returns:
        Its keys; none where the file has none for this provider.

    Raises:
        HolderKeysError: It is neither.
    """
    if len(data) > MAX_KEYS_BYTES:
        raise HolderKeysError(f"The file of holders' keys is larger than {MAX_KEYS_BYTES} bytes.")
    try:
        found = loads(data)
    except AmbiguousJsonError as error:
        raise HolderKeysError(f"The file of holders' keys cannot be read: {error}.") from error
    if not isinstance(found, dict):
        raise HolderKeysError(_FORM)
    keys = _keys(found) if "keys" in found else None
    if keys is None:
        sets = {name: _keys(one) for name, one in found.items()}
        if None in sets.values():
            raise HolderKeysError(_FORM)
        keys = sets.get(provider) or []
    return list(keys)


_FORM: Final = 'The file of holders\' keys is {"keys": […]}, or such a JWK Set for each provider, by its id.'


def _keys(found: object) -> Sequence[Jwk] | None:
    """The keys of a JWK Set; None for what is none."""
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        return None
    return [key for key in keys if thumbprint(key) is not None]
