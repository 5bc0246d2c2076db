"""Sign, verify and encrypt with `cryptography` alone.

The tracker opens what this module makes with another library, and this module checks what the tracker signs, so that
a misreading of the standards on one side is seen by the other.

Spec: RFC 7515 (JWS), RFC 7516 (JWE), RFC 7518 §3.5 (PS256), §4.3 (RSA-OAEP-256), §5.3 (A256GCM).
"""

import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

from tracker.sandbox.compact import decode, encode, encode_json
from tracker.sandbox.jwk import SigningKey

_NONCE_BYTES = 12
_TAG_BYTES = 16
_CONTENT_KEY_BITS = 256


def _pss() -> padding.PSS:
    # RFC 7518 §3.5: the salt is as long as the hash, for signing and for verifying.
    return padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


def sign(claims: Mapping[str, Any], key: SigningKey, *, kid: str | None = None) -> str:
    """Make a compact JWS with PS256.

    Args:
        claims: the payload.
        key: signs.
        kid: what the header says instead of the key's own id, to play a hub that is wrong.
    """
    signing_input = f"{encode_json({'alg': 'PS256', 'kid': kid or key.kid})}.{encode_json(claims)}"
    return f"{signing_input}.{encode(key.private.sign(signing_input.encode('ascii'), _pss(), SHA256()))}"


def is_signed_by(token: str, key: rsa.RSAPublicKey) -> bool:
    """Check the PS256 signature of a compact JWS.

    Raises:
        MalformedTokenError: the signature is not base64url.
    """
    signing_input, _, signature = token.rpartition(".")
    try:
        key.verify(decode(signature), signing_input.encode("utf-8"), _pss(), SHA256())
    except InvalidSignature:
        return False
    return True


def encrypt(plaintext: bytes, key: rsa.RSAPublicKey, kid: str) -> str:
    """Make a compact JWE, RSA-OAEP-256 with A256GCM, around a nested JWT."""
    header = encode_json({"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": kid, "cty": "JWT"})
    content_key = AESGCM.generate_key(bit_length=_CONTENT_KEY_BITS)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(content_key).encrypt(nonce, plaintext, header.encode("ascii"))
    oaep = padding.OAEP(mgf=padding.MGF1(SHA256()), algorithm=SHA256(), label=None)
    parts = (key.encrypt(content_key, oaep), nonce, sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:])
    return ".".join((header, *(encode(part) for part in parts)))
