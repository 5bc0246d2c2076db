"""When to ask the holder about a consent, and when the clock alone has something to say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.consent import Status
from tracker.domain.decision import Decision
from tracker.domain.tracked import TrackedConsent

_MINUTE = timedelta(minutes=1)
_AT_EXPIRY = (timedelta(0), _MINUTE, 5 * _MINUTE, 30 * _MINUTE)
# A doubt is mostly a stale read: it is over with the next answer, or with the first one past the settling time.
_IN_DOUBT = (timedelta(0), timedelta(seconds=5), timedelta(seconds=30))
_LATER = timedelta(hours=1)
_FIRST_BACKOFF = timedelta(seconds=5)
_LONGEST_BACKOFF = 15 * _MINUTE
_JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to ask while nothing is wrong.

    Attributes:
        awaiting_authorization: While somebody may be at the holder's pages, authorizing.
        authorized: While it is in use.
        suspended: While the holder has stopped it.
        authorization_overdue: After so long nobody is expected back, and asking slows down; after a day once more.
    """

    awaiting_authorization: timedelta = timedelta(seconds=30)
    authorized: timedelta = timedelta(seconds=19_800)
    suspended: timedelta = timedelta(seconds=19_800)
    authorization_overdue: timedelta = timedelta(seconds=900)


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAsk:
    """When to ask about a consent next. Nothing at all when there is nothing more to ask.

    Attributes:
        at: By the schedule, whatever the reason.
        urgent_at: For a reason that cannot wait behind the schedule of others: a doubt, an expiry, somebody who wants to
            know, a customer who is at the holder's pages. Never before `at`.
        queued_at: Alone: it was imported with many others, nothing was heard of it yet, and it waits in their queue.
    """

    at: datetime | None = None
    urgent_at: datetime | None = None
    queued_at: datetime | None = None


def next_ask(
    consent: TrackedConsent, decision: Decision, pace: Pace, *, settling: timedelta, fraction: float
) -> NextAsk:
    """When to ask about a consent next.

    Args:
        consent: The consent as it now is.
        decision: What is so by the reports that stand.
        pace: The base intervals.
        settling: How long the holder's reads may lag, by its rules.
        fraction: A random number from 0 up to 1, which spreads the base intervals by a tenth.
    """
    asking = consent.asking
    ordinary = [asking.leased_until]  # whoever asks may die before the answer: then the question is asked again
    urgent: list[datetime | None] = []
    (urgent if _somebody_waits(consent, decision, pace) else ordinary).append(
        _by_status(consent, decision, pace, fraction)
    )
    expiry = decision.expiration_date_time
    if decision.status.is_open and expiry is not None:
        urgent.append(_on_ladder(expiry, _AT_EXPIRY, asking.asked_at))
    if asking.doubted_at is not None:
        ladder = (*_IN_DOUBT, settling + timedelta(seconds=10), 3 * settling)
        # An end stands, whatever its holder contradicts: asked a few times, it is left alone.
        later = None if decision.status.is_terminal else _LATER
        urgent.append(_on_ladder(asking.doubted_at, ladder, asking.asked_at, later))
    # What failed is wanted still, in its turn: after an outage, those that failed in it do not stand before the others.
    (ordinary if asking.failures else urgent).append(asking.requested_at)
    urgent_at = _earliest(urgent, asking.not_before)
    if consent.imported and asking.asked_at is None and decision.status is Status.NOT_STAGED and urgent_at is None:
        return NextAsk(queued_at=_earliest([consent.registered_at], asking.not_before))
    return NextAsk(at=_earliest([*ordinary, *urgent], asking.not_before), urgent_at=urgent_at)


def _earliest(wishes: Sequence[datetime | None], not_before: datetime | None) -> datetime | None:
    due = min((wish for wish in wishes if wish is not None), default=None)
    return due if due is None or not_before is None else max(due, not_before)


def _somebody_waits(consent: TrackedConsent, decision: Decision, pace: Pace) -> bool:
    """Whether a customer may be at the holder's pages at this moment, on the way to or from authorizing."""
    if consent.imported or decision.status not in {Status.NOT_STAGED, Status.AWAITING_AUTHORIZATION}:
        return False
    asked_at = consent.asking.asked_at
    return asked_at is None or asked_at - consent.registered_at <= pace.authorization_overdue


def _by_status(consent: TrackedConsent, decision: Decision, pace: Pace, fraction: float) -> datetime | None:
    asked_at = consent.asking.asked_at
    match decision.status:
        case Status.NOT_STAGED | Status.AWAITING_AUTHORIZATION:
            if asked_at is None:
                return consent.registered_at
            if consent.imported and decision.status is Status.NOT_STAGED:
                base = pace.authorized  # it is old, and its holder does not know it: it hardly will next time
            else:
                age = asked_at - consent.registered_at
                base = pace.awaiting_authorization * _slowness(age, pace, imported=consent.imported)
        case Status.AUTHORIZED:
            base = pace.authorized
        case Status.SUSPENDED:
            base = pace.suspended
        case _:
            return None
    since = max(t for t in (asked_at, consent.confirmed_at, consent.registered_at) if t is not None)
    return since + base * (1 + _JITTER * fraction)


def _slowness(age: timedelta, pace: Pace, *, imported: bool) -> int:
    """Nobody is expected back any more from the holder's pages: ask ever more slowly."""
    if age > timedelta(days=1):
        return 120
    return 10 if imported or age > pace.authorization_overdue else 1


def _on_ladder(
    start: datetime, steps: tuple[timedelta, ...], asked_at: datetime | None, later: timedelta | None = _LATER
) -> datetime | None:
    for step in steps:
        if asked_at is None or asked_at < start + step:
            return start + step
    return None if later is None else (asked_at or start) + later


def hold_back(failures: int, fraction: float) -> timedelta:
    """How long to hold back after so many questions in a row without an answer."""
    doubled: int = 2 ** min(failures - 1, 10)
    backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * doubled)
    return backoff * (1 + _JITTER * fraction)


def next_tick(consent: TrackedConsent, decision: Decision, pace: Pace) -> datetime | None:
    """When the clock alone will have something to tell about a consent.

    At its expiry, until that has been told; and when nobody has finished authorizing it.
    """
    overdue = consent.overdue_from(decision, pace.authorization_overdue)
    ends = decision.status.is_open and consent.told.status is not Status.EXPIRED
    return _earliest([overdue, decision.expiration_date_time if ends else None], None)
