"""The third parties that are registered with the hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from tracker.sandbox.errors import UnknownClientError, UnusableInputError
from tracker.sandbox.jwk import public_keys


@dataclass(frozen=True, slots=True)
class Client:
    """One application of a third party, as the trust framework's directory would describe it.

    Attributes:
        client_id: its id.
        signing_keys: public keys by key id that its assertions may be signed with.
        encryption_keys: public keys by key id that its events can be encrypted to.
        encryption_kid: the one that events are encrypted to.
        webhook_url: where events go, exactly as registered.
    """

    client_id: str
    signing_keys: Mapping[str, rsa.RSAPublicKey]
    encryption_keys: Mapping[str, rsa.RSAPublicKey]
    encryption_kid: str
    webhook_url: str

    @classmethod
    def registered(
        cls,
        client_id: str,
        *,
        signing_jwks: Mapping[str, Any],
        encryption_jwks: Mapping[str, Any],
        webhook_url: str,
        encryption_kid: str | None = None,
    ) -> Self:
        """Read a registration.

        Args:
            client_id: the client's id, not empty.
            signing_jwks: public JWK Set, RSA.
            encryption_jwks: public JWK Set, RSA.
            webhook_url: an http or https address.
            encryption_kid: which encryption key to use; the first one of the set unless given.

        Raises:
            UnusableInputError: any of these cannot be used; the text says which and why.
        """
        if not client_id:
            raise UnusableInputError("a client needs a client_id")
        if not webhook_url.startswith(("http://", "https://")):
            raise UnusableInputError(f"the webhook URL {webhook_url!r} is neither http nor https")
        encryption_keys = public_keys(encryption_jwks, "enc")
        kid = encryption_kid or next(iter(encryption_keys))
        if kid not in encryption_keys:
            raise UnusableInputError(f"the encryption JWK Set has no key {kid}")
        return cls(client_id, public_keys(signing_jwks, "sig"), encryption_keys, kid, webhook_url)


class Clients:
    """The registered clients; registering one again replaces it, which is how its keys rotate."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def register(self, client: Client) -> None:
        """Add or replace a client."""
        self._clients[client.client_id] = client

    def get(self, client_id: str) -> Client | None:
        """Look a client up."""
        return self._clients.get(client_id)

    def require(self, client_id: str | None) -> Client:
        """Look a client up; without an id, the only one.

        Raises:
            UnknownClientError: no such client, or none was named and there is not exactly one.
        """
        if client_id is None:
            if len(self._clients) != 1:
                raise UnknownClientError(f"name the client: {len(self._clients)} are registered")
            return next(iter(self._clients.values()))
        client = self._clients.get(client_id)
        if client is None:
            raise UnknownClientError(f"no client {client_id!r} is registered with this hub")
        return client

    def all(self) -> list[Client]:
        """List them in the order of their first registration."""
        return list(self._clients.values())
