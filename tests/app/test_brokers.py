"""Brokers in the configuration: what they are made of, what is refused at the start and at registration, what a check says."""

import re
import shlex
import sys
import tomllib
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port
from standardwebhooks import Webhook

from tracker.adapters.sinks.kafka import KafkaSink
from tracker.adapters.sinks.nats import NatsSink
from tracker.adapters.sinks.rabbitmq import RabbitmqSink
from tracker.app import brokers
from tracker.app.broker_checks import broker_faults, broker_findings
from tracker.app.brokers import broker_sinks, open_telling
from tracker.domain.broker_url import broker_address
from tracker.domain.errors import (
    BrokerNotConfiguredError,
    ConfigurationError,
    ExtraNotInstalledError,
    InvalidRequestError,
)
from tracker.settings import Settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "brokers.md").read_text("utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(*tables: dict[str, Any]) -> Settings:
    return Settings.model_validate({"broker": tables, "notifications": {"allow_networks": ["127.0.0.0/8"]}})


def nats(**changes: Any) -> dict[str, Any]:
    return {"url": "nats://127.0.0.1:4222", "networks": ["127.0.0.0/8"], **changes}


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("sécret with space \n")
    return path


def test_each_broker_gets_a_sink_of_its_kind(password: Path) -> None:
    user = {"username": "tracker", "password_file": password}
    sinks = broker_sinks(
        settings(
            nats(), nats(url="kafka://127.0.0.1"), nats(url="amqp://127.0.0.1/v", **user), nats(url="tls://x.example")
        )
    )
    assert {str(address): type(sink) for address, sink in sinks.items()} == {
        "nats://127.0.0.1:4222": NatsSink,
        "kafka://127.0.0.1:9092": KafkaSink,
        "amqp://127.0.0.1:5672/v": RabbitmqSink,
        "tls://x.example:4222": NatsSink,
    }


def test_what_is_configured_is_what_the_sink_knows(password: Path) -> None:
    chosen = settings(
        nats(
            url="tls://a.example",
            servers=["b.example:4333", "[::1]:4444"],
            networks=["10.0.0.0/8"],
            username="tracker",
            password_file=password,
        )
    )
    found = brokers._broker(chosen, chosen.broker[0])
    assert found.servers == (("a.example", 4222), ("b.example", 4333), ("::1", 4444))
    assert found.networks == (ip_network("10.0.0.0/8"),)
    assert (found.username, found.password()) == ("tracker", "sécret with space ")
    assert "sécret" not in repr(found)
    password.write_text("renewed")
    assert found.password() == "renewed"
    assert found.tls is not None
    assert found.tls() is found.tls()


async def test_nothing_is_connected_to_until_somebody_is_told() -> None:
    async with open_telling(settings(nats(url=f"nats://127.0.0.1:{unused_port()}")), None, {}):
        pass


async def test_a_subscription_may_name_what_is_configured_and_nothing_else() -> None:
    async with open_telling(settings(nats()), None, {}) as telling:
        check_url = telling.check_url
        check_url("https://example.com/hook")
        check_url("http://127.0.0.1:9000/hook")
        check_url("nats://127.0.0.1/consents.{tracking_id}")
        for url in ("nats://127.0.0.1:4333/c", "tls://127.0.0.1/c", "nats://localhost/c", "kafka://127.0.0.1/c"):
            with pytest.raises(BrokerNotConfiguredError, match="has no "):
                check_url(url)
        for url in ("nats://127.0.0.1/$JS.API.STREAM.DELETE.C", "nats://x:y@127.0.0.1/c", "http://10.0.0.1/hook"):
            with pytest.raises(InvalidRequestError):
                check_url(url)


@pytest.mark.parametrize(("url", "client", "extra"), [
    ("nats://127.0.0.1/c", "nats", "nats"),
    ("kafka://127.0.0.1/c", "confluent_kafka", "kafka"),
    ("amqp://127.0.0.1/?exchange=c", "aiormq", "rabbitmq"),
])  # fmt: skip
async def test_without_the_extra_registration_and_the_start_say_its_name(
    url: str, client: str, extra: str, monkeypatch: pytest.MonkeyPatch, password: Path
) -> None:
    monkeypatch.setitem(sys.modules, client, None)
    async with open_telling(settings(), None, {}) as telling:
        with pytest.raises(ExtraNotInstalledError, match=rf'the extra "{extra}" is not installed; .*"\.\[{extra}\]"'):
            telling.check_url(url)
    chosen = settings(nats(url=url.partition("/c")[0].partition("?")[0], username="u", password_file=password))
    with pytest.raises(ConfigurationError, match=rf'the extra "{extra}" is not installed'):
        broker_sinks(chosen)
    [fault] = broker_faults(chosen)
    assert (fault.subject, fault.ok, fault.stops) == ("broker", False, True)


def test_a_password_that_others_can_read_is_refused_at_the_start(password: Path) -> None:
    password.chmod(0o644)
    chosen = settings(nats(username="tracker", password_file=password))
    with pytest.raises(ConfigurationError, match="open to others"):
        broker_sinks(chosen)
    assert [fault.stops for fault in broker_faults(chosen)] == [True]


async def test_a_check_says_that_a_broker_is_away() -> None:
    chosen = settings(nats(url=f"nats://127.0.0.1:{unused_port()}"))
    assert list(broker_faults(chosen)) == []
    [finding] = [finding async for finding in broker_findings(chosen)]
    assert (finding.subject, finding.ok, finding.stops) == ("broker", False, False)
    assert "could not be reached" in finding.text


# ------------------------------------------------------------------------------------------------ the document


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


async def test_the_documents_commands_name_the_brokers_that_it_configures(password: Path) -> None:
    tables = [table for block in _blocks("toml") for table in tomllib.loads(block)["broker"]]
    chosen = settings(*(table | {"password_file": password} for table in tables))
    assert [broker.address.family for broker in chosen.broker] == ["nats", "kafka", "rabbitmq"]
    named = []
    for block in _blocks("sh"):
        program, noun, verb, url, *_ = shlex.split(block)
        assert (program, noun, verb) == ("tracker", "subscriptions", "add")
        brokers._check_url(url, check=lambda _: None, brokers=[broker.address for broker in chosen.broker])
        named.append(broker_address(url.partition("?")[0] if "amqp" in url else url.rpartition("/")[0]))
    assert named == [broker.address for broker in chosen.broker]


def test_the_documents_consumer_knows_what_is_ours() -> None:
    names: dict[str, Any] = {}
    exec(_blocks("python")[0], names)
    body = '{"id":"e1"}'
    signature = Webhook(SECRET).sign("e1", datetime.fromtimestamp(1_772_450_001, UTC), body)
    headers = {"webhook-id": "e1", "webhook-timestamp": "1772450001", "webhook-signature": f"v1,AAAA {signature}"}
    assert names["is_ours"](headers, body.encode(), SECRET)
    assert not names["is_ours"](headers, body.encode() + b" ", SECRET)
    assert not names["is_ours"](headers | {"webhook-id": "e2"}, body.encode(), SECRET)
