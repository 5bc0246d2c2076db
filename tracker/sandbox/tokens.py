"""Opaque access tokens: issued, looked up, revoked."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a bearer token stands for.

    Attributes:
        client_id: whom it was issued to.
        scopes: what it is good for.
        expires_at: dead from this instant on.
    """

    client_id: str
    scopes: frozenset[str]
    expires_at: datetime


class AccessTokens:
    """The tokens that are alive."""

    def __init__(self) -> None:
        self._alive: dict[str, AccessToken] = {}

    def issue(self, client_id: str, scopes: frozenset[str], *, lifetime_seconds: int, now: datetime) -> str:
        """Make a token, and forget the lapsed ones."""
        self._alive = {text: token for text, token in self._alive.items() if token.expires_at > now}
        text = secrets.token_urlsafe(_TOKEN_BYTES)
        self._alive[text] = AccessToken(client_id, scopes, now + timedelta(seconds=lifetime_seconds))
        return text

    def get(self, text: str, now: datetime) -> AccessToken | None:
        """Look a token up; one that has lapsed, was revoked or never was is `None`."""
        token = self._alive.get(text)
        return token if token is not None and token.expires_at > now else None

    def revoke_all(self, client_id: str | None = None) -> int:
        """Kill the tokens of one client, or all of them; gives how many died."""
        doomed = [text for text, token in self._alive.items() if client_id in (None, token.client_id)]
        for text in doomed:
            del self._alive[text]
        return len(doomed)
