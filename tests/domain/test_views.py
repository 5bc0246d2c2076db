"""What was so then, as we know now or as we knew; and every move in the holder's order."""

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, PAYMENT, REVIVABLE, RV, SU, UN
from tests.domain.reports import SETTLED, Ear, at
from tracker.domain.consent import Channel, Status
from tracker.domain.lifecycle import holders_moves, view
from tracker.domain.report import Report

LONG_AFTER = at(9e6)


def seen(reports: list[Report], as_of: float, known_at: float | None = None) -> Status:
    known = LONG_AFTER if known_at is None else at(known_at)
    return view(reports, DATA_SHARING, at(as_of), known)[1]


def test_as_of_is_by_the_holders_time_and_known_at_by_ours() -> None:
    ear = Ear()
    reports = [ear.event(AU, 0), ear.event(RV, 100, received=500)]
    assert seen(reports, 99) is AU
    assert seen(reports, 100) is RV
    assert seen(reports, 400, known_at=499) is AU  # nobody had told us
    assert seen(reports, 400, known_at=500) is RV
    assert seen(reports, -1) is Status.NOT_STAGED
    assert seen(reports, 0) is AU


def test_known_at_is_when_it_was_recorded_and_not_when_it_was_received() -> None:
    reports = [Ear().event(AU, 0, received=10, recorded=60)]
    assert seen(reports, 20, known_at=59) is Status.NOT_STAGED
    assert seen(reports, 20, known_at=60) is AU


def test_what_is_dated_ahead_speaks_from_when_it_was_recorded() -> None:
    reports = [Ear().event(AU, 900, received=0, recorded=7)]
    assert seen(reports, 6) is Status.NOT_STAGED
    assert seen(reports, 7) is AU


def test_the_expiry_is_judged_at_the_instant_asked_about() -> None:
    ear = Ear(expiry=at(1000))
    reports = [ear.event(AU, 0), ear.answer(EX, 9000, asked=9500)]
    for as_of, status, confirmed in ((999, AU, True), (1000, EX, False), (8999, EX, False), (9000, EX, True)):
        decision, effective = view(reports, DATA_SHARING, at(as_of), LONG_AFTER)
        assert (effective, decision.is_confirmed(at(as_of))) == (status, confirmed)


def test_the_registered_expiry_counts_there_too() -> None:
    reports = [Ear(expiry=None).event(AU, 0)]
    assert view(reports, DATA_SHARING, at(60), LONG_AFTER, at(50))[1] is EX
    assert view(reports, DATA_SHARING, at(49), LONG_AFTER, at(50))[1] is AU
    assert view(reports, DATA_SHARING, at(60), LONG_AFTER)[1] is AU


def test_a_mistake_that_was_settled_is_none_of_the_past_as_known_today() -> None:
    ear = Ear()
    reports = [ear.event(AU, 0), ear.event(SU, 5), ear.answer(AU, 0, asked=5 + SETTLED)]
    assert seen(reports, 10, known_at=20) is SU
    assert seen(reports, 10) is AU


def test_the_moves_are_in_the_holders_order_with_the_gaps_filled() -> None:
    ear = Ear()
    reports = [ear.event(SU, 20), ear.event(AW, 0, received=30), ear.answer(CO, 40, asked=50)]
    assert holders_moves(reports, PAYMENT) == [
        ((AW, at(0)), False),
        ((AU, at(20)), True),
        ((SU, at(20)), False),
        ((AU, at(40)), True),
        ((CO, at(40)), False),
    ]


def test_repeats_unknown_words_and_our_own_words_are_no_moves() -> None:
    ear = Ear()
    reports = [
        ear.event(AU, 0),
        ear.event(AU, 0, received=5),
        ear.event(AU, 9),
        ear.event(UN, 10),
        ear.event(RV, 11, channel=Channel.CALLBACK),
    ]
    assert holders_moves(reports, DATA_SHARING) == [((AU, at(0)), False)]
    assert holders_moves([], DATA_SHARING) == []


def test_moves_of_one_instant_are_in_the_order_of_statuses() -> None:
    ear = Ear()
    reports = [ear.event(RV, 0), ear.event(AU, 0), ear.event(AW, 0)]
    assert [claim[0] for claim, _ in holders_moves(reports, DATA_SHARING)] == [AW, AU, RV]


def test_what_cannot_follow_is_listed_without_inventing_steps() -> None:
    ear = Ear()
    assert holders_moves([ear.event(RV, 0), ear.event(SU, 5)], DATA_SHARING) == [
        ((RV, at(0)), False),
        ((SU, at(5)), False),
    ]
    assert holders_moves([ear.event(RV, 0), ear.event(SU, 5)], REVIVABLE) == [
        ((RV, at(0)), False),
        ((AU, at(5)), True),
        ((SU, at(5)), False),
    ]
