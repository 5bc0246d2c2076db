"""What chance makes of a provider: the lives of its consents, and the weather between it and us. All of it from a seed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Final

from tests.simulation.holder import SECOND, Delivery, Fate, Life, Move
from tracker.domain.consent import Status

START: Final = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
AW, AU, SU = Status.AWAITING_AUTHORIZATION, Status.AUTHORIZED, Status.SUSPENDED
RJ, CO, EX, RV = Status.REJECTED, Status.CONSUMED, Status.EXPIRED, Status.REVOKED

Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is simulated. Shares are from 0 to 1.

    Attributes:
        seed: Two runs with one seed are the same.
        consents: How many, of all providers together.
        days: How long.
        providers: How many; each is simulated by itself.
        lost: Share of events that never come.
        delayed: Share that comes minutes to a day late.
        lapsed: Share that comes so late, unchanged, that its token is no longer valid.
        repeated: Share that comes again.
        silent_every_days: How far silences of a provider's channel are apart; 0: there are none.
        away_every_days: The same of outages of its API; 0: there are none.
        throttled_every_days: The same of times in which it answers 429; 0: there are none.
        failing: Share of questions that it answers with 5xx, at any time.
        lagging: Share of questions that it answers from a copy up to a minute old.
        requests_per_second: How often each may be asked.
        daily_requests: How often in one day, for each; 0: as often as one likes.
        base_interval: Seconds between two questions about a consent in use, by the tracker's settings.
    """

    seed: int = 1
    consents: int = 2000
    days: int = 60
    providers: int = 4
    lost: float = 0.05
    delayed: float = 0.02
    lapsed: float = 0.005
    repeated: float = 0.03
    silent_every_days: float = 30.0
    away_every_days: float = 10.0
    throttled_every_days: float = 5.0
    failing: float = 0.002
    lagging: float = 0.1
    requests_per_second: float = 5.0
    daily_requests: int = 0
    base_interval: float = 21_600.0

    @property
    def end(self) -> datetime:
        """When it is over."""
        return START + self.days * DAY


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What stands between a provider and us.

    Attributes:
        silent: When its channel sends nothing, and what was due then is never sent.
        away: When its API gives no answer.
        throttled: When it answers 429.
    """

    silent: tuple[Span, ...] = ()
    away: tuple[Span, ...] = ()
    throttled: tuple[Span, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One provider, its consents and its weather: all that a run hangs on.

    Attributes:
        provider: Its name.
        options: What it was made from.
        lives: Its consents.
        weather: What stands between it and us.
    """

    provider: str
    options: Options
    lives: tuple[Life, ...]
    weather: Weather = field(default_factory=Weather)


def is_in(spans: tuple[Span, ...], instant: datetime) -> bool:
    """Whether an instant lies in one of them."""
    return any(begin <= instant < end for begin, end in spans)


def scenarios(options: Options) -> list[Scenario]:
    """Every provider of a simulation."""
    return [_scenario(options, number) for number in range(options.providers)]


def _scenario(options: Options, number: int) -> Scenario:
    name = f"bank-{number + 1}"
    weather = Random(f"{options.seed} {name} weather")
    count = options.consents // options.providers + (number < options.consents % options.providers)
    skew = Random(f"{options.seed} {name} skew").choice([0, 0, 1, -2, 20]) * SECOND
    return Scenario(
        provider=name,
        options=options,
        lives=tuple(replace(life, skew=skew) for life in _lives(options, name, count)),
        weather=Weather(
            silent=_spans(weather, options, options.silent_every_days, DAY, 4 * DAY),
            away=_spans(weather, options, options.away_every_days, 2 * MINUTE, 6 * HOUR),
            throttled=_spans(weather, options, options.throttled_every_days, MINUTE, 30 * MINUTE),
        ),
    )


def _spans(chance: Random, options: Options, every_days: float, least: timedelta, most: timedelta) -> tuple[Span, ...]:
    spans: list[Span] = []
    at = START
    while every_days > 0:
        at += chance.expovariate(1 / every_days) * DAY
        if at >= options.end:
            break
        length = least * (most / least) ** chance.random()
        spans.append((at, at + length))
        at += length
    return tuple(spans)


# ------------------------------------------------------------------------------------------------ lives


def _lives(options: Options, provider: str, count: int) -> Iterator[Life]:
    """So many lives. Some belong together: a chain of renewals, of which some are revoked as a group."""
    made = 0
    while made < count:
        chance = Random(f"{options.seed} {provider} {made}")
        chain = list(_chain(chance, options, f"{provider}-{made}"))[: count - made]
        made += len(chain)
        yield from chain


def _chain(chance: Random, options: Options, name: str) -> Iterator[Life]:
    created = START + chance.random() * 0.9 * options.days * DAY
    first = _life(chance, options, f"{name}-a", created, None)
    is_renewed = first.kind == "account-access" and AU in {m.status for m in first.moves} and chance.random() < 0.2
    if not is_renewed:
        yield first
        return
    created = max(created + HOUR, first.ended_at - chance.uniform(0, 10) * DAY)
    second = _life(chance, options, f"{name}-b", created, first.consent_id)
    both = [first, second]
    if chance.random() < 0.4:  # the holder revokes the whole group at once
        at = created + chance.uniform(1, 20) * DAY
        both = [_revoked(chance, options, life, at) for life in both]
    yield from both


