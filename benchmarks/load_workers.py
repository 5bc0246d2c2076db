"""Workers: what an event costs with two worker processes beside what it costs with one, by turns, on PostgreSQL."""

import argparse
import asyncio
import statistics
import time

from benchmarks.deployed import Deployment
from benchmarks.premade import Event, Premade
from benchmarks.sending import Sent, at_rate, flat_out
from benchmarks.wire import Asker

_SECOND = "worker-2"
_WARM = 300


def add_options(mode: argparse.ArgumentParser) -> None:
    mode.set_defaults(needs_server=True, split=True, workers=1)
    mode.add_argument("--events", type=int, default=3000, help="in each part")
    mode.add_argument("--rate", type=float, default=200.0, help="events a second in the part that is not flat out")
    mode.add_argument("--rounds", type=int, default=3)


async def measure(deployment: Deployment, premade: Premade, options: argparse.Namespace) -> dict[str, object]:
    parts: dict[str, dict[int, list[dict[str, object]]]] = {"flat_out": {1: [], 2: []}, "at_rate": {1: [], 2: []}}
    for _ in range(options.rounds):  # by turns: a shared machine's speed drifts
        for workers in (1, 2):
            if workers > 1:
                await deployment.start(_SECOND, "worker")
            for name, found in parts.items():
                rate = options.rate if name == "at_rate" else 0.0
                await _part(deployment, premade, _WARM, rate)
                found[workers].append(await _part(deployment, premade, options.events, rate))
            if workers > 1:
                await deployment.stop(_SECOND)
    return {
        "method": "32 in flight, and at a rate; one worker and two by turns; each part until all is recorded",
        "rate": options.rate,
        "ratios": {name: _ratios(found) for name, found in parts.items()},
        "parts": parts,
    }


async def _part(deployment: Deployment, premade: Premade, count: int, rate: float) -> dict[str, object]:
    events: list[Event] = await asyncio.to_thread(premade.make, deployment.issuer_url, count)
    asker, sent = Asker(deployment.receiver.url), Sent()
    before = deployment.usage()
    began = time.monotonic()
    if rate:
        await at_rate(asker, events, rate, sent)
    else:
        await flat_out(asker, iter(events), sent)
    sent_after = time.monotonic() - began
    await deployment.until_worked_off()
    seconds = time.monotonic() - began
    after = deployment.usage()
    asker.close()
    accepted = len(sent.accepted)
    each = {name: cpu - before.ours[name] for name, cpu in after.ours.items() if name in before.ours}
    working = sum(cpu for name, cpu in each.items() if name.startswith("worker"))
    server = None if after.server is None or before.server is None else (after.server - before.server) / accepted
    return {
        "accepted_per_second": round(accepted / sent_after, 1),
        "recorded_per_second": round(accepted / seconds, 1),
        "workers_us_per_event": round(working / accepted * 1e6, 1),
        "ours_us_per_event": round(sum(each.values()) / accepted * 1e6, 1),
        "server_us_per_event": None if server is None else round(server * 1e6, 1),
        "refused": count - accepted,
        "cores": after.cores_since(before),
    }


def _ratios(found: dict[int, list[dict[str, object]]]) -> dict[str, float]:
    """Two over one, of the medians."""

    def middle(workers: int, name: str) -> float:
        return statistics.median(float(str(one[name])) for one in found[workers])

    names = ("workers_us_per_event", "ours_us_per_event", "recorded_per_second")
    return {name: round(middle(2, name) / middle(1, name), 3) for name in names}
