"""Which reports still count."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, PAYMENT, RV, SU, UN
from tests.domain.reports import SETTLED, Ear, at
from tracker.domain.consent import Status
from tracker.domain.moves import Rules
from tracker.domain.report import Report
from tracker.domain.standing import Summary, compact, fold, settles, standing

MICROSECOND = timedelta(microseconds=1)


def fold_all(rules: Rules, *reports: Report) -> Summary:
    summary = Summary()
    for report in reports:
        summary = fold(summary, report, rules)
    return summary


# ------------------------------------------------------------------------------------------------ polls settle


@pytest.mark.parametrize(("short_by", "settled"), [(timedelta(), True), (MICROSECOND, False), (-MICROSECOND, True)])
def test_an_answer_settles_what_was_received_the_settling_time_before_it_was_asked(
    short_by: timedelta, settled: bool
) -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    answer = replace(ear.answer(SU, 1, asked=400), asked_at=event.received_at + DATA_SHARING.settling - short_by)
    assert settles(answer, event, DATA_SHARING) == settled
    assert (event in standing([event, answer], DATA_SHARING)) == (not settled)
    assert (event in fold_all(DATA_SHARING, event, answer).standing) == (not settled)


def test_when_it_was_asked_counts_and_not_when_it_was_answered() -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    answer = replace(ear.answer(SU, 1, asked=1), received_at=at(SETTLED), recorded_at=at(SETTLED))
    assert not settles(answer, event, DATA_SHARING)


def test_when_it_was_received_counts_and_not_the_holders_time() -> None:
    ear = Ear()
    event = ear.event(AU, -9000, received=100)
    assert not settles(ear.answer(SU, 1, asked=SETTLED), event, DATA_SHARING)


def test_an_answer_settles_nothing_that_was_recorded_after_it_was_asked() -> None:
    """Received long before, but it lay unopened while we asked."""
    ear = Ear()
    question = ear.ask()
    event = ear.event(SU, 0, recorded=SETTLED + 1)
    answer = ear.answer(AU, 0, asked=SETTLED, question=question)
    assert not settles(answer, event, DATA_SHARING)
    assert set(standing([event, answer], DATA_SHARING)) == {event, answer}


def test_only_an_answer_settles() -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    ear.ask()
    assert not settles(ear.event(SU, 5, received=9000), event, DATA_SHARING)


def test_an_answer_without_the_time_of_its_question_settles_nothing() -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    assert not settles(replace(ear.answer(SU, 1, asked=SETTLED), asked_at=None), event, DATA_SHARING)


@pytest.mark.parametrize("status", [UN, CO])
def test_an_answer_that_makes_no_sense_settles_nothing(status: Status) -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    assert not settles(ear.answer(status, 1, asked=SETTLED), event, DATA_SHARING)


def test_an_end_stands_against_every_later_answer() -> None:
    ear = Ear()
    end, answer = ear.event(RV, 0), ear.answer(AU, -5, asked=SETTLED)
    assert fold_all(DATA_SHARING, end, answer).standing == (answer, end)


def test_a_terminal_status_that_the_kind_cannot_have_is_settled() -> None:
    ear = Ear()
    consumed, answer = ear.event(CO, 0), ear.answer(AU, 0, asked=SETTLED)
    assert fold_all(DATA_SHARING, consumed, answer).standing == (answer,)
    assert set(fold_all(PAYMENT, consumed, answer).standing) == {consumed, answer}


# ------------------------------------------------------------------------------------------------ heard again


def test_the_same_claim_heard_again_replaces_the_earlier_hearing() -> None:
    ear = Ear()
    event, answers = ear.event(AU, 0), [ear.answer(AU, 0, asked=100 * n) for n in range(1, 30)]
    assert fold_all(DATA_SHARING, event, *answers).standing == (answers[-1],)


def test_a_later_event_does_not_replace_an_answer() -> None:
    """Or the answer's question would be forgotten."""
    ear = Ear()
    answer, event = ear.answer(AU, 0, asked=10), ear.event(AU, 0, received=20)
    assert set(compact([answer, event])) == {answer, event}


