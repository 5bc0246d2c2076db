"""A long storm: what was answered for is on record once, and told, whatever happens to the processes and the database.

    python -m benchmarks.torture [--database sqlite|postgres] [--kills 200] [--restarts 20] [--seconds 600] [--rate 20] [--seed N]

Events with a unique id each come at a steady rate and consents are registered meanwhile, while processes are killed, stopped for
longer than a lease and let go on, their clocks are stepped and their disks are full; and, on PostgreSQL, while the server is
restarted, loses connections, refuses writes and cannot write itself. Then every id is reckoned up. Prints one JSON object; the
exit status is 1 if anything is not as it should be. With --recovery N it is measured first, N times, how many events a second
are taken before the server is restarted, and from 10 seconds after it; and the same without a restart, to compare with.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from random import Random, randrange
from tempfile import TemporaryDirectory

from tests.e2e.fleet import FAKETIME
from tests.e2e.storm import Plan, Stage, log_of, stage, weather
from tests.postgres import query

_BEFORE_SECONDS = 8.0
_RECOVERY_SECONDS = 10.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--restarts", type=int, default=20)
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--rate", type=float, default=20.0, help="events a second")
    options.add_argument("--recovery", type=int, default=0, metavar="N", help="measure N restarts first")
    options.add_argument("--folder", type=Path, help="an empty one for configurations and logs, which then stay")
    options.add_argument("--seed", type=int, default=randrange(10**9))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    told = asyncio.run(run(options.parse_args()))
    print(json.dumps(told, indent=2, default=str))
    sys.exit(1 if told["faults"] else 0)


def plan_of(options: argparse.Namespace) -> Plan:
    seconds = options.seconds
    return Plan(
        seconds=seconds,
        rate=options.rate,
        kills=options.kills,
        restarts=options.restarts,
        pauses=round(seconds / 30),
        steps=round(seconds / 15),
        full_disks=round(seconds / 30),
        terminations=round(seconds / 15),
        full_servers=round(seconds / 150),
        read_only=round(seconds / 60),
    )


async def run(options: argparse.Namespace) -> dict[str, object]:
    on_server = options.database == "postgres"
    begin = time.monotonic()
    with TemporaryDirectory(prefix="torture-") as temporary:
        folder = options.folder or Path(temporary)
        async with stage(folder, Random(options.seed), on_server=on_server) as everything:
            version = query(everything.url, "SHOW server_version")[0][0] if on_server else sqlite3.sqlite_version
            recovery: dict[str, list[dict[str, float]]] = {}
            for _ in range(options.recovery if on_server else 0):
                for name in ("undisturbed", "restarted"):  # by turns: a shared machine's speed drifts
                    found = await recover(everything, is_restarted=name == "restarted")
                    recovery.setdefault(name, []).append(found)
            outcome = await weather(everything, plan_of(options))
            tracebacks = log_of(everything)
    return {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]},
        "versions": {options.database: version},
        "method": f"{options.rate:g} events a second, seed {options.seed}",
        "clocks": "stepped by libfaketime" if FAKETIME else "not stepped: there is no libfaketime",
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "done": dict(outcome.done),
        "faults": outcome.reckoning.faults,
        "figures": outcome.reckoning.figures,
        "settled_after_seconds": outcome.settled_seconds,
        "tracebacks_in_logs": tracebacks,
        **{f"recovery_{name}": {"median": median_of(found), "all": found} for name, found in recovery.items()},
    }


async def recover(everything: Stage, *, is_restarted: bool) -> dict[str, float]:
    """Restart the server under full load, or leave it; events taken and recorded a second, before and from 10 seconds after."""
    await everything.load.begin()
    over = asyncio.Event()
    sending = asyncio.create_task(everything.load.flat_out(over))
    await asyncio.sleep(3)
    spans = []
    for wait in (None, _RECOVERY_SECONDS):
        if wait is not None:
            if is_restarted:
                await everything.restart_server("fast")
            await asyncio.sleep(wait)
        began, recorded = time.monotonic(), await _recorded(everything)
        await asyncio.sleep(_BEFORE_SECONDS)
        spans.append((began, time.monotonic(), await _recorded(everything) - recorded))
    over.set()
    taken = await sending
    await everything.until_settled()
    (a, b), (c, d) = (
        (sum(begin <= one < end for one in taken) / (end - begin), recorded / (end - begin))
        for begin, end, recorded in spans
    )
    figures = {"taken_before": a, "taken_after": c, "recorded_before": b, "recorded_after": d}
    ratios = {"taken_ratio": round(c / a, 3), "recorded_ratio": round(d / b, 3) if b else 0.0}
    told = {name: round(value, 1) for name, value in figures.items()} | ratios
    print(json.dumps(told), file=sys.stderr)
    return told


async def _recorded(everything: Stage) -> int:
    return int((await asyncio.to_thread(everything.rows, "SELECT count(*) FROM report"))[0][0])


def median_of(recovery: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in recovery), 3) for name in recovery[0]}


if __name__ == "__main__":
    main()
