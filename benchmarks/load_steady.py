"""Steady: from an event's instant to the subscriber, and look-ups meanwhile; each by itself and all together."""

import argparse
import asyncio
import json
import time
from datetime import datetime
from itertools import count

from benchmarks.deployed import Deployment, badly_signed, until
from benchmarks.premade import Key, Premade
from benchmarks.sending import Sent, at_rate, quantiles_ms
from benchmarks.wire import Asker, Told, paced, sink

_OK = 200
_TOLD_WITHIN_SECONDS = 30.0


def add_options(mode: argparse.ArgumentParser) -> None:
    mode.add_argument("--rate", type=float, default=200.0, help="events a second")
    mode.add_argument("--lookups", type=float, nargs="*", default=[0.0, 100.0, 500.0], help="a second, by turns")
    mode.add_argument("--seconds", type=float, default=15.0, help="how long each turn is")
    mode.add_argument("--rounds", type=int, default=1)


async def measure(deployment: Deployment, premade: Premade, options: argparse.Namespace) -> dict[str, object]:
    told: list[Told] = []
    turns = []
    async with sink(told.append) as url:
        secret = await deployment.subscribe(url)
        steady = Steady(deployment, premade, told)
        await steady.turn(options.rate, min(options.lookups), min(5.0, options.seconds))  # caches and connections
        everything: set[Key] = set()
        for _ in range(options.rounds):
            for rate, lookups in [(0.0, max(options.lookups)), *((options.rate, one) for one in options.lookups)]:
                told.clear()
                turn = await steady.turn(rate, lookups, options.seconds)
                turns.append(turn | {"badly_signed": badly_signed(told, secret)})
                everything |= steady.accepted
    return {
        "method": "open loop: each from the instant at which it was due",
        "turns": turns,
        "lost": await deployment.lost(everything),
    }


class Steady:
    """Takes turns, each with so many events and look-ups a second.

    Attributes:
        accepted: The events of the last turn that were answered 202.
    """

    def __init__(self, deployment: Deployment, premade: Premade, told: list[Told]) -> None:
        self._deployment = deployment
        self._premade = premade
        self._told = told
        self._numbers = count()
        self.accepted: set[Key] = set()

    async def turn(self, rate: float, lookups: float, seconds: float) -> dict[str, object]:
        deployment = self._deployment
        events = await asyncio.to_thread(self._premade.make, deployment.issuer_url, round(rate * seconds))
        sent, looked, receiver = Sent(), [], Asker(deployment.receiver.url)
        api = Asker(deployment.api.url, headers=f"Authorization: Bearer {deployment.key}\r\n")

        async def look(_: int, planned: float) -> None:
            name = f"c{next(self._numbers) * 7919 % self._premade.consents}"
            status = await api.ask("GET", f"/v1/consents/demobank/{name}")
            looked.append((time.monotonic() - planned, status))

        before = deployment.usage()
        await asyncio.gather(
            at_rate(receiver, events, rate, sent), paced(round(lookups * seconds), lookups or 1.0, look)
        )
        used = deployment.usage()
        await until(lambda: len(self._told) >= len(sent.accepted), _TOLD_WITHIN_SECONDS)
        await deployment.until_worked_off()
        receiver.close()
        api.close()
        self.accepted = set(sent.accepted)
        arrived = {key: at for at, key in map(_told_of, reversed(self._told))}
        answered = [seconds for seconds, status in looked if status == _OK]
        return {
            "events_per_second": rate,
            "lookups_per_second": lookups,
            "statuses": sent.statuses,
            "ack_ms": sent.ack_ms(),
            "receipt_to_sink_ms": quantiles_ms(
                arrived[key] - sent.planned[key] for key in arrived.keys() & self.accepted
            ),
            "ack_to_sink_ms": quantiles_ms(arrived[key] - sent.accepted[key] for key in arrived.keys() & self.accepted),
            "not_told": len(self.accepted - arrived.keys()),
            "lookup_ms": quantiles_ms(answered),
            "lookups_failed": len(looked) - len(answered),
            "load_was_behind_ms": quantiles_ms(sent.behind),
            "cores": used.cores_since(before),
        }


def _told_of(told: Told) -> tuple[float, Key]:
    data = json.loads(told.body)["data"]
    return told.at, (data["consent_id"], datetime.fromisoformat(data["status_date_time"]))
