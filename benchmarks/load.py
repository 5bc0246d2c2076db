"""What the service does under load: how soon it tells, how it takes bursts and restarts, what a second worker costs, its memory.

    python -m benchmarks.load steady|burst|restart|workers|soak [--database URL] [--split] …

Each prints one JSON object. Events are made beforehand, in processes of their own; they are sent, and notifications taken, by
this process over plain sockets, and signatures are checked when the measurement is over. `cores` tells who used how much of
the machine meanwhile: each of our processes, the database's server, this one (`load`), others; `idle` is what was left.
"""

import argparse
import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor

from benchmarks import load_burst, load_restart, load_soak, load_steady, load_workers
from benchmarks.deployed import Deployment, deployed
from benchmarks.machine import Database, database, description, load_average
from benchmarks.premade import Premade, makers

Measure = Callable[[Deployment, Premade, argparse.Namespace], Awaitable[dict[str, object]]]

_MODES = {
    "steady": load_steady,
    "burst": load_burst,
    "restart": load_restart,
    "workers": load_workers,
    "soak": load_soak,
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    modes = options.add_subparsers(dest="mode", required=True)
    for name, module in _MODES.items():
        mode = modes.add_parser(name, help=module.__doc__.splitlines()[0])
        mode.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
        mode.add_argument("--split", action="store_true", help="receiver, API and worker in processes of their own")
        mode.add_argument("--consents", type=int, default=2000)
        mode.add_argument("--payload-bytes", type=int, default=2500, help="size of the claims")
        module.add_options(mode)
    chosen = options.parse_args()
    if getattr(chosen, "needs_server", False) and chosen.database is None:
        chosen.database = "postgresql:"
    with makers() as pool, database(chosen.database) as place:
        print(json.dumps(asyncio.run(run(chosen, pool, place)), indent=2))


async def run(options: argparse.Namespace, pool: ProcessPoolExecutor, place: Database) -> dict[str, object]:
    premade = Premade(pool, consents=options.consents, size=options.payload_bytes)
    gc.freeze()
    before = load_average()
    async with deployed(place, is_split=options.split, workers=getattr(options, "workers", 1)) as deployment:
        await deployment.register(options.consents)
        found = await _MODES[options.mode].measure(deployment, premade, options)
        return {
            "machine": description(),
            "versions": place.version(),
            "processes": list(deployment.processes),
            "load_average": {"before": before, "after": load_average()},
            "consents": options.consents,
            "claims_bytes": options.payload_bytes,
            **found,
        }


if __name__ == "__main__":
    main()
