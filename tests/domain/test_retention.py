"""How long a consent is kept: the clocks, by examples and by properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import START, a_consent, a_report
from tracker.domain.consent import TERMINAL, Status
from tracker.domain.lifecycle import Told
from tracker.domain.retention import (
    CountsFrom,
    Duties,
    Keeping,
    Obstacle,
    Override,
    Record,
    RetentionPlan,
    Ties,
    keeping,
    years_after,
    years_before,
)
from tracker.domain.standing import Summary
from tracker.domain.tracked import Asking, TrackedConsent

NOTHING = Ties()
YEAR = timedelta(days=365)
DAY = timedelta(days=1)

times = st.floats(-36 * 365.25, 64 * 365.25).map(lambda days: START + timedelta(days=days))
years = st.integers(0, 100)
duties = st.builds(
    Duties,
    counts_from=st.sampled_from(CountsFrom),
    consent_years=years,
    evidence_years=years,
    payment_years=years,
    completion_years=years,
)
ties = st.builds(
    Ties,
    holds=st.integers(0, 3),
    is_owed=st.booleans(),
    has_work_due=st.booleans(),
    paid_at=st.none() | times,
    reported_at=st.none() | times,
    is_asked=st.booleans(),
)


def ended(created: datetime = START, end: datetime = START + DAY, status: Status = Status.REVOKED) -> TrackedConsent:
    said = replace(a_report(1, status), status_date_time=end, received_at=end, recorded_at=end)
    return a_consent(
        registered_at=created, told=Told(status=status, confirmed=True, usable=False), summary=Summary(standing=(said,))
    )


def look(consent: TrackedConsent, now: datetime, duties: Duties | None = None, ties: Ties = NOTHING) -> Keeping:
    return keeping(consent, duties or Duties(), ties, now, goes_unasked=True)


def test_five_years_from_creation_is_the_rule() -> None:
    due = START.replace(year=START.year + 5)
    assert look(ended(), due - timedelta(microseconds=1)).obstacles == (Obstacle.DUTY,)
    assert look(ended(), due).may_go
    assert look(ended(), due).until == due


def test_a_payment_and_a_report_of_work_count_from_their_own_creation() -> None:
    tied = Ties(paid_at=START + YEAR, reported_at=START + 2 * YEAR)
    found = look(ended(), START + 6 * YEAR, ties=tied)
    assert set(found.duties) == set(Record)
    assert found.until == years_after(START + 2 * YEAR, 5)
    assert found.obstacles == (Obstacle.DUTY,)
    assert found.look_again_at(START + 6 * YEAR) == found.until


def test_years_may_count_from_the_end() -> None:
    consent = ended(end=START + 3 * YEAR)
    from_the_end = Duties(counts_from=CountsFrom.END)
    assert look(consent, START + 6 * YEAR, from_the_end).until == years_after(START + 3 * YEAR, 5)


def test_a_holders_word_that_it_was_made_after_it_had_ended_is_none() -> None:
    consent = replace(ended(), creation_date_time=START + 50 * YEAR)
    assert look(consent, START + 6 * YEAR).may_go
    older = replace(ended(), creation_date_time=START - YEAR)
    assert look(older, START + 4 * YEAR).until == years_after(START - YEAR, 5)


def test_what_ended_by_our_clock_alone_ended_at_its_expiry() -> None:
    told = Told(status=Status.EXPIRED, confirmed=False, usable=False)
    consent = a_consent(told=told, registered_expiry=START + YEAR, judged_at=START + 2 * YEAR)
    from_the_end = Duties(counts_from=CountsFrom.END)
    assert look(consent, START + 3 * YEAR, from_the_end).until == years_after(START + YEAR, 5)


@pytest.mark.parametrize("status", sorted(set(Status) - TERMINAL - {Status.NOT_STAGED}))
def test_what_can_still_be_used_stays_whoever_asks(status: Status) -> None:
    consent = a_consent(told=Told(status=status, confirmed=True, usable=False))
    found = look(consent, START + 90 * YEAR, ties=Ties(is_asked=True))
    assert (found.obstacles, found.until) == ((Obstacle.NOT_ENDED,), None)
    assert found.look_again_at(START) == START + DAY


def test_a_mere_registration_has_no_duty_once_somebody_asks() -> None:
    consent = a_consent(authorization_expiration_date_time=START + 3 * DAY)
    asked = Ties(is_asked=True)
    assert look(consent, START + 2 * DAY, ties=asked).obstacles == (Obstacle.NOT_ENDED,)
    assert look(consent, START + 3 * DAY, ties=asked).may_go
    assert look(consent, START + 3 * DAY).obstacles == (Obstacle.DUTY,)
    assert look(a_consent(), START + DAY, ties=asked).may_go
    asking = replace(consent, asking=Asking(leased_until=START + 4 * DAY))
    assert look(asking, START + 3 * DAY, ties=asked).obstacles == (Obstacle.NOT_ENDED,)
    heard = replace(consent, summary=Summary(standing=(a_report(1, Status.UNKNOWN),)))
    assert look(heard, START + 3 * DAY, ties=asked).obstacles == (Obstacle.NOT_ENDED,)


def test_obstacles_are_all_told() -> None:
    tied = Ties(holds=2, is_owed=True, has_work_due=True)
    assert look(ended(), START + DAY, ties=tied).obstacles == (
        Obstacle.DUTY,
        Obstacle.LEGAL_HOLD,
        Obstacle.UNDELIVERED,
        Obstacle.WORK_DUE,
    )


def test_where_nothing_goes_unasked_it_waits_for_the_question() -> None:
    late = START + 6 * YEAR
    assert keeping(ended(), Duties(), NOTHING, late, goes_unasked=False).obstacles == (Obstacle.NOT_ASKED,)
    assert keeping(ended(), Duties(), Ties(is_asked=True), late, goes_unasked=False).may_go


def test_of_several_overrides_the_last_that_fits_counts_for_what_it_says() -> None:
    plan = RetentionPlan(
        duties=Duties(consent_years=5, evidence_years=6),
        overrides=(
            Override(provider="demobank", consent_years=7, counts_from=CountsFrom.END),
            Override(kind="account-access", consent_years=8),
            Override(provider="otherbank", consent_years=9),
            Override(profile="another", evidence_years=1),
        ),
    )
    expected = Duties(counts_from=CountsFrom.END, consent_years=8, evidence_years=6)
    assert plan.of(a_consent(kind="account-access", profile="uae-v2.1")) == expected
    assert plan.of(a_consent(kind="payment", profile="uae-v2.1")).consent_years == 7


@given(times, years)
def test_years_are_those_of_the_calendar(instant: datetime, count: int) -> None:
    after = years_after(instant, count)
    assert after >= instant
    assert abs((after - instant) - count * timedelta(days=365.2425)) < 3 * DAY
    assert years_before(after, count) <= instant + DAY
    assert years_after(years_before(instant, count), count) <= instant + DAY


@given(times)
def test_beyond_the_last_year_there_is_the_last_instant(instant: datetime) -> None:
    assert years_after(instant, 9_000) == datetime.max.replace(tzinfo=UTC)


@given(duties, ties, times, st.floats(0, 40 * 365.25), st.floats(0, 40 * 365.25))
def test_nothing_goes_before_its_last_duty_has_passed_and_what_may_go_may_go_later(
    chosen: Duties, tied: Ties, created: datetime, lasted: float, later: float
) -> None:
    end = created + timedelta(days=lasted)
    consent, now = ended(created, end), end + timedelta(days=later)
    found = look(consent, now, chosen, tied)
    assert found.until is not None
    assert found.until >= years_after(created, max(chosen.consent_years, chosen.evidence_years))
    if chosen.counts_from is CountsFrom.END:
        assert found.until >= years_after(end, chosen.consent_years)
    assert (Obstacle.DUTY in found.obstacles) == (found.until > now)
    assert found.may_go == (found.until <= now and not (tied.holds or tied.is_owed or tied.has_work_due))
    if found.may_go:
        assert look(consent, now + YEAR, chosen, tied).may_go


@given(duties, ties, times, st.floats(0, 40 * 365.25))
def test_what_may_go_unasked_is_looked_at(chosen: Duties, tied: Ties, created: datetime, later: float) -> None:
    """The scan leaves out what was created after some time: nothing that may go is among that."""
    now = created + timedelta(days=later)
    plan = RetentionPlan(duties=chosen)
    tied = replace(tied, is_asked=False)
    if keeping(ended(created, created), chosen, tied, now, goes_unasked=True).may_go:
        assert created <= plan.created_before(now)
