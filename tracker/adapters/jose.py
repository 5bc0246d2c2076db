"""JOSE with keys: opening events, verifying what holders sign, signing for ourselves.

jwcrypto does more than we want and forgives more than we may. Therefore:

1. `profiles.compact` takes every token apart and reads its header, and the library gets the decoded parts only: no JSON
   serialisation, no second spelling of one token, no `zip`, `crit` or `b64`, always a key id. Keys that a header carries are
   never looked at;
2. algorithms are allowed by name: those of the profile that are in our tables too. `none`, HMAC, RSA1_5, PBES2, AES key
   wrap and `dir` are not, and the library's own lists are never used (an empty list would mean them);
3. a signature is only checked with a key that fits the algorithm in type, curve, size and in the key's own `alg`, which
   the library does not compare;
4. claims are read from the verified bytes, by us; whether they hold (`iss`, `aud`, `exp`) is for the use cases to judge;
5. whatever the library throws leaves as one error for a step. `reason` is for our log: a sender never learns it.

Private keys come parsed (see `key_files`): parsing one costs 36 ms, opening an event 0.4 ms.

Spec: RFC 7515, RFC 7516, RFC 7518 §3 to §5, RFC 8725 §3.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

from tracker.adapters.locked_jwcrypto import (
    JWK,
    JWS,
    content_algorithm,
    key_algorithm,
    refusing,
    signature_algorithm,
)
from tracker.adapters.public_keys import SIGNATURES, verification_keys
from tracker.domain.errors import ConfigurationError, UndecryptableEventError, UntrustedEventError
from tracker.ports import Decrypted, VerificationKey
from tracker.profiles.compact import JWS_PARTS, Compact, decoded, open_event, read_claims, take_apart
from tracker.profiles.profile import Push

__all__ = ["DecryptionKey", "EventKeys", "JwcryptoEventCrypto", "SigningKey", "sign_ps256", "verification_keys"]

_KEY_ALGORITHMS: Final = frozenset({"RSA-OAEP-256", "RSA-OAEP"})
_CONTENT_ALGORITHMS: Final = frozenset(
    {"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
)


@dataclass(frozen=True, eq=False, slots=True)
class SigningKey:
    """A private RSA key that signs for one of our clients.

    Attributes:
        kid: Its id, as registered.
        jwk: The key, parsed.
    """

    kid: str
    jwk: JWK = field(repr=False)


@dataclass(frozen=True, eq=False, slots=True)
class DecryptionKey:
    """A private RSA key that events are encrypted for.

    Attributes:
        kid: Its id, as registered.
        jwk: The key, parsed.
    """

    kid: str
    jwk: JWK = field(repr=False)


EventKeys = Mapping[str, tuple[str, DecryptionKey]]
"""By key id: the client whose key it is, and the key."""


class JwcryptoEventCrypto:
    """Opens events with our clients' keys. Implements `ports.EventCrypto`."""

    def __init__(self, keys: EventKeys) -> None:
        self._keys = dict(keys)
        self._openers = self._keys

    def use_keys(self, keys: EventKeys) -> None:
        """Take these keys from now on, all at once.

        Those that are no longer among them are not known any more, and still open what was taken in before: it was
        answered for. Where an id has come to stand for another key, the new key counts.
        """
        self._keys = dict(keys)
        self._openers = {**self._openers, **self._keys}

    def knows_key(self, kid: str) -> bool:
        """Whether a key id is one of our encryption keys, retired ones too."""
        return kid in self._keys

    def decrypt(self, token: bytes, push: Push) -> Decrypted:
        """Decrypt a compact JWE with the key that its header names.

        Raises:
            OversizedEventError: `too_large`.
            MalformedEventError: It is not of the form; reasons as `compact.check_event_header`.
            UndecryptableEventError: Its algorithms are not allowed or its key is not ours; `decryption_failed`.
        """
        allowed = _within_our_tables(push)
        openers = self._openers  # they may be replaced while this runs
        header, pieces, _ = open_event(token, allowed, openers.__contains__)
        kid: str = header["kid"]
        client_id, key = openers[kid]
        _, wrapped, iv, ciphertext, tag = pieces
        with refusing(UndecryptableEventError, "decryption_failed"):
            content = content_algorithm(header["enc"])
            secret = key_algorithm(header["alg"]).unwrap(key.jwk, content.wrap_key_size, decoded(wrapped), header)
            # Authenticated with the content: the header as it came (RFC 7516 §5.2, step 14).
            plaintext: bytes = content.decrypt(secret, pieces[0], decoded(iv), decoded(ciphertext), decoded(tag))
            if not plaintext:
                raise ValueError("There is nothing inside.")
        return Decrypted(client_id=client_id, kid=kid, plaintext=plaintext)

    def verify(self, token: bytes, key: VerificationKey, algorithms: Collection[str]) -> Mapping[str, Any]:
        """Verify a compact JWS and give its claims.

        Raises:
            MalformedEventError: It is not of the form; reasons as `compact.protected_header` and `compact.read_claims`.
            UntrustedEventError: `alg_not_allowed`, `kid_mismatch`, `key_unfit`, `signature_invalid`.
        """
        signed = take_apart(token, JWS_PARTS)
        self.check_signature(signed, key, algorithms)
        return read_claims(decoded(signed.pieces[1]))

    def check_signature(self, signed: Compact, key: VerificationKey, algorithms: Collection[str]) -> None:
        """Verify a compact JWS whose claims have been read; errors as `verify`, but for those of the form."""
        header, pieces, token = signed
        algorithm: str = header["alg"]
        if algorithm not in algorithms or algorithm not in SIGNATURES:
            raise UntrustedEventError("alg_not_allowed")
        if header["kid"] != key.kid:
            raise UntrustedEventError("kid_mismatch")
        if not _fits(key, algorithm):
            raise UntrustedEventError("key_unfit")
        length = SIGNATURES[algorithm].characters
        if length is not None and len(pieces[2]) != length:
            raise UntrustedEventError("signature_invalid")
        with refusing(UntrustedEventError, "signature_invalid"):
            signature_algorithm(algorithm).verify(key.key, token[: token.rindex(b".")], decoded(pieces[2]))


@lru_cache(maxsize=64)
def _within_our_tables(push: Push) -> Push:
    return replace(push, jwe_algs=push.jwe_algs & _KEY_ALGORITHMS, jwe_encs=push.jwe_encs & _CONTENT_ALGORITHMS)


@lru_cache(maxsize=256)  # keys are few, and are compared by identity
def _fits(key: VerificationKey, algorithm: str) -> bool:
    with refusing(UntrustedEventError, "key_unfit"):
        public = key.key.get_op_key("verify")
        return key.jwk.get("alg", algorithm) == algorithm and SIGNATURES[algorithm].fits(public)


def sign_ps256(claims: Mapping[str, Any], key: SigningKey, typ: str | None = None) -> str:
    """Sign claims as a compact JWS, PS256.

    Args:
        claims: What JSON can hold; NaN is a caller's mistake.
        key: Signs, and is named in the header.
        typ: The header's `typ`, if there shall be one.

    Raises:
        ConfigurationError: The key cannot sign.
    """
    payload = json.dumps(claims, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    header = {"alg": "PS256", "kid": key.kid} | ({} if typ is None else {"typ": typ})
    unfit = f"The signing key {key.kid} cannot sign; make one with `tracker keys make signing`."
    with refusing(ConfigurationError, unfit):
        jws = JWS(payload)
        jws.allowed_algs = ["PS256"]
        jws.add_signature(key.jwk, protected=json.dumps(header, separators=(",", ":")))
        token: str = jws.serialize(compact=True)
        return token
