"""Keys of consents, opened: each seals values and opens them, and a few thousand are remembered.

What is remembered is found by what stands in the row of the key: whoever has not just read that row has no key. So a key that
another process destroyed is used by nobody any more, whatever is remembered of it.

A sealed value: 0x01, eight bytes that tell of which key, a nonce of 12 bytes, ciphertext and tag (AES-256-GCM). It is bound to
its table, its row and its column.

Spec: NIST SP 800-38D (random nonces of 96 bits; a key seals the values of one consent, far fewer than 2³²).
"""

import hashlib
import hmac
import os
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tracker.adapters.secret_keys import NO_KEYS, SealedTextError, SecretKeys
from tracker.domain.errors import StorageError

KEY_BYTES: Final = 32
_REMEMBERED: Final = 4096
_VERSION: Final = b"\x01"
_NAME_BYTES: Final = 8
_NONCE_AT: Final = len(_VERSION) + _NAME_BYTES
_BODY_AT: Final = _NONCE_AT + 12
_NAMING: Final = b"tracker consent key"


_TAG_BYTES: Final = 16


def is_like_sealed(value: bytes) -> bool:
    """Whether a value has the form of one that is sealed, under whatever key."""
    return value[: len(_VERSION)] == _VERSION and len(value) >= _BODY_AT + _TAG_BYTES


class LockedKeyError(StorageError):
    """A key of a consent cannot be opened, because the keys at hand do not fit it."""

    code = "key_locked"


class ChangedKeyError(LockedKeyError):
    """A key of a consent cannot be opened although the key over it is at hand: it was changed, or belongs elsewhere."""


class ConsentKey:
    """A key that seals the values of one consent."""

    __slots__ = ("_cipher", "_key", "_name")

    def __init__(self, key: bytes) -> None:
        """Take 32 bytes."""
        self._key = key
        self._cipher = AESGCM(key)
        self._name = hashlib.sha256(_NAMING + key).digest()[:_NAME_BYTES]

    def seal(self, value: bytes, place: str) -> bytes:
        """Encrypt a value for a place."""
        nonce = os.urandom(_BODY_AT - _NONCE_AT)
        return _VERSION + self._name + nonce + self._cipher.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """Decrypt a value that stands in a place; None if it stands under another key, which is no more.

        Raises:
            ValueError: It was changed, or belongs elsewhere.
        """
        if sealed[len(_VERSION) : _NONCE_AT] != self._name:
            return None
        try:
            return self._cipher.decrypt(sealed[_NONCE_AT:_BODY_AT], sealed[_BODY_AT:], place.encode())
        except InvalidTag as error:
            raise ValueError("encrypted for another place, or changed") from error

    def hash(self, text: str) -> bytes:
        """A keyed hash: HMAC-SHA-256."""
        return hmac.digest(self._key, text.encode(), "sha256")


class Safe:
    """Makes keys of consents and opens them, with the ring's keys as far as there are any."""

    def __init__(self, ring: SecretKeys = NO_KEYS) -> None:
        """Take the ring to begin with."""
        self.use_keys(ring)

    def use_keys(self, ring: SecretKeys) -> None:
        """Take another ring from now on."""
        self.ring = ring
        self._opened = lru_cache(_REMEMBERED)(self._open)

    def new(self, name: tuple[str, str]) -> tuple[str, bytes]:
        """A new key for a name, as it is to be stored: the id of the ring's key, and the bytes."""
        return self.ring.seal_bytes(os.urandom(KEY_BYTES), _place(name))

    def opened(self, name: tuple[str, str], sealed_with: str, stored: bytes) -> ConsentKey:
        """The key of a name, as it is stored.

        Raises:
            LockedKeyError: No key of the ring opens it.
        """
        return self._opened(name, sealed_with, stored)

    def again(self, name: tuple[str, str], sealed_with: str, stored: bytes) -> tuple[str, bytes]:
        """A key as it would be stored today.

        Raises:
            LockedKeyError: No key of the ring opens it.
        """
        return self.ring.seal_bytes(self._raw(name, sealed_with, stored), _place(name))

    def _open(self, name: tuple[str, str], sealed_with: str, stored: bytes) -> ConsentKey:
        return ConsentKey(self._raw(name, sealed_with, stored))

    def _raw(self, name: tuple[str, str], sealed_with: str, stored: bytes) -> bytes:
        try:
            return self.ring.open_bytes(sealed_with, stored, _place(name))
        except SealedTextError as error:
            kind = ChangedKeyError if sealed_with in self.ring.kids else LockedKeyError
            raise kind(f"The values of a consent cannot be read: their key was {error}.") from error


def _place(name: tuple[str, str]) -> str:
    return "consent_key\n{}\n{}".format(*name)
