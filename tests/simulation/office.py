"""The tracker's own people, hired for one simulated provider. The one place that knows how the product is put together.

What is added to the product is plugged in here: who keeps the budget (`Asker`'s arguments), who decides that a channel is quiet
(`condition`), what else is done now and then (`chores`), and what makes a question due sooner or later (`due_at`).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.simulation.chance import Options
from tests.simulation.holders import CLIENT_ID, OneKey, OpenEnvelopes, issuer_of
from tests.simulation.witness import Notes, Saved
from tests.usecases.bench import UAE
from tracker.domain.condition import Condition
from tracker.domain.consent import ProviderId
from tracker.domain.hearing import PROBED_FOR
from tracker.domain.schedule import Pace, Tempo
from tracker.ports import Clock, HolderApi, Provider
from tracker.usecases.ask import Asker
from tracker.usecases.budget import Budget
from tracker.usecases.expire import Expiry
from tracker.usecases.opening import Opener
from tracker.usecases.providers import Providers
from tracker.usecases.pulse import Conditions, Pulse
from tracker.usecases.record import Recorder
from tracker.usecases.recording import Office
from tracker.usecases.register import Registrar
from tracker.usecases.siblings import Siblings
from tracker.usecases.wake import Bell
from tracker.usecases.watch import Watch


class SeededEntropy:
    """`ports.Entropy` that is the same in every run."""

    def __init__(self, seed: str) -> None:
        self._chance = Random(seed)

    def token(self, size: int) -> bytes:
        """So many bytes."""
        return self._chance.randbytes(size)

    def fraction(self) -> float:
        """A number from 0 up to 1."""
        return self._chance.random()


class CountedIds:
    """`ports.Ids` that are the same in every run."""

    def __init__(self) -> None:
        self._made = 0

    def ordered(self) -> str:
        """Make a UUIDv7."""
        return self._next(7)

    def random(self) -> str:
        """Make a UUIDv4."""
        return self._next(4)

    def _next(self, version: int) -> str:
        self._made += 1
        return f"0198f1c0-0000-{version}000-8000-{self._made:012x}"


@dataclass(frozen=True, kw_only=True)
class Chore:
    """A deed that the worker looks at now and then; here only when there may be something to do.

    Attributes:
        run: One look.
        every_seconds: How often the worker looks.
        wanted: When there may be something to do, by what was just written.
        again_seconds: Also so long after each look; None: not by itself.
    """

    run: Callable[[], Awaitable[object]]
    every_seconds: float
    wanted: Callable[[Notes, datetime], Iterable[datetime]] = lambda *_: ()
    again_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Staff:
    """Who does what.

    Attributes:
        due_at: When a question is due, by what was saved of its consent.
        condition: How the tracker takes the provider to be; `quiet` and `probed` say that it fears its channel silent.
        chores: What is done besides asking and letting the clock speak.
    """

    provider: Provider
    registrar: Registrar
    opener: Opener
    recorder: Recorder
    asker: Asker
    expiry: Expiry
    ask_bell: Bell
    due_at: Callable[[Saved], datetime | None]
    condition: Callable[[], Condition]
    chores: Sequence[Chore] = ()


def earliest_of(saved: Saved, tempo: Tempo) -> datetime | None:
    """When a consent is asked about next: the earliest of its lines, in the provider's condition."""
    times = [saved.due.get(line) for line in _LINES]
    steady = saved.due.get("steady_ask_at")
    if steady is not None:
        times.append(steady - tempo.earlier.get(saved.decision.status, timedelta()))
    suspected, held = saved.consent.asking.suspected_at, saved.consent.asking.not_before
    if suspected is not None:
        times.append(max(suspected, held) if held is not None else suspected)
    return min((time for time in times if time is not None), default=None)


_LINES = ("next_ask_at", "urgent_ask_at", "queued_ask_at")


def hire(name: str, store: Any, holder: HolderApi, clock: Clock, options: Options) -> Staff:
    """Put the product's use cases together as its composition root does."""
    provider = Provider(
        id=ProviderId(name),
        profile=UAE,
        client_id=CLIENT_ID,
        issuer=issuer_of(name),
        resource_url=f"https://rs1.{name}.example",
        api_version=UAE.default_api_version,
        requests_per_second=options.requests_per_second,
        daily_requests=options.daily_requests,
    )
    providers = Providers([provider])
    base = timedelta(seconds=options.base_interval)
    pace = Pace(authorized=base, suspended=base)
    entropy = SeededEntropy(f"{options.seed} {name} jitter")
    conditions, pulse = Conditions(store, clock), Pulse(store, clock)
    office = Office(
        providers=providers,
        clock=clock,
        ids=CountedIds(),
        entropy=entropy,
        pace=pace,
        condition_of=conditions.of,
    )
    journal, asks = Bell(), Bell()
    watch = Watch(store, office, journal, grace=_GRACE)
    siblings = Siblings(store, office, asks)

    async def look_after() -> None:
        await pulse.write()
        await watch.run_once()
        await conditions.refresh()

    return Staff(
        provider=provider,
        registrar=Registrar(store, office, journal, asks),
        opener=Opener(providers, OpenEnvelopes(), OneKey()),
        recorder=Recorder(store, office, journal, asks, pulse=pulse),
        asker=Asker(store, office, holder, Budget(store, clock), journal, asks),
        expiry=Expiry(store, office, journal, asks),
        ask_bell=asks,
        due_at=lambda saved: earliest_of(saved, office.tempo(provider.id)),
        condition=lambda: conditions.of(provider.id),
        chores=(
            Chore(
                run=look_after,
                every_seconds=5,
                wanted=_to_be_watched,
                again_seconds=300 if options.daily_requests else None,
            ),
            Chore(run=siblings.run_once, every_seconds=1, wanted=_siblings_wanted),
        ),
    )


_GRACE = timedelta(seconds=300)


def _to_be_watched(notes: Notes, now: datetime) -> Iterable[datetime]:
    """What was told is read at the next look; what is decided after the grace, and when a probe is over."""
    return (now, now + _GRACE, now + PROBED_FOR) if notes.entries else ()


def _siblings_wanted(notes: Notes, now: datetime) -> Iterable[datetime]:
    return (at for saved in notes.saved if (at := saved.consent.asking.siblings_wanted_at) is not None)


QUIET_WITHIN = timedelta(minutes=15)
"""So soon after the first poll that finds a move a wholly silent channel is to be noticed."""
