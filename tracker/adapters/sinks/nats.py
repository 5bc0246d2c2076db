"""Publishing to NATS JetStream.

The client is nats-py, which the makers of the server keep. What it does on its own is turned off: it would connect again to
whatever address a server names, send what it had kept for later, and let those who wait for an answer wait on. Its message id
is the entry's and the subject's: a stream recognises a repeat, after a crash of ours too, within its duplicate window. By the
entry's id alone a stream with several subjects would take the second subscription's message for a repeat of the first's.

Spec: NATS client protocol; ADR-4 (headers), ADR-22 (publish retries); JetStream wire API, "PubAck" and error codes.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import Error, MaxPayloadError
from nats.js.api import Header
from nats.js.errors import APIError, NoStreamResponseError

from tracker.adapters.sinks.broker import (
    CLIENT_NAME,
    CONNECT_SECONDS,
    NOT_ALLOWED,
    NOT_NOW,
    NOT_THERE,
    TOO_LARGE,
    TOTAL_SECONDS,
    Broker,
)
from tracker.adapters.sinks.line import Line, apart, connect_anywhere
from tracker.adapters.sinks.message import CONTENT_TYPE, Message, percent_encoded
from tracker.domain.broker_url import Target
from tracker.ports import Delivery

_log = logging.getLogger(__name__)

_PING_SECONDS: Final = 10
_UNANSWERED_PINGS: Final = 2
_HEADER_LINE: Final = len("NATS/1.0\r\n\r\n")
_FOR_PUBLISHING: Final = 'permissions violation for publish to "{}"'
_FOR_ANSWERS: Final = "permissions violation for subscription"


class NatsSink:
    """Implements `Sink`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._line = Line(connect=self._connect, is_up=lambda session: session.is_up, leave=_Session.leave)

    async def publish(self, target: Target, message: Message) -> Delivery:
        """Publish one message; taken is what a stream has acknowledged, as new or as a repeat."""
        subject = target.filled(message.facts)
        session = await self._line.get()
        headers = _headers(message, subject, target.container)
        if (
            sum(len(name) + len(value) + 4 for name, value in headers.items()) + _HEADER_LINE + len(message.body)
            > session.client.max_payload
        ):  # the server would close the connection, on which others wait too
            return _TOO_LARGE_FOR_SERVER
        return await session.publish(subject, message.body, headers)

    async def probe(self) -> None:
        """Connect, unless that is done already."""
        await self._line.get()

    async def close(self) -> None:
        """Leave."""
        await self._line.close()

    async def _connect(self) -> "_Session":
        return await connect_anywhere(self._broker, self._connect_to)

    async def _connect_to(self, host: str, address: str, port: int) -> "_Session":
        broker = self._broker
        session = _Session(_Client(insists_on_tls=broker.tls is not None))
        there = f"[{address}]" if ":" in address else address
        options: dict[str, Any] = {}
        if broker.tls is not None:
            options |= {"tls": broker.tls(), "tls_hostname": host}
        if broker.username is not None:
            options |= {"user": broker.username, "password": broker.password()}
        try:
            await session.client.connect(
                servers=[f"{broker.address.scheme}://{there}:{port}"],
                name=CLIENT_NAME,
                allow_reconnect=False,
                connect_timeout=int(CONNECT_SECONDS),
                ping_interval=_PING_SECONDS,
                max_outstanding_pings=_UNANSWERED_PINGS,
                error_cb=session.hear_error,
                closed_cb=session.hear_end,
                **options,
            )
        except OSError:  # a certificate that is not trusted is a ValueError besides
            raise
        except (Error, ValueError, LookupError, TypeError, AttributeError) as error:  # what no server says, among them
            raise ConnectionError(_why_not(error)) from error
        finally:
            session.is_connecting = False
            if not session.client.is_connected:
                session.client.drop()
        return session


_TOO_LARGE_FOR_SERVER: Final = Delivery(status=TOO_LARGE, error="The entry is larger than the server takes.")


class _Client(Client):
    """A client that says who it is by TLS or not at all, if that was asked for.

    The library begins TLS when the server's first line, which is not encrypted, says so. Somebody between us and the server
    could take that word out, and would be told the password.
    """

    def __init__(self, *, insists_on_tls: bool) -> None:
        super().__init__()
        self._insists_on_tls = insists_on_tls

    def _connect_command(self) -> bytes:
        if self._insists_on_tls and not self._server_info.get("tls_required"):
            raise ConnectionError("it does not offer TLS")
        command: bytes = super()._connect_command()
        return command

    def drop(self) -> None:
        """Let go of what has not become a connection: after a failed handshake, ending it in good order waits for ever."""
        if self._transport:
            self._transport.close()  # type: ignore[no-untyped-call]


