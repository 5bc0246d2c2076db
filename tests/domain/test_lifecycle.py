"""Verdicts, and what the journal tells."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, NS, PAYMENT, REVIVABLE, RJ, RV, SU, UN
from tests.domain.playback import Playback, play
from tests.domain.reports import SETTLED, E, Ear, at
from tracker.domain.consent import Channel, Status
from tracker.domain.lifecycle import Position, Telling, Told, Verdict, judge, tick

CHANGED, LATE = Telling.STATUS_CHANGED, Telling.STATUS_LEARNED_LATE
CONFIRMED, TERMS, IRREGULAR = Telling.STATUS_CONFIRMED, Telling.TERMS_CHANGED, Telling.IRREGULAR


# ------------------------------------------------------------------------------------------------ verdicts


def test_the_first_word_moves_and_is_told_in_full() -> None:
    playback = play(DATA_SHARING, Ear().event(AU, 0, received=9))
    assert playback.last.verdict is Verdict.MOVED
    (said,) = playback.last.statements
    assert (said.type, said.from_status, said.to_status) == (CHANGED, NS, AU)
    assert (said.confirmed, said.usable, said.late, said.corrected) == (True, True, False, False)
    assert (said.status_date_time, said.channel) == (at(0), Channel.WEBHOOK)
    assert (said.via, said.reasons, said.revoked_by) == ((), (), None)
    assert playback.position.told == Told(status=AU, confirmed=True, usable=True)


def test_the_very_same_report_again_is_a_duplicate() -> None:
    event = Ear().event(AU, 0)
    playback = play(DATA_SHARING, event, event)
    assert playback.verdicts == [Verdict.MOVED, Verdict.DUPLICATE]
    assert playback.told == []


def test_the_same_status_again_is_confirmed() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(AU, 0, received=5), ear.answer(AU, 0, asked=9))
    assert playback.verdicts[1:] == [Verdict.CONFIRMED, Verdict.CONFIRMED]
    assert playback.told == []


def test_an_answer_that_dates_the_status_earlier_confirms_it_and_an_event_does_not() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.answer(AU, -9, asked=5))
    assert (playback.last.verdict, playback.told) == (Verdict.CONFIRMED, [])
    assert (playback.hear(ear.event(AU, -5, received=20)).verdict, playback.told) == (Verdict.LATE, [LATE])


def test_what_is_older_is_late_and_told_once() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(SU, 5), ear.event(AU, 0, received=6))
    assert playback.last.verdict is Verdict.LATE
    (said,) = playback.last.statements
    assert (said.type, said.from_status, said.to_status, said.late) == (LATE, None, SU, True)
    assert (said.status_date_time, said.usable, said.confirmed) == (at(0), False, True)
    again = playback.hear(ear.event(AU, 0, received=7))
    assert (again.verdict, again.statements) == (Verdict.LATE, ())


def test_what_cannot_be_is_irregular_and_told_once_however_often_it_is_repeated() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(RV, 0))
    for n in range(1, 30):
        playback.hear(ear.answer(AU, 9, asked=600 * n))
    assert set(playback.verdicts[1:]) == {Verdict.IRREGULAR}
    assert playback.count(IRREGULAR) == 1
    assert playback.position.told == Told(status=RV, confirmed=True, usable=False)
    assert len(playback.position.summary.standing) == 2


def test_an_irregularity_names_its_reasons_in_order() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(RJ, 0))
    ear.expiry = E + timedelta(days=1)
    said = playback.hear(ear.event(AU, 900, received=0)).statements[-1]
    assert (said.type, said.reasons) == (IRREGULAR, ("cannot_follow", "dated_ahead", "expiry_differs"))
    assert (said.to_status, said.usable, said.status_date_time, said.channel) == (RJ, False, at(900), Channel.WEBHOOK)


def test_a_contradiction_that_comes_back_is_told_again() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(UN, 5), ear.answer(AU, 0, asked=5 + SETTLED))
    assert playback.told == [CONFIRMED]
    assert playback.hear(ear.event(UN, 5, received=900)).verdict is Verdict.IRREGULAR
    assert playback.count(IRREGULAR) == 2


def test_what_moves_and_contradicts_tells_both() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(AW, 5))
    assert (playback.last.verdict, playback.told) == (Verdict.IRREGULAR, [CHANGED, IRREGULAR])


def test_a_report_that_brings_a_contradiction_of_others_is_irregular() -> None:
    """The two expiries differ; no claim is part of that, and still it is this report's doing."""
    ear = Ear()
    event = ear.event(AU, 0)
    ear.expiry = at(9000)
    playback = play(DATA_SHARING, event, ear.event(AU, 0, received=5))
    assert playback.last.verdict is Verdict.IRREGULAR


