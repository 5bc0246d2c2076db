"""From the instant of expiry a consent that has not ended is Expired, whatever its holder goes on repeating."""

from datetime import timedelta, timezone

import pytest

from tests.domain.kinds import AU, AW, CO, DATA_SHARING, EX, NS, PAYMENT, REVIVABLE, RJ, RV, SU
from tests.domain.playback import play
from tests.domain.reports import SETTLED, Ear, at
from tracker.domain.consent import Channel, Status
from tracker.domain.lifecycle import Telling, Told, Verdict

MICROSECOND = timedelta(microseconds=1)
SOON = 1000
INFERRED, CHANGED, CONFIRMED = Telling.EXPIRY_INFERRED, Telling.STATUS_CHANGED, Telling.STATUS_CONFIRMED
LATE, IRREGULAR = Telling.STATUS_LEARNED_LATE, Telling.IRREGULAR
BY_CLOCK = Told(status=EX, confirmed=False, usable=False)


def soon() -> Ear:
    return Ear(expiry=at(SOON))


@pytest.mark.parametrize("status", [AW, AU, SU])
def test_every_open_status_is_expired_from_the_instant_on_and_not_a_microsecond_before(status: Status) -> None:
    playback = play(DATA_SHARING, soon().event(status, 0))
    decision = playback.position.decision()
    before, instant = at(SOON) - MICROSECOND, at(SOON)
    assert (decision.effective_status(before), decision.is_confirmed(before)) == (status, True)
    assert (decision.effective_status(instant), decision.is_confirmed(instant)) == (EX, False)
    assert playback.position.is_usable(before) == (status is AU)
    assert not playback.position.is_usable(instant)
    assert playback.look(before).statements == ()
    assert [s.type for s in playback.look(instant).statements] == [INFERRED, CHANGED]
    assert playback.position.told == BY_CLOCK
    assert playback.position.decision().status is status  # the holder's word is kept
    assert playback.look(instant + MICROSECOND).statements == ()


@pytest.mark.parametrize("status", [RJ, CO, EX, RV])
def test_what_ended_does_not_expire(status: Status) -> None:
    playback = play(PAYMENT, soon().event(status, 0), at(SOON), registered_expiry=at(SOON))
    assert playback.told == []
    assert playback.position.told == Told(status=status, confirmed=True, usable=False)


def test_what_the_clock_infers_is_told_as_the_clocks() -> None:
    playback = play(DATA_SHARING, soon().event(SU, 0), at(SOON))
    inferred, changed = playback.last.statements
    for said in (inferred, changed):
        assert (said.from_status, said.to_status, said.confirmed, said.usable) == (SU, EX, False, False)
        assert (said.channel, said.status_date_time, said.revoked_by) == (Channel.CLOCK, at(SOON), None)
        assert (said.via, said.late, said.corrected) == ((), False, False)


def test_the_instant_is_the_same_in_every_zone() -> None:
    ear = Ear(expiry=at(SOON).astimezone(timezone(timedelta(hours=4))))
    playback = play(DATA_SHARING, ear.event(AU, 0))
    assert playback.position.is_usable(at(SOON) - MICROSECOND)
    assert not playback.position.is_usable(at(SOON))


def test_the_earliest_expiry_that_stands_counts() -> None:
    ear = Ear(expiry=at(5000))
    event = ear.event(AU, 0)
    ear.expiry = at(SOON)
    playback = play(REVIVABLE, event, ear.answer(AU, 0, asked=1))
    assert playback.position.is_usable(at(SOON) - MICROSECOND)
    assert not playback.position.is_usable(at(SOON))
    playback.hear(ear.answer(AU, 0, asked=SETTLED))
    ear.expiry = at(9000)
    playback.hear(ear.answer(AU, 0, asked=2 * SETTLED + 1))
    assert playback.position.is_usable(at(8999))


def test_a_registered_expiry_counts_until_the_holder_states_one() -> None:
    ear = Ear(expiry=None)
    playback = play(DATA_SHARING, ear.event(AU, 0), registered_expiry=at(SOON))
    assert not playback.position.is_usable(at(SOON))
    ear.expiry = at(2 * SOON)
    playback.hear(ear.answer(AU, 0, asked=5))
    assert playback.position.is_usable(at(SOON))


def test_the_holder_confirms_it() -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), at(SOON), ear.answer(EX, SOON, asked=SOON + 3))
    assert playback.last.verdict is Verdict.MOVED
    (said,) = playback.last.statements
    assert (said.type, said.to_status, said.confirmed, said.channel) == (CONFIRMED, EX, True, Channel.POLL)
    assert said.status_date_time == at(SOON)
    assert playback.position.told == Told(status=EX, confirmed=True, usable=False)


