"""A subscriber that refuses one in ten at random, told by a service that is killed every few seconds.

    python -m benchmarks.erratic [--entries N] [--consents N] [--kill-after LEAST MOST] [--seed N] [--database URL]

Prints one JSON object: what it never got, what came out of its consent's order, what came twice, all and after one kill. `bound`
is what may come twice after one kill. The schedule of attempts is the usual one.
"""

import argparse
import asyncio
import json
import random
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.machine import database, description, load_average
from tests.e2e.erratic import play
from tracker.domain.manner import Attempts


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--entries", type=int, default=10_000)
    options.add_argument("--consents", type=int, default=1_000)
    options.add_argument("--kill-after", type=float, nargs=2, default=(2.0, 6.0), metavar=("LEAST", "MOST"))
    options.add_argument("--seed", type=int, default=random.randrange(10**9))
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    chosen = options.parse_args()
    before = load_average()
    with database(chosen.database) as place, TemporaryDirectory(prefix="erratic-") as folder:
        told = asyncio.run(
            play(
                Path(folder),
                entries=chosen.entries,
                consents=chosen.consents,
                kill_after=tuple(chosen.kill_after),
                attempts=Attempts(),
                seed=chosen.seed,
                postgres=place.url,
            )
        )
        versions = place.version()
    loads = {"before": before, "after": load_average()}
    found = {"machine": description(), "versions": versions, "load_average": loads, "seed": chosen.seed}
    print(json.dumps(found | asdict(told), indent=2))


if __name__ == "__main__":
    main()
