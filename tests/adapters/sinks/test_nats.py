"""What is NATS's own: its duplicate window, its streams' limits, its users, and TLS that nobody can talk it out of."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp.test_utils import unused_port

from tests.adapters.sinks.bench import a_teller, event
from tests.adapters.sinks.nats_server import PASSWORD, NatsServer
from tracker.adapters.tls import RotatingContext, TlsFiles


async def test_a_repeat_after_a_crash_of_ours_is_known_to_the_stream(nats: NatsServer, name: str) -> None:
    url = await nats.make(name)
    for _ in range(3):  # each with a connection of its own, as after a crash
        async with a_teller(nats) as teller:
            for number in range(5):
                assert (await teller.tell(url, f"e{number}")).delivered
    assert [one.id for one in await nats.heard(name)] == [f"e{number}" for number in range(5)]


async def test_two_subjects_of_one_stream_both_get_the_entry(nats: NatsServer, name: str) -> None:
    """By the entry's id alone the second would pass for a repeat of the first, and be told as taken."""
    await nats.make(name)
    all_of_them, ends = f"{_base(nats)}/{name}.all", f"{_base(nats)}/{name}.ends"
    async with a_teller(nats) as teller:
        assert (await teller.tell(all_of_them, "e1", to="one")).delivered
        assert (await teller.tell(ends, "e1", to="two")).delivered
    assert [one.key for one in await nats.heard(name)] == ["all", "ends"]
    assert {one.headers["ce-id"] for one in await nats.heard(name)} == {"e1"}


def _base(nats: NatsServer) -> str:
    return f"nats://127.0.0.1:{nats.port}"


async def test_the_subject_is_filled_in(nats: NatsServer, name: str) -> None:
    await nats.make(name)
    async with a_teller(nats) as teller:
        url = f"{_base(nats)}/{name}.{{provider}}.{{kind}}.{{type}}"
        assert (await teller.tell(url, "e1", event("e1", kind="a b.>*"))).delivered
    [heard] = await nats.heard(name)
    assert heard.headers["Nats-Msg-Id"] == f"e1@{name}.demobank.a_b.__.consent.status_changed"


async def test_the_stream_that_the_url_expects_must_be_the_one(nats: NatsServer, name: str) -> None:
    url = await nats.make(name)
    async with a_teller(nats) as teller:
        assert (await teller.tell(f"{url}?stream={name}", "e1")).delivered
        delivery = await teller.tell(f"{url}?stream=another", "e2")
    assert (delivery.status, delivery.error) == (404, "The subject belongs to another stream than the URL says.")
    assert [one.id for one in await nats.heard(name)] == ["e1"]


async def test_a_full_stream_is_waited_for(nats: NatsServer, name: str) -> None:
    from nats.js.api import DiscardPolicy

    url = await nats.make(name, max_msgs=1, discard=DiscardPolicy.NEW)
    async with a_teller(nats) as teller:
        assert (await teller.tell(url, "e1")).delivered
        delivery = await teller.tell(url, "e2")
    assert delivery.status == 503
    assert delivery.error == "The stream refused it: JetStream error 10077."


async def test_what_is_too_large_for_the_stream_alone_is_refused_alone(nats: NatsServer, name: str) -> None:
    url = await nats.make(name, max_msg_size=4096)
    async with a_teller(nats) as teller:
        large, small = await asyncio.gather(
            teller.tell(url, "large", event("large", text="x" * 5000)), teller.tell(url, "e1")
        )
    assert (large.status, large.error) == (413, "The entry is larger than the stream takes.")
    assert small.delivered


async def test_what_is_too_large_only_with_its_headers_does_not_cost_the_connection(
    nats: NatsServer, name: str
) -> None:
    """The server counts headers too, and closes the connection; the client library counts the body alone."""
    from tests.adapters.sinks.nats_server import MOST_BYTES

    url = await nats.make(name)
    padding = MOST_BYTES - len(event("large", text="")) - 10
    async with a_teller(nats) as teller:
        large, *others = await asyncio.gather(
            teller.tell(url, "large", event("large", text="x" * padding)),
            *(teller.tell(url, f"e{n}") for n in range(5)),
        )
    assert large.status == 413
    assert all(one.delivered for one in others)


