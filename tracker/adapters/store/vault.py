"""What of a subscription is secret, encrypted on its way into the database and decrypted on its way out.

Each text is bound to the subscription and to what it is there. A subscription whose texts cannot be opened is given as it is
stored, with the reason in `locked`: nobody is told by it, and whatever is written back stays as it was.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

from tracker.adapters.secret_keys import MARK, NO_KEYS, SealedTextError, SecretKeys, is_sealed
from tracker.adapters.store.safe import Safe
from tracker.domain.errors import InvalidRequestError
from tracker.domain.subscription import Subscription

_log = logging.getLogger(__name__)


class Sealing(Enum):
    """How the secrets of a stored subscription stand."""

    CURRENT = auto()
    """As they would be written today."""
    OLD = auto()
    """Readable, but not encrypted with the key that encrypts today."""
    LOCKED = auto()
    """Nobody can read them."""


class Vault:
    """Seals and opens subscriptions with the keys that there are.

    Attributes:
        safe: The same for the keys of consents.
    """

    def __init__(self, keys: SecretKeys = NO_KEYS) -> None:
        """Take the keys to begin with."""
        self._keys = keys
        self.safe = Safe(keys)
        self._told_locked: set[str] = set()

    def use_keys(self, keys: SecretKeys) -> None:
        """Take other keys from now on."""
        self._keys = keys
        self.safe.use_keys(keys)
        self._told_locked.clear()

    def sealed(self, plain: Subscription) -> Subscription:
        """The subscription as it is to be stored.

        Raises:
            InvalidRequestError: What somebody gave looks as if it were encrypted.
        """

        def seal(text: str, place: str) -> str:
            if not is_sealed(text):
                return self._keys.seal(text, place)
            if plain.locked is None:
                raise InvalidRequestError(f"A secret must not begin with {MARK}")
            return text

        return replace(_changed(plain, seal), locked=None)

    def opened(self, stored: Subscription) -> Subscription:
        """The subscription that is stored; if its secrets cannot be read, as it is stored and `locked`."""
        try:
            return _changed(stored, self._keys.open)
        except SealedTextError as error:
            if stored.id not in self._told_locked:
                self._told_locked.add(stored.id)
                _log.error("Subscription %s is not told: its secrets are %s", stored.id, error)
            return replace(stored, locked=f"Its secrets are {error}.")

    def standing(self, stored: Subscription) -> Sealing:
        """Say how the secrets of a stored subscription stand."""
        are_current: list[bool] = []

        def look(text: str, place: str) -> str:
            are_current.append(self._keys.is_current(text))
            return self._keys.open(text, place)

        try:
            _changed(stored, look)
        except SealedTextError:
            return Sealing.LOCKED
        return Sealing.CURRENT if all(are_current) else Sealing.OLD


def _changed(one: Subscription, change: Callable[[str, str], str]) -> Subscription:
    """Each secret text of a subscription changed, knowing where it stands."""

    def at(text: str, name: str) -> str:
        return change(text, f"subscription\n{one.id}\n{name}")

    sending, credentials = one.sending, one.sending.credentials
    return replace(
        one,
        secret=at(one.secret, "secret"),
        retired_secrets=tuple(
            replace(retired, secret=at(retired.secret, "retired_secret")) for retired in one.retired_secrets
        ),
        sending=replace(
            sending,
            headers=tuple(
                replace(header, value=at(header.value, f"header\n{header.name}")) for header in sending.headers
            ),
            credentials=None
            if credentials is None
            else replace(
                credentials, client_secret=at(credentials.client_secret, f"client_secret\n{credentials.token_url}")
            ),
        ),
    )
