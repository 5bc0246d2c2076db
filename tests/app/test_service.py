"""The service as a whole, in this process: what it runs, when it is ready, how it begins and ends."""

import asyncio
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.clocks import ManualClock
from tests.usecases.bench import CONSENT, NOW, data, message
from tests.web.site import DOOR, settings_for
from tracker.app import running, service, worker_for
from tracker.app.composition import Tracker, build
from tracker.app.world import World
from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConfigurationError, KeysUnavailableError
from tracker.usecases.register import Registration

REGISTRATION = Registration(provider="demobank", kind="account-access", consent_id=CONSENT)
SERVICE = sys.modules[service.__module__]
STATUS = "SELECT status FROM consent"


def rows(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def a_service(
    database: Path, keys: Path, hub: ScriptedHub, clock: ManualClock | None = None, **sections: Any
) -> AsyncIterator[tuple[Tracker, str]]:
    settings = settings_for(database, keys, {"demobank": hub.issuer}, **sections)
    async with service(settings, World(clock=clock or ManualClock(NOW))) as made:
        yield made


async def ready(url: str) -> tuple[int, Mapping[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as response:
        return response.status, await response.json()


# ---------------------------------------------------------------------------------------------- what it runs


async def test_each_tick_does_its_deed(database: Path, keys: Path, hub: ScriptedHub) -> None:
    clock = ManualClock(NOW)
    settings = settings_for(database, keys, {"demobank": hub.issuer})
    async with build(settings, World(clock=clock)) as tracker:
        ticks = {tick.name: tick.run for tick in worker_for(tracker)._ticks}
        assert set(ticks) == {
            "asking demobank",
            "base groups",
            "completions",
            "events for our keys",
            "tree",
            "checkpoints",
            "housekeeping",
            "keys of demobank",
            "notices",
            "revoking at demobank",
            "the clock",
            "the providers' condition",
            "the watch",
        }
        await ticks["keys of demobank"]()
        assert hub.count("jwks") == 1
        await tracker.services.registrar.register(REGISTRATION)
        await ticks["asking demobank"]()
        assert rows(database, STATUS) == [("Authorized",)]
        ((tracking_id,),) = rows(database, "SELECT tracking_id FROM consent")
        await tracker.services.revoker.request(TrackingId(tracking_id), "TPP")
        await ticks["revoking at demobank"]()
        assert [seen.method for seen in hub.seen if seen.route == "consent"] == ["GET", "PATCH", "GET"]
        clock.advance(180 * 86_400)
        await ticks["notices"]()
        clock.advance(20 * 86_400)
        await ticks["the clock"]()
        told = await tracker.store.entries_after(0, 10)
        assert [entry.type.removeprefix("consent.") for entry in told] == [
            "registered",
            "status_changed",
            "revocation_requested",
            "expiring",
            "expiry_inferred",
            "status_changed",
        ]
        assert rows(database, "SELECT count(*) FROM batch") != [(0,)]
        clock.advance(86_401)
        await ticks["housekeeping"]()
        assert rows(database, "SELECT count(*) FROM batch") == [(0,)]


async def test_keys_that_cannot_be_had_are_told_to_the_worker(database: Path, keys: Path, hub: ScriptedHub) -> None:
    hub.issuer = "http://127.0.0.1:9"
    async with build(settings_for(database, keys, {"demobank": hub.issuer}), World(clock=ManualClock(NOW))) as tracker:
        ticks = {tick.name: tick.run for tick in worker_for(tracker)._ticks}
        with pytest.raises(KeysUnavailableError):
            await ticks["keys of demobank"]()


async def test_what_comes_in_is_opened_asked_about_and_told_without_waiting_for_a_tick(
    database: Path, keys: Path, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_ASK_EVERY_SECONDS", "_TICK_EVERY_SECONDS", "_KEYS_EVERY_SECONDS"):
        monkeypatch.setattr(SERVICE, name, 3600.0)
    async with a_service(database, keys, hub) as (tracker, url), aiohttp.ClientSession() as http:
        await tracker.services.registrar.register(REGISTRATION)
        await until(lambda: rows(database, STATUS) == [("Authorized",)])
        assert hub.count("consent") == 1
        said = message(data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser"))
        event = tokens.jwe(tokens.jws(tokens.claims(iss=hub.issuer, message=said)))
        async with http.post(url + DOOR, data=event) as response:
            assert response.status == 202
        await until(lambda: rows(database, STATUS) == [("Revoked",)])


# ---------------------------------------------------------------------------------------------- when it is ready


async def test_it_is_ready_once_it_runs(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with a_service(database, keys, hub) as (_, url):
        assert await ready(url) == (200, {"ready": True})


@pytest.mark.parametrize("name", ["opening", "notifications", "replays", "bell of asking demobank"])
async def test_it_is_not_ready_when_a_part_of_it_has_died(
    database: Path, keys: Path, hub: ScriptedHub, name: str
) -> None:
    async with a_service(database, keys, hub) as (_, url):
        (part,) = [task for task in asyncio.all_tasks() if task.get_name() == name]
        part.cancel()
        await asyncio.wait({part})
        status, problem = await ready(url)
        assert (status, problem["code"]) == (503, "not_ready")


async def test_it_is_not_ready_without_its_database(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with a_service(database, keys, hub) as (tracker, url):
        await tracker.store.close()
        status, problem = await ready(url)
        assert (status, problem["code"]) == (503, "not_ready")


# ---------------------------------------------------------------------------------------------- how it begins and ends


@pytest.mark.parametrize("section", ["http", "metrics"])
async def test_an_address_that_is_taken_is_said_in_a_sentence(
    database: Path, keys: Path, hub: ScriptedHub, section: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"Nothing can listen on 127\.0\.0\.1:{port} .*\[{section}\]"):
            async with a_service(database, keys, hub, **{section: {"port": port}}):
                raise AssertionError
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not names & {"notifications", "opening"}
    async with a_service(database, keys, hub) as (_, url):  # nothing was left behind
        assert (await ready(url))[0] == 200


async def test_a_file_has_one_service(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with a_service(database, keys, hub):
        with pytest.raises(ConfigurationError):
            async with a_service(database, keys, hub):
                raise AssertionError


async def _answer(under_way: Awaitable[aiohttp.ClientResponse]) -> tuple[int, Any]:
    response = await under_way
    return response.status, await response.json()


async def test_on_leaving_requests_that_are_under_way_are_answered(
    database: Path, keys: Path, hub: ScriptedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SERVICE, "_ASK_EVERY_SECONDS", 3600.0)
    settings = settings_for(database, keys, {"demobank": hub.issuer})
    async with build(settings, World(clock=ManualClock(NOW))) as tracker, aiohttp.ClientSession() as http:
        consent, _ = await tracker.services.registrar.register(REGISTRATION)
        _, key = await tracker.api_keys.add("test", ["admin"])
        leave = asyncio.Event()
        urls: asyncio.Queue[str] = asyncio.Queue()

        async def run() -> None:
            async with running(tracker) as url:
                urls.put_nowait(url)
                await leave.wait()

        service_task = asyncio.create_task(run())
        url = await urls.get()
        await hub.asked("consent")  # the consent was due: the worker has asked
        await until(lambda: rows(database, STATUS) == [("Authorized",)])
        gate = hub.hold("consent")
        hub.message = {"Data": data("Suspended", "2026-03-02T15:16:00+04:00")}
        headers = {"Authorization": f"Bearer {key}"}
        path = f"{url}/v1/consents/demobank/{consent.consent_id}/refresh"
        asking = asyncio.create_task(_answer(http.post(path, headers=headers)))
        await hub.asked("consent", 2)
        leave.set()
        await until(lambda: _is_closed(url))
        gate.set()
        status, found = await asking
        assert (status, found["status"]) == (200, "Suspended")
        await service_task
    assert rows(database, STATUS) == [("Suspended",)]


def _is_closed(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


# ---------------------------------------------------------------------------------------------- who dawdles


async def _ready_once_bodies_are_waited_for(url: str) -> bool:
    """A caller is told to continue before its key is looked up: while all are at that, nobody makes room."""
    async with asyncio.timeout(20):
        while True:
            try:
                return (await ready(url))[0] == 200
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                await asyncio.sleep(0.01)


async def test_bodies_of_callers_that_never_end_make_room_too(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with a_service(database, keys, hub, http={"port": 0, "max_connections": 3}) as (tracker, url):
        _, key = await tracker.api_keys.add("test", ["write"])
        head = f"POST /v1/consents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        address = url.removeprefix("http://").split(":")
        held = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(f"{head}Expect: 100-continue\r\nContent-Length: 100\r\n\r\n".encode())
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(b"{")
            held.append((reader, writer))
        assert await _ready_once_bodies_are_waited_for(url)
        reading = [asyncio.create_task(reader.read()) for reader, _ in held]
        done, _ = await asyncio.wait(reading, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for _, writer in held:
            writer.transport.abort()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_streams_make_room_for_other_connections(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with a_service(database, keys, hub, http={"port": 0, "max_connections": 3}) as (tracker, url):
        _, key = await tracker.api_keys.add("test", ["read"])
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            streams = [await http.get(f"{url}/v1/journal/stream") for _ in range(3)]
            begun = [await stream.content.readuntil(b"\n\n") for stream in streams]
            assert begun == [b"id: 0\n\n"] * 3
            assert (await ready(url))[0] == 200
            with pytest.raises(aiohttp.ClientError):
                await streams[0].content.read()
            await tracker.services.registrar.register(REGISTRATION)
            assert b"consent.registered" in await streams[2].content.readuntil(b"\n\n")
            for stream in streams:
                stream.close()


# ---------------------------------------------------------------------------------------------- the metrics


async def test_metrics_can_have_a_listener_of_their_own(
    database: Path, keys: Path, hub: ScriptedHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tracker")
    async with a_service(database, keys, hub, metrics={"port": 0}) as (_, url), aiohttp.ClientSession() as http:
        (said,) = [record.getMessage() for record in caplog.records if record.name == "tracker.app.listening"]
        elsewhere = said.removeprefix("Metrics are at ")
        async with http.get(elsewhere) as response:
            assert (response.status, "tracker_database_up 1.0" in await response.text()) == (200, True)
        for path in (
            f"{url}/metrics",
            elsewhere.replace("/metrics", "/livez"),
            elsewhere.replace("/metrics", "/v1/journal"),
        ):
            async with http.get(path) as response:
                assert response.status == 404
    assert _is_closed(elsewhere.removesuffix("/metrics"))


async def test_connections_to_the_metrics_are_bounded_too(database: Path, keys: Path, hub: ScriptedHub) -> None:
    sections = {"metrics": {"port": 0}, "http": {"port": 0, "max_connections": 3}}
    async with a_service(database, keys, hub, **sections) as (tracker, _):
        port = int(tracker.listens_at["metrics"].rpartition(":")[2])
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(reader.read() for reader, _ in held[:7])) == [b""] * 7
        for _, writer in held:
            writer.transport.abort()