def test_a_doubt_that_was_settled_is_told_as_usable_again() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(UN, 5))
    assert not playback.position.told.usable
    playback.hear(ear.answer(AU, 0, asked=5 + SETTLED))
    (said,) = playback.last.statements
    assert (said.type, said.to_status, said.usable, said.channel) == (CONFIRMED, AU, True, Channel.POLL)
    assert said.status_date_time == at(0)


# ------------------------------------------------------------------------------------------------ moves


@pytest.mark.parametrize(
    ("first", "second", "steps"), [(AW, SU, (AU,)), (AW, CO, (AU,)), (SU, CO, (AU,)), (AW, AU, ()), (AW, RV, ())]
)
def test_the_missing_steps_of_a_gap_are_told(first: Status, second: Status, steps: tuple[Status, ...]) -> None:
    ear = Ear()
    said = play(PAYMENT, ear.event(first, 0), ear.event(second, 5)).last.statements[0]
    assert (said.to_status, said.via) == (second, steps)


def test_nothing_is_guessed_before_the_first_word() -> None:
    assert play(PAYMENT, Ear().event(SU, 0)).last.statements[0].via == ()


def test_who_revoked_is_told() -> None:
    ear = Ear()
    said = play(DATA_SHARING, ear.event(AU, 0), ear.event(RV, 5, revoked_by="LFI")).last.statements[0]
    assert (said.to_status, said.revoked_by) == (RV, "LFI")


def test_an_earlier_end_corrects_the_later_one_that_was_told() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(RV, 9), ear.event(EX, 5, received=10))
    changed = [s for s in playback.last.statements if s.type is CHANGED]
    assert [(s.from_status, s.to_status, s.corrected, s.late) for s in changed] == [(RV, EX, True, True)]
    assert playback.last.verdict is Verdict.IRREGULAR
    assert playback.told == [CHANGED, IRREGULAR]


def test_two_ends_of_one_instant_are_a_correction_too() -> None:
    ear = Ear()
    changed = play(DATA_SHARING, ear.event(EX, 0), ear.event(RV, 0)).last.statements[0]
    assert (changed.from_status, changed.to_status, changed.corrected, changed.late) == (EX, RV, True, False)


def test_a_move_to_an_earlier_status_is_late_and_one_between_open_statuses_corrects_nothing() -> None:
    """An end that is learnt late, and a settled mistake of the holder's."""
    ear = Ear()
    late_end = play(DATA_SHARING, ear.event(SU, 9), ear.event(RV, 5, received=10)).last.statements[0]
    assert (late_end.to_status, late_end.late, late_end.corrected) == (RV, True, False)
    ear = Ear()
    settled = play(DATA_SHARING, ear.event(SU, 9), ear.answer(AU, 5, asked=9 + SETTLED)).last.statements[0]
    assert (settled.to_status, settled.late, settled.corrected) == (AU, True, False)


# ------------------------------------------------------------------------------------------------ terms


def test_another_time_or_expiry_of_the_same_status_is_a_change_of_terms() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(AU, 7))
    assert (playback.last.verdict, playback.told) == (Verdict.CONFIRMED, [TERMS])
    said = playback.last.statements[0]
    assert (said.from_status, said.to_status, said.usable, said.status_date_time) == (None, AU, True, at(7))
    ear.expiry = E + timedelta(days=1)
    amended = play(REVIVABLE, playback.reports[0], ear.answer(AU, 0, asked=SETTLED))
    assert (amended.last.verdict, amended.told) == (Verdict.CONFIRMED, [TERMS])
    assert amended.position.decision().expiration_date_time == ear.expiry


