"""Who tells, by what the URL says; and what becomes of what cannot be told."""

from datetime import datetime

import pytest

from tests.adapters.sinks.bench import AT, a_subscription, event
from tracker.adapters.sender import _signed_headers
from tracker.adapters.sinks.by_scheme import SenderByScheme
from tracker.adapters.sinks.message import Message, message_of
from tracker.domain.broker_url import Target, broker_address
from tracker.domain.errors import ConfigurationError
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery

TAKEN = Delivery(status=None)


def signed_headers(to: Subscription, entry_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """As the sender of webhooks signs."""
    return _signed_headers(to.secrets(at), entry_id, body, at)


class Post:
    """Takes what goes by webhook."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        self.told.append((entry_id, traceparent))
        return Delivery(status=204)


class Sink:
    """Takes what goes to a broker, or does not."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.published: list[tuple[Target, Message]] = []

    async def publish(self, target: Target, message: Message) -> Delivery:
        if self.error is not None:
            raise self.error
        self.published.append((target, message))
        return TAKEN

    async def probe(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_each_url_goes_to_whom_it_names() -> None:
    post, here, there = Post(), Sink(), Sink()
    sinks = {broker_address("nats://a.example"): here, broker_address("nats://b.example"): there}
    sender = SenderByScheme(post, sinks, signed_headers)
    for url in ("https://c.example/hook", "nats://A.example:4222/x", "nats://b.example/y"):
        assert (await sender.send(a_subscription(url), "e1", event("e1"), AT, traceparent="t")).delivered
    assert post.told == [("e1", "t")]
    assert [target.name for target, _ in here.published] == ["x"]
    [(target, message)] = there.published
    assert (target.name, message.id, message.to, message.headers["traceparent"]) == ("y", "e1", "s", "t")


async def test_a_broker_that_is_no_longer_configured_is_a_fault_of_the_endpoint() -> None:
    sender = SenderByScheme(Post(), {}, signed_headers)
    delivery = await sender.send(a_subscription("kafka://k.example/topic"), "e1", event("e1"), AT)
    assert delivery.status == 404
    assert delivery.error == "The configuration has no [[broker]] kafka://k.example:9092 any more."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionError("it is gone"), "The broker could not be reached: it is gone."),
        (OSError(111, "Connection refused"), "The broker could not be reached: Connection refused."),
        (
            ConfigurationError("The password is not there."),
            "The broker could not be reached: The password is not there.",
        ),
    ],
)
async def test_whatever_goes_wrong_on_the_way_is_no_answer(error: Exception, told: str) -> None:
    sender = SenderByScheme(Post(), {broker_address("nats://a.example"): Sink(error)}, signed_headers)
    delivery = await sender.send(a_subscription("nats://a.example/x"), "e1", event("e1"), AT)
    assert (delivery.status, delivery.error) == (None, told)


@pytest.mark.parametrize(("url", "secret"), [("nats://a.example/$SYS", None), ("nats://a.example/x", "whsec_?")])
async def test_what_cannot_be_made_into_a_message_is_an_answer_too(url: str, secret: str | None) -> None:
    sender = SenderByScheme(Post(), {broker_address("nats://a.example"): Sink()}, signed_headers)
    subscription = a_subscription(url, **({} if secret is None else {"secret": secret}))
    delivery = await sender.send(subscription, "e1", event("e1"), AT)
    assert (delivery.delivered, delivery.status) == (False, None)


def test_only_attributes_stand_beside_the_body() -> None:
    body = (
        b'{"id":"e1","type":"t","subject":"s","sequence":"1","datacontenttype":"application/json","redelivered":true,'
        b'"number":7,"private":{"name":"X"},"private_salt":"salt","null":null,"data":{"tracking_id":"k","kind":3}}'
    )
    message = message_of("e1", "s", body, {"Content-Type": "x", "Webhook-Id": "e1"})
    assert message.attributes == {
        "id": "e1",
        "type": "t",
        "subject": "s",
        "sequence": "1",
        "redelivered": "true",
        "number": "7",
    }
    assert message.headers == {"webhook-id": "e1"}
    assert message.facts == {"tracking_id": "k", "type": "t"}
    assert message.key == "k"


def test_what_is_about_no_consent_keeps_the_order_of_its_subject() -> None:
    assert message_of("e1", "s", b'{"subject":"subscription-1","data":{}}', {}).key == "subscription-1"
    with pytest.raises(ValueError, match="object"):
        message_of("e1", "s", b"[]", {})
