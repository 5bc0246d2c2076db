"""What there is to know of a broker that is configured, and how connections to it are kept within bounds.

A broker is the operator's choice, not the subscriber's; that it may be connected to need not be asked. Where its name leads,
today, is asked at each connection all the same: to global addresses by TLS, to those of its own `networks` in any case, and
nowhere else. Only addresses that were looked at are handed to a client, never the name.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol

from tracker.adapters.address_guard import Network, is_allowed
from tracker.adapters.sinks.message import Message
from tracker.domain.broker_url import BrokerAddress, Target
from tracker.ports import Delivery

CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 20.0
CLIENT_NAME: Final = "consent-tracker"

NOT_ALLOWED: Final = 403
NOT_THERE: Final = 404
TOO_LARGE: Final = 413
NOT_NOW: Final = 503
"""What brokers say, in the words of HTTP, by which refusals are read."""


@dataclass(frozen=True, kw_only=True)
class Broker:
    """A configured broker.

    Attributes:
        address: What subscriptions call it.
        servers: All of its servers, host and port; the first is that of `address`.
        networks: Where connections may lead beside global addresses.
        username: By which we are known there; None: by a certificate, or by nothing.
        password: Gives the password as it is now.
        tls: Gives the context for a connection that begins now; None: no TLS.
        ca: PEM file that its certificate must come from; None: this machine's trust.
        certificate: Our PEM file.
        key: Its private key.
        sasl_mechanism: How Kafka is shown the password.
    """

    address: BrokerAddress
    servers: tuple[tuple[str, int], ...]
    networks: tuple[Network, ...] = ()
    username: str | None = None
    password: Callable[[], str] = field(default=str, repr=False)
    tls: Callable[[], ssl.SSLContext] | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    sasl_mechanism: str = "SCRAM-SHA-512"


class Sink(Protocol):
    """One broker."""

    async def publish(self, target: Target, message: Message) -> Delivery:
        """Publish one message and wait until the broker says that it is kept.

        What the broker refuses is an answer. May be cancelled; what is under way may still arrive.

        Raises:
            OSError: It is away, or where it is may not be connected to.
        """

    async def probe(self) -> None:
        """Connect, unless that is done already.

        Raises:
            OSError: It cannot be done; the text says why, for people.
        """

    async def close(self) -> None:
        """Leave, within seconds, whatever the broker does."""


async def checked_addresses(broker: Broker, host: str, port: int) -> list[str]:
    """Look a server up, and keep the addresses that may be connected to.

    Raises:
        OSError: It has no address, or none that may be connected to.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [text for text in dict.fromkeys(str(where[0]) for *_, where in found) if _may_connect(broker, text)]
    if not allowed:
        raise OSError(errno.EACCES, f"{host} leads to no address that may be connected to; see networks in [[broker]]")
    return allowed


def _may_connect(broker: Broker, text: str) -> bool:
    address = ip_address(text.partition("%")[0])
    if broker.address.is_encrypted:
        return is_allowed(address, broker.networks)
    return any(address in network for network in broker.networks if network.version == address.version)
