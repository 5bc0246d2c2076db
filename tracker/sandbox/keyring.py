"""The hub's signing keys: which one signs, which ones are published."""

from collections.abc import Callable
from functools import cached_property

from tracker.sandbox.errors import UnusableInputError
from tracker.sandbox.jwk import SigningKey


class Keyring:
    """Hold the signing keys of one hub.

    Attributes:
        current: signs everything from now on.
    """

    def __init__(self, name: str, make_key: Callable[[str], SigningKey] = SigningKey) -> None:
        self._name = name
        self._make_key = make_key
        self._made = 0
        self._published: dict[str, SigningKey] = {}
        self.current = self.rotate()

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Make a new current key; the old ones stay in the JWK Set, or leave it at once."""
        self._made += 1
        self.current = self._make_key(f"{self._name}-sig2-{self._made}")
        if not keep_old:
            self._published.clear()
        self._published[self.current.kid] = self.current
        return self.current

    def withdraw(self, kid: str) -> None:
        """Take one key out of the JWK Set; the current one goes on signing unpublished.

        Raises:
            UnusableInputError: no such key is published.
        """
        if self._published.pop(kid, None) is None:
            raise UnusableInputError(f"no key {kid} is published")

    def publish(self, key: SigningKey) -> None:
        """Put a key into the JWK Set, such as one that signed before it was there."""
        self._published[key.kid] = key

    @cached_property
    def stranger(self) -> SigningKey:
        """A key that nobody publishes, to play a forger; made when first needed."""
        return self._make_key(f"{self._name}-stranger")

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Write the JWK Set as published."""
        return {"keys": [key.public_jwk() for key in self._published.values()]}
