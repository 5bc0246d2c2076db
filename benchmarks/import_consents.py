"""How fast a company's consents come in, with what memory, and what a service that runs beside it feels.

    python -m benchmarks.import_consents [--rows 100000] [--kills 2] [--beside 10000] [--rate 20] [--seconds 20]

The import is the real command in a process of its own; it is killed with SIGKILL on its way and started again. Then a smaller
one runs beside the real service while that is sent events, each timed from the instant at which it was due. Prints one JSON
object; `missing`, `twice` and `lost` must be 0.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from benchmarks.ingest import quantile, resident_megabytes, send
from tests.e2e.service import Service, an_event, issuer

_START = datetime(2026, 3, 2, 6, tzinfo=UTC)
_ACCEPTED = 202


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--kills", type=int, default=2, help="how often it is killed on its way")
    options.add_argument("--beside", type=int, default=10_000, help="rows that are imported beside the service")
    options.add_argument("--rate", type=float, default=20.0, help="events a second beside it")
    options.add_argument("--seconds", type=float, default=20.0, help="how long events are sent without an import")
    print(json.dumps(asyncio.run(run(options.parse_args())), indent=2))


def make_file(path: Path, rows: int, prefix: str) -> Path:
    with path.open("w") as file:
        for n in range(rows):
            row = {
                "provider": "demobank",
                "kind": "account-access",
                "consent_id": f"{prefix}-{n:07}",
                "user_ref": f"customer-{n}",
                "expiration_date_time": (_START + timedelta(days=366, minutes=n)).isoformat(),
                "permissions": ["ReadAccountsBasic", "ReadBalances", "ReadTransactionsBasic"],
                "status": "Authorized",
            }
            file.write(json.dumps(row) + "\n")
    return path


async def run(options: argparse.Namespace) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        async with issuer() as issuer_url:
            service = Service(Path(folder), issuer_url)
            return {
                "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]},
                "versions": {"sqlite": sqlite3.sqlite_version},
                "alone": await alone(service, options),
                "beside_the_service": await beside(service, issuer_url, options),
            }


class Import:
    """`tracker consents import` in a process of its own, watched."""

    def __init__(self, service: Service, file: Path) -> None:
        self._service = service
        self._file = file
        self.results = file.with_name(file.name + ".results.jsonl")
        self.resident: list[tuple[int, float]] = []  # rows done by then, megabytes

    def done(self) -> int:
        return self.results.read_bytes().count(b"\n") if self.results.exists() else 0

    async def run(self, *, kill_after: int | None = None) -> float:
        """Run it, to its end or until so many rows are done; give the seconds that it took."""
        begin = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tracker",
            "consents",
            "import",
            str(self._file),
            env=self._service.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        ended = asyncio.create_task(process.wait())
        while not ended.done():
            await asyncio.wait({ended}, timeout=0.25)
            done = self.done()
            if not ended.done():
                self.resident.append((done, resident_megabytes(process.pid)))
            if kill_after is not None and done >= kill_after:
                with suppress(ProcessLookupError):
                    process.kill()
        status = await ended
        assert status == 0 or kill_after is not None, status
        return time.monotonic() - begin


async def alone(service: Service, options: argparse.Namespace) -> dict[str, object]:
    work = Import(service, make_file(service.folder / "all.jsonl", options.rows, "a"))
    seconds = 0.0
    for n in range(options.kills):
        seconds += await work.run(kill_after=options.rows * (n + 1) // (options.kills + 1))
    seconds += await work.run()
    results = [json.loads(line) for line in work.results.read_text().splitlines()]
    third = options.rows // 3
    begun = [megabytes for rows, megabytes in work.resident if 0 < rows <= third]
    ending = [megabytes for rows, megabytes in work.resident if rows > options.rows - third]
    return {
        "rows": options.rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(options.rows / seconds),
        "killed": options.kills,
        "done_again": sum(result["result"] == "tracked_already" for result in results),
        "missing": options.rows - service.rows("SELECT count(*) FROM consent")[0][0],
        "twice": service.rows("SELECT count(*) FROM entry")[0][0] - options.rows + len(results) - options.rows,
        "resident_mb_first_third": round(max(begun, default=0.0), 1),
        "resident_mb_last_third": round(max(ending, default=0.0), 1),
        "database_mb": round(service.database.stat().st_size / 1e6, 1),
    }


async def beside(service: Service, issuer_url: str, options: argparse.Namespace) -> dict[str, object]:
    work = Import(service, make_file(service.folder / "more.jsonl", options.beside, "b"))
    await service.start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256)) as http:
            quiet = await acknowledged(http, service, issuer_url, options, 0, options.seconds)
            importing = asyncio.create_task(work.run())
            busy: list[float] = []
            while not importing.done():
                busy += await acknowledged(http, service, issuer_url, options, len(quiet) + len(busy), 2.0)
            seconds = await importing
        await service.until_worked_off()
        recorded = service.rows("SELECT count(*) FROM report")[0][0]
    finally:
        await service.terminate()
    return {
        "rows": options.beside,
        "rows_per_second": round(options.beside / seconds),
        "events_per_second": options.rate,
        "events": len(quiet) + len(busy),
        "lost": len(quiet) + len(busy) - recorded,
        "ack_ms_without_import": summary(quiet),
        "ack_ms_during_import": summary(busy),
    }


async def acknowledged(
    http: aiohttp.ClientSession,
    service: Service,
    issuer_url: str,
    options: argparse.Namespace,
    first: int,
    seconds: float,
) -> list[float]:
    """Send events, each about a consent of its own; give the milliseconds of each answer."""
    bodies = [
        an_event(issuer_url, f"a-{first + n:07}", "Authorized", _START.isoformat(), time.time(), size=2500)
        for n in range(int(options.rate * seconds))
    ]
    answers = await send(http, service.url, bodies, rate=options.rate)
    return [latency * 1e3 for status, latency in answers if status == _ACCEPTED]


def summary(latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {name: round(quantile(ordered, q), 1) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


if __name__ == "__main__":
    main()
