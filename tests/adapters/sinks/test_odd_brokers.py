"""What listens where a broker should be, and is none, or an odd one: it is away, and nothing else goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.adapters.sinks.bench import AT, LOOPBACK, a_subscription, event
from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.sender import open_sender
from tracker.adapters.sinks.broker import Broker
from tracker.adapters.sinks.by_scheme import SenderByScheme
from tracker.adapters.sinks.line import Line
from tracker.adapters.sinks.message import Message
from tracker.adapters.sinks.nats import NatsSink
from tracker.adapters.store.vault import Vault
from tracker.domain.broker_url import Target, broker_address
from tracker.ports import Delivery


class Sink:
    """Takes what goes to a broker."""

    def __init__(self) -> None:
        self.published: list[Message] = []

    async def publish(self, _: Target, message: Message) -> Delivery:
        self.published.append(message)
        return Delivery(status=None)

    async def probe(self) -> None:
        pass

    async def close(self) -> None:
        pass


@asynccontextmanager
async def somebody_who_says(greeting: bytes) -> AsyncIterator[int]:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    "greeting", [b"INFO null\r\n", b"INFO []\r\n", b'INFO {"max_payload":"x"}\r\n', b"HTTP/1.1 400 Bad Request\r\n\r\n"]
)
async def test_what_no_nats_server_says_is_an_answer_of_nobody(greeting: bytes) -> None:
    async with somebody_who_says(greeting) as port, open_sender(LOOPBACK) as post:
        address = broker_address(f"nats://127.0.0.1:{port}")
        sink = NatsSink(Broker(address=address, servers=(("127.0.0.1", port),), networks=LOOPBACK))
        sender = SenderByScheme(post, {address: sink}, post.signed_headers)
        delivery = await sender.send(a_subscription(f"{address}/x"), "e1", event("e1"), AT)
        assert (delivery.delivered, delivery.status) == (False, None)
        assert str(delivery.error).startswith("The broker could not be reached: ")
        with pytest.raises(ConnectionError):
            await sink.probe()
        await sink.close()


async def test_nothing_is_signed_with_a_secret_that_cannot_be_read() -> None:
    sealed = Vault(SecretKeys({"k1": b"k" * 32})).sealed(a_subscription("nats://a.example/x"))
    locked = Vault().opened(sealed)
    sink = Sink()
    async with open_sender(LOOPBACK) as post:
        sender = SenderByScheme(post, {broker_address("nats://a.example"): sink}, post.signed_headers)
        delivery = await sender.send(locked, "e1", event("e1"), AT)
    assert (delivery.delivered, delivery.error) == (False, locked.locked)
    assert sink.published == []


async def test_a_connection_that_ends_badly_keeps_neither_the_next_nor_us_from_leaving() -> None:
    made: list[int] = []

    async def connect() -> int:
        made.append(len(made))
        return made[-1]

    async def leave(_: int) -> None:
        raise RuntimeError("it is closed")

    line = Line(connect=connect, is_up=lambda one: one == 1, leave=leave)
    assert await line.get() == 0
    assert await line.get() == 1
    await line.close()
