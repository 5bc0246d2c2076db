"""What is RabbitMQ's own: routing that must end in a queue, queues that refuse, channels that are closed for one bad publish."""

import asyncio

import aiormq
import pytest

from tests.adapters.sinks.bench import a_teller, event
from tests.adapters.sinks.rabbitmq_server import MOST_BYTES, RabbitmqServer
from tracker.adapters.tls import RotatingContext, TlsFiles
from tracker.domain.broker_url import BrokerAddress


async def test_what_no_queue_takes_is_a_failure_and_not_told(rabbitmq: RabbitmqServer, name: str) -> None:
    connection = await rabbitmq.client()
    channel = await connection.channel()
    await channel.exchange_declare(name, exchange_type="direct", durable=True)
    async with a_teller(rabbitmq) as teller:
        url = f"amqp://127.0.0.1:{rabbitmq.port}/?exchange={name}&routing_key=k.{{provider}}"
        answers = await asyncio.gather(*(teller.tell(url, f"e{n}") for n in range(20)))
        assert {(one.status, one.error) for one in answers} == {
            (404, "No queue takes what has the routing key k.demobank.")
        }
        await channel.queue_declare(name, durable=True)
        await channel.queue_bind(name, name, "k.demobank")
        assert (await teller.tell(url, "e1")).delivered
    await connection.close()
    assert [(one.id, one.key) for one in await rabbitmq.heard(name)] == [("e1", "k.demobank")]


async def test_the_same_entry_to_the_same_place_twice_at_once_is_not_mixed_up(
    rabbitmq: RabbitmqServer, name: str
) -> None:
    """The client finds what came back by its message id: on one channel the second's return would count for the first."""
    connection = await rabbitmq.client()
    channel = await connection.channel()
    await channel.exchange_declare(name, exchange_type="direct", durable=True)
    await connection.close()
    url = f"amqp://127.0.0.1:{rabbitmq.port}/?exchange={name}"
    async with a_teller(rabbitmq) as teller:
        answers = await asyncio.gather(*(teller.tell(url, "e1", to=f"s{n}") for n in range(10)))
    assert {one.status for one in answers} == {404}


async def test_a_queue_can_be_named_without_an_exchange(rabbitmq: RabbitmqServer, name: str) -> None:
    await rabbitmq.make(name)
    async with a_teller(rabbitmq) as teller:
        assert (await teller.tell(f"amqp://127.0.0.1:{rabbitmq.port}/?routing_key={name}", "e1")).delivered
    [heard] = await rabbitmq.heard(name)
    assert (heard.id, heard.headers["delivery"]) == ("e1", 2)


async def test_a_full_queue_that_refuses_is_waited_for(rabbitmq: RabbitmqServer, name: str) -> None:
    url = await rabbitmq.make(name, **{"x-max-length": 1, "x-overflow": "reject-publish"})
    async with a_teller(rabbitmq) as teller:
        answers = [await teller.tell(url, f"e{n}") for n in range(4)]
    assert answers[0].delivered
    assert (answers[-1].status, answers[-1].error) == (503, "A queue that should take it refused it.")


async def test_others_on_the_channel_that_a_large_entry_closes_are_told_all_the_same(
    rabbitmq: RabbitmqServer, name: str
) -> None:
    url = await rabbitmq.make(name)
    async with a_teller(rabbitmq) as teller:
        for round_ in range(3):
            large, *others = await asyncio.gather(
                teller.tell(url, "large", event("large", text="x" * MOST_BYTES)),
                *(teller.tell(url, f"{round_}-{n}") for n in range(20)),
            )
            assert (large.status, large.error) == (413, f"The broker takes messages of {MOST_BYTES} bytes at most.")
            assert all(one.delivered for one in others)
    assert {one.id for one in await rabbitmq.heard(name)} == {f"{r}-{n}" for r in range(3) for n in range(20)}


async def test_a_wrong_password_is_told_as_that_and_not_repeated(rabbitmq: RabbitmqServer) -> None:
    async with a_teller(rabbitmq, password=lambda: "wr0ng-secret") as teller:
        delivery = await teller.tell(f"amqp://127.0.0.1:{rabbitmq.port}/?routing_key=x", "e1")
    assert delivery.error == "The broker could not be reached: it does not know our user, or refuses the password."


async def test_by_tls_the_name_is_checked_though_an_address_is_connected_to(
    rabbitmq: RabbitmqServer, name: str
) -> None:
    await rabbitmq.make(name)
    by_tls = RabbitmqServer.__new__(RabbitmqServer)
    by_tls.scheme, by_tls.port = "amqps", rabbitmq.tls_port
    trusted = RotatingContext(TlsFiles(subject="x", side="client", ca=rabbitmq.folder / "ca.pem"), "refuse").current
    anybody = RotatingContext(TlsFiles(subject="x", side="client"), "refuse").current
    answers = []
    for host, context in (("localhost", trusted), ("127.0.0.1", trusted), ("localhost", anybody)):
        address = BrokerAddress(scheme="amqps", host="127.0.0.1", port=by_tls.port, vhost="/")
        user = {"username": "guest", "password": lambda: "guest"}
        async with a_teller(by_tls, address=address, tls=context, servers=((host, by_tls.port),), **user) as teller:
            delivery = await teller.tell(f"amqps://127.0.0.1:{by_tls.port}/?routing_key={name}", "e1")
            answers.append("told" if delivery.delivered else delivery.error)
    assert answers == [
        "told",
        "The broker could not be reached: its certificate is not trusted.",
        "The broker could not be reached: its certificate is not trusted.",
    ]


async def test_a_routing_key_that_is_too_long_once_filled_in_is_about_the_entry(rabbitmq: RabbitmqServer) -> None:
    async with a_teller(rabbitmq) as teller:
        url = f"amqp://127.0.0.1:{rabbitmq.port}/?routing_key={{kind}}"
        delivery = await teller.tell(url, "e1", event("e1", kind="k" * 300))
    assert delivery.status == 400


@pytest.mark.parametrize("closing", ["channel", "connection"])
async def test_what_the_client_cancels_does_not_cancel_us(
    rabbitmq: RabbitmqServer, name: str, closing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a connection is closed on our side, the client throws CancelledError at whoever waits for a confirm."""
    url = await rabbitmq.make(name)
    async with a_teller(rabbitmq) as teller:
        assert (await teller.tell(url, "e0")).delivered
        opened: list[aiormq.Connection] = [
            attempt.result()._connection for sink in teller.sinks if (attempt := sink._line._attempt)
        ]
        rabbitmq.freeze()
        try:
            telling = asyncio.create_task(teller.tell(url, "e1"))
            async with asyncio.timeout(10):
                while not any(channel.confirmations for one in opened for channel in one.channels.values() if channel):
                    await asyncio.sleep(0.005)  # until its confirm is waited for
            for connection in opened:
                victim = connection if closing == "connection" else next(iter(connection.channels.values()))
                await victim._cancel_tasks(asyncio.CancelledError)
            delivery = await telling
        finally:
            rabbitmq.thaw()
        assert (delivery.delivered, delivery.status) == (False, None)
        await teller.tell_until_taken(url, "e2")
