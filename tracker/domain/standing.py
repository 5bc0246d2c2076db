"""Which reports still count: the few that a consent keeps so that the next report can be judged without the others.

A report stands until a poll is answered that was asked after the report was recorded, and at least the settling time
after it was received: such an answer speaks for all that came before (holders' reads may lag behind their events).
What ends a consent always stands. The same claim heard again replaces the earlier hearing.

An end that only our own application saw does not stand among these. It is remembered by how often we had asked when we
heard of it, until a question that was asked later is answered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, Status
from tracker.domain.moves import Rules
from tracker.domain.report import Claim, Report

_OUR_APPLICATION: Final = frozenset({Channel.TOKEN, Channel.CALLBACK})


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Summary:
    """What is kept of all reports on a consent.

    Attributes:
        asks: How often we have asked the holder about this consent.
        standing: The reports that count, in the order of the holder's times.
        revived_date_time: The latest reviving time, where the profile knows a status that can be revived.
        end_hinted_at_ask: Our own application saw an end when we had asked this often, and no later question is
            answered yet.
    """

    asks: int = 0
    standing: tuple[Report, ...] = ()
    revived_date_time: datetime | None = None
    end_hinted_at_ask: int | None = None
    decided: Any = field(default=None, init=False, repr=False, compare=False)
    """What was decided of it; `decision` keeps it here, as several ask for it and it cannot change."""


def settles(poll: Report, report: Report, rules: Rules) -> bool:
    """Whether a poll's answer speaks for an earlier report."""
    if not poll.is_poll or poll is report or poll.asked_at is None or not rules.can_have(poll.status):
        return False
    return poll.was_asked_after(report) and poll.asked_at >= report.received_at + rules.settling


def standing(reports: Iterable[Report], rules: Rules) -> tuple[Report, ...]:
    """The reports that count, out of the whole set."""
    heard = [r for r in _once(reports) if r.channel.is_holders_word]
    polls = [r for r in heard if r.is_poll]
    return compact(r for r in heard if rules.is_end(r.status) or not any(settles(p, r, rules) for p in polls))


def _once(reports: Iterable[Report]) -> Iterable[Report]:
    """Each report as it was first heard: a repeat tells nothing new, so it must not seem to have been said later."""
    return {r.digest: r for r in sorted(reports, key=lambda r: (r.asks, r.recorded_at), reverse=True)}.values()


def compact(reports: Iterable[Report]) -> tuple[Report, ...]:
    """Leave out each report that was heard again later, word for word."""
    alike: dict[tuple[Claim, datetime | None], list[Report]] = {}
    for report in reports:
        alike.setdefault((report.claim, report.expiration_date_time), []).append(report)
    kept = (x for same in alike.values() for x in same if not any(_replaces(y, x) for y in same))
    return tuple(sorted(kept, key=lambda r: (r.status_date_time, r.digest)))


def _replaces(later: Report, earlier: Report) -> bool:
    """Of two hearings of one claim: whether one is the later by every measure, and says no less."""
    loses_words = earlier.revoked_by not in {None, later.revoked_by} or earlier.raw_status != later.raw_status
    if loses_words or (earlier.is_poll and not later.is_poll):
        return False
    if later.asks < earlier.asks or later.received_at < earlier.received_at or (later.ask or 0) < (earlier.ask or 0):
        return False
    if (later.asks, later.received_at, later.ask or 0) != (earlier.asks, earlier.received_at, earlier.ask or 0):
        return True
    return (later.is_poll, later.digest) > (earlier.is_poll, earlier.digest)


def revived(reports: Iterable[Report], rules: Rules) -> datetime | None:
    """The latest time at which the holder took an end back, as far as the profile lets it."""
    channels = {c for c in rules.revivers if c.is_holders_word}
    times = [r.status_date_time for r in reports if r.status is Status.AUTHORIZED and r.channel in channels]
    return max(times, default=None)


def hinted_end(report: Report) -> int | None:
    """How often we had asked when our own application told of an end; None if it did not."""
    return report.asks if report.channel in _OUR_APPLICATION and report.status.is_terminal else None


def unanswered(hinted: Iterable[int | None], stand: Iterable[Report], rules: Rules) -> int | None:
    """The latest hint of an end that no answer has overtaken. The answer to the latest question always stands."""
    last = max((asks for asks in hinted if asks is not None), default=None)
    if last is None or any(r.ask is not None and r.ask > last and rules.can_have(r.status) for r in stand):
        return None
    return last


def fold(summary: Summary, report: Report, rules: Rules) -> Summary:
    """Add one report, not a repeat, to the summary."""
    stand = summary.standing
    if report.channel.is_holders_word:
        stand = compact((*(x for x in stand if rules.is_end(x.status) or not settles(report, x, rules)), report))
    times = [t for t in (summary.revived_date_time, revived([report], rules)) if t is not None]
    return changed(
        summary,
        standing=stand,
        revived_date_time=max(times, default=None),
        end_hinted_at_ask=unanswered((summary.end_hinted_at_ask, hinted_end(report)), stand, rules),
    )
