"""When to ask the holder about a consent and in which line, and when the clock alone has something to say.

Pure: (consent, what is so, now) → `NextAsk`, the times of which are kept with the consent. What depends on the provider's
condition is not kept: a consent that waits for its base interval is kept with the time of the healthy case, and `tempo` says how
much earlier or later than that it is due now. So when the condition changes, all that is waiting moves with it, and no row
is written.

* Not staged, or awaiting authorization: at once, then at the base interval while somebody may be at the holder's pages; from
  `authorization_overdue` on ever more slowly, at most 96 times a day, after a day 4 times. When the window for authorizing
  ends: at that instant, and 1, 5 and 30 minutes after it.
* Authorized or suspended: at the base interval, of which the provider's condition makes more or less; one for a single use 1, 5
  and 30 minutes after it was authorized besides: mostly it is used then.
* Open, and its expiry has passed: at once, after 1, 5 and 30 minutes, then hourly; once it has been alarming for that the holder
  does not confirm it, four times a day, and after a week of that once a day: some holders never will.
* In doubt: at once, after 5 and 30 seconds, past the settling time, then hourly; one that has ended not hourly.
* Ended, as an event alone has said: once, past the settling time.

A time that lies ahead of our clock was written while that was ahead; it counts as unknown, and then the consent is due now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from tracker.domain.condition import Condition
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import Decision
from tracker.domain.tracked import TrackedConsent

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_AT_EXPIRY: Final = (timedelta(0), _MINUTE, 5 * _MINUTE, 30 * _MINUTE)
_TO_BE_USED: Final = _AT_EXPIRY[1:]
# A doubt is mostly a stale read: it is over with the next answer, or with the first one past the settling time.
_IN_DOUBT: Final = (timedelta(0), timedelta(seconds=5), timedelta(seconds=30))
_AFTER_SETTLING: Final = timedelta(seconds=10)
_OVERDUE_LEAST: Final = 15 * _MINUTE  # 96 times a day
_ABANDONED_LEAST: Final = 6 * _HOUR  # 4 times a day
_UNCONFIRMED_LEAST: Final = 6 * _HOUR  # 4 times a day
_FOR_A_WEEK: Final = 7 * _DAY
_AGE_PART: Final = 8  # one that is overdue is asked about when it has become older by an eighth
_FIRST_BACKOFF: Final = timedelta(seconds=5)
_LONGEST_BACKOFF: Final = 15 * _MINUTE
_BACKOFF_JITTER: Final = 0.1
_TRIES_AFTER_THE_END: Final = 30  # some six hours; then nobody wants to know any more
_QUIET: Final = 0.25
_PROBED: Final = 2 / 3
_MOST_STRETCHED: Final = 1_000.0
_CLOCKS_AGREE: Final = _MINUTE

JITTER: Final = 0.05
"""By this part of them base intervals are spread at random."""
CONFIRMED_WITHIN: Final = _DAY
"""A holder that has not confirmed an expiry after so long is alarming."""

STEADY: Final = (Status.AUTHORIZED, Status.SUSPENDED)
"""The statuses whose base interval depends on the provider's condition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to ask while nothing is wrong.

    Attributes:
        awaiting_authorization: While somebody may be at the holder's pages, authorizing.
        authorized: While it is in use.
        suspended: While the holder has stopped it.
        authorization_overdue: After so long nobody is expected back, and asking slows down.
        revoke_abandoned_after: So long after that the holder is asked to revoke what it still waits for; None: never.
    """

    awaiting_authorization: timedelta = timedelta(seconds=30)
    authorized: timedelta = timedelta(seconds=19_800)
    suspended: timedelta = timedelta(seconds=19_800)
    authorization_overdue: timedelta = timedelta(seconds=900)
    revoke_abandoned_after: timedelta | None = None

    def base(self, status: Status) -> timedelta:
        """The base interval of a status among `STEADY`."""
        return self.suspended if status is Status.SUSPENDED else self.authorized


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """What a provider's condition makes of the times that are kept.

    Attributes:
        earlier: How much before their time those in each status of `STEADY` are due; negative: after it.
        farthest: So far from now the times of those are at most: what lies beyond was timed by a clock that was ahead.
        farthest_else: The same for all other times that are not urgent.
    """

    earlier: Mapping[Status, timedelta] = field(default_factory=dict)
    farthest: Mapping[Status, timedelta] = field(default_factory=dict)
    farthest_else: timedelta | None = None


@lru_cache(maxsize=256)
def tempo(pace: Pace, condition: Condition) -> Tempo:
    """How a provider's condition moves what is scheduled.

    A quiet provider is asked in a quarter of the base interval, one that may be quiet in half of it, one whose budget is short in
    `stretch` times as much. The jitter stays that of the base interval, a twentieth of it.
    """
    sooner = _QUIET if condition.quiet else _PROBED if condition.probed else 1
    factor = min(max(1.0, condition.stretch), _MOST_STRETCHED) * sooner
    farthest = {status: pace.base(status) * (1 + JITTER) + _CLOCKS_AGREE for status in STEADY}
    awaiting = pace.awaiting_authorization * (1 + JITTER)
    return Tempo(
        earlier={status: pace.base(status) * (1 - factor) for status in STEADY},
        farthest=farthest,
        # A holder may ask to be left alone for a day.
        farthest_else=max(_DAY, awaiting, *farthest.values()) + _CLOCKS_AGREE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAsk:
    """When to ask about a consent next: each time for itself, the earliest counts. All None when there is nothing to ask.

    Attributes:
        urgent_at: For a reason that cannot wait behind the schedule of others: a doubt, an expiry, somebody who wants to
            know, a customer who is at the holder's pages.
        ordinary_at: For any other reason but the next two.
        steady_at: Because the base interval of an authorized or suspended consent is over, while its provider is healthy.
        queued_at: Alone: it was imported with many others, nothing was heard of it yet, and it waits in their queue.
    """

    urgent_at: datetime | None = None
    ordinary_at: datetime | None = None
    steady_at: datetime | None = None
    queued_at: datetime | None = None

    def due_at(self, status: Status, tempo: Tempo) -> datetime | None:
        """When it is due, by what the condition of its provider makes of it."""
        steady = None if self.steady_at is None else self.steady_at - tempo.earlier.get(status, timedelta())
        return _earliest((self.urgent_at, self.ordinary_at, steady, self.queued_at))


def next_ask(
    consent: TrackedConsent,
    decision: Decision,
    pace: Pace,
    *,
    now: datetime,
    settling: timedelta,
    fraction: float,
    is_single: bool = False,
) -> NextAsk:
    """When to ask about a consent next.

    Args:
        consent: The consent as it now is.
        decision: What is so by the reports that stand.
        pace: The base intervals.
        now: Our clock, which may have been stepped back.
        settling: How long the holder's reads may lag, by its rules.
        fraction: A random number from 0 up to 1, which spreads the base intervals by a twentieth.
        is_single: It is for one use, soon.
    """
    asking = consent.asking
    if decision.status.is_terminal and asking.failures >= _TRIES_AFTER_THE_END:
        return NextAsk()  # a holder may well refuse to speak of what has ended
    times = _Times(consent, now)
    # Whoever asks may die before the answer: then it is asked again.
    ordinary = [times.known(asking.leased_until, _HOUR)]
    urgent: list[datetime | None] = []
    steady: datetime | None = None
    # After its expiry all that there is to ask is whether the holder has noticed.
    is_over = decision.status.is_open and times.is_past(decision.expiration_date_time)
    if decision.status in STEADY and not is_over:
        steady = _steady(times, pace.base(decision.status) * (1 + JITTER * fraction))
        if is_single and decision.status is Status.AUTHORIZED:
            ordinary.append(
                _on_ladder(times.known(consent.learned_at, _CLOCKS_AGREE), _TO_BE_USED, times.asked_at, None)
            )
    elif not decision.status.is_terminal and not is_over and not consent.journey.is_push_refused(decision.status):
        awaiting = _awaiting(times, decision, pace, fraction)
        ordinary.append(awaiting)
        urgent.append(awaiting if _is_somebody_there(times, decision, pace) else None)
    if decision.status.is_open:
        urgent_expiry, ordinary_expiry = _expiry(times, decision)
        urgent.append(urgent_expiry)
        ordinary.append(ordinary_expiry)
    if decision.status is Status.AWAITING_AUTHORIZATION:
        ordinary.append(_on_ladder(consent.authorization_expiration_date_time, _AT_EXPIRY, times.asked_at, None))
    ladder = (*_IN_DOUBT, settling + _AFTER_SETTLING, 3 * settling)
    # An end stands, whatever its holder contradicts: asked a few times, it is left alone.
    later = None if decision.status.is_terminal else _HOUR
    urgent.append(_on_ladder(times.known(asking.doubted_at, _CLOCKS_AGREE), ladder, times.asked_at, later))
    ordinary.append(_confirmation(times, decision, settling))
    # What failed is wanted still, in its turn: after an outage, those that failed in it do not stand before the others.
    (ordinary if asking.failures else urgent).append(times.known(asking.requested_at, _HOUR))
    if asking.failures:
        ordinary.append(steady)
        steady = None  # it holds back, whatever the condition
    not_before = times.not_before
    urgent_at = _not_before(_earliest(urgent), not_before)
    if times.is_queued(decision) and urgent_at is None:
        return NextAsk(queued_at=_not_before(times.registered_at, not_before))
    return NextAsk(urgent_at=urgent_at, ordinary_at=_not_before(_earliest(ordinary), not_before), steady_at=steady)


class _Times:
    """The times of a consent, none of them ahead of our clock but what may be."""

    def __init__(self, consent: TrackedConsent, now: datetime) -> None:
        self.consent = consent
        self.now = now
        asked_at = consent.asking.asked_at
        self.was_ahead = asked_at is not None and asked_at > now + _CLOCKS_AGREE
        self.asked_at = None if self.was_ahead else asked_at
        self.registered_at = min(consent.registered_at, now)
        held_back = consent.asking.not_before
        self.not_before = None if held_back is None or held_back > now + _DAY + _CLOCKS_AGREE else held_back

    def known(self, time: datetime | None, ahead: timedelta) -> datetime | None:
        """A time of ours that is never further ahead than that; one that is means now."""
        return self.now if time is not None and time > self.now + ahead else time

    def is_past(self, time: datetime | None) -> bool:
        return time is not None and time <= self.now

    def is_queued(self, decision: Decision) -> bool:
        is_new = self.consent.asking.asked_at is None and decision.status is Status.NOT_STAGED
        return self.consent.imported and is_new

    @property
    def since(self) -> datetime | None:
        """When the holder last vouched, or was last asked; None: nobody knows, as our clock was ahead."""
        if self.was_ahead:
            return None
        confirmed_at = self.consent.confirmed_at
        times = (self.asked_at, confirmed_at, self.registered_at)
        return min(self.now, max(time for time in times if time is not None))

    @property
    def age(self) -> timedelta | None:
        """How old it was when it was last asked about; None if it never was."""
        if self.asked_at is None:
            return None
        if self.consent.registered_at > self.now + _CLOCKS_AGREE:
            return timedelta.max  # registered while our clock was ahead: nobody is expected any more
        return max(timedelta(), self.asked_at - self.registered_at)


def _steady(times: _Times, interval: timedelta) -> datetime:
    return times.now if times.since is None else times.since + interval


def _is_somebody_there(times: _Times, decision: Decision, pace: Pace) -> bool:
    """Whether a customer may be at the holder's pages at this moment, on the way to or from authorizing."""
    if times.consent.imported or decision.status not in {Status.NOT_STAGED, Status.AWAITING_AUTHORIZATION}:
        return False
    return times.age is None or times.age <= pace.authorization_overdue


