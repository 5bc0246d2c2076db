"""Decide whether a client assertion authenticates its client. No HTTP, no store but the ids seen.

What must hold, in the order in which it is checked:

1. three base64url parts; header and claims are JSON objects
2. `alg` is PS256, `typ` (if any) is JWT, nothing is `crit`
3. `iss` is a registered client and `sub` is the same
4. `kid` is one of that client's signing keys and the signature verifies with it
5. `aud` is the issuer, as a single string (not the token endpoint, not a list)
6. `iat` and `exp` are numbers; `exp` is after `iat` and at most five minutes after it
7. now lies between `nbf` (or `iat`) and `exp`, give or take the leeway
8. `jti` was not used before

Spec: RFC 7523 §3, OpenID Connect Core §9 (`private_key_jwt`); the digest's §4.2 for PS256, `aud` and the five minutes.
"""

from collections.abc import Mapping
from typing import Any

from tracker.sandbox.clients import Client, Clients
from tracker.sandbox.compact import MalformedTokenError, decode_json
from tracker.sandbox.jose import is_signed_by

MAX_LIFETIME_SECONDS = 300
LEEWAY_SECONDS = 10

_PARTS = 3


class InvalidClientError(Exception):
    """The client did not authenticate; the text tells the developer why (RFC 6749 §5.2, `invalid_client`)."""


class AssertionCheck:
    """Check assertions for one issuer and remember the ids that were used."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._used: dict[tuple[str, str], float] = {}

    def authenticate(self, assertion: str, *, issuer: str, now: float) -> Client:
        """Find the client that an assertion proves.

        Args:
            assertion: compact JWS.
            issuer: what `aud` must say.
            now: seconds since the epoch.

        Raises:
            InvalidClientError: any check of this module's list fails.
        """
        try:
            header, claims = self._read(assertion)
            client = self._client(claims)
            self._check_signature(assertion, header, client)
        except MalformedTokenError as error:
            raise InvalidClientError(f"the client assertion is not a compact JWS: {error}") from error
        if claims.get("aud") != issuer:
            raise InvalidClientError(f"aud must be the issuer {issuer} as a single string")
        expiry = _check_times(claims, now)
        self._spend(client.client_id, claims.get("jti"), expiry, now)
        return client

    def _read(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        parts = assertion.split(".")
        if len(parts) != _PARTS:
            raise MalformedTokenError(f"{len(parts)} parts instead of {_PARTS}")
        header, claims = decode_json(parts[0]), decode_json(parts[1])
        if header.get("alg") != "PS256":
            raise InvalidClientError("alg must be PS256")
        if str(header.get("typ", "JWT")).upper() != "JWT":
            raise InvalidClientError("typ must be JWT when present")
        if "crit" in header:
            raise InvalidClientError("crit names extensions that are not understood here")
        return header, claims

    def _client(self, claims: Mapping[str, Any]) -> Client:
        issuer = claims.get("iss")
        client = self._clients.get(issuer) if isinstance(issuer, str) else None
        if client is None:
            raise InvalidClientError("iss is not a registered client")
        if claims.get("sub") != client.client_id:
            raise InvalidClientError("sub must equal iss")
        return client

    def _check_signature(self, assertion: str, header: Mapping[str, Any], client: Client) -> None:
        kid = header.get("kid")
        key = client.signing_keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise InvalidClientError("kid names none of the client's signing keys")
        if not is_signed_by(assertion, key):
            raise InvalidClientError("the signature does not verify")

    def _spend(self, client_id: str, jti: object, expiry: float, now: float) -> None:
        if not isinstance(jti, str) or not jti:
            raise InvalidClientError("jti must be a non-empty string")
        self._used = {used: until for used, until in self._used.items() if until + LEEWAY_SECONDS > now}
        if (client_id, jti) in self._used:
            raise InvalidClientError("jti was used before")
        self._used[client_id, jti] = expiry


def _check_times(claims: Mapping[str, Any], now: float) -> float:
    issued, expiry = _numeric_date(claims, "iat"), _numeric_date(claims, "exp")
    if not issued < expiry <= issued + MAX_LIFETIME_SECONDS:
        raise InvalidClientError(f"exp must be after iat and at most {MAX_LIFETIME_SECONDS} seconds after it")
    if expiry + LEEWAY_SECONDS <= now:
        raise InvalidClientError("the assertion has lapsed")
    not_before = _numeric_date(claims, "nbf") if "nbf" in claims else issued
    if max(issued, not_before) > now + LEEWAY_SECONDS:
        raise InvalidClientError("the assertion is not valid yet")
    return expiry


def _numeric_date(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidClientError(f"{name} must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidClientError(f"{name} is no instant") from error
