"""Our Ed25519 keys that sign what subscribers are told: in a file, read once; their public halves are for everybody.

The file is a private JWK Set. Its first key signs; all are published, so that the next one is known before it signs, and the
one before can still verify what it signed.

Spec: RFC 8037 §2 (Ed25519 as JWK), RFC 7517 §5 (JWK Set), RFC 7638 (thumbprint as key id), Standard Webhooks 1.0,
    "Asymmetric signatures" (`whpk_…`).
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracker.adapters.private_files import ModePolicy
from tracker.adapters.private_key_sets import read_key_set
from tracker.domain.errors import ConfigurationError
from tracker.journal.private import base64url, from_base64url
from tracker.profiles.compact import is_key_id

_REMEDY: Final = "make one with `tracker keys make notifications`"


@dataclass(frozen=True, slots=True)
class NotificationKey:
    """One of the keys.

    Attributes:
        kid: Its id; what signatures name it by where they name a key.
        private_key: Signs.
    """

    kid: str
    private_key: Ed25519PrivateKey = field(repr=False)

    @property
    def public_bytes(self) -> bytes:
        """Its public half: 32 bytes."""
        return self.private_key.public_key().public_bytes_raw()

    @property
    def whpk(self) -> str:
        """Its public half as Standard Webhooks writes it."""
        return f"whpk_{b64encode(self.public_bytes).decode()}"


class NotificationKeys:
    """All keys of the file: the first signs, every one is published."""

    def __init__(self, keys: Sequence[NotificationKey]) -> None:
        """Take the keys, of which there is at least one."""
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"NotificationKeys({', '.join(key.kid for key in self._keys)})"

    @property
    def kid(self) -> str:
        """The id of the key that signs."""
        return self._keys[0].kid

    @property
    def private_key(self) -> Ed25519PrivateKey:
        """The key that signs."""
        return self._keys[0].private_key

    @property
    def kids(self) -> tuple[str, ...]:
        """The ids of all keys; the first is that of the one that signs."""
        return tuple(key.kid for key in self._keys)

    def public_jwks(self) -> dict[str, Any]:
        """The public halves as a JWK Set, the one that signs first; each also as Standard Webhooks writes it, in `whpk`."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "x": base64url(key.public_bytes),
                    "kid": key.kid,
                    "use": "sig",
                    "alg": "EdDSA",
                    "whpk": key.whpk,
                }
                for key in self._keys
            ]
        }


def load_notification_keys(path: Path, mode_policy: ModePolicy = "refuse") -> NotificationKeys:
    """Load the keys that sign notifications; the first one signs.

    Raises:
        ConfigurationError: The file or one of its keys cannot be used.
    """
    return NotificationKeys(tuple(read_key_set(path, "notifications", mode_policy, _private_ed25519).values()))


def _private_ed25519(member: Any, subject: str) -> tuple[str, NotificationKey]:
    unusable = ConfigurationError(f"{subject} is no private Ed25519 JWK; {_REMEDY}.")
    if not isinstance(member, Mapping) or (member.get("kty"), member.get("crv")) != ("OKP", "Ed25519"):
        raise unusable
    if not is_key_id(member.get("kid")):
        raise ConfigurationError(f'{subject} has no "kid"; add an id of 1 to 256 printable ASCII characters.')
    if member.get("use", "sig") != "sig" or member.get("alg", "EdDSA") not in {"EdDSA", "Ed25519"}:
        raise ConfigurationError(f'{subject} is not for signing by its "use" or "alg"; {_REMEDY}.')
    try:
        private = Ed25519PrivateKey.from_private_bytes(from_base64url(member["d"]))
        public = from_base64url(member["x"])
    except (KeyError, TypeError, ValueError) as error:
        raise unusable from error
    key = NotificationKey(member["kid"], private)
    if key.public_bytes != public:
        raise ConfigurationError(f'The halves "x" and "d" of {subject[0].lower()}{subject[1:]} differ; {_REMEDY}.')
    return key.kid, key


def make_notification_keys() -> str:
    """Make a private JWK Set with one new Ed25519 key; its id is its RFC 7638 thumbprint."""
    private = Ed25519PrivateKey.generate()
    public = {
        "crv": "Ed25519",
        "kty": "OKP",
        "x": base64url(private.public_key().public_bytes_raw()),
    }
    thumbprint = sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest()
    secret = {"d": base64url(private.private_bytes_raw())}
    named = {"kid": base64url(thumbprint), "use": "sig", "alg": "EdDSA"}
    return json.dumps({"keys": [{**public, **secret, **named}]}, indent=2) + "\n"
