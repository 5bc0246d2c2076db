"""Plays reports and ticks to the judge as the store does, and reads what it tells as a subscriber does."""

from dataclasses import dataclass, field
from datetime import datetime

from tracker.domain.consent import Status
from tracker.domain.lifecycle import Judgement, Position, Statement, Telling, Verdict, judge, tick
from tracker.domain.moves import Rules
from tracker.domain.report import Claim, Report

Step = Report | datetime
"""A report, or an instant at which the clock is looked at."""


@dataclass
class Playback:
    """One consent from its registration on.

    After every step the subscriber, who knows nothing but the statements, must stand where the judge stands.
    """

    position: Position
    subscriber_status: Status = Status.NOT_STAGED
    subscriber_usable: bool = False
    reports: list[Report] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    _digests: set[str] = field(default_factory=set)
    _claims: set[Claim] = field(default_factory=set)

    @property
    def last(self) -> Judgement:
        """What came of the last step."""
        return self.judgements[-1]

    @property
    def told(self) -> list[Telling]:
        """The types of what the last step told."""
        return [s.type for s in self.last.statements]

    @property
    def verdicts(self) -> list[Verdict | None]:
        """The verdicts so far."""
        return [j.verdict for j in self.judgements]

    def count(self, kind: Telling) -> int:
        """How often something of this type was told so far."""
        return sum(s.type is kind for j in self.judgements for s in j.statements)

    def hear(self, report: Report, now: datetime | None = None, *, new_terms: bool = False) -> Judgement:
        """Judge a report, as soon as it is recorded unless told otherwise."""
        judgement = judge(
            self.position,
            report,
            report.recorded_at if now is None else now,
            is_repeat=report.digest in self._digests,
            is_on_record=report.claim in self._claims,
            new_terms=new_terms,
        )
        if report.digest not in self._digests:
            self.reports.append(report)
        self._digests.add(report.digest)
        self._claims.add(report.claim)
        return self._take(judgement)

    def look(self, now: datetime) -> Judgement:
        """Let the clock tick."""
        return self._take(tick(self.position, now))

    def _take(self, judgement: Judgement) -> Judgement:
        self.judgements.append(judgement)
        self.position = position = judgement.position
        for statement in judgement.statements:
            self._read(statement)
        assert position.judged_at is not None
        decision = position.decision()
        assert self.subscriber_status is position.told.status is decision.effective_status(position.judged_at)
        assert self.subscriber_usable == position.told.usable == position.is_usable(position.judged_at)
        assert position.told.confirmed == decision.is_confirmed(position.judged_at)
        return judgement

    def _read(self, statement: Statement) -> None:
        if statement.type is Telling.EXPIRY_INFERRED:
            return  # the move follows in the next one
        if statement.type is Telling.STATUS_CHANGED:
            assert statement.from_status is self.subscriber_status
            assert statement.to_status is not self.subscriber_status
        else:
            assert statement.to_status is self.subscriber_status
        self.subscriber_status = statement.to_status
        self.subscriber_usable = statement.usable


def play(rules: Rules, *steps: Step, registered_expiry: datetime | None = None) -> Playback:
    """Play some steps to a consent that was just registered."""
    playback = Playback(Position(rules=rules, registered_expiry=registered_expiry))
    for step in steps:
        if isinstance(step, Report):
            playback.hear(step)
        else:
            playback.look(step)
    return playback