@pytest.mark.parametrize("changes", [{"status_date_time": at(1)}, {"status": SU}, {"expiration_date_time": None}])
def test_another_claim_or_another_expiry_replaces_nothing(changes: dict[str, object]) -> None:
    ear = Ear()
    one, other = ear.event(AU, 0), replace(ear.event(AU, 0, received=9), **changes)  # type: ignore[arg-type]
    assert set(compact([one, other])) == {one, other}


def test_a_hearing_that_is_later_by_one_measure_and_earlier_by_another_replaces_nothing() -> None:
    """Our clock stepped back between the two: either may be what is needed to tell what an answer settles."""
    ear = Ear()
    one = ear.event(AU, 0, received=3600)
    ear.ask()
    other = ear.event(AU, 0, received=10)
    assert set(compact([one, other])) == {one, other}


def test_of_two_hearings_at_once_one_stays_whichever_came_first() -> None:
    ear = Ear()
    one, other = ear.event(AU, 0), ear.event(AU, 0)
    assert compact([one, other]) == compact([other, one])
    assert len(compact([one, other])) == 1


def test_what_stands_is_in_the_order_of_the_holders_times() -> None:
    ear = Ear()
    late, early = ear.event(SU, 9), ear.event(AU, 1, received=10)
    assert compact([late, early]) == (early, late)


def test_no_words_of_the_holder_are_lost_to_a_hearing_that_says_less() -> None:
    ear = Ear()
    told, bare = ear.event(RV, 0, revoked_by="LFI"), ear.answer(RV, 0, asked=10)
    again = ear.answer(RV, 0, asked=20, revoked_by="LFI")
    assert set(compact([told, bare])) == {told, bare}
    assert compact([told, bare, again]) == (again,)
    other = ear.answer(RV, 0, asked=30, revoked_by="TPP")
    assert set(compact([told, other])) == {told, other}


def test_the_holders_own_word_is_not_lost_to_another() -> None:
    ear = Ear()
    one, other = ear.event(UN, 0, raw_status="Frozen"), ear.event(UN, 0, raw_status="Melted")
    assert set(compact([one, other])) == {one, other}


def test_a_repeat_counts_as_first_heard_whatever_order_they_are_given_in() -> None:
    """A repeat after the answer says nothing new: it must not stand against the answer."""
    ear = Ear()
    event, answer = ear.event(SU, 0), ear.answer(AU, 0, asked=SETTLED)
    repeat = replace(event, received_at=at(9000), recorded_at=at(9000), asks=ear.asks)
    assert standing([event, answer, repeat], DATA_SHARING) == (answer,)
    assert standing([repeat, answer, event], DATA_SHARING) == (answer,)


# ------------------------------------------------------------------------------------------------ the row stays small


def test_the_row_does_not_grow_with_what_was_settled() -> None:
    ear, summary = Ear(), Summary()
    for hour in range(48):
        status = AU if hour % 2 else SU
        summary = fold(summary, ear.event(status, 3600 * hour), DATA_SHARING)
        summary = fold(summary, ear.answer(status, 3600 * hour, asked=3600 * hour + SETTLED), DATA_SHARING)
    assert len(summary.standing) == 1


def test_the_count_of_questions_is_the_askers_and_is_kept() -> None:
    assert fold(Summary(asks=7), Ear().event(AW, 0), DATA_SHARING).asks == 7


def test_a_holder_that_dates_every_event_anew_is_no_burden() -> None:
    """Comparing each with each would take minutes."""
    ear = Ear()
    assert len(compact([ear.event(AU, n) for n in range(20_000)])) == 20_000


def test_what_is_expired_by_the_holder_stands_like_every_end() -> None:
    ear = Ear()
    end = ear.event(EX, 0)
    assert end in fold_all(PAYMENT, end, ear.answer(EX, 5, asked=SETTLED)).standing
