"""What is Kafka's own: delivery reports, errors by number, and addresses that the cluster tells of."""

import socket

import pytest
from confluent_kafka import KafkaError

from tests.adapters.sinks import bench
from tests.adapters.sinks.bench import a_teller
from tests.adapters.sinks.kafka_cluster import KafkaCluster
from tracker.adapters.sinks import kafka as sink
from tracker.adapters.sinks.broker import Broker

INIT_PRODUCER_ID = 22


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, 413),
        (KafkaError.INVALID_RECORD, 400),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 403),
        (KafkaError.POLICY_VIOLATION, 503),
    ],
)
async def test_a_refusal_is_read_by_its_number(kafka: KafkaCluster, name: str, code: int, status: int) -> None:
    url = await kafka.make(name)
    async with a_teller(kafka) as teller:
        assert (await teller.tell(url, "e0")).delivered
        kafka.refuse(code)
        delivery = await teller.tell(url, "e1")
        assert delivery.status == status
        assert delivery.error == f"The broker refused it: {KafkaError(code).name()}."
        await teller.tell_until_taken(url, "e2")
    assert [one.id for one in await kafka.heard(name)] == ["e0", "e2"]


async def test_what_passes_by_itself_is_tried_again_by_the_client_without_a_duplicate(
    kafka: KafkaCluster, name: str
) -> None:
    url = await kafka.make(name)
    async with a_teller(kafka) as teller:
        assert (await teller.tell(url, "e0")).delivered
        kafka.refuse(KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_LEADER_FOR_PARTITION)
        assert (await teller.tell(url, "e1")).delivered
    assert [one.id for one in await kafka.heard(name)] == ["e0", "e1"]


async def test_a_producer_that_is_beyond_repair_is_replaced(kafka: KafkaCluster, name: str) -> None:
    """An idempotent producer that was once refused, or could not tell its repeats from new messages, stops for good."""
    url = await kafka.make(name)
    kafka.refuse(KafkaError.CLUSTER_AUTHORIZATION_FAILED, request=INIT_PRODUCER_ID)
    async with a_teller(kafka, total_seconds=3) as teller:
        assert not (await teller.tell(url, "e1")).delivered
        await teller.tell_until_taken(url, "e1", seconds=10)
    assert [one.id for one in await kafka.heard(name)] == ["e1"]


async def test_no_topic_is_made_by_a_wrong_name(kafka: KafkaCluster, name: str) -> None:
    async with a_teller(kafka) as teller:
        delivery = await teller.tell(f"kafka://127.0.0.1:{kafka.port}/{name}", "e1")
    assert delivery.status == 404
    assert name not in kafka.topics()


async def test_a_cluster_that_sends_us_elsewhere_is_not_followed(
    kafka: KafkaCluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await kafka.make(name)
    monkeypatch.setattr(sink._Session, "told_servers", lambda _: [("127.0.0.1", kafka.port), ("10.9.8.7", 9092)])
    async with a_teller(kafka) as teller:
        delivery = await teller.tell(url, "e1")
    assert delivery.status is None
    assert "10.9.8.7 leads to no address" in str(delivery.error)
    assert await kafka.heard(name) == []


async def test_a_broker_that_never_answers_is_told_as_away(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are made, and wait there
        cluster = KafkaCluster.__new__(KafkaCluster)
        cluster.port = silent.getsockname()[1]
        async with a_teller(cluster, total_seconds=2) as teller:
            delivery = await teller.tell(f"kafka://127.0.0.1:{cluster.port}/{name}", "e1")
    assert (delivery.delivered, delivery.status) == (False, None)


def _settings(**changes: object) -> dict[str, object]:
    cluster = KafkaCluster.__new__(KafkaCluster)
    cluster.port = 9092
    found: Broker = bench.broker(cluster, **changes)
    return sink._settings(found, "k.example:9092")


def test_the_producer_is_told_to_be_safe() -> None:
    settings = _settings()
    assert settings["enable.idempotence"] is True
    assert settings["acks"] == "all"
    assert settings["allow.auto.create.topics"] is False
    assert settings["enable.metrics.push"] is False
    assert settings["security.protocol"] == "PLAINTEXT"
    assert _settings(username="tracker", password=lambda: "secret") | {"sasl.password": "secret"} == {
        **settings,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "tracker",
        "sasl.password": "secret",
    }
