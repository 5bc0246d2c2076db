"""Posting notifications: Standard Webhooks over HTTP, to whoever subscribed.

Nothing of the answer matters but its status and `Retry-After`. Its body is read, up to a limit, so that the connection
can be used again; how that of a refusal begins is kept for people. Redirects are failures, cookies and proxies do not exist,
and no connection is made to where it must not go (`address_guard`).

Spec: Standard Webhooks 1.0, "Webhook headers" and "Signature scheme"; CloudEvents HTTP binding 1.0.2, structured mode;
    W3C Trace Context.
"""

import asyncio
import hmac
import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from math import floor
from types import MappingProxyType
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from tracker.adapters.access_tokens import AccessTokenError, AccessTokens
from tracker.adapters.address_guard import USUAL_PORTS, Network, guarded_sockets
from tracker.adapters.notification_keys import NotificationKeys
from tracker.adapters.tls import ContextSource
from tracker.domain.answer import MOST_BYTES
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import ED25519, Sending
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery

_log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 20.0
LONGEST_RETRY_AFTER_SECONDS: Final = 86_400.0
_MOST_READ_BYTES = 16 * 1024
_MOST_KEPT_BYTES = 1024
# Many servers close idle connections after five seconds; a post on one that is being closed is lost.
_KEEP_ALIVE_SECONDS = 4.0
_LONGEST_ERROR = 300
_UNAUTHORIZED = 401
_REDIRECTS = range(300, 400)
_TAKEN = range(200, 300)


@asynccontextmanager
async def open_sender(
    allow_networks: Collection[Network],
    *,
    connect_seconds: float = CONNECT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
    keys: NotificationKeys | None = None,
    allow_ports: Collection[range] = USUAL_PORTS,
    resolver: AbstractResolver | None = None,
    certificates: Mapping[str, ContextSource] = MappingProxyType({}),
) -> AsyncIterator["WebhookSender"]:
    """Open a sender and its pool of connections; both are closed at the end.

    Args:
        allow_networks: Where it may post to beside global addresses.
        connect_seconds: How long a connection may take.
        total_seconds: How long a post may take, with everything.
        keys: Sign for subscriptions that want `v1a`; None: these are told nothing.
        allow_ports: Which ports it may post to.
        resolver: Looks names up; None: the system does. What it says is checked like anything else.
        certificates: What shows a certificate of ours, by the name that subscriptions ask for. Connections made with one are
            used again only with the same.
    """
    connector = aiohttp.TCPConnector(
        limit=0,  # each subscription bounds its own; waiting for others' connections would count as our time
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        use_dns_cache=False,
        socket_factory=guarded_sockets(allow_networks, allow_ports),
        resolver=resolver,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": _user_agent(), "Accept-Encoding": "identity"},
    ) as session:
        tokens = AccessTokens(session)
        try:
            yield WebhookSender(
                session,
                tokens,
                connect_seconds=connect_seconds,
                total_seconds=total_seconds,
                keys=keys,
                certificates=certificates,
            )
        finally:
            await tokens.close()


