"""Burst: ten times what can be recorded, for ten seconds, on an idle service; and how soon it is as before."""

import argparse
import asyncio
import time
from collections.abc import Sequence

from benchmarks.deployed import Deployment
from benchmarks.premade import Event, Premade
from benchmarks.sending import ACCEPTED, Sent, at_rate, flat_out, quantiles_ms
from benchmarks.wire import Asker

_PROBE_RATE = 20.0
_BEFORE_SECONDS = 6.0
_AFTER_SECONDS = 40.0
_WORSE = 2.0
_GOOD_SECONDS = 0.025
_SATURATING_SECONDS = 6.0
_GUESSED_RATE = 600
_FEW = 20  # the others' events go on coming


def add_options(mode: argparse.ArgumentParser) -> None:
    mode.add_argument("--seconds", type=float, default=10.0, help="how long the burst is")
    mode.add_argument("--times", type=float, default=10.0, help="how many times saturation it is")
    mode.add_argument("--saturation", type=float, help="events a second; without: it is measured first")
    mode.add_argument("--connections", type=int, default=256, help="over so many the burst comes")


async def measure(deployment: Deployment, premade: Premade, options: argparse.Namespace) -> dict[str, object]:
    saturation = options.saturation or await saturate(deployment, premade)
    rate = options.times * saturation
    issuer_url = deployment.issuer_url
    burst_events = await asyncio.to_thread(premade.make, issuer_url, round(rate * options.seconds))
    seconds = _BEFORE_SECONDS + options.seconds + _AFTER_SECONDS
    probe_events = await asyncio.to_thread(premade.make, issuer_url, round(_PROBE_RATE * seconds))
    probes, burst = Sent(), Sent()
    probing = Asker(deployment.receiver.url)
    before = deployment.usage()
    others = asyncio.create_task(at_rate(probing, probe_events, _PROBE_RATE, probes))
    await asyncio.sleep(_BEFORE_SECONDS)
    began = time.monotonic()
    unsent = await _burst(deployment, options, rate, burst_events, burst)
    ended = time.monotonic()
    waited = asyncio.create_task(_worked_off_after(deployment, ended))
    await others
    used = deployment.usage()
    probing.close()
    found = [(planned, answered - planned, status) for planned, answered, status in probes.answers]
    usual = [late for at, late, _ in found if at < began]
    limit = max(_GOOD_SECONDS, _WORSE * sorted(usual)[int(len(usual) * 0.95)])
    return {
        "method": f"{_PROBE_RATE:g} events a second all the time; the burst beside them, over {options.connections} connections",
        "saturation_per_second": round(saturation, 1),
        "offered_per_second": round(rate, 1),
        "burst": {**burst.statuses, "found_no_connection": unsent},
        "burst_ack_ms": burst.ack_ms(),
        "probes": probes.statuses,
        "probe_ack_ms": {
            "before": quantiles_ms(usual),
            "during": quantiles_ms([late for at, late, _ in found if began <= at < ended]),
            "after": quantiles_ms([late for at, late, _ in found if at >= ended]),
        },
        "normal_again_after_seconds": _normal_after(found, ended, limit),
        "normal_is_p95_below_ms": round(limit * 1e3, 1),
        "worked_off_after_seconds": await waited,
        "lost": await deployment.lost([*probes.accepted, *burst.accepted]),
        "cores": used.cores_since(before),
    }


async def saturate(deployment: Deployment, premade: Premade) -> float:
    """How many events a second are recorded when 32 are in flight all the time."""
    count = round(_SATURATING_SECONDS * _GUESSED_RATE)
    events = await asyncio.to_thread(premade.make, deployment.issuer_url, count)
    asker, sent = Asker(deployment.receiver.url), Sent()
    began = time.monotonic()
    await flat_out(asker, iter(events), sent)
    await deployment.until_worked_off()
    asker.close()
    return len(sent.accepted) / (time.monotonic() - began)


async def _burst(
    deployment: Deployment, options: argparse.Namespace, rate: float, events: Sequence[Event], sent: Sent
) -> int:
    """Offer events at a rate; each connection takes the next that is due. Gives how many found none before it was over."""
    asker, began = Asker(deployment.receiver.url, most=options.connections), time.monotonic()
    taken = iter(enumerate(events))

    async def one() -> None:
        for n, event in taken:
            due = began + n / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            if time.monotonic() >= began + options.seconds:
                return
            await sent.send(asker, event, time.monotonic())

    await asyncio.gather(*(one() for _ in range(options.connections)))
    asker.close()
    return len(events) - len(sent.answers)


async def _worked_off_after(deployment: Deployment, ended: float) -> float:
    await deployment.until_worked_off_but(_FEW)
    return round(time.monotonic() - ended, 1)


def _normal_after(found: Sequence[tuple[float, float, int]], ended: float, limit: float) -> float | None:
    """How long after the burst the last second ended in which something was refused, or slow more often than usual."""
    seconds: dict[int, list[tuple[float, int]]] = {}
    for at, late, status in found:
        if at >= ended:
            seconds.setdefault(int(at - ended), []).append((late, status))
    bad = [
        second
        for second, theirs in seconds.items()
        if any(status != ACCEPTED for _, status in theirs)
        or sorted(late for late, _ in theirs)[int(len(theirs) * 0.95)] > limit
    ]
    return max(bad) + 1.0 if bad else 0.0
