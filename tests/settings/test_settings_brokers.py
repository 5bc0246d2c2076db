"""`[[broker]]`: what it means, and what cannot be."""

from ipaddress import ip_network

import pytest

from tests.settings.examples import WHOLE
from tracker.domain.broker_url import BrokerAddress

PLAIN = '[[broker]]\nurl = "nats://nats.example"\nnetworks = ["10.0.0.0/8"]\n'
PASSWORD = 'username = "tracker"\npassword_file = "keys/nats.password"\n'
RABBIT = PLAIN.replace("nats://nats.example", "amqp://rabbit.example/consents")


def test_every_setting_is_read(load, folder):
    [broker] = load(WHOLE).broker
    assert broker.address == BrokerAddress(scheme="tls", host="nats.bank.example", port=4222)
    assert broker.servers == ("nats2.bank.example:4222", "[fd00::7]:4222")
    assert broker.networks == (ip_network("fd00::/8"),)
    assert (broker.username, broker.password_file) == ("tracker", folder / "keys/nats.password")
    assert broker.sasl_mechanism == "PLAIN"
    assert (broker.ca, broker.certificate, broker.key) == tuple(
        folder / "keys" / name for name in ("nats-ca.pem", "nats.pem", "nats.key")
    )


def test_several_may_stand_beside_each_other(load):
    brokers = load(PLAIN + RABBIT + PASSWORD + RABBIT.replace("/consents", "/other") + PASSWORD).broker
    assert [str(broker.address) for broker in brokers] == [
        "nats://nats.example:4222",
        "amqp://rabbit.example:5672/consents",
        "amqp://rabbit.example:5672/other",
    ]


URL = (
    "should be a broker's URL such as nats://nats.example:4222, kafka://kafka.example:9092 or "
    "amqp://rabbit.example:5672/vhost, without user name, password and query"
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[broker]]\n", "url is missing; add it."),
        (PLAIN.replace("nats://nats.example", "https://x.example"), f"url {URL}."),
        (PLAIN.replace("nats://nats.example", "nats://tracker:hidden@nats.example"), f"url {URL}."),
        (PLAIN.replace("nats://nats.example", "nats://nats.example/consents"), f"url {URL}."),
        (PLAIN + 'servers = ["nats2.example"]', "servers no. 1 should match pattern"),
        (PLAIN + 'username = "tracker"', "should have both username and password_file, or neither."),
        (PLAIN + 'password_file = "keys/nats.password"', "should have both username and password_file, or neither."),
        (
            PLAIN.replace("nats:", "tls:") + 'certificate = "keys/nats.pem"',
            "should have both certificate and key, or neither.",
        ),
        (
            PLAIN + 'ca = "keys/nats-ca.pem"',
            "should have a url with TLS (tls, kafka+ssl or amqps): ca is for nothing else.",
        ),
        (
            PLAIN.replace('networks = ["10.0.0.0/8"]', ""),
            "should have networks: without TLS only networks that are listed are connected to.",
        ),
        (RABBIT, "should have username and password_file, or certificate and key: RabbitMQ asks who we are."),
        (PLAIN + 'sasl_mechanism = "GSSAPI"', "sasl_mechanism should be 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'."),
        (
            PLAIN + 'username = "tracker"\npassword_file = "keys/none"',
            "password_file names no file; relative paths count",
        ),
    ],
)
def test_what_cannot_be_is_refused(refusal, text, sentence):
    said = refusal(text)
    assert said.startswith(f"tracker.toml: [[broker]] no. 1 {sentence}")
    assert "hidden" not in said


def test_one_broker_has_one_table(refusal):
    twice = PLAIN + PLAIN.replace("nats.example", "NATS.example:4222")
    assert refusal(twice) == (
        "tracker.toml: the broker nats://nats.example:4222 stands in two [[broker]] tables; keep one."
    )
