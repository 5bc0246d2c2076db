"""A storm: everything that can be done to the processes and to their database, at random instants, under a steady load."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import asyncpg

from tests import postgres
from tests.e2e.fleet import Fleet
from tests.e2e.ledger import Ledger, Load, subscriber
from tests.e2e.reckoning import LeaseWatch, Reckoning, Rows, reckon, rows_of
from tests.e2e.service import issuer
from tests.postgres import query
from tracker.adapters.store import migrate
from tracker.adapters.store.postgres import in_one_transaction
from tracker.usecases.leasing import LEASE_SECONDS

DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
_SECTIONS = '[log]\nlevel = "warning"\n[notifications]\nallow_networks = ["127.0.0.0/8"]\n'
_LONGEST_SETTLING = 90.0
_CALM_SECONDS = 2.0  # after the storm events still come: they must be served as before


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what, spread over so many seconds.

    Attributes:
        kills: Processes killed with SIGKILL and started again.
        pauses: Workers stopped for longer than a lease, then let go on.
        steps: Clocks stepped by up to a quarter of a minute.
        full_disks: Times in which no file of one process can grow.
        restarts: Restarts of the server, by turns immediate and fast.
        terminations: Times at which half of the server's connections are terminated.
        full_servers: Times in which no file of the server can grow: it gives up and recovers.
        read_only: Times in which the server takes no writes.
    """

    seconds: float
    rate: float
    kills: int = 0
    pauses: int = 0
    steps: int = 0
    full_disks: int = 0
    restarts: int = 0
    terminations: int = 0
    full_servers: int = 0
    read_only: int = 0


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        settled_seconds: How long after the storm everything had been opened and told.
        reckoning: What was found.
    """

    done: Counter[str]
    settled_seconds: float
    reckoning: Reckoning


@dataclass
class Stage:
    """Everything running.

    Attributes:
        server: The server's folder; None on SQLite.
        url: Of the database on the server.
    """

    fleet: Fleet
    ledger: Ledger
    load: Load
    rows: Rows
    dice: Random
    folder: Path
    server: Path | None = None
    url: str = ""
    watch: LeaseWatch = field(default_factory=LeaseWatch)
    done: Counter[str] = field(default_factory=Counter)
    _hand: asyncio.Lock = field(default_factory=asyncio.Lock)

    # ------------------------------------------------------------------------------------------ what is done to the server

    async def restart_server(self, how: str) -> None:
        assert self.server is not None
        async with self._hand:
            await asyncio.to_thread(postgres.stop, self.server, how)
            await asyncio.sleep(self.dice.uniform(0, 1))
            await asyncio.to_thread(postgres.start, self.server, DURABLE)
            self.done[f"restarts_{how}"] += 1

    async def terminate_connections(self) -> None:
        """Those of ours, half of them."""
        statement = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name <> '' AND random() < 0.5"
        )
        with suppress(*_AWAY):
            self.done["connections_terminated"] += len(await asyncio.to_thread(query, self.url, statement))
            self.done["terminations"] += 1

    async def fill_server(self, seconds: float) -> None:
        """As on a full disk; not the server's first process, which must begin again afterwards."""
        with suppress(*_AWAY):
            async with self._hand:
                found = await asyncio.to_thread(
                    query, self.url, "SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL"
                )
                pids = [row[0] for row in found]
                await asyncio.to_thread(postgres.limit_file_size, pids, 1)
                await asyncio.sleep(seconds)
                await asyncio.to_thread(postgres.limit_file_size, pids, None)
                self.done["full_servers"] += 1

    async def refuse_writes(self, seconds: float) -> None:
        """As a standby does, and a server that has been switched to read-only."""
        switch = "ALTER SYSTEM {} default_transaction_read_only {}"
        with suppress(*_AWAY):
            async with self._hand:
                try:
                    await asyncio.to_thread(query, self.url, switch.format("SET", "= on"))
                    await asyncio.to_thread(query, self.url, "SELECT pg_reload_conf()")
                    await asyncio.sleep(seconds)
                finally:
                    await asyncio.to_thread(query, self.url, switch.format("RESET", ""))
                    await asyncio.to_thread(query, self.url, "SELECT pg_reload_conf()")
                self.done["read_only"] += 1

    # ------------------------------------------------------------------------------------------ the storm

    async def storm(self, plan: Plan) -> None:
        """Do all of the plan; return when its last thing is done."""
        turns = {"restart": 0}

        async def restart() -> None:
            turns["restart"] += 1
            await self.restart_server(("immediate", "fast")[turns["restart"] % 2])

        deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (plan.kills // 2, self.fleet.kill),
            (plan.kills - plan.kills // 2, self.fleet.kill),
            (plan.pauses, lambda: self.fleet.pause(LEASE_SECONDS + self.dice.uniform(1, 3))),
            (plan.steps, lambda: self.fleet.skew(15)),
            (plan.full_disks, lambda: self.fleet.fail_writes(self.dice.uniform(0.5, 2))),
        ]
        if self.server is not None:
            deeds += [
                (plan.restarts, restart),
                (plan.terminations, self.terminate_connections),
                (plan.full_servers, lambda: self.fill_server(self.dice.uniform(0.2, 1))),
                (plan.read_only, lambda: self.refuse_writes(self.dice.uniform(0.5, 2))),
            ]
        async with asyncio.TaskGroup() as group:
            for times, deed in deeds:
                group.create_task(self._spread(times, plan.seconds, deed))

    async def _spread(self, times: int, seconds: float, deed: Callable[[], Awaitable[None]]) -> None:
        """So many, at random instants; one after the other, and so it may take longer."""
        begin = time.monotonic()
        for at in sorted(self.dice.uniform(0, seconds) for _ in range(times)):
            left = begin + at - time.monotonic()
            # Who is late waits as well: what is killed while it starts has done nothing that could be lost.
            await asyncio.sleep(left if left > 0 else self.dice.uniform(0, 2))
            await deed()

    async def watching(self, until: asyncio.Event) -> None:
        """Look at the leases from time to time."""
        while not until.is_set():
            with suppress(*_AWAY):
                await asyncio.to_thread(self.watch.look, self.rows)
            with suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), 0.25)

    async def until_settled(self) -> float:
        """Wait until everything has been opened and told, or for long enough; say how long."""
        begin = time.monotonic()
        while time.monotonic() - begin < _LONGEST_SETTLING:
            with suppress(*_AWAY):
                waiting = await asyncio.to_thread(self.rows, "SELECT count(*) FROM inbox")
                told = {entry["id"] for entry in self.ledger.told}
                entries = await asyncio.to_thread(self.rows, "SELECT id FROM entry")
                if waiting[0][0] == 0 and {row[0] for row in entries} <= told:
                    break
            await asyncio.sleep(0.2)
        return round(time.monotonic() - begin, 1)


