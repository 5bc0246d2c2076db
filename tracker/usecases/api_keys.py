"""Keys of those who call our API: made, shown once, kept as a hash, checked, revoked."""

import base64
import hashlib
import hmac
import re
from collections.abc import Collection
from datetime import datetime

from tracker.domain.errors import InvalidRequestError
from tracker.ports import ApiKey, Clock, Entropy, Store

SCOPES = frozenset({"read", "write", "audit", "admin"})
_KEY = re.compile(r"trk_([a-z2-7]{16})_([A-Za-z0-9_-]{43})")
_LONGEST_NAME = 128
_ID_BYTES = 10
_SECRET_BYTES = 32


class ApiKeys:
    """Keeps the keys. What is looked up is read from the database each time, so a change works at once everywhere."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy

    async def add(self, name: str, scopes: Collection[str], expires_at: datetime | None = None) -> tuple[ApiKey, str]:
        """Make a key; the text is shown once and never again.

        Raises:
            InvalidRequestError: No or unknown scopes, no name, or an end that has passed.
        """
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
            raise InvalidRequestError(f"Give the key a name of 1 to {_LONGEST_NAME} printable characters.")
        if not scopes or not set(scopes) <= SCOPES:
            raise InvalidRequestError(f"Give the key scopes among {', '.join(sorted(SCOPES))}.")
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidRequestError("The key would have expired already.")
        # 256 random bits need no slow hash.
        secret = base64.urlsafe_b64encode(self._entropy.token(_SECRET_BYTES)).rstrip(b"=").decode()
        key = ApiKey(
            id=base64.b32encode(self._entropy.token(_ID_BYTES)).decode().lower(),
            name=name,
            secret_sha256=_digest(secret),
            scopes=frozenset(scopes),
            created_at=now,
            expires_at=expires_at,
        )
        await self._store.add_api_key(key)
        return key, f"trk_{key.id}_{secret}"

    async def check(self, text: str) -> ApiKey | None:
        """The key that a caller shows, if it is one of ours and still good."""
        match = _KEY.fullmatch(text)
        if match is None:
            return None
        key = await self._store.get_api_key(match[1])
        if key is None or not hmac.compare_digest(key.secret_sha256, _digest(match[2])):
            return None
        is_over = key.expires_at is not None and key.expires_at <= self._clock.now()
        return None if is_over or key.revoked_at is not None else key

    async def all(self) -> list[ApiKey]:
        """All keys, revoked and expired ones too."""
        return await self._store.api_keys()

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key; False if there is none that could be."""
        return await self._store.revoke_api_key(key_id, self._clock.now())


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
