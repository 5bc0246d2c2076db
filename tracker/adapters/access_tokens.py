"""Access tokens for subscribers who ask for them: fetched where a subscription says, kept until shortly before they end.

They are fetched over the same guarded connections as notifications are posted. Whoever needs the same token at once waits for
one fetch. No error holds a token, a secret or anything that the authorization server wrote.

Spec: RFC 6749 §2.3.1 (HTTP Basic, with both parts form-encoded), §4.4.2 (request), §5.1 (answer); RFC 6750 §2.1 (Bearer).
"""

import asyncio
import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp

from tracker.adapters.hub.single_flight import SingleFlight
from tracker.domain import strict_json
from tracker.domain.errors import TrackerError
from tracker.domain.sending import ClientCredentials

FETCH_SECONDS: Final = 10.0
_MOST_READ_BYTES = 64 * 1024
_TOKEN = re.compile(
    r"[A-Za-z0-9._~+/-]{1,8192}=*"
)  # RFC 6750's b68token; a space or a line feed would be another header
_UNTOLD_SECONDS = 60.0  # where the answer does not say how long a token is good for
_LONGEST_SECONDS = 86_400.0
_MARGIN = 0.1
_LONGEST_MARGIN_SECONDS = 30.0
_MOST_KEPT = 1_000


class AccessTokenError(TrackerError):
    """No access token could be had."""

    code = "access_token_unavailable"
    retryable = True


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str = field(repr=False)
    until: float


class AccessTokens:
    """Tokens by the credentials that they were got with. Belongs to one event loop."""

    def __init__(self, session: aiohttp.ClientSession, *, fetch_seconds: float = FETCH_SECONDS) -> None:
        """Take the session whose connections are guarded.

        Args:
            session: Fetches.
            fetch_seconds: How long a fetch may take.
        """
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=fetch_seconds)
        self._kept: dict[ClientCredentials, _Kept] = {}
        self._flights: dict[ClientCredentials, SingleFlight[str]] = {}

    async def get(self, credentials: ClientCredentials) -> str:
        """A token that is good for a while: one at hand, or a new one.

        Raises:
            AccessTokenError: None could be had.
        """
        kept = self._kept.get(credentials)
        if kept is not None and asyncio.get_running_loop().time() < kept.until:
            return kept.token
        flight = self._flights.get(credentials)
        if flight is None:
            flight = self._flights[credentials] = SingleFlight(partial(self._fetch, credentials))
        return await flight.join()

    def forget(self, credentials: ClientCredentials, token: str) -> None:
        """Do not give a token again that was refused; if there is another by now, that stays."""
        kept = self._kept.get(credentials)
        if kept is not None and kept.token == token:
            del self._kept[credentials]

    async def close(self) -> None:
        """Stop what is under way."""
        for flight in list(self._flights.values()):
            await flight.close()

    async def _fetch(self, credentials: ClientCredentials) -> str:
        try:
            token, seconds = await self._ask(credentials)
        except TimeoutError as error:
            raise AccessTokenError("Its token endpoint did not answer in time.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise AccessTokenError("Its token endpoint could not be reached.") from error
        finally:
            self._flights.pop(credentials, None)
        if len(self._kept) >= _MOST_KEPT:  # of subscriptions that are gone, or were given other credentials
            self._kept.clear()
        margin = min(_LONGEST_MARGIN_SECONDS, _MARGIN * seconds)
        self._kept[credentials] = _Kept(token, asyncio.get_running_loop().time() + seconds - margin)
        return token

    async def _ask(self, credentials: ClientCredentials) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"}
        if credentials.scope is not None:
            form["scope"] = credentials.scope
        basic = f"{quote_plus(credentials.client_id)}:{quote_plus(credentials.client_secret)}"
        async with self._session.post(
            credentials.token_url,
            data=form,
            headers={"Accept": "application/json", "Authorization": f"Basic {b64encode(basic.encode()).decode()}"},
            allow_redirects=False,
            timeout=self._timeout,
        ) as response:
            body = bytearray()
            while len(body) <= _MOST_READ_BYTES and (chunk := await response.content.read(_MOST_READ_BYTES)):
                body += chunk
            if len(body) > _MOST_READ_BYTES:
                response.close()
                raise AccessTokenError("The answer of its token endpoint is too long.")
            if response.status != 200:  # noqa: PLR2004 - RFC 6749 §5.1 says 200
                raise AccessTokenError(f"Its token endpoint answered {response.status}.")
            return _read(bytes(body))


def _read(body: bytes) -> tuple[str, float]:
    try:
        answer: Any = strict_json.loads(body)
    except strict_json.NotStrictJsonError as error:
        raise AccessTokenError("The answer of its token endpoint is not JSON.") from error
    if not isinstance(answer, dict):
        raise AccessTokenError("The answer of its token endpoint is not a JSON object.")
    token, kind, seconds = (
        answer.get("access_token"),
        answer.get("token_type"),
        answer.get("expires_in", _UNTOLD_SECONDS),
    )
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise AccessTokenError("The answer of its token endpoint has no access_token.")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise AccessTokenError("The access token is not of the type Bearer.")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        seconds = _UNTOLD_SECONDS
    return token, min(float(seconds), _LONGEST_SECONDS)
