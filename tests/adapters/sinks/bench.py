"""Where entries can be told, and what tells them: one set of words for three brokers and a webhook endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Protocol

from tests.adapters.sinks.heard import Heard
from tests.adapters.sinks.nats_server import PASSWORD
from tracker.adapters.sender import open_sender
from tracker.adapters.sinks.broker import Broker, Sink
from tracker.adapters.sinks.by_scheme import SenderByScheme
from tracker.adapters.sinks.kafka import KafkaSink
from tracker.adapters.sinks.nats import NatsSink
from tracker.adapters.sinks.rabbitmq import RabbitmqSink
from tracker.domain.broker_url import BrokerAddress
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery

LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 3, 2, 11, 13, 21, tzinfo=UTC)
TOTAL_SECONDS = 6.0


class Place(Protocol):
    """A broker, or an endpoint."""

    scheme: str
    port: int

    def up(self) -> Any:
        """Let it come back on the port that it had, with what it had."""

    def down(self) -> Any:
        """Kill it."""

    def freeze(self) -> Any:
        """Let it answer nothing."""

    def thaw(self) -> Any:
        """Let it go on."""

    async def make(self, name: str, **more: Any) -> str:
        """Make a place for entries, and give its URL."""

    def missing(self, name: str) -> str:
        """The URL of a place that there is not."""

    async def heard(self, name: str) -> list[Heard]:
        """What it has, in the order that it keeps."""


async def at(place: Place, deed: str) -> None:
    """Do one of the deeds above, whether that takes a loop or not."""
    if (awaited := getattr(place, deed)()) is not None:
        await awaited


def a_subscription(url: str, **changes: Any) -> Subscription:
    return replace(Subscription(id="s", url=url, secret=SECRET, cursor=0, created_at=AT), **changes)


def event(entry_id: str, tracking_id: str = "0198f1c1-0000-7000-8000-000000000001", **data: Any) -> bytes:
    """An entry as it is told."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": entry_id,
            "source": "urn:uuid:0198f1c0-0000-7000-8000-000000000000",
            "type": "consent.status_changed",
            "subject": f"demobank/{tracking_id}",
            "time": "2026-03-02T11:13:21.000000Z",
            "sequence": "00000000000000000042",
            "datacontenttype": "application/json",
            "data": {
                "tracking_id": tracking_id,
                "provider": "demobank",
                "kind": "account-access",
                "reason": "Zoë €",
                **data,
            },
        },
        ensure_ascii=False,
    ).encode()


def credentials(family: str) -> tuple[str | None, str]:
    return {"nats": ("tracker", PASSWORD), "rabbitmq": ("guest", "guest")}.get(family, (None, ""))


def broker(place: Place, **changes: Any) -> Broker:
    address = BrokerAddress(
        scheme=place.scheme, host="127.0.0.1", port=place.port, vhost="/" if place.scheme == "amqp" else ""
    )
    username, password = credentials(address.family)
    made = Broker(
        address=address,
        servers=((address.host, address.port),),
        networks=LOOPBACK,
        username=username,
        password=lambda: password,
    )
    return replace(made, **changes)


def sink_of(found: Broker, total_seconds: float = TOTAL_SECONDS) -> Sink:
    match found.address.family:
        case "nats":
            return NatsSink(found)
        case "rabbitmq":
            return RabbitmqSink(found)
        case "kafka":
            return KafkaSink(found, total_seconds=total_seconds)


@dataclass
class Teller:
    """Tells, and remembers nothing."""

    sender: SenderByScheme
    sinks: list[Sink] = field(default_factory=list)

    async def tell(
        self, url: str, entry_id: str, body: bytes | None = None, *, to: str = "s", traceparent: str | None = None
    ) -> Delivery:
        subscription = a_subscription(url, id=to)
        return await self.sender.send(subscription, entry_id, body or event(entry_id), AT, traceparent=traceparent)

    async def tell_until_taken(self, url: str, entry_id: str, body: bytes | None = None, seconds: float = 30) -> None:
        """As the stream does: again and again, until it is taken."""
        async with asyncio.timeout(seconds):
            while not (await self.tell(url, entry_id, body)).delivered:
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for sink in self.sinks:
            await sink.close()


@asynccontextmanager
async def a_teller(place: Place, *, total_seconds: float = TOTAL_SECONDS, **changes: Any) -> AsyncIterator[Teller]:
    """What tells, to be closed at the end."""
    async with open_sender(LOOPBACK, total_seconds=total_seconds) as post:
        sinks: dict[BrokerAddress, Sink] = {}
        if place.scheme != "http":
            found = broker(place, **changes)
            sinks[found.address] = sink_of(found, total_seconds)
        teller = Teller(
            SenderByScheme(post, sinks, post.signed_headers, total_seconds=total_seconds), list(sinks.values())
        )
        try:
            yield teller
        finally:
            await teller.close()
