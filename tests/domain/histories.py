"""Holders that keep to the rules, what becomes of their word on the way to us, and reports that are true to nobody.

True time is an aware instant. A holder stamps its moves with its own clock, cut to whole seconds or not. Events are
lost, late, repeated, opened late and out of order; polls read the record, perhaps a copy of it that lags behind. Our
own clock may step back and forth; the order in which we record is the true one all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from tests.domain.kinds import AU, AW, EX, KINDS, RV, SU
from tests.domain.reports import START
from tracker.domain.consent import Channel, Status
from tracker.domain.moves import Rules
from tracker.domain.report import Report

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Move:
    """One move of a holder.

    Attributes:
        at: When, truly.
        status: To what.
        status_date_time: What the holder's clock said.
    """

    at: datetime
    status: Status
    status_date_time: datetime


@dataclass(frozen=True)
class Holder:
    """A holder's true record of one consent."""

    kind: str
    moves: tuple[Move, ...]
    expiry: datetime

    @property
    def rules(self) -> Rules:
        return KINDS[self.kind]

    @property
    def final(self) -> Move:
        return self.moves[-1]

    def record_at(self, instant: datetime) -> Move | None:
        """What it would answer."""
        return next((m for m in reversed(self.moves) if m.at <= instant), None)


@dataclass(frozen=True)
class Delivery:
    """An event on its way: of which move, how long it takes, how long we leave it unopened, whether it is a repeat."""

    move: int
    delay: timedelta
    unopened: timedelta
    is_repeat: bool


@dataclass(frozen=True)
class Question:
    """A poll: when it is asked, how long the answer takes, how far behind the copy is that is read."""

    asked: datetime
    latency: timedelta = SECOND / 5
    lag: timedelta = timedelta()


@dataclass(frozen=True)
class World:
    """A holder, and all that reaches us of it."""

    holder: Holder
    deliveries: tuple[Delivery, ...] = ()
    questions: tuple[Question, ...] = ()
    steps_of_our_clock: tuple[tuple[datetime, timedelta], ...] = ()

    def our_time(self, instant: datetime) -> datetime:
        """What our clock shows."""
        offsets = [offset for since, offset in self.steps_of_our_clock if since <= instant]
        return instant + (offsets[-1] if offsets else timedelta())

    def with_last_question(self, wait: timedelta) -> "World":
        """Ask once more, so long after everything else was recorded."""
        over = [self.holder.final.at, *(end for end, _ in self._arrivals())]
        last = Question(max(over) + wait)
        return replace(self, questions=(*self.questions, last))

    def reports(self) -> list[tuple[int, Report]]:
        """Everything heard in the order of recording, repeats and all, and of which move of the holder it speaks."""
        return [(said["move"], self._report(said, recorded)) for recorded, said in sorted(self._arrivals(), key=_when)]

    def _arrivals(self) -> Iterator[tuple[datetime, dict[str, Any]]]:
        moves = self.holder.moves
        for n, d in enumerate(self.deliveries):
            received = moves[d.move].at + d.delay
            digest = f"event {d.move}" if d.is_repeat else f"event {d.move}/{n}"
            yield received + d.unopened, {"digest": digest, "move": d.move, "received": received, "n": n}
        in_order = sorted(self.questions, key=lambda q: q.asked)
        for ask, q in enumerate(in_order, 1):
            record = self.holder.record_at(q.asked + q.latency / 2 - q.lag)
            if record is not None:
                received, move, n = q.asked + q.latency, moves.index(record), 1000 + ask
                said = {"digest": f"answer {ask}", "move": move, "received": received, "n": n, "ask": ask}
                yield received, {**said, "asked": q.asked}

    def _report(self, said: dict[str, Any], recorded: datetime) -> Report:
        move, asked = self.holder.moves[said["move"]], said.get("asked")
        return Report(
            digest=said["digest"],
            channel=Channel.WEBHOOK if asked is None else Channel.POLL,
            status=move.status,
            status_date_time=move.status_date_time,
            received_at=self.our_time(said["received"]),
            recorded_at=self.our_time(recorded),
            asks=sum(q.asked < recorded for q in self.questions),
            asked_at=None if asked is None else self.our_time(asked),
            ask=said.get("ask"),
            expiration_date_time=self.holder.expiry,
        )


