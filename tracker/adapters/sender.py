"""Posting notifications: Standard Webhooks over HTTP, to whoever subscribed.

Nothing of the answer matters but its status and `Retry-After`. Its body is read, up to a limit, so that the connection
can be used again; how that of a refusal begins is kept for people. Redirects are failures, cookies and proxies do not exist,
and no connection is made to where it must not go (`address_guard`).

Spec: Standard Webhooks 1.0, "Webhook headers" and "Signature scheme"; CloudEvents HTTP binding 1.0.2, structured mode;
    W3C Trace Context.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import aiohttp
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from tracker.adapters.address_guard import Network, guarded_sockets
from tracker.domain.answer import MOST_BYTES
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery

_log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 20.0
LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0
_MOST_READ_BYTES = 16 * 1024
# Many servers close idle connections after five seconds; a post on one that is being closed is lost.
_KEEP_ALIVE_SECONDS = 4.0
_LONGEST_ERROR = 300
_REDIRECTS = range(300, 400)
_TAKEN = range(200, 300)


@asynccontextmanager
async def open_sender(
    allow_networks: Collection[Network],
    *,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> AsyncIterator["WebhookSender"]:
    """Open a sender and its pool of connections; both are closed at the end.

    Args:
        allow_networks: Where it may post to beside global addresses.
        connect_seconds: How long a connection may take.
        total_seconds: How long a post may take, with everything.
    """
    connector = aiohttp.TCPConnector(
        limit=0,  # each subscription bounds its own; waiting for others' connections would count as our time
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        use_dns_cache=False,
        socket_factory=guarded_sockets(allow_networks),
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": _user_agent(), "Accept-Encoding": "identity"},
    ) as session:
        yield WebhookSender(session, connect_seconds=connect_seconds, total_seconds=total_seconds)


class WebhookSender:
    """Implements `ports.Sender`."""

    def __init__(self, session: aiohttp.ClientSession, *, connect_seconds: float, total_seconds: float) -> None:
        self._session = session
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and post one body; a failure is an answer, never an exception. Redirects are not followed."""
        if subscription.locked is not None:
            return Delivery(status=None, error=subscription.locked)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._total_seconds
        try:
            headers = signed_headers(subscription, entry_id, body, at)
            if traceparent is not None:
                headers["traceparent"] = traceparent
            try:
                return await self._post(subscription.url, headers, body, at, self._total_seconds)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # Most likely the server was giving up an idle connection just then: that says nothing. Another will.
                return await self._post(subscription.url, headers, body, at, deadline - loop.time())
        except TimeoutError:
            return Delivery(status=None, error="The endpoint did not answer in time.")
        except (aiohttp.ClientError, OSError, ValueError, EmptyWebhookSecretError) as error:
            _log.debug("Posting to subscription %s failed", subscription.id, exc_info=True)
            return Delivery(status=None, error=_reason(error))

    async def _post(self, url: str, headers: dict[str, str], body: bytes, at: datetime, seconds: float) -> Delivery:
        # To aiohttp a total of 0 would mean no limit.
        timeout = aiohttp.ClientTimeout(total=max(seconds, 0.001), sock_connect=self._connect_seconds)
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False, timeout=timeout
        ) as response:
            begins = await _drain(response)
            if response.status in _TAKEN:
                return Delivery(status=response.status)
            return Delivery(
                status=response.status,
                retry_after_seconds=_retry_after(response.headers.get("Retry-After"), at),
                error=_refusal(response.status),
                answer=begins or None,
            )


def signed_headers(subscription: Subscription, entry_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """The headers of one body, signed with each secret that signs at this instant.

    Raises:
        ValueError: A secret is none, or the body is no text.
        EmptyWebhookSecretError: A secret is empty.
    """
    moment = at.astimezone(UTC)  # the library takes the digits for UTC, whatever zone they are in
    text = body.decode()
    return {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": entry_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(
            Webhook(secret).sign(entry_id, moment, text) for secret in subscription.secrets(at)
        ),
    }


async def _drain(response: aiohttp.ClientResponse) -> bytes:
    """Read the answer's body, so that the connection is free again, and give how it begins.

    The status has been had, whatever comes of this.
    """
    left, begins = _MOST_READ_BYTES, b""
    try:
        while left > 0 and (chunk := await response.content.read(left)):
            left -= len(chunk)
            begins += chunk[: MOST_BYTES - len(begins)]
    except (aiohttp.ClientError, OSError):  # a time-out is an OSError too
        left = 0
    if left <= 0:
        response.close()
    return begins


def _retry_after(value: str | None, at: datetime) -> float | None:
    """Seconds to wait, at most a day. Spec: RFC 9110 §10.2.3: whole seconds or a date."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
            # A date without a zone, which the form does not know, can only mean UTC.
            seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at).total_seconds()
        except (ValueError, OverflowError, TypeError, IndexError):  # a zone of a million hours, and worse
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _refusal(status: int) -> str:
    if status in _REDIRECTS:
        return f"The endpoint answered {status}: redirects are not followed."
    return f"The endpoint answered {status}."


def _reason(error: BaseException) -> str:
    """What went wrong, for people, without anything that the endpoint said or that we sent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            text = "its certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            text = "its name cannot be resolved"
        case aiohttp.ClientConnectorSSLError():
            text = "no secure connection could be made"
        case aiohttp.ClientConnectorError():
            text = error.os_error.strerror or type(error.os_error).__name__
        case aiohttp.ServerDisconnectedError():
            text = "it closed the connection"
        case _:
            text = type(error).__name__
    return f"The endpoint could not be reached: {text}."[:_LONGEST_ERROR]


def _user_agent() -> str:
    try:
        return f"consent-tracker/{version('consent-tracker')}"
    except PackageNotFoundError:  # run from a folder, not installed
        return "consent-tracker"
