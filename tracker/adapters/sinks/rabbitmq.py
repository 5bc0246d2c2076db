"""Publishing to RabbitMQ by AMQP 0-9-1, with publisher confirms.

The client is aiormq, on which aio-pika stands. Of what aio-pika adds, nothing is needed here: it connects again and declares
again by itself, and who publishes does not learn what was lost between. aiormq connects through a factory of ours, once.

Messages are persistent and mandatory: what no queue takes comes back, before the confirm, and is a failure. A channel is closed
by the broker for one bad publish, and with it goes all that is under way on it; so each subscription has its own. The broker
knows nothing of repeats: `message_id` is the entry's, for the consumers.

Spec: AMQP 0-9-1 §1.8 (Basic); RabbitMQ "Consumer Acknowledgements and Publisher Confirms"; CloudEvents AMQP binding §3.2, whose
application properties are the headers here.
"""

import asyncio
import logging
import re
import ssl
from collections import OrderedDict
from typing import Any, Final
from urllib.parse import quote

from aiormq import Connection
from aiormq.abc import AbstractChannel
from aiormq.connection import TransportFactory
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from pamqp.commands import Basic
from yarl import URL

from tracker.adapters.sinks.broker import CLIENT_NAME, NOT_ALLOWED, NOT_NOW, NOT_THERE, TOO_LARGE, Broker
from tracker.adapters.sinks.line import Line, apart, connect_anywhere, outcome, retrieve
from tracker.adapters.sinks.message import CONTENT_TYPE, Message
from tracker.domain.broker_url import LONGEST_NAME_BYTES, Target
from tracker.ports import Delivery

_HEARTBEAT_SECONDS: Final = 10
_PERSISTENT: Final = 2
_MOST_CHANNELS: Final = 256
# What another message did to our channel costs one; what was sent behind it, and did to the connection, another.
_TRIES: Final = 3
_SIZE_LIMIT = re.compile(r"message size \d+ is larger than configured max size (\d+)")
_THIS_BODY: Final = 400


class RabbitmqSink:
    """Implements `Sink`."""

    def __init__(self, broker: Broker) -> None:
        # It tells as errors what are none to us: that a broker is away is said by who is not told.
        logging.getLogger("aiormq").setLevel(logging.CRITICAL)
        self._broker = broker
        self._line = Line(connect=self._connect, is_up=lambda session: session.is_up, leave=_Session.leave)

    async def publish(self, target: Target, message: Message) -> Delivery:
        """Publish one message; taken is what the broker has confirmed and not returned."""
        routing_key = target.filled(message.facts)
        if len(routing_key) > LONGEST_NAME_BYTES:
            return Delivery(status=_THIS_BODY, error=f"Its routing key is longer than {LONGEST_NAME_BYTES} bytes.")
        lost = ConnectionError("it closed the channel again and again")
        for _ in range(_TRIES):
            session = await self._line.get()
            try:
                delivery = await session.publish(target.container, routing_key, message)
            except ConnectionError as error:
                session.give_up()
                lost = error
                continue
            if delivery is not None:
                return delivery
        raise lost

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
        url = URL.build(
            scheme=broker.address.scheme,
            user=broker.username,
            password=broker.password() if broker.username is not None else None,
            host=host,
            port=port,
            path="/" + quote(broker.address.vhost, safe=""),
            query={
                "heartbeat": str(_HEARTBEAT_SECONDS),
                "name": CLIENT_NAME,
                "auth": "plain" if broker.username is not None else "external",
            },
            encoded=False,
        )
        tls = None if broker.tls is None else broker.tls()
        connection = Connection(url, transport_factory=_To(host, address, port, tls))
        try:
            await apart(connection.connect())
        except (AuthenticationError, ProbableAuthenticationError) as error:
            raise ConnectionError("it does not know our user, or refuses the password") from error
        except (AMQPError, RuntimeError) as error:
            if isinstance(error, OSError) and isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise ConnectionError(type(error).__name__) from error
        return _Session(connection)