class _Session:
    """One connection, from its beginning to its end, and who waits on it.

    Attributes:
        client: What the library has for it.
        is_connecting: While it is so, an error ends the attempt: the library would try the same address for two minutes.
    """

    def __init__(self, client: _Client) -> None:
        self.client = client
        self.is_connecting = True
        self._jetstream = client.jetstream()
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting: dict[asyncio.Future[None], str] = {}

    @property
    def is_up(self) -> bool:
        """Whether anything may come of a publish."""
        return self.client.is_connected and not self._lost.done()

    async def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> Delivery:
        """Publish, and wait for the stream's word or for the end of the connection."""
        forbidden: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[forbidden] = subject
        # Whoever waits is woken by the connection's end too.
        self._lost.add_done_callback(wake := _waker(forbidden))
        try:
            await apart(
                self._jetstream.publish(subject, body, timeout=TOTAL_SECONDS, headers=headers),
                forbidden,
            )
        except ConnectionError:
            if self._lost.done():
                raise
            return Delivery(status=NOT_ALLOWED, error=f"The user may not publish to {subject}, or not read the answer.")
        except NoStreamResponseError:
            return Delivery(status=NOT_THERE, error=f"No stream takes the subject {subject}.")
        except MaxPayloadError:
            return _TOO_LARGE_FOR_SERVER
        except APIError as error:
            return _refusal(error)
        except (Error, ValueError, KeyError, TypeError) as error:  # the latter: an answer that no stream gives
            _log.debug("Publishing failed", exc_info=True)
            raise ConnectionError(_why_not(error)) from error
        finally:
            self._lost.remove_done_callback(wake)
            self._waiting.pop(forbidden, None)
        return Delivery(status=None)

    async def hear_error(self, error: Exception) -> None:
        """What the server says between answers; some of it is about what somebody waits for."""
        _log.debug("NATS: %s", error)
        if self.is_connecting:
            raise error
        text = str(error).lower()
        for forbidden, subject in self._waiting.items():
            if (_FOR_ANSWERS in text or _FOR_PUBLISHING.format(subject.lower()) in text) and not forbidden.done():
                forbidden.set_result(None)

    async def hear_end(self) -> None:
        """The connection is gone."""
        if not self._lost.done():
            self._lost.set_result(None)

    async def leave(self) -> None:
        """End it."""
        self.is_connecting = False
        with suppress(Error, OSError, AttributeError):  # the last: where it has never connected
            await self.client.close()
        await self.hear_end()


def _waker(waiting: "asyncio.Future[None]") -> "Callable[[asyncio.Future[None]], None]":
    def wake(_: "asyncio.Future[None]") -> None:
        if not waiting.done():
            waiting.set_result(None)

    return wake


def _headers(message: Message, subject: str, stream: str) -> dict[str, str]:
    """Spec: CloudEvents NATS binding 1.0.3 §3.2."""
    pairs = {name: percent_encoded(value) for name, value in message.header_pairs("ce-").items()}
    pairs |= {name: value for name, value in message.headers.items() if value.isascii() and value.isprintable()}
    pairs["content-type"] = CONTENT_TYPE
    pairs[str(Header.MSG_ID.value)] = f"{message.id}@{subject}"
    if stream:
        pairs[str(Header.EXPECTED_STREAM.value)] = stream
    return pairs


def _refusal(error: APIError) -> Delivery:
    """What a stream's refusal means. Its words are not repeated: its number says it."""
    match error.err_code:
        case 10054:
            return Delivery(status=TOO_LARGE, error="The entry is larger than the stream takes.")
        case 10060:
            return Delivery(status=NOT_THERE, error="The subject belongs to another stream than the URL says.")
        case _:
            return Delivery(status=NOT_NOW, error=f"The stream refused it: JetStream error {error.err_code}.")


def _why_not(error: Exception) -> str:
    text = str(error).lower()
    if "authorization" in text or "authentication" in text:
        return "it does not know our user, or refuses the password"
    return type(error).__name__
