"""The service behind TLS, on loopback, with certificates made here: who gets in, who does not, and what a renewal changes."""

import asyncio
import json
import logging
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.app.test_service import SERVICE, a_service, rows
from tests.certificates import Authority, put
from tests.clocks import ManualClock
from tests.usecases.bench import NOW, data, message
from tests.web.site import DOOR
from tracker.app.composition import Tracker
from tracker.app.listening import Listener
from tracker.domain.errors import ConfigurationError

LISTENING = sys.modules[Listener.__module__]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def callers() -> Authority:
    """Whom the receiver trusts."""
    return Authority("Callers")


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub(RSAKey.import_key(tokens.private_jwk(tokens.rsa_key("hub"), kid=tokens.HUB_KID)))
    hub.clock_seconds = int(NOW.timestamp())
    async with TestServer(hub.application()) as server:
        hub.issuer = str(server.make_url("/")).rstrip("/")
        yield hub


@asynccontextmanager
async def doors(
    database: Path,
    keys: Path,
    hub: ScriptedHub,
    authority: Authority,
    callers: Authority | None = None,
    most: int = 500,
    **receiver: Any,
) -> AsyncIterator[tuple[Tracker, str, str]]:
    """The service with https for both; the receiver has a listener of its own. Gives both URLs."""
    folder = database.parent
    http, http_key = authority.issue("127.0.0.1", "localhost").write(folder, "http")
    own, own_key = authority.issue("127.0.0.1", "::1", "localhost").write(folder, "receiver")
    section = {"port": 0, "tls_certificate": own, "tls_key": own_key, **receiver}
    if callers is not None:
        section["client_ca"] = put(folder / "callers.pem", callers.pem)
    own_http = {"port": 0, "tls_certificate": http, "tls_key": http_key, "max_connections": most}
    sections = {"http": own_http, "receiver": section}
    async with a_service(database, keys, hub, **sections) as (tracker, url):
        assert url == tracker.listens_at["http"]
        yield tracker, url, tracker.listens_at["receiver"]