class WebhookSender:
    """Implements `ports.Sender`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: AccessTokens,
        *,
        connect_seconds: float,
        total_seconds: float,
        keys: NotificationKeys | None = None,
        certificates: Mapping[str, ContextSource] = MappingProxyType({}),
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._keys = keys
        self._certificates = certificates

    def sign_with(self, keys: NotificationKeys | None) -> None:
        """Sign with these keys from now on."""
        self._keys = keys

    def public_jwks(self) -> dict[str, Any]:
        """The public halves of the keys that sign, as JWK Set."""
        return {"keys": []} if self._keys is None else self._keys.public_jwks()

    def check_means(self, sending: Sending) -> None:
        """See to it that there is what it takes to send so.

        Raises:
            InvalidRequestError: There is not.
        """
        if ED25519 in sending.signatures and self._keys is None:
            raise InvalidRequestError("v1a cannot be signed: there is no signing_key in [notifications].")
        if sending.certificate is not None and sending.certificate not in self._certificates:
            raise InvalidRequestError("There is no [[client_certificate]] of this name.")

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and post one body; a failure is an answer, never an exception. Redirects are not followed."""
        if subscription.locked is not None:
            return Delivery(status=None, error=subscription.locked)
        if ED25519 in subscription.sending.signatures and self._keys is None:
            return _not_sent("There is no [notifications] signing_key for the signature v1a that it wants.")
        certificate = subscription.sending.certificate
        if certificate is not None and certificate not in self._certificates:
            return _not_sent(f"There is no [[client_certificate]] {certificate} to show.")
        if certificate is not None and not subscription.url.lower().startswith("https:"):
            return _not_sent("A client certificate can be shown to an https:// URL only.")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._total_seconds
        try:
            headers = {header.name: header.value for header in subscription.sending.headers}
            headers |= self.signed_headers(subscription, entry_id, body, at)
            if traceparent is not None:
                headers["traceparent"] = traceparent
            send = self._attempt if subscription.sending.credentials is None else self._authorized
            return await send(subscription, headers, body, at, deadline)
        except AccessTokenError as error:
            return _not_sent(f"No access token could be had for it. {error}")
        except TimeoutError:
            return Delivery(status=None, error="The endpoint did not answer in time.")
        except (aiohttp.ClientError, OSError, ValueError, EmptyWebhookSecretError) as error:
            _log.debug("Posting to subscription %s failed", subscription.id, exc_info=True)
            return Delivery(status=None, error=_reason(error))

    def signed_headers(self, subscription: Subscription, entry_id: str, body: bytes, at: datetime) -> dict[str, str]:
        """The headers of one body, signed with each secret that signs at this instant, and by our own key where that is wanted.

        Raises:
            ValueError: A secret is none, the body is no text, or there is no such key.
            EmptyWebhookSecretError: A secret is empty.
        """
        headers = _signed_headers(subscription.secrets(at), entry_id, body, at)
        if ED25519 in subscription.sending.signatures:
            if self._keys is None:
                raise ValueError("There is no signing_key for the signature v1a that it wants.")
            said = f"{entry_id}.{headers['webhook-timestamp']}.".encode() + body
            signature = b64encode(self._keys.private_key.sign(said)).decode()
            headers["webhook-signature"] += f" {ED25519},{signature}"
        return headers

    async def _authorized(
        self, subscription: Subscription, headers: dict[str, str], body: bytes, at: datetime, deadline: float
    ) -> Delivery:
        """Post with an access token, if it asks for one; with a new one, once, if that is refused."""
        credentials = subscription.sending.credentials
        if credentials is None:  # it does not come here
            raise ValueError("It asks for no access token.")
        delivery = Delivery(status=_UNAUTHORIZED)
        for _ in range(2):
            try:
                async with asyncio.timeout_at(deadline):
                    token = await self._tokens.get(credentials)
            except TimeoutError as error:
                raise AccessTokenError("Its token endpoint did not answer in time.") from error
            shown = {**headers, "Authorization": f"Bearer {token}"}
            delivery = await self._attempt(subscription, shown, body, at, deadline)
            if delivery.status != _UNAUTHORIZED:
                break
            self._tokens.forget(credentials, token)
        return delivery

    async def _attempt(
        self, subscription: Subscription, headers: dict[str, str], body: bytes, at: datetime, deadline: float
    ) -> Delivery:
        loop = asyncio.get_running_loop()
        try:
            return await self._post(subscription, headers, body, at, deadline - loop.time())
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            # Most likely the server was giving up an idle connection just then: that says nothing. Another will.
            return await self._post(subscription, headers, body, at, deadline - loop.time())

    async def _post(
        self, subscription: Subscription, headers: dict[str, str], body: bytes, at: datetime, seconds: float
    ) -> Delivery:
        certificate = subscription.sending.certificate
        # To aiohttp a total of 0 would mean no limit.
        timeout = aiohttp.ClientTimeout(total=max(seconds, 0.001), sock_connect=self._connect_seconds)
        async with self._session.post(
            subscription.url,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=timeout,
            ssl=True if certificate is None else self._certificates[certificate](),
        ) as response:
            begins = await _drain(response) or None
            if response.status in _TAKEN:
                return Delivery(status=response.status, answer=begins)
            return Delivery(
                status=response.status,
                retry_after_seconds=_retry_after(response.headers.get("Retry-After"), at),
                error=_refusal(response.status),
                answer=begins,
            )


def _not_sent(error: str) -> Delivery:
    """Nothing was sent for want of something: that is never about the entry, so it reads as if the endpoint asked to wait."""
    return Delivery(status=None, retry_after_seconds=0.0, error=error)


def _signed_headers(secrets: Sequence[str], entry_id: str, body: bytes, at: datetime) -> dict[str, str]:
    timestamp = str(floor(at.timestamp()))
    said = f"{entry_id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/cloudevents+json",
        "webhook-id": entry_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_mac(secret, said)}" for secret in secrets),
    }


def _mac(secret: str, said: bytes) -> str:
    return b64encode(hmac.digest(_key(secret), said, "sha256")).decode()


@lru_cache(maxsize=1024)
def _key(secret: str) -> bytes:
    """The bytes that a secret stands for. To take it apart at each post would cost as much as to sign.

    Raises:
        ValueError: It is none.
        EmptyWebhookSecretError: It is empty.
    """
    Webhook(secret)
    return b64decode(secret.removeprefix("whsec_") + "==")  # padding that it has already is passed over


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
