"""What subscribers who hang cost the others: half of a hundred hold every call for 20 seconds.

    python -m benchmarks.hanging [--database URL] [--subscriptions N] [--rate N] [--seconds N] [--rounds N]

Prints one JSON object. The healthy half is told by turns with and without the other half; `ratio_p95` compares them. Entries are
consents that are registered, so many a second; a notification's time is from the instant at which its entry was recorded to
that at which its last byte is there. The subscribers are in this process, whose share of the machine is `load`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import count

from benchmarks.deployed import Deployment, deployed, until
from benchmarks.machine import Database, database, description, load_average, resident_megabytes
from benchmarks.sending import quantiles_ms
from benchmarks.wire import Asker, paced, sink

_HANGS_SECONDS = 20.0
_TYPE = "consent.registered"
_HEADERS = "Content-Type: application/json\r\nAuthorization: Bearer {}\r\n"
_MADE, _DELETED = 201, 204
_MEMORY_EVERY_SECONDS = 5.0
_TOLD_WITHIN_SECONDS = 30.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--subscriptions", type=int, default=100, help="half of them hang")
    options.add_argument("--rate", type=float, default=4.0, help="entries a second")
    options.add_argument("--seconds", type=float, default=60.0, help="how long each turn is")
    options.add_argument("--rounds", type=int, default=2)
    chosen = options.parse_args()
    with database(chosen.database) as place:
        print(json.dumps(asyncio.run(run(chosen, place)), indent=2))


async def run(options: argparse.Namespace, place: Database) -> dict[str, object]:
    before = load_average()
    async with deployed(place, is_split=False) as deployment, hanging() as (bad_url, held):
        bench = Bench(deployment, options)
        async with bench.told() as good_url:
            for _ in range(options.subscriptions // 2):
                await bench.subscribe(good_url)
            await bench.turn(5.0)  # caches and connections
            turns = []
            for _ in range(options.rounds):
                without = await bench.turn(options.seconds)
                bad = [await bench.subscribe(bad_url) for _ in range(options.subscriptions // 2)]
                beside = await bench.turn(options.seconds)
                turns.append({"without": without, "beside_those_that_hang": {**beside, "calls_held": held()}})
                for one in bad:
                    await bench.forget(one)
    p95 = {name: sorted(turn[name]["told_ms"]["p95"] for turn in turns) for name in turns[0]}
    middle = {name: found[len(found) // 2] for name, found in p95.items()}
    return {
        "machine": description(),
        "versions": place.version(),
        "load_average": {"before": before, "after": load_average()},
        "subscriptions": options.subscriptions,
        "of_these_hang": options.subscriptions // 2,
        "entries_per_second": options.rate,
        "turns": turns,
        "ratio_p95": round(middle["beside_those_that_hang"] / middle["without"], 2),
    }


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """Who takes every call and lets it wait; the URL, and a function that counts the calls."""
    calls: list[float] = []

    class Holding(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            if data.startswith(b"POST"):
                calls.append(time.monotonic())
                answer = b"HTTP/1.1 204 No Content\r\n\r\n"
                asyncio.get_running_loop().call_later(_HANGS_SECONDS, self.transport.write, answer)

    server = await asyncio.get_running_loop().create_server(Holding, "127.0.0.1", 0, backlog=1024)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", lambda: len(calls)
    finally:
        server.close()


class Bench:
    """A tracker, who is told, and turns."""

    def __init__(self, deployment: Deployment, options: argparse.Namespace) -> None:
        self._deployment = deployment
        self._options = options
        self._api = Asker(deployment.api.url, headers=_HEADERS.format(deployment.key))
        self._names = count()
        self._arrived: list[tuple[float, bytes]] = []

    @asynccontextmanager
    async def told(self) -> AsyncIterator[str]:
        """Whoever is told here takes all at once."""
        async with sink(lambda told: self._arrived.append((time.time(), told.body))) as url:
            yield url
        self._api.close()

    async def subscribe(self, url: str) -> str:
        async with self._deployment._session() as http:  # noqa: SLF001 - another of ours
            body = {"url": url, "types": [_TYPE]}
            async with http.post(f"{self._deployment.api.url}/v1/subscriptions", json=body) as response:
                response.raise_for_status()
                return str((await response.json())["id"])

    async def forget(self, subscription_id: str) -> None:
        assert await self._api.ask("DELETE", f"/v1/subscriptions/{subscription_id}") == _DELETED

    async def turn(self, seconds: float) -> dict[str, object]:
        self._arrived.clear()
        entries = round(self._options.rate * seconds)
        memory: list[float] = []
        watching = asyncio.create_task(self._watch(memory))
        before = self._deployment.usage()
        await paced(entries, self._options.rate, self._register)
        used = self._deployment.usage()
        expected = entries * (self._options.subscriptions // 2)
        await until(lambda: len(self._arrived) >= expected, _TOLD_WITHIN_SECONDS)
        watching.cancel()
        took = [at - _recorded_at(body) for at, body in self._arrived]
        return {
            "entries": entries,
            "told": len(took),
            "not_told": expected - len(took),
            "told_ms": quantiles_ms(took),
            "resident_megabytes": [round(one, 1) for one in memory],
            "cores": used.cores_since(before),
        }

    async def _register(self, _: int, __: float) -> None:
        body = {"provider": "demobank", "kind": "account-access", "consent_id": f"hang-{next(self._names)}"}
        assert await self._api.ask("POST", "/v1/consents", json.dumps(body).encode()) == _MADE

    async def _watch(self, memory: list[float]) -> None:
        while True:
            memory.append(resident_megabytes(self._deployment.pid("all")))
            await asyncio.sleep(_MEMORY_EVERY_SECONDS)


def _recorded_at(body: bytes) -> float:
    return datetime.fromisoformat(json.loads(body)["time"]).timestamp()


if __name__ == "__main__":
    main()
