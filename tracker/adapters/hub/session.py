"""One provider's connections: what is sent and received, within limits, and with one family of errors."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from tracker.adapters.hub.resolver import OwnThreadsResolver
from tracker.adapters.hub.witnessed import WitnessedResponse, tls_chain_of
from tracker.adapters.tls import ContextSource
from tracker.domain.errors import ConsentApiContractError, ConsentApiUnavailableError

_KEEP_ALIVE_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 3.0
_DEEPEST_CHAIN: Final = 10
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A holder's response.

    Attributes:
        url: What was asked, without what was sent in headers or body.
        status: The HTTP status.
        headers: Its headers, names case-insensitive.
        body: All of it.
        tls_chain: Hex SHA-256 of each certificate that the server showed, its own first; empty without TLS.
    """

    url: URL
    status: int
    headers: Mapping[str, str]
    body: bytes
    tls_chain: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case; empty if there is none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class HolderSession:
    """Asks one provider: no redirects, no cookies, no proxies from the environment, nothing unbounded."""

    def __init__(self, contexts: ContextSource | None, *, timeout_seconds: float) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            contexts: The transport certificate and whom to trust; None: the machine's trust, no certificate.
            timeout_seconds: For one request, from waiting for a connection to the last byte.
        """
        self._contexts = contexts
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=_CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None
        self._resolver = OwnThreadsResolver()
        self._closed = False

    @property
    def context(self) -> ssl.SSLContext | None:
        """What a connection that begins now is made with: another one once our certificate has been renewed."""
        return None if self._contexts is None else self._contexts()

    async def get(self, url: URL, headers: Mapping[str, str], *, max_bytes: int) -> Reply:
        """Read something.

        Raises:
            ConsentApiUnavailableError: No answer, or not all of it.
            ConsentApiContractError: It is larger than `max_bytes`.
        """
        return await self._request("GET", url, headers, None, max_bytes)

    async def post_form(self, url: URL, fields: Mapping[str, str], *, max_bytes: int) -> Reply:
        """Post a form and ask for JSON.

        Raises:
            ConsentApiUnavailableError: No answer, or not all of it.
            ConsentApiContractError: It is larger than `max_bytes`.
        """
        return await self._request("POST", url, {"Accept": "application/json"}, fields, max_bytes)

    async def send(self, method: str, url: URL, headers: Mapping[str, str], body: bytes, *, max_bytes: int) -> Reply:
        """Send a body.

        Raises:
            ConsentApiUnavailableError: No answer, or not all of it: it may have arrived all the same.
            ConsentApiContractError: The answer is larger than `max_bytes`.
        """
        return await self._request(method, url, headers, body, max_bytes)

    async def close(self) -> None:
        """Close the connections, for good."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def _request(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        content: Mapping[str, str] | bytes | None,
        max_bytes: int,
    ) -> Reply:
        # The pool keeps connections of different contexts apart, so none that was made with an old certificate is used again.
        ssl_context = self.context or True
        try:
            async with self._open().request(
                method, url, headers=headers, data=content, allow_redirects=False, ssl=ssl_context
            ) as response:
                body = await _read(response, max_bytes)
                return Reply(
                    url=url,
                    status=response.status,
                    headers=response.headers,
                    body=body,
                    tls_chain=tls_chain_of(response),
                )
        except TimeoutError as error:
            raise ConsentApiUnavailableError(f"{url.host} did not answer in time.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConsentApiUnavailableError(f"{url.host} could not be asked: {_reason(error)}.") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConsentApiUnavailableError("The connections to the holder are closed.")
        if self._session is None:  # made here because it belongs to the running event loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=_KEEP_ALIVE_SECONDS, resolver=self._resolver),
                response_class=WitnessedResponse,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                timeout=self._timeout,
                headers={"User-Agent": "consent-tracker", "Accept-Encoding": "identity"},
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            response.close()
            raise ConsentApiContractError(f"{response.url.host} sent more than {max_bytes} bytes.")
    return bytes(body)


def _reason(error: aiohttp.ClientError | OSError) -> str:
    """What went wrong, in words that cannot hold anything that we sent."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "").rstrip(".")
        return f"its certificate is not trusted ({why})" if why else "its certificate is not trusted"
    if (trouble := _tls_error(error)) is not None:
        _, is_alert, alert = (trouble.reason or "").partition("_ALERT_")
        return f"it refused the TLS handshake ({alert.lower()})" if is_alert else "no secure connection could be made"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _of_system(error.os_error) or error.strerror or type(error.os_error).__name__
    return type(error).__name__


def _of_system(error: OSError) -> str | None:
    """What the system calls it, without what was made of it: only its own numbers are above zero, not those of resolvers."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else None


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """What TLS said, behind what was made of it. Under TLS 1.3 a certificate is refused when we think that all is well."""
    for _ in range(_DEEPEST_CHAIN):
        if error is None or (isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError)):
            return error
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return None