async def call(url: str, context: ssl.SSLContext, method: str = "GET", **options: Any) -> tuple[int, bytes]:
    """One request over a connection of its own."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, force_close=True)) as session,
        session.request(method, url, **options) as response,
    ):
        return response.status, await response.read()


def event(hub: ScriptedHub) -> bytes:
    said = message(data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser"))
    return tokens.jwe(tokens.jws(tokens.claims(iss=hub.issuer, message=said)))


def serial(url: str, context: ssl.SSLContext) -> Any:
    """The certificate that a listener shows to a new connection; for a thread."""
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    with (
        socket.create_connection((parts.hostname or "", parts.port or 0), 5) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as wrapped,
    ):
        found = wrapped.getpeercert()
        assert found is not None
        return found["serialNumber"]


# ---------------------------------------------------------------------------------------------- who gets in


async def test_an_event_comes_in_over_tls(database: Path, keys: Path, hub: ScriptedHub, authority: Authority) -> None:
    async with doors(database, keys, hub, authority) as (_, http, receiver):
        assert http.startswith("https://127.0.0.1:") and receiver.startswith("https://127.0.0.1:")
        context = authority.client()
        assert (await call(receiver + DOOR, context, "POST", data=event(hub)))[0] == 202
        assert (await call(http + "/readyz", context))[0] == 200


async def test_each_listener_has_its_own_routes(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    async with doors(database, keys, hub, authority) as (tracker, http, receiver):
        context = authority.client()
        status, body = await call(http + DOOR, context, "POST", data=event(hub))
        assert (status, json.loads(body)["code"]) == (404, "not_found")
        _, key = await tracker.api_keys.add("test", ["admin"])
        headers = {"Authorization": f"Bearer {key}"}
        assert (await call(http + "/v1/consents", context, headers=headers))[0] == 200
        for path in ("/v1/consents", "/docs", "/openapi.json", "/livez", "/readyz"):
            assert (await call(receiver + path, context, headers=headers))[0] == 404
        assert (await call(receiver + DOOR, context))[0] == 405
        assert rows(database, "SELECT count(*) FROM inbox") == [(0,)]


async def test_without_a_port_of_its_own_the_receiver_shares_the_listener(
    database: Path, keys: Path, hub: ScriptedHub
) -> None:
    async with a_service(database, keys, hub) as (tracker, url):
        assert tracker.listens_at == {"http": url}
        async with aiohttp.ClientSession() as session, session.post(url + DOOR, data=event(hub)) as response:
            assert response.status == 202
    assert tracker.listens_at == {}


async def test_a_listener_on_ipv6(database: Path, keys: Path, hub: ScriptedHub, authority: Authority) -> None:
    options = {"host": "::1", "allow_networks": ["2001:db8::/32"], "trusted_proxies": ["::1"]}
    async with doors(database, keys, hub, authority, **options) as (_, _, receiver):
        assert receiver.startswith("https://[::1]:")
        for forwarded_for, status in (("2001:db8::7", 202), ("2001:db9::7", 403), ("192.0.2.1", 403)):
            headers = {"X-Forwarded-For": forwarded_for}
            said = await call(receiver + DOOR, authority.client(), "POST", data=event(hub), headers=headers)
            assert said == (status, b"")


async def test_a_caller_with_the_right_certificate_gets_in(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, callers: Authority
) -> None:
    async with doors(database, keys, hub, authority, callers) as (_, http, receiver):
        context = authority.client(callers.issue("hub.example"))
        assert (await call(receiver + DOOR, context, "POST", data=event(hub)))[0] == 202
        assert (await call(http + "/livez", authority.client()))[0] == 200  # the API asks for none


@pytest.mark.parametrize("wrong", ["none", "another authority's", "expired", "not valid yet", "for servers only"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_caller_without_the_right_certificate_does_not(
    database: Path,
    keys: Path,
    hub: ScriptedHub,
    authority: Authority,
    callers: Authority,
    wrong: str,
    version: ssl.TLSVersion,
) -> None:
    from tests.certificates import ExtendedKeyUsageOID

    pairs = {
        "none": None,
        "another authority's": authority.issue("hub.example"),
        "expired": callers.issue("hub.example", days=-1),
        "not valid yet": callers.issue("hub.example", since_days=-2),
        "for servers only": callers.issue("hub.example", usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
    }
    context = authority.client(pairs[wrong])
    context.minimum_version = context.maximum_version = version
    async with doors(database, keys, hub, authority, callers) as (_, _, receiver):
        with pytest.raises(aiohttp.ClientError):
            await call(receiver + DOOR, context, "POST", data=event(hub))
        assert rows(database, "SELECT count(*) FROM inbox") == [(0,)]
        right = authority.client(callers.issue("hub.example"))
        assert (await call(receiver + DOOR, right, "POST", data=event(hub)))[0] == 202


async def test_plain_http_on_the_tls_port_is_cut_off(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with doors(database, keys, hub, authority) as (_, http, receiver):
        caplog.clear()  # of what was said at the start
        for url in (http, receiver):
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % DOOR.encode())
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            assert b"HTTP" not in answer
        assert (await call(http + "/livez", authority.client()))[0] == 200
    assert caplog.messages == []  # strangers cannot fill the log


# ---------------------------------------------------------------------------------------------- who dawdles


async def test_half_handshakes_hold_nobody_up_and_are_cut_off(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LISTENING, "_HANDSHAKE_SECONDS", 1)
    async with doors(database, keys, hub, authority) as (_, http, receiver):
        port = int(receiver.rpartition(":")[2])
        dawdlers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for at, (_, writer) in enumerate(dawdlers):
            writer.write(b"\x16\x03\x01\x02\x00\x01"[: at % 7])  # the beginning of a ClientHello, or nothing
        async with asyncio.timeout(5):
            assert (await call(receiver + DOOR, authority.client(), "POST", data=event(hub)))[0] == 202
            assert (await call(http + "/readyz", authority.client()))[0] == 200
        async with asyncio.timeout(10):
            assert set(await asyncio.gather(*(reader.read() for reader, _ in dawdlers))) == {b""}
        for _, writer in dawdlers:
            writer.close()


MOST = 20
HALF_HELLOS = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\x02\x00" + bytes(500)]


async def hold(port: int, count: int, first: bytes) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open connections, say the same on each, and leave it at that."""
    found = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first)
        found.append((reader, writer))
    return found


