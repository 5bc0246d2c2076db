"""Months in minutes: is the tracker right when events are lost, late, repeated, out of order or silent for days?

    python -m benchmarks.simulation [--seed 1] [--consents 2000] [--days 60] [--lost 0.05] … [--store sqlite] [--shrink]

Holders with true histories, a channel and an API with weather, and against them the tracker's own judge, schedule and use
cases, in simulated time; `docs/reconciliation.md` says what is simulated. One seed is one history. Prints one JSON object;
exits 1 if anything came to pass that must never be so.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from tests.simulation.chance import Options, Scenario, scenarios
from tests.simulation.report import report
from tests.simulation.run import OpenStore, Outcome, in_memory, on_disk, run
from tests.simulation.shrink import shrunk, told
from tracker.adapters.store import migrate
from tracker.adapters.store.sqlite import one_transaction

_SAID = {
    "seed": "one seed is one history",
    "consents": "how many, of all providers together",
    "days": "how long",
    "providers": "how many; each is simulated by itself",
    "lost": "share of events that never come",
    "delayed": "share that comes minutes to a day late",
    "lapsed": "share that comes so late that its token is no longer valid",
    "repeated": "share that comes again",
    "silent_every_days": "how far silences of a channel are apart; 0: none",
    "away_every_days": "how far outages of an API are apart; 0: none",
    "throttled_every_days": "how far times of 429 are apart; 0: none",
    "failing": "share of questions answered with 5xx at any time",
    "lagging": "share of questions answered from a copy up to a minute old",
    "requests_per_second": "how often a provider may be asked",
    "daily_requests": "how often in a day; 0: no limit",
    "base_interval": "seconds between two questions about a consent in use",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for one in fields(Options):
        name, default = f"--{one.name.replace('_', '-')}", one.default
        parser.add_argument(name, type=type(default), default=default, help=_SAID[one.name])
    parser.add_argument("--store", choices=["memory", "sqlite"], default="memory", help="where it is kept")
    parser.add_argument("--jobs", type=int, default=2, help="how many providers at a time, each in a process")
    parser.add_argument("--shrink", action="store_true", help="make the first thing that broke as small as can be")
    chosen = parser.parse_args()
    options = Options(**{one.name: getattr(chosen, one.name) for one in fields(Options)})
    begin = time.perf_counter()
    whole = scenarios(options)
    one_of_them = partial(simulated, store=chosen.store)
    with ProcessPoolExecutor(max(1, min(chosen.jobs, len(whole)))) as pool:
        outcomes = list(pool.map(one_of_them, whole))
    found = {"options": asdict(options), "store": chosen.store, **report(outcomes)}
    found["took_seconds"] = round(time.perf_counter() - begin, 1)
    print(json.dumps(found, indent=2))
    broken = [(scenario, outcome.broken) for scenario, outcome in zip(whole, outcomes, strict=True) if outcome.broken]
    if broken and chosen.shrink:
        print(told(shrunk(broken[0][0], broken[0][1][0])), file=sys.stderr)
    sys.exit(1 if broken else 0)


def simulated(scenario: Scenario, store: str) -> Outcome:
    with place(store) as opened:
        outcome = run(scenario, opened)
        outcome.journal = [None] * len(outcome.journal)  # type: ignore[list-item] # how long it is, is all that is told
        return outcome


@contextmanager
def place(store: str) -> Iterator[OpenStore]:
    """Where one provider's run keeps what it keeps."""
    if store == "memory":
        yield in_memory
        return
    folder = Path(tempfile.mkdtemp(prefix="simulation-"))
    try:
        path = folder / "tracker.db"
        with one_transaction(path) as connection:
            migrate.upgrade(connection)
        yield on_disk(path)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
