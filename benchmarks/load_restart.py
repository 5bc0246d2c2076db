"""Restart: how much is taken and recorded from ten seconds after a restart of PostgreSQL, beside before it."""

import argparse
import asyncio
import statistics
import sys
import time

from benchmarks.deployed import Deployment
from benchmarks.load_burst import saturate
from benchmarks.premade import Key, Premade
from benchmarks.sending import Sent, at_rate, flat_out
from benchmarks.wire import Asker

_LEAD_IN_SECONDS = 2.0
_RECOVERY_SECONDS = 10.0
_ROOM = 1.5  # events are made for so many times what is expected


def add_options(mode: argparse.ArgumentParser) -> None:
    mode.set_defaults(needs_server=True, split=True)
    mode.add_argument("--workers", type=int, default=1)
    mode.add_argument("--seconds", type=float, default=8.0, help="how long before and after are looked at")
    mode.add_argument("--restarts", type=int, default=3, help="of each load; and as many spans without one")
    mode.add_argument("--share", type=float, default=0.6, help="of saturation, for the load that can be carried")


async def measure(deployment: Deployment, premade: Premade, options: argparse.Namespace) -> dict[str, object]:
    saturation = await saturate(deployment, premade)
    loads = {"carried": options.share * saturation, "saturating": 0.0}
    found: dict[str, dict[str, list[dict[str, float]]]] = {name: {"undisturbed": [], "restarted": []} for name in loads}
    lost = 0
    for _ in range(options.restarts):
        for name, rate in loads.items():
            for how, kept in found[name].items():  # by turns: a shared machine's speed drifts
                span, accepted = await _span(
                    deployment, premade, options, rate, saturation, is_restarted=how == "restarted"
                )
                kept.append(span)
                lost += await deployment.lost(accepted)
                print(name, how, span, file=sys.stderr)
    return {
        "method": f"{options.share:g} of saturation, and 24 in flight; {options.seconds:g} s before, and from 10 s after",
        "saturation_per_second": round(saturation, 1),
        "medians": {name: {how: _medians(spans) for how, spans in kinds.items()} for name, kinds in found.items()},
        "all": found,
        "lost": lost,
    }


async def _span(
    deployment: Deployment,
    premade: Premade,
    options: argparse.Namespace,
    rate: float,
    saturation: float,
    *,
    is_restarted: bool,
) -> tuple[dict[str, float], set[Key]]:
    seconds = _LEAD_IN_SECONDS + 2 * options.seconds + _RECOVERY_SECONDS + 3
    count = round((rate or _ROOM * saturation) * seconds)
    events = await asyncio.to_thread(premade.make, deployment.issuer_url, count)
    asker, sent = Asker(deployment.receiver.url), Sent()
    sending = asyncio.create_task(
        at_rate(asker, events, rate, sent) if rate else flat_out(asker, iter(events), sent, width=24)
    )
    await asyncio.sleep(_LEAD_IN_SECONDS)
    before = await _look(deployment, sent, options.seconds)
    if is_restarted:
        await asyncio.to_thread(deployment.place.restart)
    restarted = time.monotonic()
    await asyncio.sleep(_RECOVERY_SECONDS)
    after = await _look(deployment, sent, options.seconds)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    asker.close()
    await deployment.until_worked_off()
    first = min((at for at in sent.accepted.values() if at > restarted), default=restarted)
    figures = {f"{name}_before": value for name, value in before.items()}
    figures |= {f"{name}_after": value for name, value in after.items()}
    figures |= {f"{name}_ratio": round(after[name] / value, 3) for name, value in before.items()}
    figures |= {
        "refused": len(sent.answers) - len(sent.accepted),
        "first_taken_after_ms": round((first - restarted) * 1e3),
    }
    return figures, set(sent.accepted)


async def _look(deployment: Deployment, sent: Sent, seconds: float) -> dict[str, float]:
    began, recorded = time.monotonic(), await deployment.recorded()
    await asyncio.sleep(seconds)
    recorded, ended = await deployment.recorded() - recorded, time.monotonic()
    taken = sent.accepted_between(began, ended)
    return {"taken": round(taken / (ended - began), 1), "recorded": round(recorded / (ended - began), 1)}


def _medians(spans: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(span[name] for span in spans), 3) for name in spans[0]}