def _when(arrival: tuple[datetime, dict[str, Any]]) -> tuple[datetime, int]:
    return arrival[0], arrival[1]["n"]


# ------------------------------------------------------------------------------------------------ what may happen

GAPS: Final = st.one_of(
    st.sampled_from(
        [0 * SECOND, SECOND / 1000, 0.4 * SECOND, SECOND, 1.5 * SECOND, MINUTE, 6 * MINUTE, DAY, 200 * DAY]
    ),
    st.integers(0, 3_000_000).map(lambda us: timedelta(microseconds=us)),
)
DELAYS: Final = st.sampled_from([0 * SECOND, SECOND / 7, SECOND, 30 * SECOND, 310 * SECOND, 3 * 3600 * SECOND, 3 * DAY])
LAGS: Final = st.sampled_from([0 * SECOND, SECOND / 2, 20 * SECOND, 299 * SECOND])


@st.composite
def walks(draw: st.DrawFn, rules: Rules, longest: int = 9) -> list[Status]:
    """A legal way through the table, with a liking for being suspended and restored."""
    way = [draw(st.sampled_from([AW, AW, AW, AU]))]
    while len(way) < longest:
        onward = sorted(rules.moves.get(way[-1], ()))
        if not onward or draw(st.integers(0, 5)) == 0:
            break
        way.append(draw(st.sampled_from([s for s in onward if s in {AU, SU}] * 4 + onward)))
    return way


@st.composite
def holders(
    draw: st.DrawFn, *, strict: bool | None = None, takes_back: bool = True, flips: bool = True, skew: bool = True
) -> Holder:
    """A true history of a consent of any kind.

    Args:
        draw: Hypothesis's own.
        strict: Whether no two moves have the same time; drawn if None.
        takes_back: Whether it may go on after an end that can be taken back.
        flips: Whether one that reaches its expiry is flipped to Expired, sooner or (holders are slow) much later.
        skew: Whether the holder's clock may differ from the true time.
    """
    kind = draw(st.sampled_from(sorted(KINDS)))
    strict = draw(st.booleans()) if strict is None else strict
    grain = draw(st.sampled_from([SECOND, SECOND, SECOND / 1000, MICROSECOND]))
    offset = draw(st.sampled_from([0, 0, -30, 30, 1.5])) * SECOND if skew else timedelta()
    expiry = START + draw(st.sampled_from([4000 * DAY, 4000 * DAY, 20 * DAY, 7 * MINUTE, 90 * SECOND]))
    now, moves = START + draw(GAPS), list[Move]()
    for status in draw(walks(KINDS[kind])):
        if moves:
            now += draw(GAPS)
            revives = moves[-1].status.is_terminal  # it needs a later time than the end that it takes back
            if revives and not takes_back:
                break
            if (strict or revives) and _cut(now + offset, grain) <= moves[-1].status_date_time:
                now += grain
        if now >= expiry or _cut(now + offset, grain) >= expiry:
            break
        moves.append(Move(now, status, _cut(now + offset, grain)))
    moves = moves or [Move(START, AW, _cut(START + offset, grain))]
    if flips and moves[-1].status.is_open:
        flip = expiry + draw(st.sampled_from([0 * SECOND, MICROSECOND, 3 * 3600 * SECOND, 2 * DAY]))
        stamp = draw(st.sampled_from([expiry, _cut(flip, grain)]))
        moves.append(Move(flip, EX, max(stamp, moves[-1].status_date_time + grain * strict)))
    return Holder(kind, tuple(moves), expiry)


def _cut(instant: datetime, grain: timedelta) -> datetime:
    return instant - (instant - START) % grain


