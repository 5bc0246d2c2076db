"""How fast events come in, and what each costs: the real service in a process of its own, loaded from this one.

    python -m benchmarks.ingest [--database URL] [--events 4000] [--rate 500] [--consents 200] [--payload-bytes 2500]

Open loop: every event has its instant, and its acknowledgement is timed from that instant, whether or not earlier ones were
answered. At the end each event is looked up: what was answered 202 and is not on record is lost. Prints one JSON object.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from benchmarks.machine import (
    Database,
    cpu_seconds,
    database,
    description,
    flush_milliseconds,
    raw_rsa_microseconds,
    resident_megabytes,
)
from tests.e2e.service import Service, an_event, issuer

# Asking about consents is no part of an event's way; this issuer would not answer either.
_RARELY_ASKING = """requests_per_second = 0.01
[log]
level = "error"
"""
_START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--events", type=int, default=4000)
    options.add_argument(
        "--rate", type=float, default=500.0, help="events a second; 0: 32 in flight, as fast as it goes"
    )
    options.add_argument("--consents", type=int, default=1000)
    options.add_argument("--payload-bytes", type=int, default=2500, help="size of the claims")
    chosen = options.parse_args()
    with database(chosen.database) as place:
        print(json.dumps(asyncio.run(run(chosen, place)), indent=2))


async def run(options: argparse.Namespace, place: Database) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        async with issuer() as issuer_url:
            service = Service(Path(folder), issuer_url, _RARELY_ASKING, postgres=place.url)
            if place.url is not None:
                await service.run("db", "upgrade")
            await service.start()
            try:
                return await measure(service, issuer_url, options, place)
            finally:
                await service.terminate()


async def measure(service: Service, issuer_url: str, options: argparse.Namespace, place: Database) -> dict[str, object]:
    key = await service.run("keys", "add-api-key", "--name", "bench", "--scope", "read,write")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        for n in range(options.consents):
            body = {"provider": "demobank", "kind": "account-access", "consent_id": f"c{n}"}
            async with http.post(f"{service.url}/v1/consents", json=body) as response:
                response.raise_for_status()
    events = make_events(issuer_url, options)
    raw_before = raw_rsa_microseconds()
    assert service.process is not None
    pid = service.process.pid
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http:
        await send(http, service.url, make_events(issuer_url, options, warm_up=True), rate=200.0)
        await service.until_worked_off()
        cpu_before, server_before, begin = cpu_seconds(pid), place.cpu_seconds(), time.monotonic()
        answers = await send(http, service.url, [body for _, body in events], rate=options.rate)
        accepted_in = time.monotonic() - begin
        await service.until_worked_off()
        recorded_in, cpu = time.monotonic() - begin, cpu_seconds(pid) - cpu_before
        server_cpu = (place.cpu_seconds() or 0.0) - (server_before or 0.0)
    on_record = {
        (consent, at if isinstance(at, datetime) else datetime.fromisoformat(at))
        for consent, at in await asyncio.to_thread(service.rows, "SELECT consent_id, status_date_time FROM report")
    }
    acknowledged = [name for (name, _), (status, _) in zip(events, answers, strict=True) if status == 202]  # noqa: PLR2004
    latencies = sorted(latency * 1e3 for status, latency in answers if status == 202)  # noqa: PLR2004
    raw = (raw_before + raw_rsa_microseconds()) / 2
    per_event = cpu / len(events) * 1e6
    return {
        "machine": description(),
        "versions": place.version(),
        "method": "open loop" if options.rate else "32 in flight",
        "events": len(events),
        "claims_bytes": options.payload_bytes,
        "token_bytes": statistics.mean(len(body) for _, body in events),
        "offered_per_second": options.rate or None,
        "accepted_per_second": round(len(acknowledged) / accepted_in, 1),
        "recorded_per_second": round(len(acknowledged) / recorded_in, 1),
        "ack_ms": {"p50": round(quantile(latencies, 0.5), 2), "p99": round(quantile(latencies, 0.99), 2)},
        "raw_flush_ms": flush_milliseconds(service.folder),
        "refused": len(events) - len(acknowledged),
        "lost": sum(name not in on_record for name in acknowledged),
        "cpu_us_per_event": round(per_event, 1),
        "server_cpu_us_per_event": None if server_before is None else round(server_cpu / len(events) * 1e6, 1),
        "raw_rsa_us_per_event": round(raw, 1),
        "cpu_over_raw_rsa": round(per_event / raw, 2),
        "resident_mb": round(resident_megabytes(pid), 1),
    }


def make_events(issuer_url: str, options: argparse.Namespace, *, warm_up: bool = False) -> list:
    """Events with a meaning of their own each; for the warm-up bodies alone, about nobody."""
    made = []
    for n in range(100 if warm_up else options.events):
        consent, at = f"c{n % options.consents}" if not warm_up else "nobody", _START + timedelta(seconds=n)
        status = ("Authorized", "Suspended")[n // options.consents % 2]
        body = an_event(issuer_url, consent, status, at.isoformat(), time.time(), size=options.payload_bytes)
        made.append(body if warm_up else ((consent, at), body))
    return made


async def send(http: aiohttp.ClientSession, url: str, bodies: list[bytes], *, rate: float) -> list[tuple[int, float]]:
    """Send all; give status and seconds from the planned instant to the answer, one for each."""
    answers: list[tuple[int, float]] = [(0, 0.0)] * len(bodies)
    begin = time.monotonic() + 0.05
    room = asyncio.Semaphore(len(bodies) if rate else 32)

    async def one(n: int, body: bytes) -> None:
        if rate:
            await asyncio.sleep(max(0.0, begin + n / rate - time.monotonic()))
        async with room:
            planned = begin + n / rate if rate else time.monotonic()
            try:
                async with http.post(f"{url}/webhooks/uae-v2.1", data=body) as response:
                    answers[n] = (response.status, time.monotonic() - planned)
            except aiohttp.ClientError:
                answers[n] = (0, time.monotonic() - planned)

    await asyncio.gather(*(one(n, body) for n, body in enumerate(bodies)))
    return answers


def quantile(ordered: list[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else float("nan")


if __name__ == "__main__":
    main()
