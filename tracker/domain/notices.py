"""Which notice is due when: ladders of steps that lead to a deadline.

A consent that is in use has steps before it expires; one that waits to be authorized, before it cannot be any more; one that
has ended, before its holder must have been told that its data were deleted. Of several steps that have come due only the
last is told, and none once its deadline is past: it would not be true any more. Steps that lie before the consent began are
no steps of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tracker.domain.consent import Status
from tracker.domain.decision import Decision
from tracker.domain.noticed import Deadline, Noticed
from tracker.domain.tracked import TrackedConsent

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_IN_USE: Final = frozenset({Status.AUTHORIZED, Status.SUSPENDED})
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_PREFIXES: Final = {Deadline.EXPIRY: "", Deadline.AUTHORIZATION: "authorization_", Deadline.ATTESTATION: "attestation_"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePlan:
    """How long before each deadline something is told; whole hours, in any order.

    Attributes:
        expiry: Before a consent in use expires.
        authorization: Before it cannot be authorized any more.
        attestation: Before the deletion of an ended one's data must be attested.
        overlap_grace: So long may two consents of one chain be authorized at once, while the old one is being revoked.
    """

    expiry: tuple[timedelta, ...] = (30 * _DAY, 7 * _DAY, _DAY)
    authorization: tuple[timedelta, ...] = (_DAY, _HOUR)
    attestation: tuple[timedelta, ...] = (14 * _DAY, 3 * _DAY)
    overlap_grace: timedelta = _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """What the profile says of a consent's deadlines.

    Attributes:
        is_single: It is for one use, soon: nothing is told before its deadlines.
        attest_within: So long after its end it must be attested that its data were deleted; None: it need not be.
    """

    is_single: bool = False
    attest_within: timedelta | None = None


def notice_code(step: Noticed) -> str:
    """Name a step: `in_7_days`, `authorization_in_1_hour`, `attestation_in_3_days`."""
    size, unit = (_DAY, "day") if step.before % _DAY == timedelta() else (_HOUR, "hour")
    count = step.before // size
    return f"{_PREFIXES[step.deadline]}in_{count}_{unit}{'' if count == 1 else 's'}"


def attestation_due(decision: Decision, rules: NoticeRules, at: datetime) -> datetime | None:
    """By when it must be attested that an ended consent's data were deleted; None while it has not ended, or need not be."""
    ended = _ended(decision)
    if ended is None or ended > at or rules.attest_within is None:
        return None
    return _after(ended, rules.attest_within)


def due_notice(
    consent: TrackedConsent, decision: Decision, rules: NoticeRules, plan: NoticePlan, now: datetime
) -> Noticed | None:
    """The step to be told now, if any: the last of those that have come due."""
    due = [step for step in _untold(consent, decision, rules, plan) if due_at(step) <= now < step.ends_at]
    return max(due, key=due_at, default=None)


def next_notice(
    consent: TrackedConsent, decision: Decision, rules: NoticeRules, plan: NoticePlan, now: datetime
) -> datetime | None:
    """When to look at a consent next: at once for what is due, else at the next step, or when its chain is to be looked at."""
    coming = [due_at(step) for step in _untold(consent, decision, rules, plan) if now < step.ends_at]
    look_at = consent.noticing.look_at
    return min([*coming, *([] if look_at is None else [look_at])], default=None)


def due_at(step: Noticed) -> datetime:
    """When a step is to be told."""
    return step.ends_at - step.before if step.ends_at - _FIRST > step.before else _FIRST


def _untold(consent: TrackedConsent, decision: Decision, rules: NoticeRules, plan: NoticePlan) -> Iterator[Noticed]:
    for deadline, began, ends_at in _deadlines(consent, decision, rules):
        for before in getattr(plan, deadline.value):
            step = Noticed(deadline=deadline, ends_at=ends_at, before=before)
            if due_at(step) >= began and not consent.noticing.has_told(step):
                yield step


def _deadlines(
    consent: TrackedConsent, decision: Decision, rules: NoticeRules
) -> Iterator[tuple[Deadline, datetime, datetime]]:
    """The deadlines that a consent has, by what is so now: what each is, since when it counts, when it is."""
    began = consent.creation_date_time or consent.registered_at
    window, expiry = consent.authorization_expiration_date_time, decision.expiration_date_time
    if not rules.is_single:
        if decision.status is Status.AWAITING_AUTHORIZATION and window is not None:
            yield Deadline.AUTHORIZATION, began, window
        if decision.status in _IN_USE and expiry is not None and not consent.noticing.is_succeeded:
            yield Deadline.EXPIRY, began, expiry
    ended = _ended(decision)
    if ended is not None and rules.attest_within is not None:
        yield Deadline.ATTESTATION, ended, _after(ended, rules.attest_within)


def _ended(decision: Decision) -> datetime | None:
    """When a consent whose data must be deleted ended, or will by itself."""
    expiry = decision.expiration_date_time
    if decision.status is Status.REVOKED:
        return decision.since
    if decision.status is Status.EXPIRED:  # holders may be slow to say so, and date it by when they did
        return min((t for t in (decision.since, expiry) if t is not None), default=None)
    return expiry if decision.status in _IN_USE else None


def _after(instant: datetime, span: timedelta) -> datetime:
    return instant + span if _LAST - instant > span else _LAST
