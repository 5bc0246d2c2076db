"""Which notice is due when: by example, and whatever a clock does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import START, a_consent, a_decision
from tracker.domain.consent import OPEN, Status
from tracker.domain.decision import Decision
from tracker.domain.noticed import Deadline, Noticed, Noticing
from tracker.domain.notices import (
    NoticePlan,
    NoticeRules,
    attestation_due,
    due_at,
    due_notice,
    next_notice,
    notice_code,
)
from tracker.domain.tracked import TrackedConsent

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PLAN = NoticePlan()
RULES = NoticeRules(attest_within=45 * DAY)
EXPIRY = START + 100 * DAY
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def due(
    now: datetime, status: Status = Status.AUTHORIZED, consent: TrackedConsent | None = None, **changes: Any
) -> str | None:
    decision = a_decision(status, **{"since": START, "expiry": EXPIRY, **changes})
    step = due_notice(consent or a_consent(), decision, RULES, PLAN, now)
    return None if step is None else notice_code(step)


@pytest.mark.parametrize(
    ("before", "code"),
    [
        (30 * DAY + timedelta(microseconds=1), None),
        (30 * DAY, "in_30_days"),
        (7 * DAY + timedelta(microseconds=1), "in_30_days"),
        (7 * DAY, "in_7_days"),
        (DAY, "in_1_day"),
        (timedelta(microseconds=1), "in_1_day"),
        (timedelta(), None),
    ],
)
@pytest.mark.parametrize("status", [Status.AUTHORIZED, Status.SUSPENDED])
def test_before_an_expiry(before: timedelta, code: str | None, status: Status) -> None:
    assert due(EXPIRY - before, status) == code


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.AUTHORIZED, Status.SUSPENDED}))
def test_what_is_not_in_use_does_not_expire_for_anybody(status: Status) -> None:
    assert due(EXPIRY - HOUR, status) is None


def test_a_window_for_authorization_ends_only_for_those_who_wait_in_it() -> None:
    waits = a_consent(authorization_expiration_date_time=START + 3 * DAY)
    assert due(START + 2 * DAY, Status.AWAITING_AUTHORIZATION, waits) == "authorization_in_1_day"
    assert due(START + 3 * DAY - HOUR, Status.AWAITING_AUTHORIZATION, waits) == "authorization_in_1_hour"
    assert due(START + 3 * DAY, Status.AWAITING_AUTHORIZATION, waits) is None
    assert due(START + 2 * DAY, Status.AUTHORIZED, waits) is None


@pytest.mark.parametrize(
    ("status", "since", "ended"),
    [
        (Status.REVOKED, START, START),
        (Status.EXPIRED, EXPIRY, EXPIRY),
        (Status.EXPIRED, EXPIRY + 2 * DAY, EXPIRY),  # the holder was slow
        (Status.EXPIRED, EXPIRY - 2 * DAY, EXPIRY - 2 * DAY),
        (Status.AUTHORIZED, START, EXPIRY),  # by our clock
        (Status.SUSPENDED, START, EXPIRY),
        (Status.REJECTED, START, None),
        (Status.CONSUMED, START, None),
        (Status.AWAITING_AUTHORIZATION, START, None),
    ],
)
def test_the_clock_of_the_attestation_begins_with_the_end(
    status: Status, since: datetime, ended: datetime | None
) -> None:
    decision = a_decision(status, since=since, expiry=EXPIRY)
    found = attestation_due(decision, RULES, LAST)
    assert found == (None if ended is None else ended + 45 * DAY)
    if ended is None:
        assert due(LAST, status, since=since) is None
        return
    assert attestation_due(decision, RULES, ended - timedelta(microseconds=1)) is None
    assert attestation_due(decision, NoticeRules(), LAST) is None
    assert due(ended + 31 * DAY, status, since=since) == "attestation_in_14_days"
    assert due(ended + 42 * DAY, status, since=since) == "attestation_in_3_days"
    assert due(ended + 45 * DAY, status, since=since) is None


def test_steps_that_lie_before_it_began_are_none_of_its() -> None:
    young = a_consent(creation_date_time=EXPIRY - 7 * DAY)
    assert due(EXPIRY - 7 * DAY, consent=young) == "in_7_days"
    younger = a_consent(creation_date_time=EXPIRY - 6 * DAY, registered_at=START)
    assert due(EXPIRY - 2 * DAY, consent=younger) is None
    assert due(EXPIRY - DAY, consent=younger) == "in_1_day"
    unheard = a_consent(registered_at=EXPIRY - 6 * DAY)
    assert due(EXPIRY - 2 * DAY, consent=unheard) is None


def test_without_an_end_nothing_ever_is_due() -> None:
    decision = a_decision(Status.AUTHORIZED, since=START)
    assert next_notice(a_consent(), decision, RULES, PLAN, START) is None


def test_single_ones_have_no_steps_at_all() -> None:
    single = NoticeRules(is_single=True)
    for status in Status:
        decision = a_decision(status, since=START, expiry=EXPIRY)
        consent = a_consent(authorization_expiration_date_time=EXPIRY)
        assert next_notice(consent, decision, single, PLAN, START) is None


def test_a_consent_that_is_succeeded_is_quiet_but_for_its_attestation() -> None:
    succeeded = a_consent(noticing=Noticing(is_succeeded=True))
    assert due(EXPIRY - DAY, consent=succeeded) is None
    assert due(EXPIRY + 31 * DAY, consent=succeeded) == "attestation_in_14_days"


def test_the_chain_is_looked_at_when_that_is_due_whatever_else_there_is() -> None:
    looked = a_consent(noticing=Noticing(look_at=START + HOUR))
    decision = a_decision(Status.AUTHORIZED, since=START, expiry=EXPIRY)
    assert next_notice(looked, decision, RULES, PLAN, START) == START + HOUR
    assert next_notice(looked, a_decision(Status.REJECTED), RULES, PLAN, START) == START + HOUR


@pytest.mark.parametrize(
    ("before", "code"),
    [(DAY, "in_1_day"), (2 * DAY, "in_2_days"), (HOUR, "in_1_hour"), (36 * HOUR, "in_36_hours")],
)
def test_codes_count_in_the_largest_whole_unit(before: timedelta, code: str) -> None:
    for deadline, prefix in zip(Deadline, ("", "authorization_", "attestation_"), strict=True):
        assert notice_code(Noticed(deadline=deadline, ends_at=EXPIRY, before=before)) == prefix + code


@pytest.mark.parametrize("expiry", [FIRST, FIRST + HOUR, LAST - HOUR, LAST])
def test_ends_at_the_ends_of_time_break_nothing(expiry: datetime) -> None:
    for status in Status:
        decision = a_decision(status, since=expiry, expiry=expiry)
        consent = a_consent(authorization_expiration_date_time=expiry)
        for now in (FIRST, START, LAST):
            next_notice(consent, decision, RULES, PLAN, now)
            due_notice(consent, decision, RULES, PLAN, now)
            attestation_due(decision, RULES, now)


def test_only_the_latest_deadlines_are_remembered() -> None:
    noticing = Noticing()
    for n in range(50):
        noticing = noticing.with_told(Noticed(deadline=Deadline.EXPIRY, ends_at=EXPIRY + n * HOUR, before=DAY))
    assert len(noticing.told) == 8
    assert noticing.told[-1].ends_at == EXPIRY + 49 * HOUR


# ---------------------------------------------------------------------------------------------- properties

spans = st.lists(st.integers(1, 100 * 24).map(lambda hours: timedelta(hours=hours)), max_size=5).map(tuple)
plans = st.builds(NoticePlan, expiry=spans, authorization=spans, attestation=spans)
within = st.integers(-24 * 200, 24 * 200).map(lambda hours: START + timedelta(hours=hours))
maybe = st.none() | within
consents = st.builds(
    a_consent, registered_at=within, creation_date_time=maybe, authorization_expiration_date_time=maybe
)
decisions = st.builds(Decision, status=st.sampled_from(Status), since=within, expiration_date_time=maybe)
rules = st.builds(NoticeRules, is_single=st.booleans(), attest_within=st.sampled_from([None, 45 * DAY]))
clocks = st.lists(within, min_size=1, max_size=30)


def tell(
    consent: TrackedConsent, decision: Decision, facts: NoticeRules, plan: NoticePlan, now: datetime
) -> tuple[TrackedConsent, Noticed | None]:
    step = due_notice(consent, decision, facts, plan, now)
    return (consent if step is None else replace(consent, noticing=consent.noticing.with_told(step))), step


@given(consent=consents, decision=decisions, facts=rules, plan=plans, clock=clocks)
def test_no_step_is_told_twice_and_none_after_a_later_one(
    consent: TrackedConsent, decision: Decision, facts: NoticeRules, plan: NoticePlan, clock: list[datetime]
) -> None:
    """However the clock goes, to and fro."""
    told: list[Noticed] = []
    for now in clock:
        consent, step = tell(consent, decision, facts, plan, now)
        if step is not None:
            assert due_at(step) <= now < step.ends_at
            assert all(step.before < t.before for t in told if t.deadline is step.deadline)
            told.append(step)


@given(consent=consents, decision=decisions, facts=rules, plan=plans, now=within)
def test_it_is_looked_at_exactly_when_something_comes_due(
    consent: TrackedConsent, decision: Decision, facts: NoticeRules, plan: NoticePlan, now: datetime
) -> None:
    """Whoever sleeps until `next_notice` misses nothing, and is never woken for nothing."""
    woken = next_notice(consent, decision, facts, plan, now)
    assert (woken is not None and woken <= now) == (due_notice(consent, decision, facts, plan, now) is not None)
    if woken is not None and woken > now:
        just_before = woken - timedelta(microseconds=1)
        assert due_notice(consent, decision, facts, plan, just_before) is None
        assert due_notice(consent, decision, facts, plan, woken) is not None


@given(consent=consents, decision=decisions, facts=rules, plan=plans, start=within)
def test_who_always_wakes_when_he_should_tells_every_step_that_lies_ahead(
    consent: TrackedConsent, decision: Decision, facts: NoticeRules, plan: NoticePlan, start: datetime
) -> None:
    now, told = start, set()
    for _ in range(20):
        consent, step = tell(consent, decision, facts, plan, now)
        if step is not None:
            told.add((step.deadline, step.before))
        woken = next_notice(consent, decision, facts, plan, now)
        if woken is None:
            break
        assert woken > now
        now = woken
    else:
        raise AssertionError("it never sleeps")
    is_in_use = decision.status in {Status.AUTHORIZED, Status.SUSPENDED}
    expiry = decision.expiration_date_time
    if is_in_use and expiry is not None and not facts.is_single:
        began = consent.creation_date_time or consent.registered_at
        ahead = {before for before in plan.expiry if start < expiry - before and began <= expiry - before}
        assert ahead <= {before for deadline, before in told if deadline is Deadline.EXPIRY}


@given(decision=decisions, facts=rules, at=within)
def test_an_attestation_is_never_due_for_what_may_go_on(decision: Decision, facts: NoticeRules, at: datetime) -> None:
    found = attestation_due(decision, facts, at)
    if found is not None:
        assert facts.attest_within is not None
        assert found - facts.attest_within <= at
        assert decision.status not in OPEN or decision.effective_status(at) is Status.EXPIRED
