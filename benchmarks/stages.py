"""What each stage of an event's way costs, in µs of CPU: the service's own parts in this process, one stage after another.

    python -m benchmarks.stages [--database URL] [--batch 256] [--batches 8] [--in-flight 32]

Each stage runs by itself, on batches as a loaded service makes them; what the stages do not add up to in `benchmarks.ingest`
is HTTP, hand-offs between threads, and what runs beside. `server` is the CPU of PostgreSQL. Prints one JSON object.
"""

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.machine import Database, database, description, raw_rsa_microseconds
from tests.e2e.service import Service, an_event, issuer
from tracker.app.composition import Tracker, build
from tracker.app.database import require_schema, upgrade_database
from tracker.cli.serve import GC_THRESHOLDS
from tracker.ports import InboxItem
from tracker.settings import load_settings
from tracker.usecases.heard import Opened
from tracker.usecases.opening import Opener
from tracker.usecases.record import Recorder
from tracker.usecases.register import Registration

_START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--database", help="`postgresql:` starts a server; or the URL of one. Without: SQLite")
    options.add_argument("--batch", type=int, default=256)
    options.add_argument("--batches", type=int, default=8)
    options.add_argument("--in-flight", type=int, default=32)
    options.add_argument("--consents", type=int, default=1000)
    options.add_argument("--payload-bytes", type=int, default=2500, help="size of the claims")
    chosen = options.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    with database(chosen.database) as place:
        print(json.dumps(asyncio.run(run(chosen, place)), indent=2))


async def run(options: argparse.Namespace, place: Database) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="stages-") as folder:
        async with issuer() as issuer_url:
            service = Service(Path(folder), issuer_url, postgres=place.url)
            settings = load_settings(service.environment)
            if place.url is not None:
                await asyncio.to_thread(upgrade_database, settings, "head")
            await asyncio.to_thread(require_schema, settings)
            async with build(settings) as tracker:
                return await measure(tracker, issuer_url, options, place)


async def measure(tracker: Tracker, issuer_url: str, options: argparse.Namespace, place: Database) -> dict[str, object]:
    await tracker.services.registrar.register_many(
        [Registration(provider="demobank", kind="account-access", consent_id=f"c{n}") for n in range(options.consents)]
    )
    await tracker.holders.refresh(tracker.providers.require("demobank"))
    raw = raw_rsa_microseconds()
    bodies = [
        an_event(
            issuer_url,
            f"c{n % options.consents}",
            ("Authorized", "Suspended")[n // options.consents % 2],
            (_START + timedelta(seconds=n)).isoformat(),
            time.time(),
            size=options.payload_bytes,
        )
        for n in range(options.batch * (options.batches + 1))
    ]
    stages = Stages(tracker, options, place)
    await stages.all(bodies[: options.batch])  # the first batch fills caches
    stages.spent.clear()
    for n in range(1, options.batches + 1):
        await stages.all(bodies[n * options.batch : (n + 1) * options.batch])
    events = options.batch * options.batches
    told = {
        name: {who: None if s is None else round(s / events * 1e6, 1) for who, s in spent.items()}
        for name, spent in stages.spent.items()
    }
    raw = (raw + raw_rsa_microseconds()) / 2
    ours = sum(spent["ours"] for spent in stages.spent.values()) / events * 1e6
    return {
        "machine": description(),
        "versions": place.version(),
        "events": events,
        "batch": options.batch,
        "in_flight": options.in_flight,
        "us_per_event": told,
        "sum_us_per_event": round(ours, 1),
        "raw_rsa_us_per_event": round(raw, 1),
        "sum_over_raw_rsa": round(ours / raw, 2),
    }


class Stages:
    """Takes batches through the stages and adds up what each costs."""

    def __init__(self, tracker: Tracker, options: argparse.Namespace, place: Database) -> None:
        self._tracker = tracker
        self._in_flight = options.in_flight
        self._place = place
        self.spent: dict[str, dict[str, Any]] = {}

    async def all(self, bodies: list[bytes]) -> None:
        tracker = self._tracker
        opener: Opener = tracker.opening._opener  # noqa: SLF001 - the stage by itself
        recorder: Recorder = tracker.opening._recorder  # noqa: SLF001
        store, now, ids = tracker.store, tracker.world.clock.now, tracker.world.ids
        items = [
            InboxItem(id=ids.ordered(), profile="uae-v2.1", body=body, received_at=now(), interaction_id=ids.random())
            for body in bodies
        ]
        waiting = iter(items)

        async def one_client() -> None:
            for item in waiting:
                await store.admit(item)

        async def admit() -> None:
            await asyncio.gather(*(one_client() for _ in range(self._in_flight)))

        async def open_all() -> list[Opened]:
            return [
                Opened(inbox_id=item.id, interaction_id=item.interaction_id, outcome=opener.open(item))  # type: ignore[arg-type]
                for item in items
            ]

        await self._timed("keep in the inbox", admit)
        found = await self._timed("read the inbox", lambda: store.claim_inbox(now(), len(bodies), 0))
        assert len(found) == len(bodies)
        opened = await self._timed("open", open_all)
        entries = await self._timed("judge and record", lambda: recorder.record(opened))
        assert len(entries) >= len(bodies) // 2

    async def _timed(self, stage: str, deed: Callable[[], Awaitable[Any]]) -> Any:
        server = self._place.cpu_seconds()
        begin = time.process_time()
        done = await deed()
        spent = self.spent.setdefault(stage, {"ours": 0.0, "server": None if server is None else 0.0})
        spent["ours"] += time.process_time() - begin
        if server is not None:
            spent["server"] += (self._place.cpu_seconds() or 0.0) - server
        return done


if __name__ == "__main__":
    main()
