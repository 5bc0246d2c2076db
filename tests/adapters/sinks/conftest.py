"""Real brokers, each started once for all tests of a process; without the program their tests are skipped."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from tests.adapters.sinks import nats_server, rabbitmq_server
from tests.adapters.sinks.bench import Place
from tests.adapters.sinks.kafka_cluster import KafkaCluster
from tests.adapters.sinks.nats_server import NatsServer
from tests.adapters.sinks.rabbitmq_server import RabbitmqServer
from tests.adapters.sinks.webhook_endpoint import WebhookEndpoint


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    if nats_server.PROGRAM is None:
        pytest.skip("there is no nats-server on the path; Debian's package of that name brings it")
    server = NatsServer(tmp_path_factory.mktemp("nats"), unused_port())
    server.up()
    yield server
    server.down()


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitmqServer]:
    if rabbitmq_server.PROGRAM is None:
        pytest.skip("there is no rabbitmq-server; Debian's package of that name brings it")
    server = RabbitmqServer(tmp_path_factory.mktemp("rabbitmq"), *(unused_port() for _ in range(4)))
    server.up()
    yield server
    server.down()


@pytest.fixture
def kafka() -> Iterator[KafkaCluster]:
    cluster = KafkaCluster()
    yield cluster
    cluster.destroy()


@pytest.fixture
async def webhook() -> AsyncIterator[WebhookEndpoint]:
    endpoint = WebhookEndpoint()
    await endpoint.up()
    yield endpoint
    await endpoint.down()


@pytest.fixture(params=["webhook", "nats", "rabbitmq", "kafka"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each place to which entries can be told."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name that nobody has used at the broker, which serves all tests."""
    return f"t-{tmp_path.parent.name}-{tmp_path.name}".replace(".", "-")[-60:].strip("-_")
