"""What a flood does to the service, and to a holder's events in the middle of it.

    python -m benchmarks.flood [--bodies 10000] [--connections 3000] [--rate 20] [--seconds 8]

The real service in a process of its own. In each part strangers do one thing, twice over, while a holder's events come at a
rate; their answers are timed from the instant at which each was due. Prints one JSON object.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.e2e import flood
from tests.e2e.service import Service, issuer

_PRESSED = """[receiver]
inbox_max_events = 2000
[log]
level = "info"
"""
_USUAL = """[log]
level = "info"
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bodies", type=int, default=10_000)
    options.add_argument("--connections", type=int, default=3_000)
    options.add_argument("--rate", type=float, default=20.0, help="genuine events a second meanwhile")
    options.add_argument("--seconds", type=float, default=8.0, help="how long connections are held open, twice")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(asyncio.run(run(options.parse_args())), indent=2))


async def run(options: argparse.Namespace) -> dict[str, object]:
    bad, junk = flood.bad_bodies(), flood.junk()
    largest = flood.junk(size=47_000)
    count, seconds = options.connections, options.seconds
    parts: dict[str, tuple[str, Callable[[Service], Awaitable[object]]]] = {
        "nothing": (_USUAL, lambda _: asyncio.sleep(5)),
        "bad bodies": (_USUAL, lambda s: flood.post_all(s, bad, options.bodies // 2)),
        "junk that passes the door": (_USUAL, lambda s: flood.post_all(s, junk, options.bodies // 2)),
        "the same, 64 KiB each": (_USUAL, lambda s: flood.post_all(s, largest, options.bodies // 8)),
        "junk, inbox of 2000": (_PRESSED, lambda s: flood.post_all(s, junk, options.bodies // 2, in_flight=128)),
        "slow bodies": (
            _USUAL,
            lambda s: flood.hold_open(s, count, first=flood.SLOW_BODY, dribble=b"x", seconds=seconds),
        ),
        "slow headers": (
            _USUAL,
            lambda s: flood.hold_open(s, count, first=flood.SLOW_HEADER, dribble=b"x", seconds=seconds),
        ),
        "connections that say nothing": (
            _USUAL,
            lambda s: flood.hold_open(s, count, first=b"", dribble=b"", seconds=seconds),
        ),
    }
    found: dict[str, object] = {
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": sys.version.split()[0]}
    }
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        async with issuer() as issuer_url:
            for n, (name, (sections, deed)) in enumerate(parts.items()):
                place = Path(folder, str(n))
                place.mkdir()  # noqa: ASYNC240 - nothing else runs yet
                found[name] = await measure(Service(place, issuer_url, sections), issuer_url, deed, options.rate)
                print(name, json.dumps(found[name]), file=sys.stderr)
    return found


async def measure(
    service: Service, issuer_url: str, deed: Callable[[Service], Awaitable[object]], rate: float
) -> dict[str, object]:
    await service.start()
    try:
        async with flood.genuine_events(service, issuer_url, label="before", rate=rate):
            await asyncio.sleep(3)
        await service.until_worked_off()
        before, begin = flood.resident_megabytes(service), time.monotonic()
        async with flood.genuine_events(service, issuer_url, label="meanwhile", rate=rate) as told:
            outcome = [await deed(service)]
            halfway = flood.resident_megabytes(service)
            outcome.append(await deed(service))
            took = time.monotonic() - begin
        await service.until_worked_off(300)
        worked_off = time.monotonic() - begin - took
        async with flood.genuine_events(service, issuer_url, label="after", rate=rate) as later:
            await asyncio.sleep(2)
        await service.until_worked_off()
        kept = service.rows("SELECT count(*), coalesce(sum(length(body)), 0) FROM quarantine")[0]
        return {
            "outcome": outcome,
            "seconds": round(took, 1),
            "genuine": {
                "answers": {str(status): len(sent) for status, sent in told.sent.items()},
                "ack_ms_p50": told.milliseconds(0.5),
                "ack_ms_p99": told.milliseconds(0.99),
                "lost": told.lost(service),
            },
            "not_ready": told.not_ready,
            "worked_off_after_seconds": round(worked_off, 1),
            "genuine_refused_afterwards": sum(len(sent) for status, sent in later.sent.items() if status != 202),  # noqa: PLR2004
            "resident_mb": {"before": before, "halfway": halfway, "after": flood.resident_megabytes(service)},
            "quarantine": {"events": kept[0], "megabytes": round(kept[1] / 1e6, 1)},
            "log_kilobytes": round((service.folder / "log.txt").stat().st_size / 1e3, 1),
        }
    finally:
        await service.terminate()


if __name__ == "__main__":
    main()
