"""What one ill provider costs the others: the real service with ten providers, loaded from this process.

    python -m benchmarks.providers [--illness silent] [--rate 60] [--seconds 20] [--providers 10]

Two runs, each with a service and a database of its own: all are well; then the first one is ill, and goes on sending events
all the while. For each provider: p50 and p95 from the receipt of an event to its record, as the database has them. An ill
provider's own events wait for its keys. Prints one JSON object; `lost` must be 0.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp.test_utils import TestServer

from benchmarks.ingest import quantile, send
from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub, says
from tests.e2e.service import Service
from tests.usecases.bench import data, message
from tests.usecases.town import hub_key

_START = datetime(2026, 3, 2, 6, tzinfo=UTC)
_ROUTES = ("discovery", "jwks", "token", "consent")


def _silent(hub: ScriptedHub) -> None:
    for route in _ROUTES:
        hub.hold(route)


def _always(reply: Callable[..., object]) -> Callable[[ScriptedHub], None]:
    def fall_ill(hub: ScriptedHub) -> None:
        hub.always = dict.fromkeys(_ROUTES, reply)

    return fall_ill


ILLNESSES: dict[str, Callable[[ScriptedHub], None]] = {
    "silent": _silent,
    "garbage": _always(says(200, b"\x00\xff{" * 50_000, "application/json")),
    "429": _always(says(429)),
    "503": _always(says(503)),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--illness", choices=ILLNESSES, default="silent")
    options.add_argument("--rate", type=float, default=60.0, help="events a second, of all providers together")
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--providers", type=int, default=10)
    print(json.dumps(asyncio.run(run(options.parse_args())), indent=2))


async def run(options: argparse.Namespace) -> dict[str, object]:
    well = await measure(options, ill=None)
    ill = await measure(options, ill="bank-0")
    others = [name for name in well["ms"] if name != "bank-0"]
    worst = {kind: max(run["ms"][name]["p95"] for name in others) for kind, run in (("well", well), ("ill", ill))}
    return {
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
        "versions": {"sqlite": sqlite3.sqlite_version},
        "providers": options.providers,
        "events_per_second": options.rate,
        "seconds": options.seconds,
        "illness of bank-0": options.illness,
        "worst p95 of the others, ms": worst,
        "all well": well,
        "one ill": ill,
    }


@asynccontextmanager
async def hubs(names: list[str]) -> AsyncIterator[dict[str, ScriptedHub]]:
    """A holder for each name, which publishes its key and knows no consent."""
    async with AsyncExitStack() as stack:
        made = {name: ScriptedHub(hub_key(name)) for name in names}
        for hub in made.values():
            hub.always["consent"] = says(404)
            server = await stack.enter_async_context(TestServer(hub.application()))
            hub.issuer = str(server.make_url("/")).rstrip("/")
        yield made
        for hub in made.values():
            hub.release()


async def measure(options: argparse.Namespace, *, ill: str | None) -> dict:
    names = [f"bank-{n}" for n in range(options.providers)]
    with tempfile.TemporaryDirectory(prefix="providers-") as folder:
        async with hubs(names) as made:
            service = Service(Path(folder), made[names[0]].issuer)
            configure(service, made)
            if ill is not None:
                ILLNESSES[options.illness](made[ill])
            await service.start()
            try:
                return await load(service, made, options, ill)
            finally:
                await service.terminate()


def configure(service: Service, made: dict[str, ScriptedHub]) -> None:
    file = service.folder / "tracker.toml"
    text, _, _ = file.read_text().partition("[[provider]]")
    for name, hub in made.items():
        text += f"""
[[provider]]
id = "{name}"
profile = "uae-v2.1"
client_id = "{tokens.CLIENT_ID}"
issuer = "{hub.issuer}"
resource_url = "{hub.issuer}"
"""
    file.write_text(text + '[log]\nlevel = "error"\n')


async def load(service: Service, made: dict[str, ScriptedHub], options: argparse.Namespace, ill: str | None) -> dict:
    names = list(made)
    key = await service.run("keys", "add-api-key", "--name", "bench", "--scope", "read,write")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        for name in names:
            body = {"provider": name, "kind": "account-access", "consent_id": "c-1"}
            async with http.post(f"{service.url}/v1/consents", json=body) as response:
                response.raise_for_status()
    count = int(options.rate * options.seconds)
    bodies = [an_event(made[names[n % len(names)]], names[n % len(names)], n) for n in range(count)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http:
        answers = await send(http, service.url, bodies, rate=options.rate)
    wanted = sum(answer[0] == 202 for n, answer in enumerate(answers) if names[n % len(names)] != ill)  # noqa: PLR2004
    recorded = "SELECT provider, received_at, recorded_at FROM report WHERE channel = 'webhook'"
    deadline = time.monotonic() + 60
    while True:
        found = [row for row in service.rows(recorded) if row[0] != ill]
        if len(found) >= wanted or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    spans: dict[str, list[float]] = defaultdict(list)
    for name, received, known in found:
        span = datetime.fromisoformat(known) - datetime.fromisoformat(received)
        spans[name].append(span.total_seconds() * 1e3)
    waiting = service.rows("SELECT count(*) FROM inbox")[0][0]
    return {
        "answered 202": sum(answer[0] == 202 for answer in answers),  # noqa: PLR2004
        "lost": wanted - len(found),
        "waiting for keys": waiting,
        "ms": {
            name: {q: round(quantile(sorted(spans[name]), at), 1) for q, at in (("p50", 0.5), ("p95", 0.95))}
            for name in names
            if name != ill
        },
    }


def an_event(hub: ScriptedHub, name: str, n: int) -> bytes:
    """An event with a meaning of its own."""
    at = (_START + timedelta(seconds=n)).isoformat()
    found = data(
        ("Authorized", "Suspended")[n // 10 % 2], at, ConsentId="c-1", ExpirationDateTime="2099-09-01T00:00:00Z"
    )
    now = time.time()
    claims = tokens.claims(
        iss=hub.issuer, iat=now - 1, nbf=now - 1, exp=now + 600, message=message(found, at=at, ConsentId="c-1")
    )
    return tokens.jwe(tokens.jws(claims, key=tokens.rsa_key(f"{name} 1"), kid=f"{name}-sig-1"))


if __name__ == "__main__":
    main()
