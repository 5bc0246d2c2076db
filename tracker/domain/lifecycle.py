"""The judge: what a report, or the passing of time, means for a consent, and what the journal must tell of it.

The holder's record is the truth; we are a witness that hears late, twice, out of order or not at all. Judging a report
is folding it into the standing ones (`standing`), deciding what is so (`decision`), and telling the difference between
what the journal has told and what is so now. No clock and no I/O: times come in with the reports and ticks.

Only webhooks and polls state a status. What our own application saw (`token`, `callback`) makes us ask; an end that it
saw denies use until the holder has answered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import Decision, decide, decide_summary
from tracker.domain.moves import Rules
from tracker.domain.overlay import Deed
from tracker.domain.report import Claim, Report
from tracker.domain.standing import Summary, fold


class Verdict(StrEnum):
    """What a report means; the first that fits."""

    DUPLICATE = "Duplicate"
    """It is on record already."""
    HINT = "Hint"
    """Our own application's word: it makes us ask."""
    IRREGULAR = "Irregular"
    """It is part of a contradiction."""
    MOVED = "Moved"
    CONFIRMED = "Confirmed"
    """The current status again, by a poll or not older than what we know."""
    LATE = "Late"
    """Older than what we know; nothing moves."""


class Telling(StrEnum):
    """The types of journal entries that judging brings about."""

    STATUS_CHANGED = "consent.status_changed"
    STATUS_LEARNED_LATE = "consent.status_learned_late"
    EXPIRY_INFERRED = "consent.expiry_inferred"
    STATUS_CONFIRMED = "consent.status_confirmed"
    TERMS_CHANGED = "consent.terms_changed"
    IRREGULAR = "consent.irregular"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the journal has told of a consent so far."""

    status: Status = Status.NOT_STAGED
    confirmed: bool = True
    usable: bool = False


@dataclass(frozen=True, kw_only=True)  # no slots: `changed` copies it
class Position:
    """A consent, as far as the judge is concerned.

    Attributes:
        rules: The rules of its kind.
        registered_expiry: When our own application said that it ends.
        summary: What is kept of the reports.
        told: What the journal has told.
        judged_at: The latest instant at which it was judged: our clock may step back, what was told may not.
        paused: Our own overlay.
        revoking: We asked the holder to revoke and wait for its word.
    """

    rules: Rules
    registered_expiry: datetime | None = None
    summary: Summary = field(default_factory=Summary)
    told: Told = field(default_factory=Told)
    judged_at: datetime | None = None
    paused: bool = False
    revoking: bool = False

    def decision(self) -> Decision:
        """What is so, by the reports that stand."""
        return decide_summary(self.summary, self.rules, self.registered_expiry)

    def instant(self, now: datetime) -> datetime:
        """The instant to judge at."""
        return now if self.judged_at is None else max(now, self.judged_at)

    def is_usable(self, now: datetime) -> bool:
        """Whether the consent may be used."""
        return self.decision().is_usable(self.instant(now), paused=self.paused, revoking=self.revoking)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing to be told by the journal.

    Attributes:
        type: Which kind of entry.
        from_status: What was told before, if this moves it.
        to_status: What is told from now on.
        confirmed: Whether that is the holder's own word.
        usable: Whether the consent may be used from now on.
        status_date_time: The holder's time that goes with it.
        channel: How we know.
        late: It is older than what we knew.
        corrected: An end that was told is taken back, and not because the holder opened the consent again.
        via: The steps in between that nobody told us of.
        reasons: Codes of the contradictions.
        revoked_by: Who revoked.
    """

    type: Telling | Deed
    from_status: Status | None = None
    to_status: Status
    confirmed: bool
    usable: bool
    status_date_time: datetime | None = None
    channel: Channel
    late: bool = False
    corrected: bool = False
    via: tuple[Status, ...] = ()
    reasons: tuple[str, ...] = ()
    revoked_by: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of one report or one tick."""

    position: Position
    verdict: Verdict | None
    statements: tuple[Statement, ...]


def tick(position: Position, now: datetime) -> Judgement:
    """Say what the clock alone changes."""
    position, statements = _tell(position, position.decision(), position.instant(now))
    return Judgement(position, None, tuple(statements))


def judge(
    position: Position, report: Report, now: datetime, *, is_repeat: bool, is_on_record: bool, new_terms: bool = False
) -> Judgement:
    """Judge one report.

    Args:
        position: The consent before it.
        report: What was heard.
        now: Our clock.
        is_repeat: This very report is on record.
        is_on_record: Its claim is on record for this consent, by whatever report.
        new_terms: It comes with other data of the holder than we have.
    """
    at = position.instant(now)
    position, statements = _tell(position, position.decision(), at)
    if is_repeat:
        return Judgement(position, Verdict.DUPLICATE, tuple(statements))
    before, told_before = position.decision(), position.told
    position = changed(position, summary=fold(position.summary, report, position.rules))
    after = position.decision()
    late = before.since is not None and after.since is not None and after.since < before.since
    position, moved = _tell(position, after, at, report=report, late=late)
    statements += moved
    verdict = _verdict(before, report, after)
    told = position.told

    def also(kind: Telling, *, late: bool = False, reasons: Iterable[str] = ()) -> None:
        statements.append(
            Statement(
                type=kind,
                to_status=told.status,
                confirmed=told.confirmed,
                usable=told.usable,
                status_date_time=report.status_date_time,
                channel=report.channel,
                late=late,
                reasons=tuple(sorted(set(reasons))),
                revoked_by=report.revoked_by,
            )
        )

    if verdict is Verdict.HINT:
        if told_before.usable and not told.usable and not moved:
            also(Telling.IRREGULAR, reasons=["end_hinted"])
        return Judgement(position, verdict, tuple(statements))
    moved_unheard = after.status is not before.status and not moved  # the holder's word moved behind an inferred expiry
    if (verdict is Verdict.LATE and not is_on_record) or moved_unheard:
        also(Telling.STATUS_LEARNED_LATE, late=True)
    if new := after.contradictions - before.contradictions:
        also(Telling.IRREGULAR, reasons=(c.code for c in new))
    redated = (after.since, after.expiration_date_time) != (before.since, before.expiration_date_time)
    redated = redated and after.status is before.status and not moved and not new
    renewed = new_terms and verdict is Verdict.CONFIRMED and told.status is told_before.status
    if redated or renewed:
        also(Telling.TERMS_CHANGED)
    return Judgement(position, verdict, tuple(statements))


def _verdict(before: Decision, report: Report, after: Decision) -> Verdict:
    if not report.channel.is_holders_word:
        return Verdict.HINT
    in_one = any(report.claim in c.claims for c in after.contradictions)
    if in_one or after.contradictions - before.contradictions:
        return Verdict.IRREGULAR
    if after.status is not before.status:
        return Verdict.MOVED
    if report.status is after.status and (report.is_poll or _is_not_older(report, after.since)):
        return Verdict.CONFIRMED
    return Verdict.LATE


def _is_not_older(report: Report, since: datetime | None) -> bool:
    return since is None or report.status_date_time >= since


def _tell(
    position: Position, decision: Decision, at: datetime, *, report: Report | None = None, late: bool = False
) -> tuple[Position, list[Statement]]:
    """Take what was told to what is so now."""
    was, confirmed = position.told, decision.is_confirmed(at)
    now = Told(
        status=decision.effective_status(at),
        confirmed=confirmed,
        usable=decision.is_usable(at, paused=position.paused, revoking=position.revoking),
    )
    position = changed(position, told=now, judged_at=at)

    def statement(
        kind: Telling, *, late: bool = False, corrected: bool = False, via: tuple[Status, ...] = ()
    ) -> Statement:
        return Statement(
            type=kind,
            from_status=was.status,
            to_status=now.status,
            confirmed=confirmed,
            usable=now.usable,
            status_date_time=decision.since if confirmed else decision.expiration_date_time,
            channel=report.channel if report else Channel.CLOCK,
            late=late,
            corrected=corrected,
            via=via,
            revoked_by=decision.report.revoked_by if confirmed and decision.report else None,
        )

    if now.status is not was.status:
        inferred = [] if confirmed else [statement(Telling.EXPIRY_INFERRED)]
        corrected = was.status.is_terminal and (late or not position.rules.can_reach(was.status, now.status))
        via = position.rules.via(was.status, now.status) if report else ()
        return position, [*inferred, statement(Telling.STATUS_CHANGED, late=late, corrected=corrected, via=via)]
    if (now.confirmed and not was.confirmed) or (now.usable and not was.usable):
        return position, [statement(Telling.STATUS_CONFIRMED)]
    return position, []


def view(
    reports: Iterable[Report],
    rules: Rules,
    as_of: datetime,
    known_at: datetime,
    registered_expiry: datetime | None = None,
) -> tuple[Decision, Status]:
    """Say what the reports recorded by `known_at` tell of the instant `as_of`.

    A report speaks of every instant from its own time on, or from when it was recorded if it is dated ahead of that.
    """
    known = [r for r in reports if r.recorded_at <= known_at and min(r.status_date_time, r.recorded_at) <= as_of]
    decision = decide(known, rules, registered_expiry)
    return decision, decision.effective_status(as_of)


def holders_moves(reports: Iterable[Report], rules: Rules) -> list[tuple[Claim, bool]]:
    """Every move in the holder's order, and whether it is only inferred from a gap."""
    said = sorted((r.claim for r in reports if r.channel.is_holders_word), key=lambda c: (c[1], c[0].rank))
    moves: list[tuple[Claim, bool]] = []
    last = Status.NOT_STAGED
    for status, time in dict.fromkeys(said):
        if status is last or status is Status.UNKNOWN:
            continue
        if last is not Status.NOT_STAGED:
            moves += [((step, time), True) for step in rules.via(last, status)]
        moves.append(((status, time), False))
        last = status
    return moves
