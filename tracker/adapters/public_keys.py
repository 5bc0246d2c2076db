"""Keys that a holder publishes: which may verify what, and which are taken from a JWK Set.

A set is what a stranger's server answers, so it is read key by key: one that is broken, secret, weak, huge or for another
purpose is left out, and the others serve. Each is kept in the one canonical form of a JWK, whatever its own spelling, so
that its thumbprint is what everybody else computes.

Spec: RFC 7517 (JWK), RFC 7518 §3.1, §6 (members by type), RFC 7638 (thumbprint), RFC 8037 §2 (Ed25519).
"""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tracker.adapters.locked_jwcrypto import JWK, refusing
from tracker.domain import strict_json
from tracker.domain.errors import KeysUnavailableError, TrackerError
from tracker.ports import UNNOTED, KeyOrigin, VerificationKey
from tracker.profiles.compact import is_key_id

_log = logging.getLogger(__name__)

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
MIN_RSA_EXPONENT: Final = 65537
MAX_RSA_EXPONENT_BITS: Final = 64
"""An exponent as long as the modulus would make one verification cost a hundred."""

MAX_SET_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 50

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""What makes a public key, by type."""

_MOST_CERTIFICATES: Final = 10
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{1,16384}={0,2}")

_SECRET_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


class _UnfitKeyError(TrackerError):
    """This key cannot verify anything."""

    code = "key_unfit"


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature algorithm asks for.

    Attributes:
        fits: Whether a public key is of its type, and strong enough.
        characters: How long a signature is in base64url; None where the library insists on the length by itself. For
            ECDSA it would take any number of zeros before the two numbers (RFC 7518 §3.4 has exactly one length).
    """

    fits: Callable[[object], bool]
    characters: int | None = None


def is_sound_rsa(key: object) -> bool:
    """Whether a public key is RSA and neither weak nor a burden: 2048 to 8192 bits, exponent from 65537 to 64 bits.

    Spec: RFC 7518 §3.5, §4.3 (2048 bits or more); FIPS 186-5 §5.4 (the exponent's lower bound).
    """
    if not isinstance(key, rsa.RSAPublicKey) or not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        return False
    exponent = key.public_numbers().e
    return exponent >= MIN_RSA_EXPONENT and exponent.bit_length() <= MAX_RSA_EXPONENT_BITS


def _is_on(curve: type[ec.EllipticCurve]) -> Callable[[object], bool]:
    return lambda key: isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, curve)


SIGNATURES: Final[Mapping[str, Signature]] = {
    "PS256": Signature(is_sound_rsa),
    "PS384": Signature(is_sound_rsa),
    "PS512": Signature(is_sound_rsa),
    "ES256": Signature(_is_on(ec.SECP256R1), characters=86),
    "ES384": Signature(_is_on(ec.SECP384R1), characters=128),
    "EdDSA": Signature(lambda key: isinstance(key, ed25519.Ed25519PublicKey)),
}
"""The algorithms that a profile can allow, by name. What is not here is never used, whatever a profile says."""


def verification_keys(jwks: bytes, jwks_uri: str, origin: KeyOrigin = UNNOTED) -> dict[str, VerificationKey]:
    """Read the keys of a JWK Set that can verify signatures.

    Args:
        jwks: The set as fetched.
        jwks_uri: Where from; goes into the evidence.
        origin: When that was, and what the server showed; likewise.

    Returns:
        The keys by key id, at most 50. The first of those that share an id counts. May be empty.

    Raises:
        KeysUnavailableError: This is no JWK Set, or larger than 256 KiB.
    """
    if len(jwks) > MAX_SET_BYTES:
        raise KeysUnavailableError(f"{jwks_uri} is larger than {MAX_SET_BYTES // 1024} KiB.")
    try:
        document = strict_json.loads(jwks)
    except strict_json.NotStrictJsonError as error:
        raise KeysUnavailableError(f"{jwks_uri} is no JWK Set: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise KeysUnavailableError(f'{jwks_uri} is no JWK Set: it has no list "keys".')
    keys: dict[str, VerificationKey] = {}
    for member in document["keys"]:
        kid = member.get("kid") if isinstance(member, dict) else None
        if not is_key_id(kid) or kid in keys:
            continue
        if len(keys) == MAX_KEYS:
            _log.warning("%s has more than %d keys; the rest is left out", jwks_uri, MAX_KEYS)
            break
        try:
            keys[kid] = _verification_key(kid, member, jwks_uri, origin)
        except _UnfitKeyError as error:
            _log.debug("The key %r of %s is left out: %s", kid, jwks_uri, error)
    return keys


def _verification_key(kid: str, member: Mapping[str, Any], jwks_uri: str, origin: KeyOrigin) -> VerificationKey:
    if not _SECRET_MEMBERS.isdisjoint(member):
        raise _UnfitKeyError("It is published with its secret.")
    if member.get("use", "sig") != "sig" or "verify" not in _operations(member):
        raise _UnfitKeyError("It is not for signatures.")
    jwk = _canonical(member)
    public = jwk.get_op_key("verify")
    algorithms = [name for name, signature in SIGNATURES.items() if signature.fits(public)]
    if not algorithms or member.get("alg", algorithms[0]) not in algorithms:
        raise _UnfitKeyError("Its type, its size or its algorithm is none that we verify with.")
    declared = {name: member[name] for name in ("kid", "use", "alg") if name in member}
    return VerificationKey(
        kid=kid,
        key=jwk,
        jwk={**jwk.export_public(as_dict=True), **declared},
        jwk_thumbprint=jwk.thumbprint(),
        jwks_uri=jwks_uri,
        origin=replace(origin, x5c=_certificates(member)),
    )


def _certificates(member: Mapping[str, Any]) -> tuple[str, ...]:
    """What a set says of a key's certificates, to be kept and never to be trusted; nothing where that is no such list."""
    chain = member.get("x5c")
    if not isinstance(chain, list) or not 0 < len(chain) <= _MOST_CERTIFICATES:
        return ()
    return tuple(chain) if all(isinstance(one, str) and _BASE64.fullmatch(one) for one in chain) else ()


def _operations(member: Mapping[str, Any]) -> list[object]:
    operations = member.get("key_ops", ["verify"])
    return operations if isinstance(operations, list) else []


def _canonical(member: Mapping[str, Any]) -> JWK:
    kty = member.get("kty")
    names = _MEMBERS.get(kty, ()) if isinstance(kty, str) else ()
    values = {name: member.get(name) for name in names}
    if not values or not all(isinstance(value, str) for value in values.values()):
        raise _UnfitKeyError("It has not the members of a public key.")
    with refusing(_UnfitKeyError, "It is no valid public key."):
        jwk = JWK.from_pyca(JWK(kty=kty, **values).get_op_key("verify"))
        jwk.get_op_key("verify")  # parses; later uses find it parsed
        return jwk
