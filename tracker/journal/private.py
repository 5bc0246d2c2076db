"""What stays out of the leaf, hashed so that it can be shown later, or destroyed, and the proof still holds."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from tracker.journal.canonical import canonical

SALT_BYTES: Final = 32
"""Without a salt of this length, whoever guesses a private value could see in the leaf that the guess is right."""


def private_digest(private: Mapping[str, Any], salt: bytes) -> str:
    """Hash what stays out of the leaf: base64url of SHA-256(salt ‖ canonical form).

    Raises:
        ValueError: The salt is not 32 bytes long.
        NotCanonicalError: The value has no canonical form.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"A salt is {SALT_BYTES} bytes long.")
    return base64url(sha256(salt + canonical(dict(private))).digest())


def base64url(data: bytes) -> str:
    """Write bytes in base64url without padding (RFC 4648 section 5)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read what `base64url` wrote, and nothing else.

    Raises:
        ValueError: It is not the one way to write these bytes.
    """
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Base64Error as error:
        raise ValueError("Not base64url.") from error
    if base64url(data) != text:
        raise ValueError("Not base64url without padding.")
    return data