def _awaiting(times: _Times, decision: Decision, pace: Pace, fraction: float) -> datetime:
    age, since = times.age, times.since
    if age is None or since is None:
        return times.registered_at
    if times.consent.imported and decision.status is Status.NOT_STAGED:
        interval = pace.authorized  # it is old, and its holder does not know it: it hardly will next time
    elif age > _DAY:
        interval = max(pace.awaiting_authorization, _ABANDONED_LEAST)
    elif times.consent.imported or age > pace.authorization_overdue:
        interval = max(pace.awaiting_authorization, _OVERDUE_LEAST, age / _AGE_PART)
    else:
        interval = pace.awaiting_authorization
    return since + interval * (1 + JITTER * fraction)


def _expiry(times: _Times, decision: Decision) -> tuple[datetime | None, datetime | None]:
    """When to ask whether an open consent has expired: while that is urgent, and once the holder has not said so for long."""
    asked_at, alarm_at = times.asked_at, overdue_from(times.consent)
    step = _on_ladder(decision.expiration_date_time, _AT_EXPIRY, asked_at, None)
    if step is not None or decision.expiration_date_time is None or asked_at is None:
        return step, None
    if alarm_at is None or asked_at < alarm_at:
        return asked_at + _HOUR, None
    return None, asked_at + (_UNCONFIRMED_LEAST if asked_at < alarm_at + _FOR_A_WEEK else _DAY)