async def test_a_user_who_may_not_publish_there_hears_so_at_once_and_others_go_on(nats: NatsServer, name: str) -> None:
    url = await nats.make(name)
    async with a_teller(nats, username="stranger") as teller:
        async with asyncio.timeout(3):
            delivery = await teller.tell(url, "e1")
    assert delivery.status == 403
    assert name in str(delivery.error)


async def test_a_wrong_password_is_told_as_that_and_not_repeated(nats: NatsServer, name: str) -> None:
    url = await nats.make(name)
    async with a_teller(nats, password=lambda: "wr0ng-secret") as teller:
        delivery = await teller.tell(url, "e1")
    assert delivery.status is None
    assert delivery.error == ("The broker could not be reached: it does not know our user, or refuses the password.")


async def test_another_server_is_tried_when_the_first_is_away(nats: NatsServer, name: str) -> None:
    url = await nats.make(name)
    servers = (("127.0.0.1", unused_port()), ("127.0.0.1", nats.port))
    async with (
        a_teller(nats, servers=servers) as teller,
        asyncio.timeout(3),
    ):  # and not after the library's own attempts
        assert (await teller.tell(url, "e1")).delivered


# ------------------------------------------------------------------------------------------------ TLS


@asynccontextmanager
async def _a_server(greeting: dict[str, Any], got: list[bytes]) -> AsyncIterator[int]:
    """Something that speaks NATS's first words, and remembers what it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO " + json.dumps(greeting).encode() + b"\r\n")
        got.append(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_nothing_is_said_to_a_server_that_does_not_begin_tls() -> None:
    """Somebody in between could take the word out of the server's first line, which is not encrypted."""
    got: list[bytes] = []
    context = RotatingContext(TlsFiles(subject="x", side="client"), "refuse")
    async with _a_server({"server_id": "x", "version": "2.9.10", "max_payload": 1000, "headers": True}, got) as port:
        away = NatsServer.__new__(NatsServer)
        away.scheme, away.port = "tls", port
        async with a_teller(away, tls=context.current) as teller:
            delivery = await teller.tell(f"tls://127.0.0.1:{port}/consents", "e1")
    assert delivery.error == "The broker could not be reached: it does not offer TLS."
    assert PASSWORD.encode() not in b"".join(got)
    assert b"CONNECT" not in b"".join(got)


async def test_servers_that_a_server_tells_of_are_not_connected_to(nats: NatsServer, name: str) -> None:
    """A server may name others; they have not been looked at."""
    met: list[bytes] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(b"")
        writer.close()

    other = await asyncio.start_server(meet, "127.0.0.1", 0)
    async with other:
        told_of = f"127.0.0.1:{other.sockets[0].getsockname()[1]}"
        greeting = {
            "server_id": "x",
            "version": "2.9.10",
            "max_payload": 1000,
            "headers": True,
            "connect_urls": [told_of],
        }
        async with _a_server(greeting, []) as port:
            away = NatsServer.__new__(NatsServer)
            away.scheme, away.port = "nats", port
            async with a_teller(away) as teller:
                for number in range(3):
                    assert not (await teller.tell(f"nats://127.0.0.1:{port}/consents", f"e{number}")).delivered
    assert met == []


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secured(tmp_path: Path, authority: trustme.CA) -> NatsServer:
    server = NatsServer(tmp_path, unused_port())
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "server.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    server.configure(cert_file=tmp_path / "server.pem", key_file=tmp_path / "server.key")
    server.up()
    server.scheme = "tls"
    return server


async def test_by_tls_the_name_is_checked_though_an_address_is_connected_to(
    secured: NatsServer, tmp_path: Path
) -> None:
    trusted = RotatingContext(TlsFiles(subject="x", side="client", ca=tmp_path / "ca.pem"), "refuse").current
    anybody = RotatingContext(TlsFiles(subject="x", side="client"), "refuse").current
    try:
        answers = []
        for host, context in (("localhost", trusted), ("127.0.0.1", trusted), ("localhost", anybody)):
            async with a_teller(secured, tls=context, servers=((host, secured.port),)) as teller:
                answers.append((await teller.tell(f"tls://127.0.0.1:{secured.port}/consents", "e1")).error)
    finally:
        secured.down()
    assert answers == [
        "No stream takes the subject consents.",
        "The broker could not be reached: its certificate is not trusted.",
        "The broker could not be reached: its certificate is not trusted.",
    ]
