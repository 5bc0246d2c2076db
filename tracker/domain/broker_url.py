"""URLs of message brokers: which broker, and where in it.

    nats://host:4222/SUBJECT?stream=STREAM        tls://
    kafka://host:9092/TOPIC                       kafka+ssl://
    amqp://host:5672/VHOST?exchange=EXCHANGE&routing_key=KEY      amqps://

`SUBJECT` and `KEY` are templates: `{tracking_id}`, `{provider}`, `{kind}` and `{type}` stand for what an entry says. Whoever
adds a subscription chooses the place, the operator the broker and what its user may do there; what a broker takes for orders to
itself, or keeps its own affairs in, is never a place.

Spec: NATS client protocol, "Subject names"; Kafka `Topic.validate`; RabbitMQ URI specification; AMQP 0-9-1 §1.1 (short strings).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from tracker.domain.errors import InvalidRequestError

Family = Literal["nats", "kafka", "rabbitmq"]
"""Which kind of broker; the extra that brings its client is called the same."""

LONGEST_URL: Final = 2_048
LONGEST_NAME_BYTES: Final = 255
"""Of a subject, a routing key, once it is filled in. Spec: AMQP 0-9-1, short strings."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a scheme says.

    Attributes:
        family: Which kind of broker.
        port: Where it listens unless something else is said.
        is_encrypted: Whether the connection is by TLS.
    """

    family: Family
    port: int
    is_encrypted: bool


SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType(
    {
        "nats": Scheme("nats", 4222, is_encrypted=False),
        "tls": Scheme("nats", 4222, is_encrypted=True),
        "kafka": Scheme("kafka", 9092, is_encrypted=False),
        "kafka+ssl": Scheme("kafka", 9093, is_encrypted=True),
        "amqp": Scheme("rabbitmq", 5672, is_encrypted=False),
        "amqps": Scheme("rabbitmq", 5671, is_encrypted=True),
    }
)
"""As the brokers' own clients spell them; Kafka has no URLs of its own, `kafka+ssl` is what hosters write."""

PLACEHOLDERS: Final = ("tracking_id", "provider", "kind", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """One broker, whatever its URL was spelt like.

    Attributes:
        scheme: One of `SCHEMES`.
        host: A name in lower case, or an address without brackets.
        port: Where it listens.
        vhost: Of RabbitMQ; empty otherwise.
    """

    scheme: str
    host: str
    port: int
    vhost: str = ""

    @property
    def family(self) -> Family:
        """Which kind of broker."""
        return SCHEMES[self.scheme].family

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is by TLS."""
        return SCHEMES[self.scheme].is_encrypted

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}" + (f"/{self.vhost}" if self.vhost not in {"", "/"} else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where in a broker entries go.

    Attributes:
        address: Which broker.
        name: A template of the subject (NATS) or the routing key (RabbitMQ); Kafka's topic.
        container: The stream that must take it (NATS), the exchange (RabbitMQ). Empty: whichever has the subject; the default
            exchange.
    """

    address: BrokerAddress
    name: str
    container: str = ""

    def filled(self, facts: Mapping[str, str]) -> str:
        """The name for one entry.

        Args:
            facts: What stands for each of `PLACEHOLDERS`; what is missing becomes `_`. So does each character that a broker may
                give a meaning, save dots.
        """

        def fact(found: re.Match[str]) -> str:
            return _MEANINGFUL.sub("_", facts.get(found[1], "")) or "_"

        return _PLACEHOLDER.sub(fact, self.name)


_VISIBLE_ASCII = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45}")
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
_MEANINGFUL = re.compile(r"[^A-Za-z0-9_.-]")
_TOKEN = r"[A-Za-z0-9_-]+"  # noqa: S105 - NATS's word for a part of a subject
_SUBJECT = re.compile(rf"(?!_){_TOKEN}(\.{_TOKEN})*")
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TOPIC = re.compile(r"(?!__)(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_EXCHANGE = re.compile(r"[A-Za-z0-9._:-]{1,127}")
_VHOST = re.compile(r"[A-Za-z0-9._:/@~-]{1,127}")
_ROUTING_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_NAME_BYTES}}}")


def is_broker_url(url: str) -> bool:
    """Whether a URL is of a message broker, by its scheme."""
    scheme, found, _ = url.partition("://")
    return bool(found) and scheme.lower() in SCHEMES


def broker_address(url: str) -> BrokerAddress:
    """The broker that a URL names, for the configuration.

    Raises:
        InvalidRequestError: It is none, or says more than which broker.
    """
    parts = _split(url)
    address = _address(parts)
    if parts.query or (address.family != "rabbitmq" and parts.path not in {"", "/"}):
        raise InvalidRequestError("A broker's URL ends after the port, RabbitMQ's after the virtual host.")
    return address


