"""RSA keys as the hub needs them: its own signing keys, and the public keys that clients register.

Spec: RFC 7517 (JSON Web Key), RFC 7518 §6.3 (RSA members).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tracker.sandbox.compact import MalformedTokenError, decode, encode
from tracker.sandbox.errors import UnusableInputError

KEY_BITS = 2048
"""Spec: digest §3.8, certificates hold RSA-2048 keys."""

PUBLIC_EXPONENT = 65537


def _uint(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of the hub (the notes' "Sig2") under its key id."""

    kid: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=PUBLIC_EXPONENT, key_size=KEY_BITS)
    )

    def public_jwk(self) -> dict[str, str]:
        """Write the public half the way the LFI's key store publishes it."""
        numbers = self.private.public_key().public_numbers()
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "PS256",
            "kid": self.kid,
            "n": _uint(numbers.n),
            "e": _uint(numbers.e),
        }


def public_keys(jwks: Mapping[str, Any], use: str) -> dict[str, rsa.RSAPublicKey]:
    """Read a client's public JWK Set.

    Args:
        jwks: the set; its keys in the order in which the client wrote them.
        use: `sig` or `enc`; keys declared for the other use are left out.

    Returns:
        Keys by key id, in the order of the set.

    Raises:
        UnusableInputError: not a JWK Set, no usable key, a private key, or a key that is not RSA with a key id.
    """
    members = jwks.get("keys")
    if not isinstance(members, list):
        raise UnusableInputError('a JWK Set is an object with an array "keys"')
    found: dict[str, rsa.RSAPublicKey] = {}
    for member in members:
        if not isinstance(member, Mapping):
            raise UnusableInputError("every key of a JWK Set is an object")
        if member.get("use", use) == use:
            found[_kid(member)] = _public_key(member)
    if not found:
        raise UnusableInputError(f'the JWK Set has no RSA key for use "{use}"')
    return found


def _kid(member: Mapping[str, Any]) -> str:
    kid = member.get("kid")
    if not isinstance(kid, str) or not kid:
        raise UnusableInputError('every registered key needs a "kid"')
    return kid


def _public_key(member: Mapping[str, Any]) -> rsa.RSAPublicKey:
    if member.get("kty") != "RSA":
        raise UnusableInputError(f'key {member.get("kid")} is not of type "RSA"')
    if "d" in member:
        raise UnusableInputError(f"key {member.get('kid')} is private; register the public half only")
    try:
        modulus, exponent = (int.from_bytes(decode(str(member[name])), "big") for name in ("n", "e"))
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (KeyError, MalformedTokenError, ValueError) as error:
        raise UnusableInputError(f"key {member.get('kid')} has no usable modulus and exponent") from error
