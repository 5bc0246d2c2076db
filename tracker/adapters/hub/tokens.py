"""Access tokens by the client-credentials grant, authenticated with a signed assertion."""

import re
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from tracker.adapters.hub.discovery import Discovery, Metadata
from tracker.adapters.hub.refusals import token_refused
from tracker.adapters.hub.session import HolderSession, Reply
from tracker.adapters.hub.single_flight import SingleFlight
from tracker.adapters.hub.validity import validity
from tracker.adapters.jose import SigningKey, sign_ps256
from tracker.domain import strict_json
from tracker.domain.errors import ConsentApiContractError, ConsentApiError, ConsentApiUnavailableError
from tracker.ports import Clock, Ids

_MAX_BYTES: Final = 64 * 1024
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RENEW_EARLY_SECONDS: Final = 45.0
_UNSTATED_SECONDS: Final = 60.0
_LONGEST_SECONDS: Final = 3_600.0
_LONGEST_HOLD_SECONDS: Final = 300.0
# RFC 6750 §2.1: what may stand in a header, and so what may go into one.
_BEARER_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, and how long it is handed out.

    Attributes:
        value: Secret.
        renew_at: From when on a new one is fetched, on the monotonic clock.
    """

    value: str = field(repr=False)
    renew_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks for tokens.

    Attributes:
        client_id: Our application's name with the holder.
        signing_key: What it signs assertions with.
    """

    client_id: str
    signing_key: SigningKey = field(repr=False)


class AccessTokens:
    """One client's tokens for one scope at one issuer: fetched once for many askers, renewed before they lapse.

    A holder may bind a token to the certificate that it was asked for with (RFC 8705 §3), so none outlives ours.

    Attributes:
        fetched: How many were had.
        failed: How many attempts failed.

    Spec: RFC 6749 §4.4, RFC 7523 §2.2; UAE Open Finance v2.1, authorization endpoints: PS256, and `aud` is the issuer.
    """

    def __init__(
        self, client: Client, scope: str, discovery: Discovery, session: HolderSession, clock: Clock, ids: Ids
    ) -> None:
        self._client = client
        self._scope = scope
        self._discovery = discovery
        self._session = session
        self._clock = clock
        self._ids = ids
        self._token: AccessToken | None = None
        self._bound_to: ssl.SSLContext | None = None
        self._flight = SingleFlight(self._counted)
        self._not_before = float("-inf")
        self.fetched = self.failed = 0

    async def get(self) -> AccessToken:
        """Give the token in use, or fetch one.

        Raises:
            ConsentApiRefusedError: The holder does not accept our client, its key or the scope.
            ConsentApiUnavailableError: There is no answer now, or the holder asked us to wait and it is not over.
            ConsentApiContractError: An answer outside the standard.
        """
        token = self._token
        if token is not None and self._clock.monotonic() < token.renew_at and self._bound_to is self._session.context:
            return token
        return await self._flight.join()

    def sign_with(self, client: Client) -> None:
        """Ask with another signing key from now on; a token in hand stays good."""
        self._client = client

    def invalidate(self, token: AccessToken) -> None:
        """Hand a token out no more; one that has replaced it already stays."""
        if self._token is token:
            self._token = None

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        await self._flight.close()

    async def _counted(self) -> AccessToken:
        try:
            token = await self._fetch()
        except ConsentApiError:
            self.failed += 1
            raise
        self.fetched += 1
        return token

    async def _fetch(self) -> AccessToken:
        if (wait := self._not_before - self._clock.monotonic()) > 0:
            raise ConsentApiUnavailableError("The holder's token endpoint asked us to wait.", retry_after_seconds=wait)
        metadata = await self._discovery.get()
        asked_at, bound_to = self._clock.monotonic(), self._session.context
        reply = await self._session.post_form(metadata.token_endpoint, self._form(metadata), max_bytes=_MAX_BYTES)
        if reply.status != HTTPStatus.OK:
            raise self._refused(reply)
        token = read_token(reply, asked_at)
        self._token, self._bound_to = token, bound_to
        return token

    def _refused(self, reply: Reply) -> Exception:
        error = token_refused(reply, self._clock.now())
        if isinstance(error, ConsentApiUnavailableError) and error.retry_after_seconds is not None:
            # For all who need this token, or each of them would ask once more.
            self._not_before = self._clock.monotonic() + min(error.retry_after_seconds, _LONGEST_HOLD_SECONDS)
        return error

    def _form(self, metadata: Metadata) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "scope": self._scope,
            "client_id": self._client.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(metadata.issuer),
        }

    def _assertion(self, issuer: str) -> str:
        claims = {
            "iss": self._client.client_id,
            "sub": self._client.client_id,
            "aud": issuer,
            "jti": self._ids.random(),
            **validity(self._clock.now()),
        }
        return sign_ps256(claims, self._client.signing_key, typ="JWT")


def read_token(reply: Reply, asked_at: float) -> AccessToken:
    """Read a token endpoint's answer.

    A token is replaced 45 s before it lapses; one that lives less than 90 s, after half its life.

    Args:
        reply: The answer, 200.
        asked_at: When it was asked for, on the monotonic clock: its life may have begun then.

    Raises:
        ConsentApiContractError: It is not of the form. The message holds nothing of it.
    """
    host = reply.url.host
    body = _json_object(reply.body)
    if body is None:
        raise ConsentApiContractError(f"The token endpoint {host} did not answer with a JSON object.")
    value, token_type = body.get("access_token"), body.get("token_type")
    if not isinstance(value, str) or _BEARER_TOKEN.fullmatch(value) is None:
        raise ConsentApiContractError(f"The token endpoint {host} gave no usable access_token.")
    if not isinstance(token_type, str) or token_type.lower() != "bearer":
        raise ConsentApiContractError(f"The token endpoint {host} gave a token that is not of type Bearer.")
    seconds = _lifetime(body.get("expires_in", _UNSTATED_SECONDS), host)
    return AccessToken(value, asked_at + max(seconds - _RENEW_EARLY_SECONDS, seconds / 2))


def _json_object(body: bytes) -> dict[str, Any] | None:
    # The parser's own error is left behind on purpose: it keeps the whole text, and that may hold a token.
    try:
        value = strict_json.loads(body)
    except strict_json.NotStrictJsonError:
        return None
    return value if isinstance(value, dict) else None


def _lifetime(expires_in: Any, host: str | None) -> float:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or expires_in <= 0:
        raise ConsentApiContractError(f"The token endpoint {host} gave an expires_in that is no number of seconds.")
    return min(float(expires_in), _LONGEST_SECONDS)
