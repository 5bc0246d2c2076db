"""The ring of keys over all that is encrypted at rest: AES-256-GCM, each text bound to the place where it stands.

The file is a JWK Set of symmetric keys. Its first key encrypts, every one decrypts, so that keys can be replaced one after
another. A text that is encrypted says with which key; moved to another row or another column it cannot be opened.

Spec: NIST SP 800-38D (GCM; nonces of 96 random bits, for far fewer than 2³² texts a key), RFC 7517, RFC 7518 §6.4 (`oct`).
"""

import json
import os
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tracker.adapters.private_files import ModePolicy
from tracker.adapters.private_key_sets import read_key_set
from tracker.domain.errors import ConfigurationError, TrackerError
from tracker.journal.private import base64url, from_base64url

MARK: Final = "aesgcm:"
"""What is encrypted begins with it; then the key's id, a colon, and base64 of nonce, ciphertext and tag."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_KID = re.compile(r"[A-Za-z0-9_-]{1,16}")  # so that the longest secret, encrypted, has room in its column
_REMEDY: Final = "make one with `tracker keys make secrets`"


class SealedTextError(TrackerError):
    """A text in the database cannot be decrypted."""

    code = "sealed_text"


class SecretKeys:
    """The keys of the file: the first encrypts, all decrypt."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys of 32 bytes by their ids; the first encrypts, and there may be none."""
        self._keys = {kid: AESGCM(key) for kid, key in keys.items()}
        self._first = next(iter(self._keys), None)

    def __repr__(self) -> str:
        return f"SecretKeys({', '.join(self._keys)})"

    @property
    def kids(self) -> tuple[str, ...]:
        """The ids of all keys; the first is that of the one that encrypts."""
        return tuple(self._keys)

    def seal(self, text: str, place: str) -> str:
        """Encrypt a text for a place; without a key it stays as it is."""
        if self._first is None:
            return text
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._first].encrypt(nonce, text.encode(), place.encode())
        return f"{MARK}{self._first}:{b64encode(nonce + sealed).decode()}"

    def open(self, text: str, place: str) -> str:
        """Decrypt a text that stands in a place; one that was never encrypted is itself.

        Raises:
            SealedTextError: Its key is not here, or it was changed, or belongs elsewhere.
        """
        if not is_sealed(text):
            return text
        kid, _, rest = text.removeprefix(MARK).partition(":")
        key = self._keys.get(kid)
        if key is None:
            raise SealedTextError(f"encrypted with the key {kid[:16]!r}, which at_rest_keys does not hold")
        try:
            sealed = b64decode(rest, validate=True)
            return key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealedTextError("encrypted for another place, or were changed") from error

    def seal_bytes(self, data: bytes, place: str) -> tuple[str, bytes]:
        """Encrypt some bytes for a place: the id of the key, empty without one, and what is to be stored.

        What is stored is 28 bytes longer than what was given, encrypted or not: so that it fits where it stood before.
        """
        if self._first is None:
            return "", data.ljust(len(data) + _NONCE_BYTES + _TAG_BYTES, b"\0")
        nonce = os.urandom(_NONCE_BYTES)
        return self._first, nonce + self._keys[self._first].encrypt(nonce, data, place.encode())

    def open_bytes(self, kid: str, stored: bytes, place: str) -> bytes:
        """Decrypt what `seal_bytes` gave.

        Raises:
            SealedTextError: Its key is not here, or it was changed, or belongs elsewhere.
        """
        if not kid:
            return stored[: -_NONCE_BYTES - _TAG_BYTES]
        key = self._keys.get(kid)
        if key is None:
            raise SealedTextError(f"encrypted with the key {kid[:16]!r}, which at_rest_keys does not hold")
        try:
            return key.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise SealedTextError("encrypted for another place, or were changed") from error

    def is_current(self, text: str) -> bool:
        """Whether a text stands as `seal` would write it today."""
        return text.startswith(f"{MARK}{self._first}:") if self._first is not None else not is_sealed(text)


NO_KEYS: Final = SecretKeys({})
"""Nothing is encrypted, and nothing that is can be read."""


def is_sealed(text: str) -> bool:
    """Whether a text is encrypted."""
    return text.startswith(MARK)


def load_secret_keys(path: Path, mode_policy: ModePolicy = "refuse") -> SecretKeys:
    """Load the keys for what is secret in the database; the first one encrypts.

    Raises:
        ConfigurationError: The file or one of its keys cannot be used.
    """
    return SecretKeys(read_key_set(path, "secrets", mode_policy, _secret))


def _secret(member: Any, subject: str) -> tuple[str, bytes]:
    unusable = ConfigurationError(f'{subject} is no JWK of the type "oct" with {_KEY_BYTES} bytes; {_REMEDY}.')
    if not isinstance(member, Mapping) or member.get("kty") != "oct" or member.get("alg", "A256GCM") != "A256GCM":
        raise unusable
    kid = member.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ConfigurationError(f'{subject} has no "kid" of 1 to 16 letters, digits, - and _; add one.')
    try:
        key = from_base64url(member["k"])
    except (KeyError, TypeError, ValueError) as error:
        raise unusable from error
    if len(key) != _KEY_BYTES:
        raise unusable
    return kid, key


def make_secret_keys() -> str:
    """Make a JWK Set with one new key of 256 bits. Its id is random: that of a secret must not be made of it."""
    member = {
        "kty": "oct",
        "k": base64url(secrets.token_bytes(_KEY_BYTES)),
        "kid": secrets.token_hex(4),
        "use": "enc",
        "alg": "A256GCM",
    }
    return json.dumps({"keys": [member]}, indent=2) + "\n"