def target_of(url: str) -> Target:
    """Where a subscription's URL points.

    Raises:
        InvalidRequestError: It is none of a broker, or nothing may be sent there.
    """
    parts = _split(url)
    address = _address(parts)
    given = _query(parts)
    path = unquote(parts.path[1:])
    target: Target
    match address.family:
        case "nats":
            stream = given.pop("stream", "")
            _require(not stream or _STREAM.fullmatch(stream), "What stands behind stream= is a stream's name.")
            _require(_is_subject(path), _SUBJECT_RULE)
            target = Target(address=address, name=path, container=stream)
        case "kafka":
            _require(_TOPIC.fullmatch(path), _TOPIC_RULE)
            target = Target(address=address, name=path)
        case "rabbitmq":
            exchange, key = given.pop("exchange", ""), given.pop("routing_key", "")
            _require(exchange or key, "RabbitMQ needs exchange=…, routing_key=… or both behind a question mark.")
            _require(
                not exchange or _EXCHANGE.fullmatch(exchange), "What stands behind exchange= is an exchange's name."
            )
            _require(not key or _is_routing_key(key), _ROUTING_KEY_RULE)
            target = Target(address=address, name=key or "{tracking_id}", container=exchange)
    _require(not given, f"Nothing is known of {', '.join(sorted(given))[:80]!r} in a URL of this scheme.")
    return target


_SUBJECT_RULE: Final = (
    "NATS needs a subject as path, such as /consents.{tracking_id}: words of A-Z, a-z, 0-9, - and _ with dots between, the "
    "first of them no placeholder and without _ in front."
)
_TOPIC_RULE: Final = (
    "Kafka needs a topic as path: A-Z, a-z, 0-9, ., _ and -, no placeholder, and not beginning with __."
)
_ROUTING_KEY_RULE: Final = (
    f"What stands behind routing_key= is visible ASCII, at most {LONGEST_NAME_BYTES} characters; placeholders in it are "
    f"{', '.join(f'{{{word}}}' for word in PLACEHOLDERS)}."
)


def _require(holds: object, sentence: str) -> None:
    if not holds:
        raise InvalidRequestError(sentence)


def _split(url: str) -> SplitResult:
    _require(
        len(url) <= LONGEST_URL and _VISIBLE_ASCII.fullmatch(url),
        f"A broker's URL has at most {LONGEST_URL} characters, all of them visible ASCII and none a backslash.",
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError("This is not a URL.") from error
    _require(parts.scheme in SCHEMES, f"A broker's URL begins with {', '.join(f'{one}://' for one in SCHEMES)}.")
    _require(
        "@" not in parts.netloc and "@" not in url.partition("://")[2].partition("/")[0],
        "A broker's URL has no user name or password in it: those are in the configuration, under [[broker]].",
    )
    _require("#" not in url, "A broker's URL has no fragment.")
    _require(port != 0 and _HOST.fullmatch((parts.hostname or "").removesuffix(".")), "A broker's URL names its host.")
    return parts


def _address(parts: SplitResult) -> BrokerAddress:
    scheme = SCHEMES[parts.scheme]
    vhost = ""
    if scheme.family == "rabbitmq":
        vhost = unquote(parts.path[1:]) or "/"
        _require(
            _VHOST.fullmatch(vhost), "RabbitMQ's virtual host is A-Z, a-z, 0-9 and ._:@~-; %2F stands for a slash."
        )
    return BrokerAddress(
        scheme=parts.scheme,
        host=(parts.hostname or "").removesuffix("."),
        port=parts.port or scheme.port,
        vhost=vhost,
    )


def _query(parts: SplitResult) -> dict[str, str]:
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=10)
    except ValueError as error:
        raise InvalidRequestError("What stands behind the question mark is not name=value, joined by &.") from error
    _require(len(dict(pairs)) == len(pairs), "Nothing stands twice behind the question mark.")
    _require(all(value for _, value in pairs), "Nothing is left empty behind the question mark.")
    return dict(pairs)


def _is_subject(text: str) -> bool:
    # The first word is never filled in: orders to the server begin with `$`, answers with `_`.
    if len(text) > LONGEST_NAME_BYTES or text.startswith("{"):
        return False
    return _SUBJECT.fullmatch(_PLACEHOLDER.sub("x", text)) is not None


def _is_routing_key(text: str) -> bool:
    rest = _PLACEHOLDER.sub("", text)
    return _ROUTING_KEY.fullmatch(text) is not None and "{" not in rest and "}" not in rest
