"""Ends that a holder may take back, where a profile knows such."""

from datetime import timedelta

from tests.domain.kinds import AU, AW, DATA_SHARING, EX, REVIVABLE, RV, SU
from tests.domain.playback import play
from tests.domain.reports import SETTLED, Ear, at
from tracker.domain.consent import Channel
from tracker.domain.lifecycle import Telling, Told, Verdict
from tracker.domain.moves import Rules
from tracker.domain.standing import revived


def test_an_authorized_of_a_later_date_takes_a_revocation_back() -> None:
    ear = Ear()
    playback = play(REVIVABLE, ear.event(AU, 0), ear.event(RV, 5), ear.event(AU, 9))
    assert playback.verdicts == [Verdict.MOVED] * 3
    said = playback.last.statements[0]
    assert (said.from_status, said.to_status, said.usable) == (RV, AU, True)
    assert not said.corrected  # the holder opened it again, nobody was mistaken
    assert not playback.position.decision().is_in_doubt


def test_not_where_the_profile_does_not_say_so() -> None:
    ear = Ear()
    playback = play(DATA_SHARING, ear.event(AU, 0), ear.event(RV, 5), ear.event(AU, 9))
    assert playback.last.verdict is Verdict.IRREGULAR
    assert playback.position.told.status is RV


def test_not_at_the_same_instant_and_not_from_before() -> None:
    for since in (5, 4):
        ear = Ear()
        playback = play(REVIVABLE, ear.event(RV, 5), ear.event(AU, since, received=6))
        assert playback.position.told == Told(status=RV, confirmed=True, usable=False)


def test_only_what_may_be_taken_back_is() -> None:
    ear = Ear()
    playback = play(REVIVABLE, ear.event(AU, 0), ear.event(EX, 5), ear.event(AU, 9))
    assert (playback.position.told.status, playback.last.verdict) == (EX, Verdict.IRREGULAR)


def test_a_second_revocation_ends_it_again() -> None:
    ear = Ear()
    playback = play(REVIVABLE, ear.event(RV, 5), ear.event(AU, 9), ear.event(RV, 12))
    assert playback.position.told == Told(status=RV, confirmed=True, usable=False)
    assert playback.position.decision().since == at(12)


def test_an_earlier_end_that_corrects_is_marked_though_a_way_leads_there() -> None:
    """Revoked after it had expired: the way from Revoked to Expired is by another Authorized, and nobody went it."""
    ear = Ear()
    playback = play(REVIVABLE, ear.event(AU, 0), ear.event(RV, 9), ear.event(EX, 5, received=10))
    said = playback.last.statements[0]
    assert (said.from_status, said.to_status, said.late, said.corrected) == (RV, EX, True, True)


def test_it_is_remembered_when_the_reviving_report_was_settled() -> None:
    ear = Ear()
    steps = [ear.event(RV, 5), ear.event(AU, 9), ear.answer(SU, 12, asked=9 + SETTLED)]
    playback = play(REVIVABLE, *steps, ear.answer(AU, 400, asked=900))
    assert [r.status for r in playback.position.summary.standing] == [RV, AU]
    assert playback.position.told == Told(status=AU, confirmed=True, usable=True)


def test_only_the_channels_that_the_profile_names_and_never_our_own_application() -> None:
    by_answer = Rules(
        moves=REVIVABLE.moves,
        revivable=frozenset({RV}),
        revivers=frozenset({Channel.POLL, Channel.CALLBACK}),
    )
    ear = Ear()
    event, callback = ear.event(AU, 9), ear.event(AU, 9, channel=Channel.CALLBACK)
    answer = ear.answer(AU, 9, asked=10)
    assert revived([event, callback], by_answer) is None
    assert revived([event, callback, answer], by_answer) == at(9)


def test_a_revocation_is_heeded_though_an_unbelievable_time_had_taken_it_back_beforehand() -> None:
    """The model passes over it: an Authorized dated far ahead made every later revocation one that was taken back.

    The consent stayed usable after the holder's verified Revoked; and once that was confirmed it was told as NotStaged.
    """
    ear = Ear()
    ahead = ear.event(AU, timedelta(days=400).total_seconds(), received=0)
    playback = play(REVIVABLE, ahead, ear.answer(AU, 1, asked=SETTLED))
    assert playback.position.told.usable
    playback.hear(ear.event(RV, 900))
    assert playback.told == [Telling.STATUS_CHANGED]
    assert playback.position.told == Told(status=RV, confirmed=True, usable=False)
    playback.hear(ear.answer(RV, 900, asked=900 + SETTLED))
    assert playback.last.verdict is Verdict.CONFIRMED
    assert playback.position.told == Told(status=RV, confirmed=True, usable=False)


def test_an_open_status_dated_later_still_stands_against_an_end_that_was_taken_back() -> None:
    ear = Ear()
    playback = play(REVIVABLE, ear.event(RV, 5), ear.event(AU, 9), ear.event(SU, 12), ear.event(AW, 2, received=13))
    assert playback.position.told.status is SU
