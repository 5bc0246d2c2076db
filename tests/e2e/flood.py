"""What strangers can do to the door, and a holder who goes on sending meanwhile."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests import tokens
from tests.e2e.service import Service, an_event

STRANGER = "127.0.0.2"
"""Another address of this machine; a holder's events come from 127.0.0.1."""
DOOR = "/webhooks/uae-v2.1"
_START = datetime(2026, 3, 2, 6, tzinfo=UTC)


@dataclass
class Genuine:
    """A holder's events during a flood.

    Attributes:
        sent: Consent ids and the holder's times, by the status of the answer.
        latencies: Seconds from the instant at which an event was due to its answer with 202.
        not_ready: How often the service said of itself that it is not ready, or did not answer.
    """

    sent: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    not_ready: int = 0

    def milliseconds(self, quantile: float) -> float:
        """The answers' time that so large a share was within."""
        ordered = sorted(self.latencies)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] * 1e3, 1) if ordered else float("nan")

    async def until_taken(self, more: int, seconds: float = 30) -> None:
        """Wait until so many more were answered with 202 than by now."""
        enough = len(self.latencies) + more
        async with asyncio.timeout(seconds):
            while len(self.latencies) < enough:
                await asyncio.sleep(0.02)

    def lost(self, service: Service) -> int:
        """How many were answered with 202 and are not on record."""
        on_record = {
            (name, datetime.fromisoformat(at))
            for name, at in service.rows("SELECT consent_id, status_date_time FROM report")
        }
        return sum((name, datetime.fromisoformat(at)) not in on_record for name, at in self.sent.get(202, []))


@asynccontextmanager
async def genuine_events(service: Service, issuer_url: str, *, label: str, rate: float) -> AsyncIterator[Genuine]:
    """Send genuine events at a rate for as long as the block lasts, and look at /readyz once a second."""
    told, stop = Genuine(), asyncio.Event()
    bodies: list[tuple[str, str, bytes]] = []
    for n in range(400):
        at = (_START + timedelta(seconds=n)).isoformat()
        bodies.append(
            (f"{label}-{n}", at, an_event(issuer_url, f"{label}-{n}", "Authorized", at, time.time(), size=2500))
        )

    async def one(http: aiohttp.ClientSession, n: int, due: float) -> None:
        name, at, body = bodies[n % len(bodies)]
        status = 0
        for tries in range(5):  # like a holder, who sends again what was not answered, and waits longer each time
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(service.url + DOOR, data=body) as response:
                    status = response.status
                    break
            # Connections that made room for others are in the pool until the loop has heard of their ends.
            await asyncio.sleep(0.1 * 2**tries)
        if status == 202:
            told.latencies.append(time.monotonic() - due)
        told.sent.setdefault(status, []).append((name, at))

    async def send() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as http, asyncio.TaskGroup() as group:
            begin, n = time.monotonic(), 0
            while not stop.is_set():
                due = begin + n / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(one(http, n, due))
                n += 1

    async def look() -> None:
        fresh = aiohttp.TCPConnector(force_close=True)  # a health check's idle connection is the first to make room
        async with aiohttp.ClientSession(connector=fresh, timeout=aiohttp.ClientTimeout(5)) as http:
            while not stop.is_set():
                try:
                    async with http.get(service.url + "/readyz") as response:
                        told.not_ready += response.status != 200
                except (aiohttp.ClientError, TimeoutError):
                    told.not_ready += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1)

    tasks = [asyncio.create_task(send()), asyncio.create_task(look())]
    try:
        yield told
    finally:
        stop.set()
        await asyncio.gather(*tasks)


def bad_bodies() -> list[bytes]:
    """Bodies that the door refuses, for many reasons."""
    return [bad.make() for bad in tokens.REFUSED_AT_GATE.values()]


def junk(size: int = 3000, kinds: int = 20) -> list[bytes]:
    """Bodies that pass the door and that nobody can open: well formed, for our key, random inside."""
    head = tokens.event().split(b".")[0]
    parts = ((256, 12, size, 16) for _ in range(kinds))
    return [b".".join([head, *(tokens.b64(os.urandom(n)).encode() for n in sizes)]) for sizes in parts]


async def post_all(service: Service, bodies: Sequence[bytes], count: int, *, in_flight: int = 32) -> dict[int, int]:
    """Post so many bodies from the stranger's address; give how often each status was answered."""
    statuses: dict[int, int] = {}
    numbers = iter(range(count))
    connector = aiohttp.TCPConnector(limit=in_flight, local_addr=(STRANGER, 0))

    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(30)) as http:

        async def post() -> None:
            for n in numbers:
                status = 0
                with suppress(aiohttp.ClientError, TimeoutError):
                    async with http.post(service.url + DOOR, data=bodies[n % len(bodies)]) as response:
                        status = response.status
                        if status == 503:
                            assert int(response.headers["Retry-After"]) > 0
                statuses[status] = statuses.get(status, 0) + 1

        await asyncio.gather(*(post() for _ in range(in_flight)))
    return statuses


async def hold_open(service: Service, count: int, *, first: bytes, dribble: bytes, seconds: float) -> int:
    """Hold connections open, each saying a byte now and then; give the most that the service had open meanwhile."""
    address = urlsplit(service.url)
    most = 0

    async def one() -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(address.hostname, address.port, local_addr=(STRANGER, 0))
            try:
                writer.write(first)
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    await asyncio.sleep(min(1.0, seconds / 2))
                    writer.write(dribble)
                    await writer.drain()
            finally:
                writer.transport.abort()

    tasks = []
    for n in range(count):
        tasks.append(asyncio.create_task(one()))
        if n % 50 == 49:
            await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            most = max(most, open_sockets(service))
    while not all(task.done() for task in tasks):
        most = max(most, open_sockets(service))
        await asyncio.sleep(0.2)
    return most


SLOW_BODY = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" % DOOR.encode()
SLOW_HEADER = b"POST %s HTTP/1.1\r\nHost: x\r\nX-Slow: " % DOOR.encode()


def open_sockets(service: Service) -> int:
    """How many sockets the service has open."""
    assert service.process is not None
    found = 0
    for link in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with suppress(OSError):
            found += link.readlink().name.startswith("socket:")
    return found


def resident_megabytes(service: Service) -> float:
    """How much memory it has."""
    assert service.process is not None
    pages = int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