async def still_open(held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> int:
    """How many of them the other side has not closed."""
    await asyncio.sleep(0)
    readers = [asyncio.create_task(reader.read()) for reader, _ in held]
    _, pending = await asyncio.wait(readers, timeout=0.5)
    for task in pending:
        task.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return len(pending)


@pytest.mark.parametrize("first", HALF_HELLOS, ids=["nothing", "a byte", "a record's head", "half a hello"])
async def test_half_handshakes_make_room_like_any_other_connection(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, first: bytes
) -> None:
    async with doors(database, keys, hub, authority, most=MOST) as (_, _, receiver):
        port = int(receiver.rpartition(":")[2])
        context, held = authority.client(), []
        for _ in range(4):
            held += await hold(port, 3 * MOST, first)
            assert (await call(receiver + DOOR, context, "POST", data=event(hub)))[0] == 202
        assert await still_open(held) <= MOST
        for _, writer in held:
            writer.close()
    assert rows(database, "SELECT count(*) FROM inbox") == [(0,)]


async def test_idle_connections_that_have_finished_the_handshake_make_room_for_half_ones_and_the_reverse(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    async with doors(database, keys, hub, authority, most=MOST) as (_, _, receiver):
        port, context = int(receiver.rpartition(":")[2]), authority.client()
        idle = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(MOST)]
        half = await hold(port, MOST, b"\x16")
        assert (await call(receiver + DOOR, context, "POST", data=event(hub)))[0] == 202
        assert await still_open(idle) == 0
        idle += [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(MOST)]
        assert await still_open(half) == 0
        assert await still_open(idle[MOST:]) == MOST
        for _, writer in (*idle, *half):
            writer.transport.abort()


async def test_a_connection_over_which_an_event_was_taken_outlives_half_handshakes(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    async with doors(database, keys, hub, authority, most=MOST) as (_, _, receiver):
        body = event(hub)
        request = f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        port = int(receiver.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client())
        held = []
        for _ in range(2):
            writer.write(request)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202 ")
            held += await hold(port, 3 * MOST, b"\x16")
        writer.write(request)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202 ")
        for _, line in (*held, (reader, writer)):
            line.transport.abort()


async def test_a_half_handshake_does_not_hold_up_the_end(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    loop = asyncio.get_running_loop()
    async with doors(database, keys, hub, authority) as (_, http, receiver):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(receiver.rpartition(":")[2]))
        writer.write(b"\x16\x03\x01")
        assert (await call(http + "/livez", authority.client()))[0] == 200
        began = loop.time()
    assert loop.time() - began < 3
    writer.close()
    await reader.read()


# ---------------------------------------------------------------------------------------------- renewal


async def test_new_certificates_are_shown_without_a_restart(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    async with doors(database, keys, hub, authority) as (tracker, http, receiver):
        context = authority.client()
        before = [await asyncio.to_thread(serial, url, context) for url in (http, receiver)]
        connector = aiohttp.TCPConnector(ssl=context, limit=1)
        async with aiohttp.ClientSession(connector=connector) as lasting:
            assert (await lasting.get(http + "/livez")).status == 200
            authority.issue("127.0.0.1").write(database.parent, "receiver")
            assert await tracker.reload_certificates()
            after = [await asyncio.to_thread(serial, url, context) for url in (http, receiver)]
            assert after[0] == before[0]
            assert after[1] != before[1]
            authority.issue("127.0.0.1").write(database.parent, "http")
            assert await tracker.reload_certificates()
            assert await asyncio.to_thread(serial, http, context) != before[0]
            assert (await lasting.get(http + "/livez")).status == 200  # a connection under way goes on
        assert not await tracker.reload_certificates()
        assert (await call(receiver + DOOR, context, "POST", data=event(hub)))[0] == 202
        assert tracker.listens_at == {"http": http, "receiver": receiver}


async def test_no_connection_is_refused_during_a_renewal(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    async with doors(database, keys, hub, authority) as (tracker, http, _):
        context = authority.client()
        done = asyncio.Event()

        async def knock() -> int:
            times = 0
            while not done.is_set():
                assert (await call(http + "/livez", context))[0] == 200
                times += 1
            return times

        knocking = [asyncio.create_task(knock()) for _ in range(4)]
        for _ in range(5):
            authority.issue("127.0.0.1").write(database.parent, "http")
            assert await tracker.reload_certificates()
            for _ in range(3):
                assert (await call(http + "/livez", context))[0] == 200
        done.set()
        assert min(await asyncio.gather(*knocking)) > 1


async def test_whom_the_receiver_trusts_can_be_exchanged(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, callers: Authority
) -> None:
    async with doors(database, keys, hub, authority, callers) as (tracker, _, receiver):
        old, others = authority.client(callers.issue("hub.example")), Authority("New callers")
        assert (await call(receiver + DOOR, old, "POST", data=event(hub)))[0] == 202
        put(database.parent / "callers.pem", others.pem)
        assert await tracker.reload_certificates()
        with pytest.raises(aiohttp.ClientError):
            await call(receiver + DOOR, old, "POST", data=event(hub))
        new = authority.client(others.issue("hub.example"))
        assert (await call(receiver + DOOR, new, "POST", data=event(hub)))[0] == 202


async def test_a_half_written_pair_changes_nothing(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    async with doors(database, keys, hub, authority) as (tracker, http, _):
        context = authority.client()
        before = await asyncio.to_thread(serial, http, context)
        pair = authority.issue("127.0.0.1")
        put(database.parent / "http.pem", pair.certificate)
        caplog.clear()  # of what was said at the start
        caplog.set_level(logging.WARNING)
        caplog.clear()
        assert not await tracker.reload_certificates()
        assert await asyncio.to_thread(serial, http, context) == before
        assert ["does not belong to the certificate" in text for text in caplog.messages] == [True]
        put(database.parent / "http.key", pair.key)
        assert await tracker.reload_certificates()
        assert await asyncio.to_thread(serial, http, context) != before


async def test_the_service_looks_at_the_files_by_itself(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SERVICE, "_CERTIFICATES_EVERY_SECONDS", 0.05)
    async with doors(database, keys, hub, authority) as (_, http, _):
        context = authority.client()
        before = await asyncio.to_thread(serial, http, context)
        authority.issue("127.0.0.1").write(database.parent, "http")
        async with asyncio.timeout(20):
            while await asyncio.to_thread(serial, http, context) == before:
                await asyncio.sleep(0.02)


# ---------------------------------------------------------------------------------------------- how it begins


async def test_a_certificate_that_cannot_be_used_stops_the_start(
    database: Path, keys: Path, hub: ScriptedHub, authority: Authority
) -> None:
    certificate, _ = authority.issue("127.0.0.1").write(database.parent, "http")
    _, key = authority.issue("127.0.0.1").write(database.parent, "other")
    http = {"port": 0, "tls_certificate": certificate, "tls_key": key}
    with pytest.raises(ConfigurationError, match="does not belong to the certificate"):
        async with a_service(database, keys, hub, ManualClock(NOW), http=http):
            raise AssertionError


async def test_a_port_of_the_receiver_that_is_taken_names_its_section(
    database: Path, keys: Path, hub: ScriptedHub, unused_tcp_port: int
) -> None:
    sections = {"http": {"port": unused_tcp_port}, "receiver": {"port": unused_tcp_port}}
    with pytest.raises(
        ConfigurationError, match=rf"127\.0\.0\.1:{unused_tcp_port} .*or change the port in \[receiver\]\."
    ):
        async with a_service(database, keys, hub, **sections):
            raise AssertionError
    async with a_service(database, keys, hub, http={"port": unused_tcp_port}):
        pass  # nothing was left behind
