"""Which message brokers the configuration names, and how subscribers are told through them."""

import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from tracker.adapters.address_guard import check_url
from tracker.adapters.notification_keys import NotificationKeys
from tracker.adapters.private_files import read_private
from tracker.adapters.sender import WebhookSender, open_sender
from tracker.adapters.sinks.broker import Broker, Sink
from tracker.adapters.sinks.by_scheme import SenderByScheme
from tracker.adapters.tls import ContextSource, RotatingContext, TlsFiles
from tracker.domain.broker_url import BrokerAddress, Family, is_broker_url, target_of
from tracker.domain.errors import BrokerNotConfiguredError, ConfigurationError, ExtraNotInstalledError
from tracker.ports import Sender
from tracker.settings import Settings
from tracker.settings_brokers import BrokerSettings

_CLIENTS: Final[Mapping[Family, str]] = MappingProxyType(
    {"nats": "nats", "kafka": "confluent_kafka", "rabbitmq": "aiormq"}
)
"""The package that each extra is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What tells subscribers.

    Attributes:
        sender: Tells by what a subscription's URL says.
        webhooks: Tells by webhook.
        check_url: Checks the URL of a subscription before it is believed.
    """

    sender: Sender
    webhooks: WebhookSender
    check_url: Callable[[str], None]


@asynccontextmanager
async def open_telling(
    settings: Settings, keys: NotificationKeys | None, certificates: Mapping[str, ContextSource]
) -> AsyncIterator[Telling]:
    """Open what tells subscribers, by webhook and through brokers; all is closed at the end. No broker need be there.

    Args:
        settings: The configuration.
        keys: Those that sign for subscribers who want `v1a`.
        certificates: What is shown to endpoints that ask for one, by its name.

    Raises:
        ConfigurationError: A broker's client is not installed, or one of its files cannot be used.
    """
    networks, ports = settings.notifications.allow_networks, settings.notifications.port_ranges
    sinks = broker_sinks(settings)
    async with open_sender(networks, keys=keys, allow_ports=ports, certificates=certificates) as post:
        check = partial(check_url, allow_networks=networks, allow_ports=ports)
        try:
            yield Telling(
                sender=SenderByScheme(post, sinks, post.signed_headers),
                webhooks=post,
                check_url=partial(_check_url, check=check, brokers=sinks),
            )
        finally:
            for sink in sinks.values():
                await sink.close()


def broker_sinks(settings: Settings) -> dict[BrokerAddress, Sink]:
    """Make what publishes to each broker; nothing is connected to yet.

    Raises:
        ConfigurationError: A broker's client is not installed, or one of its files cannot be used.
    """
    return {chosen.address: _sink(_broker(settings, chosen)) for chosen in settings.broker}


def _sink(broker: Broker) -> Sink:
    family = broker.address.family
    if not _is_installed(family):
        raise ConfigurationError(f"[[broker]] {broker.address}: {_lacking(family)}, or take the table out.")
    match family:
        case "nats":
            from tracker.adapters.sinks.nats import NatsSink  # noqa: PLC0415 - optional, as the others are

            return NatsSink(broker)
        case "kafka":
            from tracker.adapters.sinks.kafka import KafkaSink  # noqa: PLC0415

            return KafkaSink(broker)
        case "rabbitmq":
            from tracker.adapters.sinks.rabbitmq import RabbitmqSink  # noqa: PLC0415

            return RabbitmqSink(broker)


def _is_installed(family: Family) -> bool:
    return find_spec(_CLIENTS[family]) is not None


def _lacking(family: Family) -> str:
    return (
        f'the extra "{family}" is not installed; install it with `python3 -m pip install ".[{family}]"` in the checkout'
    )


def _broker(settings: Settings, chosen: BrokerSettings) -> Broker:
    address, mode = chosen.address, settings.security.key_file_mode
    tls: RotatingContext | None = None
    if address.is_encrypted:
        files = TlsFiles(
            subject=f"[[broker]] {address}", side="client", certificate=chosen.certificate, key=chosen.key, ca=chosen.ca
        )
        tls = RotatingContext(files, mode)

    def password() -> str:
        if chosen.password_file is None:
            return ""
        data = read_private(chosen.password_file, "put the password there", mode)
        try:
            return data.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"The password in {chosen.password_file} is not UTF-8; write it so.") from error

    password()  # what is wrong with the file is found at the start
    return Broker(
        address=address,
        servers=((address.host, address.port), *(_host_and_port(server) for server in chosen.servers)),
        networks=chosen.networks,
        username=chosen.username,
        password=password,
        tls=None if tls is None else partial(_newest, tls),
        ca=chosen.ca,
        certificate=chosen.certificate,
        key=chosen.key,
        sasl_mechanism=chosen.sasl_mechanism,
    )


def _newest(tls: RotatingContext) -> ssl.SSLContext:
    tls.reload()
    return tls.current()


def _host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def _check_url(url: str, *, check: Callable[[str], None], brokers: Collection[BrokerAddress]) -> None:
    """Check the URL of a subscription.

    Raises:
        InvalidRequestError: Nothing may be sent there.
        ExtraNotInstalledError: It is of a broker for which we have no client.
        BrokerNotConfiguredError: It is of a broker that the configuration does not name.
    """
    if not is_broker_url(url):
        check(url)
        return
    target = target_of(url)
    if not _is_installed(target.address.family):
        raise ExtraNotInstalledError(
            f"The service cannot publish to {target.address}: {_lacking(target.address.family)}."
        )
    if target.address not in brokers:
        raise BrokerNotConfiguredError(
            f"The configuration has no [[broker]] {target.address}; the operator decides which brokers there are."
        )
