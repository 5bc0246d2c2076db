"""When to ask, played through simulated days: whenever the schedule says so the holder is asked, and says the same again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.domain.reports import START, Ear, at
from tracker.domain.changed import changed
from tracker.domain.condition import HEALTHY, Condition, always_healthy
from tracker.domain.consent import OPEN, TERMINAL, ConsentId, ProviderId, Status, TrackingId
from tracker.domain.decision import Contradiction, Decision
from tracker.domain.journey import Journey
from tracker.domain.lifecycle import Told
from tracker.domain.report import Report
from tracker.domain.schedule import JITTER, NextAsk, Pace, Tempo, hold_back, next_ask, next_tick, overdue_from, tempo
from tracker.domain.standing import Summary
from tracker.domain.tracked import Asking, TrackedConsent

PACE = Pace()
SETTLING = timedelta(minutes=5)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

fractions = st.floats(0, 1, exclude_max=True)
spans = st.timedeltas(timedelta(0), 60 * DAY)
conditions = st.builds(Condition, quiet=st.booleans(), probed=st.booleans(), stretch=st.floats(0.5, 20))
paces = st.builds(
    Pace,
    awaiting_authorization=st.timedeltas(timedelta(seconds=1), HOUR),
    authorized=st.timedeltas(MINUTE, 31 * DAY),
    suspended=st.timedeltas(MINUTE, 31 * DAY),
    authorization_overdue=st.timedeltas(MINUTE, HOUR),
)
steady_statuses = st.sampled_from([Status.AUTHORIZED, Status.SUSPENDED])


def a_consent(asked: datetime | None = None, **changes: Any) -> TrackedConsent:
    facts: dict[str, Any] = {
        "tracking_id": TrackingId("t"),
        "provider": ProviderId("demobank"),
        "consent_id": ConsentId("c"),
        "profile": "uae-v2.1",
        "client_id": "client",
        "kind": "account-access",
        "registered_at": START,
        "updated_at": START,
        "asking": Asking(asked_at=asked),
    }
    return TrackedConsent(**facts | changes)


def so(
    status: Status, *, expiry: datetime | None = None, report: Report | None = None, doubt: bool = False
) -> Decision:
    contradictions = frozenset({Contradiction("same_instant")} if doubt else set())
    return Decision(
        status=status, since=START, expiration_date_time=expiry, report=report, contradictions=contradictions
    )


def planned(
    consent: TrackedConsent, decision: Decision, now: datetime, fraction: float = 0, pace: Pace = PACE
) -> NextAsk:
    return next_ask(consent, decision, pace, now=now, settling=SETTLING, fraction=fraction)


def asks(
    consent: TrackedConsent,
    decision: Decision,
    *,
    fraction: float = 0,
    pace: Pace = PACE,
    condition: Condition = HEALTHY,
    now: datetime = START,
) -> Iterator[datetime]:
    """The times at which it is asked about, if each question is answered at once with what is known."""
    while True:
        due = planned(consent, decision, now, fraction, pace).due_at(decision.status, tempo(pace, condition))
        if due is None:
            return
        now = max(now, due)
        yield now
        consent = changed(consent, asking=changed(consent.asking, asked_at=now, requested_at=None))


def most_in_a_day(times: list[datetime]) -> int:
    return max((sum(first <= other < first + DAY for other in times) for first in times), default=0)


def within(span: timedelta, times: Iterator[datetime]) -> list[datetime]:
    return list(takewhile(lambda time: time < START + span, times))


# ------------------------------------------------------------------------------------------ awaiting authorization


@given(status=st.sampled_from([Status.NOT_STAGED, Status.AWAITING_AUTHORIZATION]), fraction=fractions)
def test_nobody_who_abandoned_it_costs_much(status: Status, fraction: float) -> None:
    """At once, every half minute while somebody may be there, then ever more slowly: 96 a day at most, 4 after a day."""
    times = within(10 * DAY, asks(a_consent(), so(status), fraction=fraction))
    assert times[0] == START
    assert len([time for time in times if time <= START + 15 * MINUTE]) in range(28, 32)
    assert most_in_a_day([time for time in times if time > START + 16 * MINUTE]) <= 96
    # The first of these was due by what held before the day was over.
    assert most_in_a_day([time for time in times if time > START + DAY][1:]) <= 4
    assert times[-1] > START + 9 * DAY


@given(fraction=fractions, pace=paces)
def test_it_is_asked_ever_more_slowly(fraction: float, pace: Pace) -> None:
    times = within(4 * DAY, asks(a_consent(), so(Status.AWAITING_AUTHORIZATION), fraction=fraction, pace=pace))
    assume(len(times) < 5000)
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == sorted(gaps)


def test_only_while_somebody_may_be_there_it_is_urgent() -> None:
    decision = so(Status.AWAITING_AUTHORIZATION)
    assert planned(a_consent(), decision, START).urgent_at == START
    assert planned(a_consent(START + 15 * MINUTE), decision, START + 15 * MINUTE).urgent_at is not None
    later = START + 16 * MINUTE
    assert planned(a_consent(later), decision, later) == NextAsk(ordinary_at=later + 15 * MINUTE)
    assert planned(a_consent(START, imported=True), decision, START).urgent_at is None


def test_the_end_of_the_window_is_looked_at() -> None:
    ends = START + 3 * DAY + HOUR
    consent = a_consent(authorization_expiration_date_time=ends)
    times = within(6 * DAY, asks(consent, so(Status.AWAITING_AUTHORIZATION)))
    assert {ends, ends + MINUTE, ends + 5 * MINUTE, ends + 30 * MINUTE} <= set(times)
    assert most_in_a_day([time for time in times if time > START + 2 * DAY]) <= 8


def test_the_condition_of_the_provider_does_not_keep_customers_waiting() -> None:
    decision = so(Status.AWAITING_AUTHORIZATION)
    usual = within(DAY, asks(a_consent(), decision))
    assert within(DAY, asks(a_consent(), decision, condition=Condition(quiet=True, stretch=9))) == usual


# ------------------------------------------------------------------------------------------ authorized, suspended


@given(status=steady_statuses, pace=paces, condition=conditions, fraction=fractions)
@example(Status.AUTHORIZED, PACE, HEALTHY, 0.999)
@example(Status.AUTHORIZED, PACE, Condition(quiet=True), 0.999)
@example(Status.SUSPENDED, PACE, Condition(quiet=True, probed=True), 0)
@example(Status.SUSPENDED, PACE, Condition(probed=True), 0)
def test_it_is_never_asked_about_later_than_the_interval_nor_much_earlier(
    status: Status, pace: Pace, condition: Condition, fraction: float
) -> None:
    base = pace.suspended if status is Status.SUSPENDED else pace.authorized
    factor = max(1.0, condition.stretch) * (0.25 if condition.quiet else 2 / 3 if condition.probed else 1)
    some = asks(a_consent(START), so(status), fraction=fraction, pace=pace, condition=condition)
    times = [START, *(next(some) for _ in range(5))]
    slack = timedelta(milliseconds=1)
    for before, after in pairwise(times):
        assert base * factor - slack <= after - before <= base * (factor + JITTER) + slack


def test_a_base_of_six_hours_takes_no_more_than_four_a_day_and_finds_what_was_lost_in_time() -> None:
    pace = replace(PACE, authorized=6 * HOUR)
    times = within(10 * DAY, asks(a_consent(START), so(Status.AUTHORIZED), pace=pace, fraction=0.5))
    assert len(times) == 39
    assert most_in_a_day(times) <= 4
    # Of what happens at any time, 95 in 100 are asked about in so long.
    assert 0.95 * pace.authorized * (1 + JITTER / 2) <= 6 * HOUR
    quiet = within(10 * DAY, asks(a_consent(START), so(Status.AUTHORIZED), pace=pace, condition=Condition(quiet=True)))
    assert len(quiet) == 159


def test_what_is_for_one_use_is_looked_at_soon_after_it_was_authorized_and_then_as_any_other() -> None:
    def times(status: Status, asked: datetime, learned: datetime | None = START) -> NextAsk:
        consent = a_consent(asked, learned_at=learned)
        return next_ask(consent, so(status), PACE, now=asked, settling=SETTLING, fraction=0, is_single=True)

    steps = [START, START + MINUTE, START + 5 * MINUTE, START + 30 * MINUTE]
    for asked, then in pairwise(steps):
        assert times(Status.AUTHORIZED, asked).ordinary_at == then
    assert times(Status.AUTHORIZED, steps[-1]) == NextAsk(steady_at=steps[-1] + PACE.authorized)
    assert times(Status.SUSPENDED, START) == NextAsk(steady_at=START + PACE.authorized)
    assert times(Status.AUTHORIZED, START, None) == NextAsk(steady_at=START + PACE.authorized)
    assert (
        times(Status.AUTHORIZED, START, START + DAY).ordinary_at == START + MINUTE
    )  # learned while our clock was ahead
    assert planned(a_consent(START, learned_at=START), so(Status.AUTHORIZED), START).ordinary_at is None


@given(status=steady_statuses, one=st.floats(0, 50), other=st.floats(0, 50), quiet=st.booleans())
def test_the_shorter_the_budget_the_later(status: Status, one: float, other: float, *, quiet: bool) -> None:
    ask = planned(a_consent(START), so(status), START)
    less, more = sorted([one, other])
    assert _due(ask, status, Condition(stretch=less)) <= _due(ask, status, Condition(stretch=more))
    assert _due(ask, status, Condition(stretch=less, quiet=True)) <= _due(ask, status, Condition(stretch=less))
    assert tempo(PACE, Condition(stretch=more, quiet=quiet)) == tempo(
        PACE, Condition(stretch=max(1, more), quiet=quiet)
    )


def _due(ask: NextAsk, status: Status, condition: Condition) -> datetime:
    due = ask.due_at(status, tempo(PACE, condition))
    assert due is not None
    return due


@given(condition=conditions, fraction=fractions, status=steady_statuses)
def test_what_is_kept_does_not_depend_on_the_condition(condition: Condition, fraction: float, status: Status) -> None:
    """So a change of the condition moves what is kept, and nothing need be written anew."""
    kept = planned(a_consent(START), so(status), START, fraction)
    assert kept == NextAsk(steady_at=kept.steady_at)
    shift = tempo(PACE, condition).earlier[status]
    assert kept.steady_at is not None
    assert kept.due_at(status, tempo(PACE, condition)) == kept.steady_at - shift


def test_a_condition_without_bounds_breaks_nothing() -> None:
    assert tempo(PACE, Condition(stretch=1e300)).earlier[Status.AUTHORIZED] > timedelta(days=-100_000)
    assert always_healthy(ProviderId("demobank")) == HEALTHY == Condition()


# ------------------------------------------------------------------------------------------ expiry, doubt, ends


@given(status=st.sampled_from(sorted(OPEN)), after=st.timedeltas(HOUR, 20 * DAY), fraction=fractions)
def test_at_its_expiry_it_is_asked_about_on_the_steps_of_rule_4(
    status: Status, after: timedelta, fraction: float
) -> None:
    expiry = START + after
    times = within(after + 4 * HOUR, asks(a_consent(), so(status, expiry=expiry), fraction=fraction))
    steps = [timedelta(0), MINUTE, 5 * MINUTE, 30 * MINUTE]
    assert {expiry + step for step in steps} <= set(times)
    late = [time for time in times if time >= expiry + 30 * MINUTE]
    assert all(after - before <= HOUR for before, after in pairwise(late))
    assert len(late) >= 4


@given(
    status=st.sampled_from(sorted(OPEN)), after=st.timedeltas(HOUR, 20 * DAY), fraction=fractions, condition=conditions
)
def test_what_the_holder_never_confirms_is_asked_about_by_the_hour_for_a_day_and_then_ever_more_rarely(
    status: Status, after: timedelta, fraction: float, condition: Condition
) -> None:
    expiry = START + after
    consent = a_consent(START + after - HOUR, asking=Asking(asked_at=expiry - HOUR, expiry_told_at=expiry))
    some = asks(consent, so(status, expiry=expiry), fraction=fraction, condition=condition, now=expiry)
    times = list(takewhile(lambda time: time < expiry + 40 * DAY, some))
    first = [time for time in times if time < expiry + DAY]
    assert len(first) == 4 + 23
    week = [time for time in times if expiry + DAY + HOUR <= time < expiry + 8 * DAY]
    assert 27 <= len(week) <= 28
    assert most_in_a_day(week) <= 4
    rest = [time for time in times if time >= expiry + 8 * DAY + 6 * HOUR]
    assert 31 <= len(rest) <= 32
    assert most_in_a_day(rest) == 1
    assert all(after - before <= DAY for before, after in pairwise(times))


def test_what_nobody_confirmed_for_a_day_is_not_urgent_any_more_until_it_has_another_expiry() -> None:
    told, asked = START, START + 2 * DAY
    consent = a_consent(asked, asking=Asking(asked_at=asked, expiry_told_at=told))
    ask = planned(consent, so(Status.AUTHORIZED, expiry=START), asked)
    assert ask == NextAsk(ordinary_at=asked + 6 * HOUR)
    later = planned(consent, so(Status.AUTHORIZED, expiry=asked + HOUR), asked)
    assert later.urgent_at == asked + HOUR
    assert later.steady_at == asked + PACE.authorized


def test_days_in_which_nobody_could_ask_do_not_count_for_a_holder() -> None:
    """Told late, it is asked about by the hour for a day all the same."""
    asked = START + 30 * DAY
    consent = a_consent(asked, asking=Asking(asked_at=asked, expiry_told_at=asked))
    assert planned(consent, so(Status.SUSPENDED, expiry=START), asked) == NextAsk(urgent_at=asked + HOUR)


def test_one_that_came_long_after_its_expiry_is_asked_about_at_once_and_then_hourly() -> None:
    times = asks(a_consent(), so(Status.AUTHORIZED, expiry=START - 9 * DAY))
    assert [next(times) - START for _ in range(3)] == [timedelta(0), HOUR, 2 * HOUR]


def test_a_doubt_is_asked_about_at_once_and_past_the_settling_time_and_hourly() -> None:
    consent = a_consent(START - DAY, asking=Asking(asked_at=START - HOUR, doubted_at=START))
    some = asks(consent, so(Status.AUTHORIZED, doubt=True))
    seconds = [(next(some) - START).total_seconds() for _ in range(7)]
    assert seconds == [0, 5, 30, 310, 900, 4500, 8100]
    ended = asks(consent, so(Status.REVOKED, doubt=True))
    assert [(time - START).total_seconds() for time in ended] == [0, 5, 30, 310, 900]


@given(status=st.sampled_from(sorted(TERMINAL)), received=st.floats(0, 9e6))
def test_an_end_that_an_event_told_is_asked_about_once_when_reads_have_settled(status: Status, received: float) -> None:
    end = Ear().event(status, 0, received=received)
    consent = a_consent(START, summary=Summary(standing=(end,)))
    times = list(asks(consent, so(status, report=end), now=at(received)))
    assert times == [at(received) + SETTLING + timedelta(seconds=10)]


def test_an_end_that_the_holder_answered_is_not_asked_about() -> None:
    ear = Ear()
    answered = ear.answer(Status.REVOKED, 0, asked=9)
    assert list(asks(a_consent(START), so(Status.REVOKED, report=answered))) == []
    event = ear.event(Status.REVOKED, 10)
    later = ear.answer(Status.AUTHORIZED, 0, asked=20)
    consent = a_consent(at(20), summary=Summary(asks=2, standing=(event, later)))
    assert list(asks(consent, so(Status.REVOKED, report=event))) == []  # what contradicts it is a doubt
    assert list(asks(a_consent(START), so(Status.EXPIRED))) == []


def test_a_holder_that_never_speaks_of_what_has_ended_is_left_alone_in_the_end() -> None:
    asking = Asking(asked_at=START, failures=29, not_before=at(900), requested_at=START)
    end = so(Status.REVOKED, report=Ear().event(Status.REVOKED, 0))
    assert planned(a_consent(asking=asking), end, START).ordinary_at == at(900)
    assert planned(a_consent(asking=changed(asking, failures=30)), end, START) == NextAsk()
    assert planned(a_consent(asking=changed(asking, failures=99)), so(Status.AUTHORIZED), START) != NextAsk()


# ------------------------------------------------------------------------------------------ holding back, leases, wishes

askings = st.builds(
    Asking,
    asked_at=st.none() | spans.map(lambda span: START + span),
    leased_until=st.none() | spans.map(lambda span: START + span),
    requested_at=st.none() | spans.map(lambda span: START + span),
    failures=st.integers(0, 5),
    not_before=st.none() | spans.map(lambda span: START + span),
    doubted_at=st.none() | spans.map(lambda span: START + span),
    expiry_told_at=st.none() | spans.map(lambda span: START + span),
)


@given(
    asking=askings,
    status=st.sampled_from([s for s in Status if s is not Status.UNKNOWN]),
    expires=st.none() | spans,
    registered=spans,
    confirmed=st.none() | spans,
    now=spans,
    fraction=fractions,
    imported=st.booleans(),
)
def test_whatever_our_clock_has_written_nothing_open_is_asked_about_later_than_any_interval(
    asking: Asking,
    status: Status,
    expires: timedelta | None,
    registered: timedelta,
    confirmed: timedelta | None,
    now: timedelta,
    fraction: float,
    *,
    imported: bool,
) -> None:
    """Times ahead of `now` were written while our clock was ahead."""
    consent = a_consent(
        asking=asking,
        registered_at=START + registered,
        confirmed_at=None if confirmed is None else START + confirmed,
        imported=imported,
    )
    decision = so(status, expiry=None if expires is None else START + expires)
    ask = planned(consent, decision, START + now, fraction)
    due = ask.due_at(status, Tempo())
    if not status.is_terminal:
        assert due is not None
        assert due <= START + now + 25 * HOUR  # a day is the most that a holder asks to be left alone
        is_past = asking.expiry_told_at is not None and expires is not None and expires <= now
        most = DAY if is_past else 7 * HOUR
        assert due <= START + now + most or (asking.not_before is not None and due == asking.not_before)
    if asking.asked_at is not None and asking.asked_at > START + now + MINUTE and due is not None:
        assert due <= max(START + now, asking.not_before or START)
    assert ask.queued_at is None or ask == NextAsk(queued_at=ask.queued_at)


def test_what_holds_back_is_not_hurried_by_its_condition() -> None:
    asking = Asking(asked_at=START, failures=3, not_before=at(20), requested_at=START)
    ask = planned(a_consent(asking=asking), so(Status.AUTHORIZED, expiry=at(-5)), START)
    assert ask == NextAsk(urgent_at=at(-5) + MINUTE, ordinary_at=at(20))
    assert [hold_back(n, 0).total_seconds() for n in (1, 2, 3, 20)] == [5, 10, 20, 900]
    assert hold_back(1, 0.5) == timedelta(seconds=5.25)


def test_a_question_of_somebody_who_died_is_asked_again() -> None:
    asking = Asking(asked_at=START, leased_until=at(60))
    assert planned(a_consent(asking=asking), so(Status.AUTHORIZED), START).ordinary_at == at(60)


def test_what_somebody_wants_is_urgent_until_it_failed() -> None:
    asking = Asking(asked_at=START, requested_at=at(5))
    assert planned(a_consent(asking=asking), so(Status.AUTHORIZED), at(5)).urgent_at == at(5)
    failed = planned(a_consent(asking=changed(asking, failures=1)), so(Status.AUTHORIZED), at(5))
    assert (failed.urgent_at, failed.ordinary_at) == (None, at(5))


def test_what_never_reached_its_holder_is_not_asked_about() -> None:
    refused = Journey(pushed_at=at(1), push_accepted=False)
    consent = a_consent(at(1), journey=refused)
    assert planned(consent, so(Status.NOT_STAGED), at(2)) == NextAsk()
    assert planned(changed(consent, asking=Asking()), so(Status.NOT_STAGED), at(2)) == NextAsk()
    wanted = changed(consent, asking=Asking(asked_at=at(1), requested_at=at(2)))
    assert planned(wanted, so(Status.NOT_STAGED), at(2)) == NextAsk(urgent_at=at(2))
    again = changed(consent, journey=Journey(pushed_at=at(3), push_accepted=True))
    assert planned(again, so(Status.NOT_STAGED), at(3)).urgent_at is not None
    # It has it after all: then it is asked about as any other.
    assert planned(consent, so(Status.AWAITING_AUTHORIZATION), at(2)).urgent_at is not None


def test_what_was_imported_waits_in_the_queue_until_it_was_asked_about() -> None:
    decision = so(Status.NOT_STAGED)
    assert planned(a_consent(imported=True), decision, at(9)) == NextAsk(queued_at=START)
    wanted = a_consent(imported=True, asking=Asking(requested_at=at(5)))
    assert planned(wanted, decision, at(9)).urgent_at == at(5)
    unknown = planned(a_consent(START, imported=True), decision, START)
    assert unknown == NextAsk(ordinary_at=START + PACE.authorized)


# ------------------------------------------------------------------------------------------ the clock alone


def test_the_clock_speaks_at_the_expiry_and_when_the_holder_should_have_confirmed_it() -> None:
    decision = so(Status.AUTHORIZED, expiry=at(60))
    consent = a_consent(judged_at=START)
    assert next_tick(consent, decision, PACE) == at(60)
    assert overdue_from(consent) is None
    asking = Asking(expiry_told_at=at(90))  # somewhat late: we were not there
    told = changed(consent, told=Told(status=Status.EXPIRED, confirmed=False), judged_at=at(90), asking=asking)
    assert next_tick(told, decision, PACE) == at(90) + DAY == overdue_from(told)
    assert next_tick(changed(told, judged_at=at(90) + DAY), decision, PACE) is None
    assert next_tick(changed(told, asking=Asking()), decision, PACE) is None
    assert next_tick(told, so(Status.EXPIRED, expiry=at(60)), PACE) is None
    not_staged = so(Status.NOT_STAGED, expiry=at(60))
    assert (
        next_tick(consent, not_staged, PACE) == START + PACE.authorization_overdue
    )  # when nobody has finished by then


@pytest.mark.parametrize("status", sorted(OPEN))
def test_a_registration_from_a_clock_far_ahead_costs_no_more_than_an_abandoned_one(status: Status) -> None:
    consent = a_consent(START, registered_at=START + 300 * DAY)
    times = within(4 * DAY, asks(consent, so(status)))
    assert 4 <= most_in_a_day(times) <= 5