def _confirmation(times: _Times, decision: Decision, settling: timedelta) -> datetime | None:
    """When to ask whether an end that came as an event is so."""
    end = decision.report
    if not decision.status.is_terminal or end is None or end.channel is not Channel.WEBHOOK:
        return None
    if any(report.was_asked_after(end) for report in times.consent.summary.standing):
        return None  # asked in the meantime; what contradicts it is a doubt
    due = min(end.received_at, times.now) + settling + _AFTER_SETTLING
    return due if times.asked_at is None or times.asked_at < due else None


def _on_ladder(
    start: datetime | None, steps: Sequence[timedelta], asked_at: datetime | None, later: timedelta | None
) -> datetime | None:
    if start is None:
        return None
    for step in steps:
        if asked_at is None or asked_at < start + step:
            return start + step
    return None if later is None else (asked_at or start) + later


def _earliest(wishes: Iterable[datetime | None]) -> datetime | None:
    return min((wish for wish in wishes if wish is not None), default=None)


def _not_before(due: datetime | None, not_before: datetime | None) -> datetime | None:
    return due if due is None or not_before is None else max(due, not_before)


def hold_back(failures: int, fraction: float) -> timedelta:
    """How long to hold back after so many questions in a row without an answer."""
    doubled: int = 2 ** min(failures - 1, 10)
    backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * doubled)
    return backoff * (1 + _BACKOFF_JITTER * fraction)


