"""Whom nobody came back for: when that is told, and when a consent counts as abandoned."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tracker.domain.consent import Status
from tracker.domain.decision import Decision
from tracker.domain.journey import Journey, given_up_from, is_abandoned, overdue_from
from tracker.domain.payment import PaymentOutcome

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("journey", "until", "due"),
    [
        (Journey(), None, 15),
        (Journey(pushed_at=at(2), push_accepted=True), None, 17),
        (Journey(pushed_at=at(2), returned_at=at(5)), None, 20),
        (Journey(returned_at=at(5), token_at=at(6)), None, 21),
        (Journey(returned_at=at(-5)), None, 15),
        (Journey(returned_at=at(5)), at(600), 600),
        (Journey(returned_at=at(5)), at(6), 20),
        (Journey(overdue_at=at(3)), None, None),
        (Journey(pushed_at=at(2), push_accepted=False), None, None),
    ],
)
def test_when_it_is_to_be_told(journey: Journey, until: Any, due: float | None) -> None:
    found = overdue_from(journey, Status.NOT_STAGED, START, until, PATIENCE)
    assert found == (None if due is None else at(due))


@pytest.mark.parametrize(
    ("journey", "until", "due"),
    [
        (Journey(), None, None),
        (Journey(overdue_at=at(3)), None, 13),
        (Journey(overdue_at=at(3), pushed_at=at(1)), None, 13),
        (Journey(overdue_at=at(3), returned_at=at(5)), None, 15),
        (Journey(overdue_at=at(3), returned_at=at(5)), at(40), 40),
        (Journey(overdue_at=at(3), returned_at=at(5)), at(6), 15),
        (Journey(overdue_at=at(3), given_up_at=at(13)), None, None),
    ],
)
def test_when_it_is_to_be_given_up(journey: Journey, until: Any, due: float | None) -> None:
    assert given_up_from(journey, until, timedelta(minutes=10)) == (None if due is None else at(due))


@pytest.mark.parametrize("status", list(Status))
def test_only_while_somebody_may_be_on_the_way(status: Status) -> None:
    found = overdue_from(Journey(), status, START, None, PATIENCE)
    assert (found is not None) == (status in {Status.NOT_STAGED, Status.AWAITING_AUTHORIZATION})


def test_what_the_holder_has_though_it_refused_it_is_waited_for() -> None:
    refused = Journey(pushed_at=at(2), push_accepted=False)
    assert overdue_from(refused, Status.AWAITING_AUTHORIZATION, START, None, PATIENCE) == at(17)


@pytest.mark.parametrize(
    ("journey", "status", "vouched", "expected"),
    [
        (Journey(overdue_at=at(15)), Status.AWAITING_AUTHORIZATION, at(15), True),
        (Journey(overdue_at=at(15)), Status.AWAITING_AUTHORIZATION, at(14), False),
        (Journey(overdue_at=at(15)), Status.AWAITING_AUTHORIZATION, None, False),
        (Journey(overdue_at=at(15)), Status.NOT_STAGED, None, False),
        (Journey(overdue_at=at(15)), Status.AUTHORIZED, at(16), False),
        (Journey(overdue_at=at(15)), Status.REJECTED, at(16), False),
        (Journey(), Status.AWAITING_AUTHORIZATION, at(16), False),
    ],
)
def test_abandoned_is_what_its_holder_asked_since_still_waits_for(
    journey: Journey, status: Status, vouched: datetime | None, expected: bool
) -> None:
    decision = Decision(status=status, since=START, expiration_date_time=None)
    assert is_abandoned(journey, decision, vouched) is expected


def test_outcomes_follow_each_other() -> None:
    assert sorted(PaymentOutcome, key=lambda outcome: outcome.rank) == ["pending", "successful", "failed"]