@st.composite
def worlds(
    draw: st.DrawFn,
    source: st.SearchStrategy[Holder] | None = None,
    *,
    lag: bool = False,
    our_clock_steps: bool = False,
) -> World:
    """What becomes of a holder's word on the way to us. Only of an end that was taken back we always hear, some day."""
    holder = draw(holders() if source is None else source)
    taken_back = [n for n in range(1, len(holder.moves)) if holder.moves[n - 1].status.is_terminal]
    deliveries = [
        Delivery(
            move,
            draw(DELAYS),
            draw(st.sampled_from([0 * SECOND, 0 * SECOND, 400 * SECOND])),
            is_repeat=draw(st.booleans()),
        )
        for move in range(len(holder.moves))
        for _ in range(max(draw(st.sampled_from([0, 1, 1, 1, 2, 3])), move in taken_back))
    ]
    apart = st.sampled_from([-SECOND / 2, 0 * SECOND, SECOND / 10, 1.2 * SECOND, 299 * SECOND, 301 * SECOND, 3 * DAY])
    questions = [
        Question(
            draw(st.sampled_from(holder.moves)).at + draw(apart),
            draw(st.sampled_from([SECOND / 20, SECOND / 5, 3 * SECOND])),
            draw(LAGS) if lag else timedelta(),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    questions = list({q.asked: q for q in questions}.values())
    steps = []
    if our_clock_steps:
        for instant in sorted(draw(st.lists(st.sampled_from([m.at for m in holder.moves]), max_size=3))):
            steps.append((instant, draw(st.sampled_from([0, 3600, -3600, 30])) * SECOND))
    return World(holder, tuple(deliveries), tuple(questions), tuple(steps))


# ------------------------------------------------------------------------------------------------ true to nobody


@st.composite
def hearsay(draw: st.DrawFn, *, longest: int = 10) -> tuple[Rules, list[Report]]:
    """Reports that need not fit together; only the counts of questions are as they would be. In order of recording.

    Half of them are tame: no word that cannot be, no unbelievable time, one expiry, and few ends.
    """
    rules = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    if tame := draw(st.booleans()):
        words, since = st.sampled_from([AW, *[AU] * 5, *[SU] * 4, RV]), st.sampled_from([-5, 0, 0, 1, 1, 2])
        expiries = st.sampled_from([None, START + 900 * DAY, START + 900 * DAY])
    else:
        words = st.sampled_from([*Status, *[AU] * 3, SU, SU])
        since = st.sampled_from([-5, 0, 0, 0.000001, 1, 1, 2, 500, 100_000])
        expiries = st.sampled_from([None, START + 900 * DAY, START + 900 * DAY, START + SECOND, START + 300 * SECOND])
    asks, waiting, now, out = 0, list[tuple[int, datetime]](), START + 5 * SECOND, list[Report]()
    for n in range(draw(st.integers(1, longest))):
        now += draw(st.sampled_from([0, 0.000001, 1, 200, 400])) * SECOND
        rare = [] if tame and draw(st.booleans()) else list(Channel)
        channel = draw(st.sampled_from([*rare, *[Channel.WEBHOOK] * 4, *[Channel.POLL] * 5]))
        question: tuple[int, datetime | None] = (0, None)
        if channel is Channel.POLL:
            for _ in range(draw(st.sampled_from([0, 1, 1, 2])) if waiting else 1):
                asks += 1
                waiting.append((asks, now - draw(st.sampled_from([0, 0.2, 250])) * SECOND))
            question = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
        out.append(
            Report(
                digest=f"report {n}",
                channel=channel,
                status=draw(words),
                status_date_time=START + draw(since) * SECOND,
                received_at=now - (0 if question[1] else draw(st.sampled_from([0, 0, 350]))) * SECOND,
                recorded_at=now,
                asks=asks,
                asked_at=question[1],
                ask=question[0] or None,
                expiration_date_time=draw(expiries),
                revoked_by=draw(st.sampled_from([None, None, "LFI", "TPP"])),
                raw_status=draw(st.sampled_from([None, None, "AUTH"])),
            )
        )
    return rules, out
