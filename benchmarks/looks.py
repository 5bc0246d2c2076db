"""What writing looks down costs a look-up: the same questions with the access record and without it, in turns, in one run.

    python -m benchmarks.looks [--rate 500] [--seconds 10] [--turns 4] [--database postgresql:]

The server runs here, whoever asks in a process of its own, at a steady rate whether or not answers come. Prints JSON: CPU for
each look-up, p50 and p99 from when a question was due, both ways, and their ratios.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.machine import database
from tests.web.site import settings_for, write_keys
from tracker.adapters.store import migrate
from tracker.adapters.store.accesses import SqlAccesses
from tracker.adapters.store.postgres import in_one_transaction
from tracker.adapters.store.sqlite import one_transaction
from tracker.app.composition import Tracker, build
from tracker.ports import Access
from tracker.settings_sections import DatabaseSettings
from tracker.usecases.register import Registration
from tracker.web.application import web_application

_CONSENTS = 1000


@asynccontextmanager
async def serving(folder: Path, url: str | None) -> AsyncIterator[tuple[Tracker, str]]:
    """A tracker with consents, at a loopback port."""
    path = folder / "tracker.db"
    if url is None:
        with one_transaction(path) as connection:
            migrate.upgrade(connection)
    else:
        await in_one_transaction(url, migrate.upgrade)
    settings = settings_for(path, write_keys(folder), {"demobank": "http://127.0.0.1:9"})
    if url is not None:
        settings = settings.model_copy(update={"database": DatabaseSettings.model_validate({"url": url})})
    async with build(settings) as tracker:
        for number in range(_CONSENTS):
            wanted = Registration(provider="demobank", kind="account-access", consent_id=f"c-{number}")
            await tracker.services.registrar.register(wanted)
        runner = web.AppRunner(web_application(tracker.services), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield tracker, f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()


async def asking(url: str, key: str, rate: int, seconds: float) -> list[float]:
    """Ask at a steady rate, and say how long each answer took from when its question was due."""
    took: list[float] = []
    connector, headers = aiohttp.TCPConnector(limit=64), {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        began = time.monotonic() + 0.1

        async def ask(number: int) -> None:
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            async with session.get(f"{url}/v1/consents/demobank/c-{number % _CONSENTS}/usable") as said:
                await said.read()
                said.raise_for_status()
            took.append(time.monotonic() - due)

        await asyncio.gather(*(ask(number) for number in range(round(rate * seconds))))
    return took


async def _turn(tracker: Tracker, url: str, key: str, given: argparse.Namespace, *, is_kept: bool) -> dict[str, Any]:
    async def forget(_access: Access, *, flush: bool) -> None:
        pass

    accesses: SqlAccesses = tracker.store.accesses
    if is_kept:
        vars(accesses).pop("add", None)
    else:
        vars(accesses)["add"] = forget
    began, what = time.process_time(), [url, key, str(given.rate), str(given.seconds)]
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.looks", "--ask", *what, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await client.communicate()
    cpu = time.process_time() - began
    return {"took": json.loads(out), "cpu": cpu}


def _told(turns: list[dict[str, Any]]) -> dict[str, float]:
    took = sorted(seconds for turn in turns for seconds in turn["took"])
    cuts = statistics.quantiles(took, n=100)
    cpu = sum(turn["cpu"] for turn in turns) / len(took)
    return {"look_ups": len(took), "cpu_ms": cpu * 1e3, "p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


async def _main(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name, database(given.database) as place:
        async with serving(Path(name), place.url) as (tracker, url):
            _, key = await tracker.api_keys.add("benchmark", ["read"])
            turns: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
            await _turn(tracker, url, key, given, is_kept=True)  # warm
            for number in range(given.turns):
                for is_kept in (number % 2 == 0, number % 2 != 0):
                    turns[is_kept].append(await _turn(tracker, url, key, given, is_kept=is_kept))
            kept, not_kept = _told(turns[True]), _told(turns[False])
            ratios = {name: round(kept[name] / not_kept[name], 2) for name in ("cpu_ms", "p50_ms", "p99_ms")}
            print(json.dumps({"kept": kept, "not_kept": not_kept, "ratio": ratios, "rate": given.rate}, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--database")
    parser.add_argument("--ask", nargs=4)
    arguments = parser.parse_args()
    if arguments.ask:
        where, with_key, at_rate, so_long = arguments.ask
        print(json.dumps(asyncio.run(asking(where, with_key, int(at_rate), float(so_long)))))
    else:
        asyncio.run(_main(arguments))
