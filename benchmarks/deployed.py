"""The tracker as it is deployed for a measurement: its processes, what they hold, and what they and others use of the machine."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from standardwebhooks import Webhook, WebhookVerificationError

from benchmarks.machine import Database, cpu_seconds, idle_seconds
from benchmarks.premade import Key
from benchmarks.wire import Told
from tests.e2e.service import Service, issuer

_SECTIONS = """requests_per_second = 0.01
[log]
level = "error"
[notifications]
allow_networks = ["127.0.0.0/8"]
"""
"""Asking about consents is no part of what is measured; the issuer would not answer either."""
_AT_ONCE = 500


@dataclass(frozen=True)
class Usage:
    """What was used until an instant, in seconds of CPU.

    Attributes:
        ours: Of each of our processes, by name.
        server: Of the database's server, if that is known.
        load: Of this process, which makes the load and is told.
        idle: What nobody used.
    """

    at: float
    ours: dict[str, float]
    server: float | None
    load: float
    idle: float

    def cores_since(self, before: "Usage") -> dict[str, float]:
        """How many cores were used by whom since then; `others` is what else runs on the machine, and the system."""
        seconds = self.at - before.at
        shares = {name: (cpu - before.ours.get(name, 0.0)) / seconds for name, cpu in self.ours.items()}
        if self.server is not None and before.server is not None:
            shares["server"] = (self.server - before.server) / seconds
        shares["load"] = (self.load - before.load) / seconds
        shares["idle"] = (self.idle - before.idle) / seconds
        shares["others"] = max(0.0, (os.cpu_count() or 1) - sum(shares.values()))
        return {name: round(share, 2) for name, share in shares.items()}

    def ours_since(self, before: "Usage") -> float:
        """Seconds of CPU of all our processes."""
        return sum(self.ours.values()) - sum(before.ours.values())


class Deployment:
    """Processes on one database.

    Attributes:
        processes: By name.
        key: Of an API caller who may do what is done here.
    """

    def __init__(self, folder: Path, place: Database, issuer_url: str) -> None:
        self._folder = folder
        self.place = place
        self.issuer_url = issuer_url
        self.processes: dict[str, Service] = {}
        self.key = ""

    @property
    def receiver(self) -> Service:
        return self.processes.get("receiver") or self.processes["all"]

    @property
    def api(self) -> Service:
        return self.processes.get("api") or self.processes["all"]

    async def start(self, name: str, role: str = "") -> None:
        """Start one, the first time or again."""
        if name not in self.processes:
            (self._folder / name).mkdir()
            self.processes[name] = Service(
                self._folder / name, self.issuer_url, _SECTIONS, postgres=self.place.url, roles=role
            )
            if len(self.processes) == 1 and self.place.url is not None:
                await self.processes[name].run("db", "upgrade")
        await self.processes[name].start()

    async def stop(self, name: str) -> None:
        assert await self.processes[name].terminate() == 0

    def pid(self, name: str) -> int:
        process = self.processes[name].process
        assert process is not None
        return process.pid

    def usage(self) -> Usage:
        ours = {name: cpu_seconds(self.pid(name)) for name in self.processes}
        return Usage(time.monotonic(), ours, self.place.cpu_seconds(), time.process_time(), idle_seconds())

    # ------------------------------------------------------------------------------------------ what it holds

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.key}"})

    async def register(self, count: int) -> None:
        """Track so many consents, `c0` and so on."""
        rows = [{"provider": "demobank", "kind": "account-access", "consent_id": f"c{n}"} for n in range(count)]
        async with self._session() as http:
            for n in range(0, count, _AT_ONCE):
                body = {"items": rows[n : n + _AT_ONCE]}
                async with http.post(f"{self.api.url}/v1/consents/batch", json=body) as response:
                    response.raise_for_status()

    async def subscribe(self, url: str) -> str:
        """Have somebody told what consents do; give the secret that it is signed with."""
        async with self._session() as http:
            body = {"url": url, "types": ["consent.status_changed"]}
            async with http.post(f"{self.api.url}/v1/subscriptions", json=body) as response:
                response.raise_for_status()
                return str((await response.json())["secret"])

    async def until_worked_off(self, seconds: float = 600) -> None:
        await self.api.until_worked_off(seconds)

    async def until_worked_off_but(self, few: int) -> None:
        """Wait until no more than so many are in the inbox, while others come."""
        while (await asyncio.to_thread(self.api.rows, "SELECT count(*) FROM inbox"))[0][0] > few:  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    async def recorded(self) -> int:
        return int((await asyncio.to_thread(self.api.rows, "SELECT count(*) FROM report"))[0][0])

    async def lost(self, acknowledged: Iterable[Key]) -> int:
        """How many of these are not on record."""
        rows = await asyncio.to_thread(self.api.rows, "SELECT consent_id, status_date_time FROM report")
        on_record = {(name, at if isinstance(at, datetime) else datetime.fromisoformat(at)) for name, at in rows}
        return sum(key not in on_record for key in acknowledged)


@asynccontextmanager
async def deployed(place: Database, *, is_split: bool, workers: int = 1) -> AsyncIterator[Deployment]:
    """Set it up: one process that does everything, or a receiver, an API and so many workers.

    Args:
        place: Where it keeps its data.
        is_split: Whether each role has a process of its own.
        workers: How many of those there are then.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="load-"))
        found = Deployment(Path(folder), place, await stack.enter_async_context(issuer()))
        roles = {"receiver": "receiver", "api": "api"} if is_split else {"all": ""}
        roles |= {f"worker-{n}": "worker" for n in range(1, workers + 1)} if is_split else {}
        for name, role in roles.items():
            await found.start(name, role)
            stack.push_async_callback(found.processes[name].kill)
        found.key = await found.api.run("keys", "add-api-key", "--name", "load", "--scope", "read,write")
        yield found


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait for something, but no longer than that."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:  # noqa: ASYNC110 - what others do rings no bell here
        await asyncio.sleep(0.05)


def badly_signed(told: Iterable[Told], secret: str) -> int:
    """How many notifications do not bear a right signature; for the time when nothing is measured any more."""
    webhook, bad = Webhook(secret), 0
    for one in told:
        try:
            webhook.verify(one.body, one.headers())
        except WebhookVerificationError:
            bad += 1
    return bad
