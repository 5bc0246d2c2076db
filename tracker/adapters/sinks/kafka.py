"""Publishing to Kafka.

The client is confluent-kafka, which is librdkafka, kept by those who keep Kafka and used by most who do not use Java. aiokafka
would connect by our rules and not by its own, which librdkafka cannot be taught from Python; but it has few hands left, and an
idempotent producer that has to be right is not the place to save a guard: brokers are the operator's choice. What can be done
is: bootstrap servers are looked up and checked, and so are the addresses that the cluster tells of, before anything is sent.

The producer is idempotent and waits for all replicas in sync; its own repeats make no duplicates and change no order. It does not
know what it did before a crash of ours: consumers recognise a repeat by the header `ce_id`. The key is the tracking id, and the
partition is chosen as Java's clients do, so that a consent stays in one partition whoever writes to the topic.

Spec: Kafka protocol, error codes; CloudEvents Kafka binding §3.1 (key), §3.3 (structured mode).
"""

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from tracker.adapters.sinks.broker import (
    CLIENT_NAME,
    CONNECT_SECONDS,
    NOT_ALLOWED,
    NOT_NOW,
    NOT_THERE,
    TOO_LARGE,
    TOTAL_SECONDS,
    Broker,
    checked_addresses,
)
from tracker.adapters.sinks.line import LEAVE_SECONDS, Line
from tracker.adapters.sinks.message import CONTENT_TYPE, Message
from tracker.domain.broker_url import Target
from tracker.ports import Delivery

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.1
_GIVE_UP_BEFORE_WE_DO_SECONDS: Final = 1.0
_MOST_QUEUED: Final = 10_000
_MOST_QUEUED_KIB: Final = 65_536
_THIS_BODY: Final = 400

_REFUSALS: Final[dict[int, int]] = {
    KafkaError.MSG_SIZE_TOO_LARGE: TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE: TOO_LARGE,
    KafkaError.INVALID_RECORD: _THIS_BODY,
    KafkaError.UNKNOWN_TOPIC_OR_PART: NOT_THERE,
    KafkaError._UNKNOWN_TOPIC: NOT_THERE,  # noqa: SLF001 - the library's name for errors of its own
    KafkaError._UNKNOWN_PARTITION: NOT_THERE,  # noqa: SLF001
    KafkaError.TOPIC_EXCEPTION: NOT_THERE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: NOT_ALLOWED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: NOT_ALLOWED,
}
_AWAY: Final = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._PURGE_QUEUE,  # noqa: SLF001
        KafkaError._PURGE_INFLIGHT,  # noqa: SLF001
        KafkaError._DESTROY,  # noqa: SLF001
        KafkaError._FATAL,  # noqa: SLF001
    }
)