def test_a_holder_that_is_slow_to_flip_is_listened_to_in_silence_for_days() -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), at(SOON))
    for hour in range(48):
        judgement = playback.hear(ear.answer(AU, 0, asked=SOON + 3600 * hour))
        assert (judgement.verdict, judgement.statements) == (Verdict.CONFIRMED, ())
        assert playback.position.told == BY_CLOCK
    assert len(playback.position.summary.standing) == 1
    playback.hear(ear.answer(EX, SOON + 3600 * 48, asked=SOON + 3600 * 48))
    assert playback.told == [CONFIRMED]


def test_a_report_that_comes_before_the_tick_tells_the_inference_first() -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.answer(AU, 0, asked=SOON + 3))
    assert playback.told == [INFERRED, CHANGED]
    assert {s.channel for s in playback.last.statements} == {Channel.CLOCK}


def test_a_duplicate_that_comes_before_the_tick_tells_it_too() -> None:
    event = soon().event(AU, 0)
    playback = play(DATA_SHARING, event)
    judgement = playback.hear(event, at(SOON))
    assert (judgement.verdict, [s.type for s in judgement.statements]) == (Verdict.DUPLICATE, [INFERRED, CHANGED])


def test_a_report_that_brings_an_expiry_in_the_past_is_told_as_expired() -> None:
    playback = play(DATA_SHARING, soon().event(AU, 0, received=SOON + 5))
    inferred, changed = playback.last.statements
    assert (inferred.type, changed.type) == (INFERRED, CHANGED)
    assert (changed.from_status, changed.to_status, changed.channel) == (NS, EX, Channel.WEBHOOK)
    assert playback.position.told == BY_CLOCK


def test_a_move_behind_an_inferred_expiry_is_told_as_learnt_late() -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AW, 0), at(SOON), ear.event(AU, 5, received=SOON + 10))
    assert (playback.last.verdict, playback.told) == (Verdict.MOVED, [LATE])
    (said,) = playback.last.statements
    assert (said.to_status, said.confirmed, said.status_date_time) == (EX, False, at(5))
    assert playback.position.decision().status is AU
    assert playback.position.told == BY_CLOCK


def test_an_end_dated_before_the_expiry_replaces_the_inference() -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), at(SOON), ear.event(RV, SOON - 50, received=SOON + 10))
    (said,) = playback.last.statements
    assert (said.type, said.from_status, said.to_status) == (CHANGED, EX, RV)
    assert (said.confirmed, said.corrected, said.late) == (True, True, False)


@pytest.mark.parametrize("status", [AU, SU])
def test_an_open_status_dated_after_its_expiry_is_irregular_and_not_usable(status: Status) -> None:
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), at(SOON), ear.answer(status, SOON + 5, asked=SOON + 60))
    assert playback.last.verdict is Verdict.IRREGULAR
    assert IRREGULAR in playback.told
    assert not playback.position.told.usable


def test_our_clock_stepping_back_takes_nothing_back() -> None:
    """Also not for a report that is recorded meanwhile."""
    ear = soon()
    playback = play(DATA_SHARING, ear.event(AU, 0), at(SOON))
    assert playback.look(at(SOON - 500)).statements == ()
    assert not playback.position.is_usable(at(SOON - 500))
    judgement = playback.hear(ear.answer(AU, 0, asked=SOON - 400), at(SOON - 400))
    assert (judgement.verdict, judgement.statements) == (Verdict.CONFIRMED, ())
    assert playback.position.told == BY_CLOCK


def test_a_later_expiry_where_terms_may_change_opens_it_again() -> None:
    ear = soon()
    playback = play(REVIVABLE, ear.event(AU, 0), at(SOON))
    ear.expiry = at(5000)
    playback.hear(ear.answer(AU, 0, asked=SOON + SETTLED))
    assert playback.told == [CHANGED]
    assert playback.position.told == Told(status=AU, confirmed=True, usable=True)


def test_a_later_expiry_where_terms_cannot_change_is_believed_once_it_is_settled() -> None:
    ear = Ear(expiry=at(9000))
    event = ear.event(AU, 0)
    ear.expiry = at(9500)
    playback = play(DATA_SHARING, event, ear.answer(AU, 0, asked=1))
    assert playback.last.verdict is Verdict.IRREGULAR
    assert not playback.position.told.usable
    playback.hear(ear.answer(AU, 0, asked=SETTLED))
    assert playback.told == [CONFIRMED]
    assert playback.position.decision().expiration_date_time == at(9500)


def test_nothing_expires_that_the_holder_never_spoke_of() -> None:
    playback = play(DATA_SHARING, at(SOON), registered_expiry=at(SOON))
    assert playback.told == []
    assert playback.position.told.status is NS
