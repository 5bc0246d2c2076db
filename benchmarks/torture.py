"""A long storm: what was answered for is on record once, and told, whatever happens to the processes and the database.

    python -m benchmarks.torture [--database sqlite|postgres] [--kills 200] [--restarts 20] [--seconds 600] [--rate 20] [--seed N]

Events with a unique id each come at a steady rate and consents are registered meanwhile, while processes are killed, stopped for
longer than a lease and let go on, their clocks are stepped and their disks are full; and, on PostgreSQL, while the server is
restarted, loses connections, refuses writes and cannot write itself. Then every id is reckoned up. Prints one JSON object; the
exit status is 1 if anything is not as it should be. How fast it is after a restart, `benchmarks.load restart` tells.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import sqlite3
import sys
import time
from pathlib import Path
from random import Random, randrange
from tempfile import TemporaryDirectory

from tests.e2e.fleet import FAKETIME
from tests.e2e.storm import Plan, log_of, stage, weather
from tests.postgres import query


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--restarts", type=int, default=20)
    options.add_argument("--seconds", type=float, default=600.0)
    options.add_argument("--rate", type=float, default=20.0, help="events a second")
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
    }


if __name__ == "__main__":
    main()