def _revoked(chance: Random, options: Options, life: Life, at: datetime) -> Life:
    if life.ended_at <= at:
        return life
    moves = tuple(move for move in life.moves if move.at < at)
    if not moves:
        return life
    return replace(life, moves=(*moves, _told(chance, options, Move(at, RV, revoked_by="LFI"))))


def _life(chance: Random, options: Options, name: str, created: datetime, base: str | None) -> Life:
    kind, is_single = chance.choices(
        [("account-access", False), ("payment", True), ("payment", False), ("insurance", False)], [55, 20, 15, 10]
    )[0]
    expires = _whole(created + (DAY if is_single else chance.choice([7, 30, 90, 180, 365]) * DAY))
    moves = list(_moves(chance, kind, created, expires, is_single=is_single))
    several = len(moves) > 1 and moves[1].at - created > HOUR
    return Life(
        consent_id=name,
        kind=kind,
        moves=tuple(_told(chance, options, move) for move in moves),
        expires=expires,
        # Before it is staged, as it should be; or a little later, when its first events are there already.
        registered_at=created + (chance.uniform(0, 60) if chance.random() < 0.05 else -1) * SECOND,
        base_consent_id=base,
        authorization_expires=_whole(created + 5 * DAY) if several else None,
        says_expiry=chance.random() < 0.9,
        is_single=is_single,
    )


def _moves(chance: Random, kind: str, created: datetime, expires: datetime, *, is_single: bool) -> Iterator[Move]:
    yield Move(created, AW)
    journey = chance.random()
    at = created + chance.lognormvariate(4.5, 0.8) * SECOND  # around a minute and a half at the holder's pages
    if journey < 0.07:  # nobody comes back: mostly it stays as it is until its expiry
        if chance.random() < 0.5:
            yield from _flip(chance, expires)
        return
    if journey < 0.15:
        yield Move(at, RJ)
        return
    if journey < 0.2 and kind == "payment" and not is_single:  # several people must authorize
        at = created + chance.uniform(0.1, 4) * DAY
    yield Move(at, AU)
    ends = at + chance.random() * (expires - at)
    how = chance.random()
    if is_single:
        if how < 0.9:
            yield Move(at + chance.lognormvariate(2, 1) * SECOND, CO)
            return
        yield from [Move(ends, RV, revoked_by="LFI")] if how < 0.95 else _flip(chance, expires)
        return
    if how > 0.55:
        ends = expires
    yield from _suspensions(chance, at, ends)
    if how <= 0.45 or kind != "payment":
        by = chance.choice(["LFI", "LFI.InitiatedByUser", "TPP.InitiatedByUser"])
        yield from [Move(ends, RV, revoked_by=by)] if ends < expires else _flip(chance, expires)
    else:
        yield from [Move(ends, CO)] if ends < expires else _flip(chance, expires)


def _suspensions(chance: Random, begin: datetime, end: datetime) -> Iterator[Move]:
    """Suspended and restored, now and then; some stay suspended to the end."""
    cuts = sorted(begin + chance.random() * (end - begin) for _ in range(2 * chance.choice([0, 0, 0, 1, 1, 3])))
    if cuts and chance.random() < 0.2:
        cuts.pop()
    status = AU
    for one, other in pairwise([*cuts, end]):
        if other - one > MINUTE:
            status = SU if status is AU else AU
            yield Move(one, status)


def _flip(chance: Random, expires: datetime) -> Iterator[Move]:
    """Holders are slow to flip what has expired, and some never do."""
    how = chance.random()
    if how < 0.85:
        late = chance.uniform(0, 3) * SECOND if how < 0.5 else chance.uniform(0.01, 48) * HOUR
        yield Move(expires + late, EX)


def _told(chance: Random, options: Options, move: Move) -> Move:
    """Decide what becomes of the event about a move."""
    if move.status is AW and chance.random() < 0.7:  # mostly nobody sends one when a consent comes into being
        return replace(move, fate=Fate.NONE)
    drawn = chance.random()
    promptly = chance.lognormvariate(-0.7, 0.5) * SECOND
    chances = ((Fate.LOST, options.lost), (Fate.DELAYED, options.delayed), (Fate.LAPSED, options.lapsed))
    fate = Fate.PROMPT
    for one, share in chances:
        if 0 <= drawn < share:
            fate = one
        drawn -= share
    match fate:
        case Fate.LOST:
            return replace(move, fate=fate)
        case Fate.DELAYED:
            late = MINUTE * (DAY / MINUTE) ** chance.random()
            deliveries = [Delivery(late, late)]
        case Fate.LAPSED:
            deliveries = [Delivery(15 * MINUTE + chance.random() * DAY, promptly)]
        case _:
            deliveries = [Delivery(promptly, promptly)]
    if chance.random() < options.repeated:
        again = deliveries[0].after + chance.lognormvariate(3, 2) * SECOND
        deliveries.append(Delivery(again, again))
    return replace(move, fate=fate, deliveries=tuple(deliveries))


def _whole(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
