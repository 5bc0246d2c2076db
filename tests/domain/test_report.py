"""What a report says of itself."""

from dataclasses import replace
from datetime import timedelta, timezone

from tests.domain.kinds import AU, SU
from tests.domain.reports import Ear, at
from tracker.domain.consent import Channel


def test_the_claim_is_the_status_and_the_holders_time() -> None:
    assert Ear().event(SU, 7, received=9).claim == (SU, at(7))


def test_the_same_instant_in_another_zone_is_the_same_claim() -> None:
    report = Ear().event(SU, 7)
    there = replace(report, status_date_time=at(7).astimezone(timezone(timedelta(hours=4))))
    assert there.claim == report.claim
    assert hash(there.claim) == hash(report.claim)


def test_an_answer_was_asked_after_what_was_recorded_before_the_question() -> None:
    ear = Ear()
    before = ear.event(AU, 0)
    answer = ear.answer(AU, 0, asked=10)
    after = ear.event(SU, 20)
    assert answer.is_poll
    assert not before.is_poll
    assert answer.was_asked_after(before)
    assert not answer.was_asked_after(after)
    assert not answer.was_asked_after(answer)


def test_an_answer_was_not_asked_after_what_came_while_it_was_on_its_way() -> None:
    ear = Ear()
    question = ear.ask()
    meanwhile = ear.event(SU, 1)
    assert not ear.answer(AU, 0, asked=0, question=question).was_asked_after(meanwhile)


def test_of_two_questions_on_their_way_neither_was_asked_after_the_other_was_answered() -> None:
    ear = Ear()
    first, second = ear.ask(), ear.ask()
    late, early = ear.answer(AU, 0, asked=1, question=second), ear.answer(SU, 0, asked=0, question=first)
    assert not late.was_asked_after(early)
    assert not early.was_asked_after(late)


def test_nothing_but_an_answer_was_asked() -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    ear.ask()
    assert not any(ear.event(AU, 9, channel=c).was_asked_after(event) for c in Channel)