class KafkaSink:
    """Implements `Sink`."""

    def __init__(self, broker: Broker, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self._broker = broker
        self._total_seconds = total_seconds
        self._line = Line(connect=self._connect, is_up=lambda session: session.is_up, leave=_Session.leave)

    async def publish(self, target: Target, message: Message) -> Delivery:
        """Publish one message; taken is what all replicas in sync have."""
        session = await self._line.get()
        return await session.publish(target.filled(message.facts), message)

    async def probe(self) -> None:
        """Connect, unless that is done already."""
        await self._line.get()

    async def close(self) -> None:
        """Leave."""
        await self._line.close()

    async def _connect(self) -> "_Session":
        servers = await self._servers()
        loop = asyncio.get_running_loop()
        settings = {**_settings(self._broker, servers), "message.timeout.ms": self._message_timeout_ms()}
        session = await loop.run_in_executor(None, _Session, settings, loop)
        try:
            for host, port in await loop.run_in_executor(None, session.told_servers):
                await checked_addresses(self._broker, host, port)
        except BaseException:
            await session.leave()
            raise
        return session

    def _message_timeout_ms(self) -> int:
        return int(1_000 * max(self._total_seconds - _GIVE_UP_BEFORE_WE_DO_SECONDS, self._total_seconds / 2))

    async def _servers(self) -> str:
        """Those servers that may be connected to."""
        failed: OSError | None = None
        found: list[str] = []
        for host, port in self._broker.servers:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await checked_addresses(self._broker, host, port)
            except OSError as error:
                failed = error
            else:
                found.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        if not found:
            raise failed or ConnectionError("it has no server")
        return ",".join(found)


class _Quiet:
    """Takes the library's log, which tells every attempt to connect as an error."""

    def log(self, _: int, text: str, *arguments: Any, **__: Any) -> None:
        """Write it down for who looks for a cause."""
        _log.debug(text, *arguments)


class _Session:
    """One producer, and the thread that hears what became of its messages."""

    def __init__(self, settings: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._last_error: KafkaError | None = None
        self._is_broken = False
        self._is_over = threading.Event()
        try:
            self._producer = Producer({**settings, "error_cb": self._hear_error}, logger=_Quiet())
        except KafkaException as error:
            raise ConnectionError(f"its settings cannot be used: {_name(error)}") from error
        self._thread = threading.Thread(target=self._listen, name="kafka", daemon=True)
        self._thread.start()

    @property
    def is_up(self) -> bool:
        """Whether the producer can be used; it connects again by itself."""
        return not self._is_broken and not self._is_over.is_set()

    def told_servers(self) -> list[tuple[str, int]]:
        """Which servers the cluster says that it has. Blocks.

        Raises:
            OSError: It does not answer.
        """
        try:
            metadata = self._producer.list_topics(timeout=CONNECT_SECONDS)
        except KafkaException as error:
            last = self._last_error
            raise ConnectionError(_name(error) if last is None else last.name()) from error
        return [(str(server.host), int(server.port)) for server in metadata.brokers.values()]

    async def publish(self, topic: str, message: Message) -> Delivery:
        """Publish, and wait for the delivery report."""
        reported: asyncio.Future[KafkaError | None] = self._loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if not reported.done():
                reported.set_result(error)

        def hear(error: KafkaError | None, _: object) -> None:
            with suppress(RuntimeError):  # the loop is gone, and nobody waits
                self._loop.call_soon_threadsafe(settle, error)

        try:
            self._producer.produce(
                topic, value=message.body, key=message.key.encode(), headers=_headers(message), on_delivery=hear
            )
        except BufferError:
            return Delivery(status=NOT_NOW, error="So much waits for the broker that no more fits in.")
        except KafkaException as error:
            return self._refusal(error.args[0])
        refused = await reported
        return Delivery(status=None) if refused is None else self._refusal(refused)

    def _refusal(self, error: KafkaError) -> Delivery:
        self._see_whether_broken(error)
        if error.code() in _AWAY:
            last = self._last_error
            raise ConnectionError(error.name() if last is None else last.name())
        status = _REFUSALS.get(error.code(), NOT_NOW)
        return Delivery(status=status, error=f"The broker refused it: {error.name()}.")

    def _hear_error(self, error: KafkaError) -> None:
        _log.debug("Kafka: %s", error)
        self._last_error = error
        self._see_whether_broken(error)

    def _see_whether_broken(self, error: KafkaError) -> None:
        # What a producer answers after its end has the code alone.
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001
            self._is_broken = True

    def _listen(self) -> None:
        while not self._is_over.is_set():
            try:
                self._producer.poll(_POLL_SECONDS)
            except KafkaException as error:  # a producer that is at its end says so here; others still wait for reports
                self._hear_error(error.args[0])
                self._is_over.wait(_POLL_SECONDS)

    async def leave(self) -> None:
        """End it; what is under way is given up."""
        self._is_over.set()
        await self._loop.run_in_executor(None, self._end)

    def _end(self) -> None:
        self._thread.join(LEAVE_SECONDS)
        with suppress(KafkaException):
            self._producer.purge(blocking=False)
        with suppress(KafkaException):
            self._producer.poll(0)


def _settings(broker: Broker, servers: str) -> dict[str, Any]:
    """What librdkafka is told. Spec: its CONFIGURATION.md."""
    settings: dict[str, Any] = {
        "bootstrap.servers": servers,
        "client.id": CLIENT_NAME,
        "security.protocol": ("SASL_" if broker.username is not None else "")
        + ("SSL" if broker.address.is_encrypted else "PLAINTEXT"),
        "acks": "all",
        "enable.idempotence": True,
        "allow.auto.create.topics": False,  # a topic with the wrong name is to be noticed
        "partitioner": "murmur2_random",
        "linger.ms": 2,
        "queue.buffering.max.messages": _MOST_QUEUED,
        "queue.buffering.max.kbytes": _MOST_QUEUED_KIB,
        "socket.connection.setup.timeout.ms": int(1_000 * CONNECT_SECONDS),
        "reconnect.backoff.max.ms": 1_000,
        "topic.metadata.propagation.max.ms": 2_000,
        "topic.metadata.refresh.fast.interval.ms": 500,
        "enable.metrics.push": False,  # nobody asked for reports about us
    }
    if broker.username is not None:
        settings |= {
            "sasl.mechanism": broker.sasl_mechanism,
            "sasl.username": broker.username,
            "sasl.password": broker.password(),
        }
    if broker.ca is not None:
        settings["ssl.ca.location"] = str(broker.ca)
    if broker.certificate is not None and broker.key is not None:
        settings |= {"ssl.certificate.location": str(broker.certificate), "ssl.key.location": str(broker.key)}
    return settings


def _headers(message: Message) -> list[tuple[str, str | bytes | None]]:
    """Spec: CloudEvents Kafka binding §3.3.1, §3.2.4: names with `ce_`, values in UTF-8."""
    pairs = {**message.header_pairs("ce_"), "content-type": CONTENT_TYPE}
    return [(name, value.encode()) for name, value in pairs.items()]


def _name(error: KafkaException) -> str:
    found = error.args[0]
    return found.name() if isinstance(found, KafkaError) else type(found).__name__
