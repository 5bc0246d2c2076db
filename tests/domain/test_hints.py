"""What our own application saw: it makes us ask, and an end that it saw denies use until the holder has answered."""

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, RJ, RV, SU, UN
from tests.domain.playback import play
from tests.domain.reports import Ear, at
from tracker.domain.consent import Channel, Status
from tracker.domain.decision import decide
from tracker.domain.lifecycle import Telling, Verdict, view

OURS = [Channel.TOKEN, Channel.CALLBACK]
ENDS = [RJ, EX, RV, CO]


@pytest.mark.parametrize("channel", OURS)
@pytest.mark.parametrize("status", ENDS)
def test_an_end_that_we_saw_denies_use_until_a_later_question_is_answered(channel: Channel, status: Status) -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(status, 5, channel=channel))
    told = playback.last.statements
    assert [(s.type, s.to_status, s.usable, s.confirmed, s.channel) for s in told] == [
        (Telling.IRREGULAR, AU, False, True, channel)
    ]
    assert told[0].reasons == ("end_hinted",)
    decision = playback.position.decision()
    assert (decision.status, decision.is_in_doubt, decision.contradictions) == (AU, True, frozenset())

    playback.hear(ear.answer(AU, 0, asked=6))
    assert playback.verdicts == [Verdict.MOVED, Verdict.HINT, Verdict.CONFIRMED]
    assert playback.told == [Telling.STATUS_CONFIRMED]
    assert playback.position.told.usable


@pytest.mark.parametrize("channel", OURS)
@pytest.mark.parametrize("status", [AW, AU, SU, UN])
def test_what_is_no_end_changes_nothing(channel: Channel, status: Status) -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0))
    summary = playback.position.summary
    assert playback.hear(ear.event(status, 5, channel=channel)).verdict is Verdict.HINT
    assert playback.last.statements == ()
    assert playback.position.summary == summary
    assert playback.position.told.usable


@pytest.mark.parametrize("channel", [c for c in Channel if not c.is_holders_word])
def test_nobody_but_the_holder_authorizes(channel: Channel) -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AW, 0), ear.event(AU, 5, channel=channel))
    assert playback.position.told.status is AW
    assert play(DATA_SHARING, ear.event(AU, 5, channel=channel)).position.decision().since is None


@pytest.mark.parametrize("channel", [Channel.OPERATOR, Channel.CLOCK])
def test_operators_and_the_clock_do_not_even_hint(channel: Channel) -> None:
    """An operator asks the holder and waits for its word, the clock states nothing."""
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(RV, 5, channel=channel))
    assert playback.last.verdict is Verdict.HINT
    assert playback.last.statements == ()
    assert playback.position.told.usable


def test_an_answer_to_a_question_that_was_on_its_way_is_no_answer() -> None:
    ear = Ear()
    event, question = ear.event(AU, 0), ear.ask()
    hint = ear.event(RV, 5, channel=Channel.CALLBACK)
    playback = play(DATA_SHARING, event, hint, ear.answer(AU, 0, asked=4, question=question))
    assert not playback.position.told.usable
    assert playback.hear(ear.answer(AU, 0, asked=6)).position.told.usable


@pytest.mark.parametrize("status", [UN, CO])
def test_an_answer_that_makes_no_sense_is_no_answer(status: Status) -> None:
    ear = Ear()
    hint = ear.event(RV, 5, channel=Channel.CALLBACK)
    playback = play(DATA_SHARING, ear.event(AU, 0), hint, ear.answer(status, 5, asked=6))
    assert playback.position.decision().end_hinted


def test_an_event_is_no_answer() -> None:
    """It may have been on its way before."""
    ear = Ear()
    hint = ear.event(RV, 5, channel=Channel.CALLBACK)
    playback = play(DATA_SHARING, ear.event(AU, 0), hint, ear.event(AU, 7))
    assert not playback.position.told.usable


def test_use_is_denied_once_however_often_the_end_is_seen() -> None:
    ear = Ear()
    hints = [ear.event(RV, 5 + n, channel=Channel.TOKEN) for n in range(9)]
    assert play(DATA_SHARING, ear.event(AU, 0), *hints).count(Telling.IRREGULAR) == 1


def test_a_second_end_that_is_seen_needs_an_answer_of_its_own() -> None:
    ear = Ear()
    steps = [ear.event(AU, 0), ear.event(RV, 5, channel=Channel.CALLBACK), ear.answer(AU, 0, asked=6)]
    playback = play(DATA_SHARING, *steps, ear.event(RV, 9, channel=Channel.CALLBACK))
    assert not playback.position.told.usable
    assert playback.count(Telling.IRREGULAR) == 2
    assert playback.hear(ear.answer(AU, 0, asked=10)).position.told.usable


def test_where_nothing_was_usable_there_is_nothing_to_tell() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AW, 0), ear.event(RJ, 5, channel=Channel.CALLBACK))
    assert playback.told == []
    authorized = playback.hear(ear.event(AU, 6))  # the holder says yes, our application had seen no
    assert [(s.type, s.usable) for s in authorized.statements] == [(Telling.STATUS_CHANGED, False)]
    confirmed = playback.hear(ear.answer(AU, 6, asked=7))
    assert [(s.type, s.usable) for s in confirmed.statements] == [(Telling.STATUS_CONFIRMED, True)]


def test_an_end_that_we_saw_and_the_holder_confirms_is_the_holders() -> None:
    ear = Ear()
    hint = ear.event(RV, 5, channel=Channel.CALLBACK)
    playback = play(DATA_SHARING, ear.event(AU, 0), hint, ear.answer(RV, 4, asked=6))
    assert playback.last.verdict is Verdict.MOVED
    assert playback.told == [Telling.STATUS_CHANGED]
    assert not playback.position.decision().is_in_doubt


def test_an_expiry_that_passed_is_told_before_the_hint_and_leaves_it_nothing_to_tell() -> None:
    ear = Ear(expiry=at(50))
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(RV, 60, channel=Channel.CALLBACK))
    assert playback.told == [Telling.EXPIRY_INFERRED, Telling.STATUS_CHANGED]


def test_the_set_function_knows_of_the_hint_too() -> None:
    """Or a view of the past would call usable what was denied at the time."""
    ear = Ear()
    reports = [ear.event(AU, 0), ear.event(RV, 5, channel=Channel.CALLBACK), ear.answer(AU, 0, asked=100)]
    assert decide(reports[:2], DATA_SHARING).end_hinted
    assert not decide(reports, DATA_SHARING).end_hinted
    assert view(reports, DATA_SHARING, at(50), at(50))[0].end_hinted
    assert not view(reports, DATA_SHARING, at(50), at(200))[0].end_hinted


def test_a_doubt_of_the_holders_making_outlives_the_answer_to_the_hint() -> None:
    ear = Ear()
    hint = ear.event(RV, 5, channel=Channel.CALLBACK)
    playback = play(DATA_SHARING, ear.event(AU, 0), hint, ear.event(UN, 6), ear.answer(AU, 0, asked=7))
    assert not playback.position.decision().end_hinted
    assert not playback.position.told.usable
