"""Sending premade events, at a rate or as fast as they are taken, and what was answered when."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.premade import Event, Key
from benchmarks.wire import Asker, paced

ACCEPTED = 202
_PATH = "/webhooks/uae-v2.1"
_PAUSE_SECONDS = 0.1


@dataclass
class Sent:
    """What was sent.

    Attributes:
        planned: The instant at which an event was to be sent, by the monotonic clock.
        accepted: The instant at which it was answered 202.
        answers: Instants planned and of the answer, and its status; 0: none.
        behind: How late each was sent, because this process was: seconds.
    """

    planned: dict[Key, float] = field(default_factory=dict)
    accepted: dict[Key, float] = field(default_factory=dict)
    answers: list[tuple[float, float, int]] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)

    async def send(self, asker: Asker, event: Event, planned: float) -> int:
        self.planned[event.key] = planned
        self.behind.append(time.monotonic() - planned)
        status = await asker.ask("POST", _PATH, event.body)
        now = time.monotonic()
        self.answers.append((planned, now, status))
        if status == ACCEPTED:
            self.accepted[event.key] = now
        return status

    @property
    def statuses(self) -> dict[int, int]:
        return dict(Counter(status for *_, status in self.answers))

    def accepted_between(self, begin: float, end: float) -> int:
        return sum(begin <= at < end for at in self.accepted.values())

    def ack_ms(self) -> dict[str, float]:
        return quantiles_ms(at - planned for planned, at, status in self.answers if status == ACCEPTED)


async def at_rate(asker: Asker, events: Sequence[Event], rate: float, sent: Sent) -> None:
    """Send each at its instant, whether or not those before were answered."""

    async def one(n: int, planned: float) -> None:
        await sent.send(asker, events[n], planned)

    await paced(len(events), rate, one)


async def flat_out(asker: Asker, events: Iterator[Event], sent: Sent, *, width: int = 32) -> None:
    """Keep so many in flight until there are no more; one that is refused or not answered is not sent again."""

    async def one() -> None:
        for event in events:
            if await sent.send(asker, event, time.monotonic()) != ACCEPTED:
                await asyncio.sleep(_PAUSE_SECONDS)

    await asyncio.gather(*(one() for _ in range(width)))


def quantiles_ms(seconds: "Iterator[float] | Sequence[float]") -> dict[str, float]:
    """Half, most and nearly all of them, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1e3, 2)
        for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    }