class _To(TransportFactory):
    """Opens the transport to an address that was checked, whatever name the URL has."""

    def __init__(self, host: str, address: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._host = host
        self._address = address
        self._port = port
        self._tls = tls

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; what the library would do it by is of no use here."""
        del url, kwargs
        return await asyncio.open_connection(
            self._address, self._port, ssl=self._tls, server_hostname=None if self._tls is None else self._host
        )


class _Session:
    """One connection, and the channels on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channels: OrderedDict[str, asyncio.Task[AbstractChannel]] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._most_bytes: int | None = None
        self._is_broken = False

    @property
    def is_up(self) -> bool:
        """Whether anything may come of a publish. While it is being closed, the library still calls it open."""
        return self._connection.is_opened and not self._is_broken

    async def publish(self, exchange: str, routing_key: str, message: Message) -> Delivery | None:
        """Publish, and wait for the confirm; None: the channel was closed for another message."""
        if self._most_bytes is not None and len(message.body) > self._most_bytes:
            return _too_large(self._most_bytes)  # learnt once, so that it costs a channel once
        self._busy[message.to] = self._busy.get(message.to, 0) + 1
        try:
            channel = await self._channel(message.to)
            await apart(
                channel.basic_publish(
                    message.body,
                    exchange=exchange,
                    routing_key=routing_key,
                    mandatory=True,
                    properties=_properties(message),
                )
            )
        except PublishError:
            return Delivery(status=NOT_THERE, error=f"No queue takes what has the routing key {routing_key}.")
        except DeliveryError:
            return Delivery(status=NOT_NOW, error="A queue that should take it refused it.")
        except ChannelNotFoundEntity:
            return Delivery(status=NOT_THERE, error=f"There is no exchange {exchange}.")
        except ChannelAccessRefused:
            return Delivery(status=NOT_ALLOWED, error=f"The user may not publish to the exchange {exchange!r}.")
        except ChannelPreconditionFailed as error:
            limit = _SIZE_LIMIT.search(str(error))
            if limit is None:
                raise ConnectionError("it closed the channel") from error
            self._most_bytes = int(limit[1])
            return _too_large(self._most_bytes) if len(message.body) > self._most_bytes else None
        except ChannelInvalidStateError:
            return None
        except AMQPError as error:
            raise ConnectionError(type(error).__name__) from error
        finally:
            self._busy[message.to] -= 1
            if not self._busy[message.to]:
                del self._busy[message.to]
        return Delivery(status=None)

    async def _channel(self, to: str) -> AbstractChannel:
        """The channel of one subscription; the one that was not used for longest makes room for it."""
        opening = self._channels.get(to)
        if opening is None or (opening.done() and not _is_open(opening)):
            await self._make_room()
            # Somebody else may have been quicker meanwhile.
            opening = self._channels.get(to, opening)
            if opening is None or (opening.done() and not _is_open(opening)):
                opening = self._channels[to] = asyncio.create_task(self._open_channel())
                opening.add_done_callback(retrieve)
        self._channels.move_to_end(to)
        return await outcome(opening)

    async def _open_channel(self) -> AbstractChannel:
        try:
            return await apart(self._connection.channel(publisher_confirms=True, on_return_raises=True))
        except (AMQPError, RuntimeError) as error:
            raise ConnectionError("it opens no channel") from error

    async def _make_room(self) -> None:
        while len(self._channels) >= _MOST_CHANNELS:
            idle = next((one for one in self._channels if one not in self._busy), None)
            if idle is None:
                return
            opened = self._channels.pop(idle)
            if opened.done() and _is_open(opened):
                await apart(opened.result().close())

    def give_up(self) -> None:
        """Let the next one who needs a connection make another."""
        self._is_broken = True

    async def leave(self) -> None:
        """End it."""
        for opening in self._channels.values():
            opening.cancel()
        if not self._connection.is_closed:
            await apart(self._connection.close())


def _too_large(most_bytes: int) -> Delivery:
    return Delivery(status=TOO_LARGE, error=f"The broker takes messages of {most_bytes} bytes at most.")


def _is_open(opening: "asyncio.Task[AbstractChannel]") -> bool:
    return not opening.cancelled() and opening.exception() is None and not opening.result().is_closed


def _properties(message: Message) -> Basic.Properties:
    return Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT,
        message_id=message.id,
        app_id=CLIENT_NAME,
        message_type=message.attributes.get("type"),
        headers=dict(message.header_pairs("cloudEvents:")),
    )