def siblings_again_at(learned_at: datetime, settling: timedelta) -> datetime:
    """When to ask about a revoked consent's siblings a second time: reads may lag behind what revoked them all."""
    return learned_at + settling + _AFTER_SETTLING


def overdue_from(consent: TrackedConsent) -> datetime | None:
    """From when on it is alarming that the holder has not confirmed an expiry; None if there is none to confirm.

    It counts from when we began to tell the expiry and to ask about it: not for days in which nobody asked.
    """
    told_at = consent.asking.expiry_told_at
    return None if told_at is None else told_at + CONFIRMED_WITHIN


def next_tick(consent: TrackedConsent, decision: Decision, pace: Pace) -> datetime | None:
    """When the clock alone will have something to tell.

    At the expiry, and when the holder should have confirmed it; when nobody has finished authorizing the consent, and when it
    is to be given up for that.
    """
    not_finished = consent.overdue_from(decision, pace.authorization_overdue)
    if not decision.status.is_open:
        return not_finished
    if consent.told.status is not Status.EXPIRED:
        return _earliest((not_finished, _given_up_tick(consent, decision, pace), decision.expiration_date_time))
    alarm_at = overdue_from(consent)
    is_told = alarm_at is None or (consent.judged_at is not None and consent.judged_at >= alarm_at)
    return _earliest((not_finished, None if is_told else alarm_at))


def _given_up_tick(consent: TrackedConsent, decision: Decision, pace: Pace) -> datetime | None:
    """When a consent is to be given up, or the holder to be asked for that; not while an answer is waited for."""
    due = consent.given_up_from(decision, pace.revoke_abandoned_after)
    if due is None or consent.confirmed_at is None or consent.confirmed_at >= due:
        return due
    wanted_at = consent.asking.requested_at
    return due if wanted_at is None or wanted_at < due else None
