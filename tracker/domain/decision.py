"""What the standing reports say together: status, expiry, contradictions. The set decides, never the order of arrival.

1. Ends stand: the earliest end that was heard is the status; at one instant the later in the order of statuses. Where
   the profile lets a holder take an end back, one that it took back at a later time counts like any other report.
2. Otherwise the standing report with the latest holder's time; at one instant (holders cut their times to whole
   seconds) a poll beats what was recorded before it was asked, then the later in the order of statuses.
3. From the instant of expiry a consent that has not ended is effectively Expired, whatever the holder goes on
   repeating.
4. While a contradiction stands the consent is in doubt, and not usable.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from tracker.domain.consent import Status
from tracker.domain.moves import Rules
from tracker.domain.report import Claim, Report
from tracker.domain.standing import Summary, hinted_end, revived, standing, unanswered


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Something that cannot be, in a set of reports.

    Attributes:
        code: `unknown_status`, `impossible_status`, `dated_ahead`, `dated_after_expiry`, `expiry_differs`,
            `cannot_follow`, `same_instant` or `older_answer`.
        claims: The claims that it is made of, in a fixed order.
        expiries: For `expiry_differs`: the two.
    """

    code: str
    claims: tuple[Claim, ...] = ()
    expiries: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is so, by the reports that stand.

    Attributes:
        status: The holder's word.
        since: The holder's time of it; None while the holder has said nothing.
        expiration_date_time: When it ends by itself.
        contradictions: While there is one the consent is in doubt.
        end_hinted: Our application saw an end and the holder has not answered since: as good as a doubt.
        report: The report that gives the status.
    """

    status: Status
    since: datetime | None
    expiration_date_time: datetime | None
    contradictions: frozenset[Contradiction] = frozenset()
    end_hinted: bool = False
    report: Report | None = field(default=None, compare=False)

    @property
    def is_in_doubt(self) -> bool:
        """Whether something stands against using the consent until the holder has answered."""
        return bool(self.contradictions) or self.end_hinted

    def effective_status(self, at: datetime) -> Status:
        """The status with our clock added."""
        return self.status if self.is_confirmed(at) else Status.EXPIRED

    def is_confirmed(self, at: datetime) -> bool:
        """Whether the effective status is the holder's own word and not inferred from the expiry."""
        expiry = self.expiration_date_time
        return not (_may_expire(self.status) and expiry is not None and at >= expiry)

    def is_usable(self, at: datetime, *, paused: bool = False, revoking: bool = False) -> bool:
        """Whether data may be pulled, or a payment made, at an instant. The one function that says so."""
        authorized = self.effective_status(at) is Status.AUTHORIZED
        return authorized and not paused and not revoking and not self.is_in_doubt


def _may_expire(status: Status) -> bool:
    return status.is_open


def decide(reports: Iterable[Report], rules: Rules, registered_expiry: datetime | None = None) -> Decision:
    """Decide from the whole set of reports, in any order, repeats and all."""
    whole = tuple(reports)
    stand = standing(whole, rules)
    summary = Summary(
        standing=stand,
        revived_date_time=revived(whole, rules),
        end_hinted_at_ask=unanswered(map(hinted_end, whole), stand, rules),
    )
    return decide_summary(summary, rules, registered_expiry)


def decide_summary(summary: Summary, rules: Rules, registered_expiry: datetime | None = None) -> Decision:
    """Decide from what a consent keeps."""
    before = summary.decided
    if before is not None and before[0] is rules and before[1] == registered_expiry:
        return before[2]  # type: ignore[no-any-return]
    decision = _decide(summary, rules, registered_expiry)
    object.__setattr__(summary, "decided", (rules, registered_expiry, decision))
    return decision


def _decide(summary: Summary, rules: Rules, registered_expiry: datetime | None) -> Decision:
    stand = summary.standing
    stated = [
        r.expiration_date_time for r in stand if not rules.is_end(r.status) and r.expiration_date_time is not None
    ]
    report = _deciding(summary, rules)
    return Decision(
        status=report.status if report else Status.NOT_STAGED,
        since=report.status_date_time if report else None,
        expiration_date_time=min(stated, default=registered_expiry),
        contradictions=frozenset(_contradictions(stand, rules)),
        end_hinted=summary.end_hinted_at_ask is not None,
        report=report,
    )