def test_new_data_with_the_current_status_is_a_change_of_terms() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0))
    playback.hear(ear.answer(AU, 0, asked=5), new_terms=True)
    assert (playback.last.verdict, playback.told) == (Verdict.CONFIRMED, [TERMS])


def test_new_data_is_told_also_when_the_same_answer_settles_a_doubt() -> None:
    """Or who waits for a change of terms would go on with the old ones."""
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(UN, 5))
    playback.hear(ear.answer(AU, 0, asked=5 + SETTLED), new_terms=True)
    assert playback.told == [CONFIRMED, TERMS]


def test_new_data_with_a_move_or_an_old_report_is_no_change_of_terms() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 5))
    playback.hear(ear.event(SU, 9), new_terms=True)
    assert playback.told == [CHANGED]
    playback.hear(ear.event(AU, 0, received=10), new_terms=True)
    assert playback.told == [LATE]
    playback.hear(ear.event(AW, 11), new_terms=True)
    assert playback.told == [CHANGED, IRREGULAR]
    playback.hear(ear.event(SU, 9, channel=Channel.CALLBACK), new_terms=True)
    assert playback.told == []


def test_a_contradiction_takes_the_place_of_a_change_of_terms() -> None:
    ear = Ear()
    event = ear.event(AU, 0)
    ear.expiry = at(9000)
    assert play(DATA_SHARING, event, ear.event(AU, 7)).told == [IRREGULAR]


def test_other_data_in_a_report_that_extends_an_expiry_that_passed_is_told_as_the_move_it_is() -> None:
    ear = Ear(expiry=at(50))
    playback = play(REVIVABLE, ear.event(AU, 0), at(60))
    ear.expiry = E
    playback.hear(ear.answer(AU, 0, asked=SETTLED), new_terms=True)
    (said,) = playback.last.statements
    assert (said.type, said.from_status, said.to_status, said.corrected) == (CHANGED, EX, AU, True)


# ------------------------------------------------------------------------------------------------ our overlays


def test_pause_and_revocation_deny_use_and_lifting_them_is_told() -> None:
    position = play(DATA_SHARING, Ear().event(AU, 0)).position
    for overlay in ({"paused": True}, {"revoking": True}):
        under = tick(replace(position, **overlay), at(1))  # type: ignore[arg-type]
        assert not under.position.told.usable
        assert not under.position.is_usable(at(1))
        assert under.statements == ()  # whoever set it tells of it
        lifted = tick(replace(under.position, paused=False, revoking=False), at(2))
        assert [(s.type, s.usable, s.channel) for s in lifted.statements] == [(CONFIRMED, True, Channel.CLOCK)]


def test_an_authorization_under_a_pause_is_told_as_not_usable() -> None:
    judgement = judge(
        Position(rules=DATA_SHARING, paused=True), Ear().event(AU, 0), at(0), is_repeat=False, is_on_record=False
    )
    assert [(s.type, s.to_status, s.usable) for s in judgement.statements] == [(CHANGED, AU, False)]


def test_a_tick_over_nothing_says_nothing() -> None:
    judgement = tick(Position(rules=DATA_SHARING, registered_expiry=at(5)), at(9))
    assert (judgement.verdict, judgement.statements) == (None, ())
    assert judgement.position.told == Told()
    assert judgement.position.decision().effective_status(at(9)) is NS  # nobody has said that there is anything to end


def test_the_row_knows_when_it_was_last_judged_and_that_never_falls() -> None:
    playback = Playback(Position(rules=DATA_SHARING))
    event = Ear().event(AU, 0)
    assert playback.position.instant(at(5)) == at(5)
    playback.hear(event, at(50))
    playback.look(at(20))
    assert playback.position.judged_at == at(50)
    playback.hear(event, at(30))
    assert playback.position.judged_at == at(50)
    assert playback.position.instant(at(49)) == at(50)
    assert playback.position.instant(at(51)) == at(51)
