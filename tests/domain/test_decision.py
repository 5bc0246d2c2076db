"""What the standing reports say together."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, NS, PAYMENT, REVIVABLE, RJ, RV, SU, UN
from tests.domain.playback import play
from tests.domain.reports import SETTLED, E, Ear, at
from tracker.domain.consent import Status
from tracker.domain.decision import Contradiction, Decision, decide
from tracker.domain.lifecycle import Verdict
from tracker.domain.moves import Rules
from tracker.domain.report import Report

MICROSECOND = timedelta(microseconds=1)


def codes(decision: Decision) -> set[str]:
    return {c.code for c in decision.contradictions}


def decided(*reports: Report, rules: Rules = DATA_SHARING) -> Decision:
    return decide(reports, rules)


def test_nothing_heard_is_not_staged() -> None:
    decision = decided()
    assert decision == Decision(status=NS, since=None, expiration_date_time=None)
    assert decision.report is None
    assert decision.effective_status(at(0)) is NS
    assert not decision.is_usable(at(0))


# ------------------------------------------------------------------------------------------------ ends stand


def test_the_earliest_end_stands_and_at_one_instant_the_later_in_the_order() -> None:
    ear = Ear()
    revoked, expired, consumed = ear.event(RV, 20), ear.event(EX, 10, received=21), ear.event(CO, 10, received=22)
    assert decided(revoked, rules=PAYMENT).status is RV
    assert decided(revoked, expired, rules=PAYMENT).status is EX
    decision = decided(revoked, expired, consumed, rules=PAYMENT)
    assert (decision.status, decision.since) == (EX, at(10))


def test_of_two_hearings_of_one_end_the_one_that_says_who_gives_the_words() -> None:
    ear = Ear()
    told, bare = ear.event(RV, 0, revoked_by="LFI"), ear.answer(RV, 0, asked=10)
    assert decided(told, bare).report == told
    assert decided(bare, told).report == told


# ------------------------------------------------------------------------------------------------ one instant


def test_at_one_instant_the_later_in_the_order_until_an_answer_says_otherwise() -> None:
    """Suspended and restored within one second, and times cut to seconds."""
    for first, second in ((SU, AU), (AU, SU)):
        ear = Ear()
        events = [ear.event(first, 0), ear.event(second, 0, received=0.4)]
        assert decided(*events).status is SU
        assert codes(decided(*events)) == {"same_instant"}
        answer = ear.answer(AU, 0, asked=2)
        assert decided(*events, answer).status is AU
        assert decided(*events, answer).is_in_doubt  # the answer may come from a copy that lags behind
        last = ear.answer(AU, 0, asked=SETTLED)
        assert decided(*events, answer, last).is_usable(at(SETTLED + 1))


def test_an_answer_does_not_beat_what_was_recorded_after_it_was_asked() -> None:
    """Asked, answered Authorized, suspended within the same second; the event comes last."""
    ear = Ear()
    event, answer = ear.event(AU, 0), ear.answer(AU, 0, asked=0.2)
    assert decided(event, answer, ear.event(SU, 0, received=0.7)).status is SU


def test_no_doubt_about_one_instant_that_is_past() -> None:
    """Suspended and restored within one second, and something later is known: it does not matter any more."""
    ear = Ear()
    assert not decided(ear.event(SU, 0), ear.event(AU, 0), ear.event(SU, 5)).is_in_doubt


def test_no_doubt_about_one_instant_once_the_consent_ended() -> None:
    ear = Ear()
    assert not decided(ear.event(SU, 0), ear.event(AU, 0), ear.event(RV, 0)).is_in_doubt


# ------------------------------------------------------------------------------------------------ contradictions


@pytest.mark.parametrize(
    ("ahead", "doubted"),
    [
        (timedelta(seconds=300), False),
        (timedelta(seconds=300) + MICROSECOND, True),
        (timedelta(seconds=300) - MICROSECOND, False),
        (timedelta(0), False),
        (timedelta(days=-400), False),
    ],
)
def test_a_time_more_than_300_seconds_ahead_of_receipt_is_not_believed(ahead: timedelta, doubted: bool) -> None:
    report = replace(Ear().event(AU, 0), status_date_time=at(0) + ahead)
    decision = decided(report)
    assert codes(decision) == ({"dated_ahead"} if doubted else set())
    assert decision.is_usable(at(0)) == (not doubted)
    assert play(DATA_SHARING, report).verdicts == [Verdict.IRREGULAR if doubted else Verdict.MOVED]


def test_the_leeway_is_the_profiles() -> None:
    report = Ear().event(AU, 61, received=0)
    strict = Rules(moves=DATA_SHARING.moves, leeway=timedelta(seconds=60))
    assert codes(decided(report, rules=strict)) == {"dated_ahead"}
    assert not decided(report).is_in_doubt


def test_a_time_ahead_counts_by_the_receipt_and_not_by_when_it_was_opened() -> None:
    assert codes(decided(Ear().event(AU, 400, received=0, recorded=5000))) == {"dated_ahead"}


def test_a_time_ahead_is_forgiven_when_the_same_is_heard_in_its_own_time() -> None:
    ear = Ear()
    assert not decided(ear.event(AU, 400, received=0), ear.answer(AU, 400, asked=401)).is_in_doubt


@pytest.mark.parametrize("status", [AW, AU, SU])
@pytest.mark.parametrize(("after", "doubted"), [(timedelta(0), True), (-MICROSECOND, False), (MICROSECOND, True)])
def test_an_open_status_dated_at_or_after_its_own_expiry_cannot_be(
    status: Status, after: timedelta, doubted: bool
) -> None:
    report = replace(Ear().event(status, 0, received=9e6), status_date_time=E + after)
    assert codes(decided(report)) == ({"dated_after_expiry"} if doubted else set())


@pytest.mark.parametrize("status", [EX, RV, UN])
def test_an_end_may_be_dated_after_the_expiry(status: Status) -> None:
    report = replace(Ear().event(status, 0, received=9e6), status_date_time=E + MICROSECOND)
    assert "dated_after_expiry" not in codes(decided(report))


def test_two_expiries_where_the_terms_cannot_change() -> None:
    ear = Ear()
    first = ear.event(AU, 0)
    ear.expiry = E + timedelta(days=1)
    second = ear.event(AU, 5)
    decision = decided(second, first)
    assert decision.contradictions == {Contradiction("expiry_differs", expiries=(E, E + timedelta(days=1)))}
    assert decision.expiration_date_time == E
    amended = decided(second, first, rules=REVIVABLE)
    assert not amended.is_in_doubt
    assert amended.expiration_date_time == E  # while both stand


def test_the_same_expiry_in_another_zone_and_none_at_all_are_no_second_expiry() -> None:
    ear = Ear()
    first = ear.event(AU, 0)
    ear.expiry = E.astimezone(timezone(timedelta(hours=4)))
    second = ear.event(AU, 5)
    ear.expiry = None
    assert not decided(first, second, ear.event(AU, 9)).is_in_doubt


def test_the_registered_expiry_counts_while_the_holder_states_none() -> None:
    ear = Ear(expiry=None)
    event = ear.event(AU, 0)
    assert decide([event], DATA_SHARING, at(50)).expiration_date_time == at(50)
    ear.expiry = E
    assert decide([event, ear.event(AU, 5)], DATA_SHARING, at(50)).expiration_date_time == E


def test_what_a_word_that_makes_no_sense_states_as_expiry_still_counts() -> None:
    """Nobody may use a consent past an expiry that was stated, whatever else was said with it."""
    for status in (UN, CO):
        ear = Ear(expiry=at(50))
        assert decided(ear.event(status, 0)).expiration_date_time == at(50)


def test_the_expiry_that_comes_with_an_end_does_not_count() -> None:
    assert decided(Ear().event(RV, 0)).expiration_date_time is None


def test_an_unknown_word_keeps_the_status_and_denies_use() -> None:
    ear = Ear()
    known, unknown = ear.event(AU, 0), ear.event(UN, 5, raw_status="Frozen")
    decision = decided(known, unknown)
    assert decision.status is AU
    assert decision.contradictions == {Contradiction("unknown_status", ((UN, at(5)),))}
    assert not decision.is_usable(at(6))
    assert decided(known, unknown, ear.answer(AU, 0, asked=5 + SETTLED)).is_usable(at(400))


def test_two_reports_of_which_the_later_cannot_follow_name_both() -> None:
    ear = Ear()
    rejected, authorized = ear.event(RJ, 0), ear.event(AU, 5)
    assert decided(authorized, rejected).contradictions == {Contradiction("cannot_follow", ((RJ, at(0)), (AU, at(5))))}


# ------------------------------------------------------------------------------------------------ answers that look back


def test_an_answer_older_than_what_we_had_heard_is_doubted_until_the_next() -> None:
    """The redirect: Authorized is heard, the confirming poll reads a copy that still says Awaiting."""
    ear = Ear()
    steps = [ear.event(AW, -9), ear.event(AU, 0), ear.answer(AW, -9, asked=0.1)]
    decision = decided(*steps)
    assert decision.status is AU
    assert decision.contradictions == {Contradiction("older_answer", ((AW, at(-9)), (AU, at(0))))}
    assert decided(*steps, ear.answer(AU, 0, asked=2)).is_usable(at(3))


def test_an_older_answer_to_a_question_asked_before_is_nothing_odd() -> None:
    ear = Ear()
    first, question = ear.event(AW, -9), ear.ask()
    assert not decided(first, ear.event(AU, 0), ear.answer(AW, -9, asked=-1, question=question)).is_in_doubt


def test_an_answer_that_dates_the_same_status_earlier_is_nothing_odd() -> None:
    ear = Ear()
    assert not decided(ear.event(AU, 0), ear.answer(AU, -9, asked=5)).is_in_doubt


def test_an_older_answer_against_an_unknown_word_adds_no_second_doubt() -> None:
    ear = Ear()
    assert codes(decided(ear.event(UN, 0), ear.answer(AU, -9, asked=5))) == {"unknown_status"}


def test_only_the_newest_answer_is_held_against_what_was_heard() -> None:
    ear = Ear()
    suspended, stale = ear.event(SU, 0), ear.answer(AU, -9, asked=1)
    assert codes(decided(suspended, stale)) == {"older_answer"}
    assert codes(decided(suspended, stale, ear.answer(SU, 0, asked=2))) == set()


def test_of_two_overlapping_questions_both_answers_are_the_newest() -> None:
    ear = Ear()
    suspended = ear.event(SU, 0)
    first, second = ear.ask(), ear.ask()
    answers = [ear.answer(AU, -9, asked=1.1, question=second), ear.answer(AW, -20, asked=1, question=first)]
    assert decided(suspended, *answers).contradictions == {
        Contradiction("older_answer", ((AU, at(-9)), (SU, at(0)))),
        Contradiction("older_answer", ((AW, at(-20)), (SU, at(0)))),
    }


def test_a_holder_whose_clock_went_back_is_in_doubt_at_once_and_right_after_settling() -> None:
    ear = Ear()
    events = [ear.event(AU, 5), ear.answer(SU, 3, asked=6)]
    assert not decided(*events).is_usable(at(7))
    last = decided(*events, ear.answer(SU, 3, asked=5 + SETTLED))
    assert (last.status, last.is_in_doubt) == (SU, False)


# ------------------------------------------------------------------------------------------------ impossible ends


def test_an_end_that_the_kind_cannot_have_ends_nothing() -> None:
    """`Consumed` on data sharing: the specification's enumeration has it, its prose does not."""
    ear = Ear()
    steps = [ear.event(AU, 0), ear.event(CO, 5)]
    decision = decided(*steps)
    assert decision.status is AU
    assert decision.contradictions == {Contradiction("impossible_status", ((CO, at(5)),))}
    assert not decision.is_usable(at(6))