def _deciding(summary: Summary, rules: Rules) -> Report | None:
    ends = [r for r in summary.standing if rules.is_end(r.status) and not _is_revived(r, summary, rules)]
    if ends:
        first = min(r.status_date_time for r in ends)
        return max((r for r in ends if r.status_date_time == first), key=_later_word)
    possible = [r for r in summary.standing if rules.can_have(r.status)]  # ends that were taken back too
    if not possible:
        return None
    last = max(r.status_date_time for r in possible)
    latest = [r for r in possible if r.status_date_time == last]
    polls = [r for r in latest if r.is_poll]
    unbeaten = [r for r in latest if not any(p.was_asked_after(r) for p in polls)]
    return max(unbeaten, key=_later_word)


def _is_revived(end: Report, summary: Summary, rules: Rules) -> bool:
    revived_at = summary.revived_date_time
    return end.status in rules.revivable and revived_at is not None and end.status_date_time < revived_at


def _later_word(report: Report) -> tuple[int, bool, bool, str]:
    """At one instant: the later in the order of statuses; of one claim, the hearing that says more."""
    return report.status.rank, report.revoked_by is not None, report.is_poll, report.digest


def _contradictions(stand: tuple[Report, ...], rules: Rules) -> Iterator[Contradiction]:
    for report in stand:
        yield from _of_one(report, rules)
    if not rules.terms_may_change:
        yield from _of_expiries(stand)
    known = [r for r in stand if rules.can_have(r.status)]
    last_ask = max((r.ask for r in stand if r.ask is not None), default=0)
    newest = [r for r in known if r.is_poll and r.asks >= last_ask]  # one, unless questions overlapped
    for answer in newest:
        for other in known:
            is_older = other.status_date_time > answer.status_date_time and other.status is not answer.status
            if is_older and answer.was_asked_after(other):
                yield Contradiction("older_answer", (answer.claim, other.claim))
    ended = any(rules.is_end(r.status) and r.status not in rules.revivable for r in known)
    top = max((r.status_date_time for r in stand), default=None)
    # Many reports can stand, when a holder flips to and fro and answers no question. Only pairs of statuses between which
    # not all is possible are looked at report by report.
    by_status: dict[Status, list[Report]] = {}
    for report in known:
        by_status.setdefault(report.status, []).append(report)
    for lower, higher in combinations(sorted(by_status, key=lambda status: status.rank), 2):
        yield from _of_order(by_status[lower], by_status[higher], rules, top=None if ended else top)


def _of_one(report: Report, rules: Rules) -> Iterator[Contradiction]:
    if report.status is Status.UNKNOWN:
        yield Contradiction("unknown_status", (report.claim,))
    elif not rules.can_have(report.status):
        yield Contradiction("impossible_status", (report.claim,))
    if report.status_date_time > report.received_at + rules.leeway:
        yield Contradiction("dated_ahead", (report.claim,))
    expiry = report.expiration_date_time
    if _may_expire(report.status) and expiry is not None and report.status_date_time >= expiry:
        yield Contradiction("dated_after_expiry", (report.claim,))


def _of_expiries(stand: tuple[Report, ...]) -> Iterator[Contradiction]:
    stated = {r.expiration_date_time for r in stand if r.expiration_date_time is not None}
    for pair in combinations(sorted(stated), 2):
        yield Contradiction("expiry_differs", expiries=pair)


def _of_order(
    lower: list[Report], higher: list[Report], rules: Rules, *, top: datetime | None
) -> Iterator[Contradiction]:
    """Contradictions of order between reports of two statuses, in the order of these; `top`: when a tie counts."""
    low, high = lower[0].status, higher[0].status
    to_higher, to_lower = rules.can_reach(low, high), rules.can_reach(high, low)
    if not to_higher:
        yield from (
            Contradiction("cannot_follow", (x.claim, y.claim))
            for y in higher
            for x in lower
            if x.status_date_time <= y.status_date_time  # at one instant: in the order of statuses
        )
    if not to_lower:
        yield from (
            Contradiction("cannot_follow", (y.claim, x.claim))
            for x in lower
            for y in higher
            if y.status_date_time < x.status_date_time
        )
    if to_higher and to_lower and top is not None:
        tied = [[r for r in reports if r.status_date_time == top] for reports in (lower, higher)]
        yield from (Contradiction("same_instant", (x.claim, y.claim)) for x in tied[0] for y in tied[1])
