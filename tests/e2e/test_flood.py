"""A flood at the door of the real service: it stays ready, genuine events are recorded, what it keeps open is bounded.

The full one, with figures, is `benchmarks.flood`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.e2e import flood
from tests.e2e.service import Service, issuer

MOST = 40
SECTIONS = """[receiver]
inbox_max_events = 1000
body_timeout_seconds = 2
[log]
level = "info"
"""


@asynccontextmanager
async def flooded(folder: Path, deed: Callable[[Service], Awaitable[object]]) -> AsyncIterator[Service]:
    """Let strangers do something while a holder's events come in; all of those are taken and recorded."""
    async with issuer() as issuer_url:
        service = Service(folder, issuer_url, SECTIONS)
        file = folder / "tracker.toml"
        file.write_text(file.read_text().replace("port = 0", f"port = 0\nmax_connections = {MOST}"))
        await service.start()
        try:
            async with flood.genuine_events(service, issuer_url, label="c", rate=10) as told:
                await told.until_taken(3)
                await deed(service)
                await told.until_taken(3)
            await service.until_worked_off()
            assert told.not_ready == 0
            assert set(told.sent) == {202}
            assert told.lost(service) == 0
            yield service
        finally:
            assert await service.terminate() == 0


@pytest.mark.parametrize(
    ("first", "dribble"),
    [(flood.SLOW_BODY, b"x"), (flood.SLOW_HEADER, b"x"), (b"", b"")],
    ids=["slow bodies", "slow headers", "nothing said"],
)
async def test_connections_that_wait_for_nothing_make_room(tmp_path: Path, first: bytes, dribble: bytes) -> None:
    most = 0

    async def hold(service: Service) -> None:
        nonlocal most
        most = await flood.hold_open(service, 10 * MOST, first=first, dribble=dribble, seconds=1)

    async with flooded(tmp_path, hold) as service:
        assert MOST - 5 < most < 9 * MOST  # besides what was just accepted, and what is just being closed
        assert flood.open_sockets(service) < MOST


async def test_bad_bodies_leave_little_behind(tmp_path: Path) -> None:
    statuses: dict[int, int] = {}

    async def send(service: Service) -> None:
        statuses.update(await flood.post_all(service, flood.bad_bodies(), 600, in_flight=16))

    async with flooded(tmp_path, send) as service:
        assert statuses.keys() == {400, 413}
        assert service.rows("SELECT count(*) FROM quarantine") == [(0,)]
        assert (tmp_path / "log.txt").stat().st_size < 200_000


async def test_junk_that_fills_the_inbox_is_told_to_come_again_and_holders_are_not(tmp_path: Path) -> None:
    statuses: dict[int, int] = {}

    async def send(service: Service) -> None:
        statuses.update(await flood.post_all(service, flood.junk(), 2_500, in_flight=32))

    async with flooded(tmp_path, send) as service:
        assert statuses.keys() == {202, 503}
        ((aside,),) = service.rows("SELECT count(*) FROM quarantine WHERE reason = 'decryption_failed'")
        assert aside == statuses[202]
        async with asyncio.timeout(10):  # the door looks once a second how full the inbox is
            while set(await flood.post_all(service, flood.junk(), 1)) != {202}:
                await asyncio.sleep(0.2)


async def test_headers_are_bounded_and_a_refused_body_is_not_listened_to_for_long(tmp_path: Path) -> None:
    async with flooded(tmp_path, lambda _: asyncio.sleep(0)) as service:
        address = urlsplit(service.url)
        many = b"".join(b"x-%d: y\r\n" % n for n in range(80))
        for head in (many, b"x: " + b"y" * 5000 + b"\r\n"):
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
            assert b" 400 " in await asyncio.wait_for(reader.readline(), 5)
            writer.close()
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(flood.SLOW_BODY.replace(b"60000", b"99999"))
        assert b" 413 " in await asyncio.wait_for(reader.readline(), 5)
        begin = asyncio.get_running_loop().time()
        await asyncio.wait_for(reader.read(), 5)
        assert asyncio.get_running_loop().time() - begin < 4
        writer.close()
        async with aiohttp.ClientSession() as http, http.get(service.url + "/livez") as response:
            assert response.status == 200
