"""Which broker a URL names, and where in it: whatever is no place, or an order to the broker, is refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.broker_url import (
    SCHEMES,
    BrokerAddress,
    Target,
    broker_address,
    is_broker_url,
    target_of,
)
from tracker.domain.errors import InvalidRequestError

NATS = BrokerAddress(scheme="nats", host="nats.example", port=4222)
RABBIT = BrokerAddress(scheme="amqp", host="rabbit.example", port=5672, vhost="/")

PLACES = {
    "nats://nats.example/consents": Target(address=NATS, name="consents"),
    "NATS://Nats.Example.:4222/consents.{tracking_id}?stream=CONSENTS": Target(
        address=NATS, name="consents.{tracking_id}", container="CONSENTS"
    ),
    "nats://nats.example/a.%7Btype%7D": Target(address=NATS, name="a.{type}"),
    "tls://[2001:db8::1]:4333/c": Target(address=BrokerAddress(scheme="tls", host="2001:db8::1", port=4333), name="c"),
    "kafka://10.0.0.1/consent.moves": Target(
        address=BrokerAddress(scheme="kafka", host="10.0.0.1", port=9092), name="consent.moves"
    ),
    "kafka+ssl://k.example/c": Target(address=BrokerAddress(scheme="kafka+ssl", host="k.example", port=9093), name="c"),
    "amqp://rabbit.example?exchange=c": Target(address=RABBIT, name="{tracking_id}", container="c"),
    "amqp://rabbit.example/?routing_key=queue": Target(address=RABBIT, name="queue"),
    "amqp://rabbit.example/%2F?exchange=c&routing_key={provider}.{kind}": Target(
        address=RABBIT, name="{provider}.{kind}", container="c"
    ),
    "amqps://rabbit.example/a%2Fb?exchange=c": Target(
        address=BrokerAddress(scheme="amqps", host="rabbit.example", port=5671, vhost="a/b"),
        name="{tracking_id}",
        container="c",
    ),
}


@pytest.mark.parametrize("url", PLACES)
def test_a_place_is_understood(url: str) -> None:
    assert target_of(url) == PLACES[url]
    assert is_broker_url(url)


NOWHERE = [
    "nats://nats.example",
    "nats://nats.example/",
    "nats://nats.example/$JS.API.STREAM.DELETE.CONSENTS",  # an order to the server: it would be obeyed
    "nats://nats.example/%24JS.API.STREAM.PURGE.CONSENTS",
    "nats://nats.example/_INBOX.x",
    "nats://nats.example/{type}.x",
    "nats://nats.example/{type}",
    "nats://nats.example/a.>",
    "nats://nats.example/a.*",
    "nats://nats.example/a..b",
    "nats://nats.example/a.",
    "nats://nats.example/a.{user_ref}",
    "nats://nats.example/a%0D%0APUB%20x",
    "nats://nats.example/a%20b",
    "nats://nats.example/a?stream=",
    "nats://nats.example/a?stream=x.y",
    "nats://nats.example/a?exchange=x",
    "nats://nats.example/a?stream=x&stream=x",
    "nats://nats.example/a?stream",
    "nats://user:secret@nats.example/a",
    "nats://@nats.example/a",
    "nats://nats.example/a#b",
    "nats://nats.example:0/a",
    "nats://nats.example:99999/a",
    "nats://nats.example:x/a",
    "nats:///a",
    "nats://one.example,two.example/a",
    "nats://nats.exämple/a",
    "nats://nats.example/a\\b",
    "nats://nats.example/" + "a" * 256,
    "nats://nats.example/" + "a" * 2048,
    "kafka://k.example",
    "kafka://k.example/__consumer_offsets",
    "kafka://k.example/..",
    "kafka://k.example/.",
    "kafka://k.example/{type}",
    "kafka://k.example/a/b",
    "kafka://k.example/" + "a" * 250,
    "kafka://k.example/a?key=x",
    "amqp://rabbit.example/",
    "amqp://rabbit.example/?exchange=&routing_key=",
    "amqp://rabbit.example/a%00b?exchange=c",
    "amqp://rabbit.example/?exchange=a%20b",
    "amqp://rabbit.example/?exchange=c&routing_key={user_ref}",
    "amqp://rabbit.example/?exchange=c&routing_key=a}b",
    "amqp://rabbit.example/?exchange=c&routing_key=" + "a" * 256,
    "https://example.com/hook",
    "redis://example.com/x",
]


@pytest.mark.parametrize("url", NOWHERE)
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        target_of(url)
    assert re.fullmatch(r"[A-Z][^\n]+\.", str(caught.value))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nats://Nats.example", "nats://nats.example:4222"),
        ("nats://nats.example:4222/", "nats://nats.example:4222"),
        ("kafka+ssl://[2001:DB8::1]", "kafka+ssl://[2001:db8::1]:9093"),
        ("amqp://rabbit.example/%2f", "amqp://rabbit.example:5672"),
        ("amqp://rabbit.example/consents", "amqp://rabbit.example:5672/consents"),
    ],
)
def test_a_broker_is_told_in_one_way(url: str, told: str) -> None:
    assert str(broker_address(url)) == told
    assert broker_address(told) == broker_address(url)


@pytest.mark.parametrize(
    "url", ["nats://nats.example/a", "kafka://k.example/a", "amqp://r.example/?exchange=c", "http://x"]
)
def test_a_brokers_own_url_says_no_more_than_which(url: str) -> None:
    with pytest.raises(InvalidRequestError):
        broker_address(url)


def test_webhooks_are_no_brokers() -> None:
    assert not any(is_broker_url(url) for url in ("https://example.com/nats://x", "http://x", "nats", ""))


def test_placeholders_are_filled_in_and_can_say_nothing_to_the_broker() -> None:
    target = target_of("nats://nats.example/c.{provider}.{kind}.{type}.{tracking_id}")
    facts = {"provider": "demobank", "kind": "a>b *\r\nPUB $", "type": "consent.status_changed"}
    assert target.filled(facts) == "c.demobank.a_b____PUB__.consent.status_changed._"
    assert target_of("kafka://k.example/c").filled(facts) == "c"


@given(st.text() | st.sampled_from(list(SCHEMES)).flatmap(lambda scheme: st.text().map(f"{scheme}://a/".__add__)))
def test_any_text_is_a_place_or_is_refused_and_nothing_else(text: str) -> None:
    try:
        target = target_of(text)
    except InvalidRequestError:
        return
    assert target.filled({}).isprintable()
    assert not target.name.startswith(("$", "__"))