@pytest.mark.parametrize("status", [AU, SU, AW])
def test_an_answer_with_a_possible_status_past_the_settling_time_settles_it(status: Status) -> None:
    ear = Ear()
    consumed = ear.event(CO, 5)
    soon, later = ear.answer(status, 0, asked=SETTLED), ear.answer(status, 0, asked=5 + SETTLED)
    assert codes(decided(consumed, soon)) == {"impossible_status"}
    assert decided(consumed, soon, later).is_in_doubt is False
    assert decided(consumed, later).status is status


@pytest.mark.parametrize("status", [CO, UN])
def test_an_answer_with_an_impossible_status_does_not(status: Status) -> None:
    ear = Ear()
    steps = [ear.event(AU, 0), ear.event(CO, 5), ear.answer(status, 5, asked=5 + SETTLED)]
    assert "impossible_status" in codes(decided(*steps))
    assert decided(*steps).status is AU


def test_an_impossible_open_status_is_not_taken_either() -> None:
    never_suspended = Rules(moves={NS: frozenset({AU, RV}), AU: frozenset({RV})})
    ear = Ear()
    decision = decided(ear.event(AU, 0), ear.event(SU, 5), rules=never_suspended)
    assert (decision.status, codes(decision)) == (AU, {"impossible_status"})


# ------------------------------------------------------------------------------------------------ usable


@pytest.mark.parametrize("status", [s for s in Status if s is not AU])
def test_only_authorized_is_usable(status: Status) -> None:
    assert not Decision(status=status, since=at(0), expiration_date_time=E).is_usable(at(1))


def test_usable_needs_everything() -> None:
    fine = Decision(status=AU, since=at(0), expiration_date_time=E)
    assert fine.is_usable(at(1))
    assert fine.is_usable(E - MICROSECOND)
    assert not fine.is_usable(E)
    assert not fine.is_usable(at(1), paused=True)
    assert not fine.is_usable(at(1), revoking=True)
    assert not replace(fine, end_hinted=True).is_usable(at(1))
    assert not replace(fine, contradictions=frozenset({Contradiction("same_instant")})).is_usable(at(1))
    assert replace(fine, expiration_date_time=None).is_usable(at(1e9))