# The last of them when the server says goodbye between two statements, and its end of the connection is not closed yet.
_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


@asynccontextmanager
async def stage(folder: Path, dice: Random, *, on_server: bool) -> AsyncIterator[Stage]:
    """Set everything up: the database, the processes, the holder, the subscriber."""
    async with AsyncExitStack() as stack:
        server, url = None, ""
        if on_server:
            # Of a short path, for the socket, and where the server's user can go.
            server = Path(stack.enter_context(TemporaryDirectory(prefix="pg-", dir="/tmp")))
            running = stack.enter_context(postgres.running(server, DURABLE))
            url = running.create()
            await in_one_transaction(url, migrate.upgrade)
        ledger = Ledger()
        issuer_url, hook = (
            await stack.enter_async_context(issuer()),
            await stack.enter_async_context(subscriber(ledger)),
        )
        fleet = Fleet(folder, issuer_url, _SECTIONS, dice, url)
        await stack.enter_async_context(fleet.running())
        key = await fleet.api.run("keys", "add-api-key", "--name", "storm", "--scope", "read,write")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            body = {"url": hook, "from_sequence": 1}
            async with http.post(f"{fleet.api.url}/v1/subscriptions", json=body) as response:
                assert response.status == 201, await response.text()
        rows = rows_of(url or fleet.api.database)
        load = Load(fleet, issuer_url, ledger, dice, key)
        yield Stage(fleet, ledger, load, rows, dice, folder, server, url, done=fleet.done)


async def weather(stage: Stage, plan: Plan) -> Outcome:
    """Send at a steady rate through a storm, let everything settle, stop in good order, and reckon up."""
    over, settled = asyncio.Event(), asyncio.Event()
    await stage.load.begin()
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.watching(settled))
        load = group.create_task(stage.load.run(rate=plan.rate, until=over))
        await stage.storm(plan)
        await stage.fleet.settle()
        await asyncio.sleep(_CALM_SECONDS)
        over.set()
        await load  # its last repeats come seconds later, and must be opened as well before anything is reckoned
        seconds = await stage.until_settled()
        settled.set()
    not_ended = await stage.fleet.terminate()
    reckoning = await reckon(stage.ledger, stage.rows, stage.watch, stage.fleet.api, stage.folder / "export")
    if not_ended:
        reckoning.faults["not_ended"] = not_ended
    return Outcome(stage.done, seconds, reckoning)


def log_of(stage: Stage) -> dict[str, Any]:
    """What the processes said that they should not have: tracebacks of ours."""
    texts = {
        name: (member.folder / "log.txt").read_text("utf-8", "replace") for name, member in stage.fleet.members.items()
    }
    return {name: text.count("Traceback") for name, text in texts.items() if "Traceback" in text}
