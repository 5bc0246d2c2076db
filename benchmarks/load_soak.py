"""Soak: what a process keeps in memory over very many events, sampled each time so many have been worked off."""

import argparse
import asyncio
import json
import sys
import time

from benchmarks.deployed import Deployment, until
from benchmarks.machine import resident_megabytes
from benchmarks.premade import Key, Premade
from benchmarks.sending import Sent, flat_out
from benchmarks.wire import Asker, Told, sink

_SETTLED = 100_000
_TOLD_WITHIN_SECONDS = 60.0


def add_options(mode: argparse.ArgumentParser) -> None:
    mode.set_defaults(consents=20_000)
    mode.add_argument("--events", type=int, default=1_000_000)
    mode.add_argument("--every", type=int, default=10_000, help="events between two samples")
    mode.add_argument("--workers", type=int, default=1)


async def measure(deployment: Deployment, premade: Premade, options: argparse.Namespace) -> dict[str, object]:
    told = 0

    def count(_: Told) -> None:
        nonlocal told
        told += 1

    begin, samples, accepted = time.monotonic(), [_sample(deployment, 0)], 0
    last: set[Key] = set()
    async with sink(count) as url:
        await deployment.subscribe(url)
        for done in range(0, options.events, options.every):
            number = min(options.every, options.events - done)
            events = await asyncio.to_thread(premade.make, deployment.issuer_url, number)
            sent, asker = Sent(), Asker(deployment.receiver.url)
            await flat_out(asker, iter(events), sent)
            asker.close()
            await deployment.until_worked_off()
            accepted += len(sent.accepted)
            last = set(sent.accepted)
            await until(lambda: told >= accepted, _TOLD_WITHIN_SECONDS)  # noqa: B023 - it is awaited here
            samples.append(_sample(deployment, done + number))
            print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
    recorded = await deployment.recorded()
    return {
        "method": "32 in flight, a subscriber who is told everything; sampled when nothing waits",
        "accepted": accepted,
        "refused": options.events - accepted,
        "recorded": recorded,
        "lost": max(0, accepted - recorded) + await deployment.lost(last),
        "told": told,
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "resident_mb": {name: _judged([sample[name] for sample in samples], options) for name in deployment.processes},
        "samples_mb": samples,
    }


def _sample(deployment: Deployment, events: int) -> dict[str, float]:
    memory = {name: round(resident_megabytes(deployment.pid(name)), 1) for name in deployment.processes}
    return {"events": events, **memory}


def _judged(samples: list[float], options: argparse.Namespace) -> dict[str, float | None]:
    """The most there was, and how much of what there was after the first 100,000 events came on top later."""
    settled = samples[_SETTLED // options.every :]
    return {
        "most": max(samples),
        "at_100000": settled[0] if settled else None,
        "last_over_that": round(settled[-1] / settled[0], 3) if settled else None,
        "most_over_that": round(max(settled) / settled[0], 3) if settled else None,
    }
