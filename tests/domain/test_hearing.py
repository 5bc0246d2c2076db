"""Whether a provider's events come, by what became of its last moves."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.hearing import CLOCKS_AGREE, FEWEST, KEPT, PROBED_FOR, Hearing, Quiet

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONG_AGO = START - 30 * 24 * HOUR


class Channel:
    """What becomes of moves, one an hour, and of the events about them."""

    def __init__(self, hearing: Hearing | None = None) -> None:
        self.hearing = hearing or Hearing()
        self.now = START
        self.heard_at: datetime | None = None

    def play(self, outcomes: str) -> Hearing:
        """t: told; m: missed, though something came after the move; s: missed, and nothing came; e: something came, no move."""
        for outcome in outcomes:
            self.now += HOUR
            moved_at = self.now - 10 * MINUTE
            if outcome in "tme":
                self.heard_at = self.now - 5 * MINUTE
            if outcome == "t":
                self.hearing = self.hearing.told(self.now)
            elif outcome in "ms":
                self.hearing = self.hearing.missed(self.now, moved_at=moved_at, heard_at=self.heard_at)
        return self.hearing


def after(outcomes: str, hearing: Hearing | None = None) -> Hearing:
    return Channel(hearing).play(outcomes)


def test_a_channel_that_is_wholly_silent_is_feared_with_the_first_move_and_known_with_the_second() -> None:
    channel = Channel()
    unsure = channel.play("tts")
    assert (unsure.quiet, unsure.quiet_since, unsure.record) == (Quiet.UNSURE, channel.now, "ttm")
    silent = channel.play("s")
    assert (silent.quiet, silent.quiet_since, silent.record) == (Quiet.SILENT, channel.now, "")
    heard = channel.play("t")
    assert (heard.quiet, heard.quiet_since, heard.heard_again_at) == (None, None, channel.now)


def test_one_that_was_never_heard_may_be_silent() -> None:
    assert after("s").quiet is Quiet.UNSURE
    assert after("ss").quiet is Quiet.SILENT


@pytest.mark.parametrize("outcomes", ["sts", "ses", "tsmtm", "stst", "smsm"])
def test_whatever_comes_between_two_losses_shows_that_they_are_two(outcomes: str) -> None:
    assert after(outcomes).quiet in {None, Quiet.UNSURE}


def test_a_fear_is_over_with_the_next_event_and_was_no_alarm() -> None:
    over = after("tst")
    assert (over.quiet, over.quiet_since, over.heard_again_at, over.record) == (None, None, None, "tmt")


def test_what_was_found_late_is_no_silence_if_other_events_came_since() -> None:
    """Lost in the morning and found in the afternoon: the channel was heard at noon, and lives."""
    noon = START + 6 * HOUR
    assert Hearing().missed(START + 9 * HOUR, moved_at=START, heard_at=noon).quiet is None
    twice = Hearing().missed(START + 9 * HOUR, moved_at=noon + HOUR, heard_at=noon)
    assert twice.quiet is Quiet.UNSURE
    assert twice.missed(START + 9 * HOUR, moved_at=START, heard_at=noon).quiet is Quiet.UNSURE


@pytest.mark.parametrize(("behind", "quiet"), [(CLOCKS_AGREE, Quiet.UNSURE), (CLOCKS_AGREE + MINUTE, None)])
def test_a_holders_clock_may_be_a_little_behind(behind: timedelta, quiet: Quiet | None) -> None:
    heard_at = START
    assert Hearing().missed(START + HOUR, moved_at=heard_at - behind, heard_at=heard_at).quiet is quiet


def test_what_is_feared_is_probed_for_a_while_and_not_once_something_came() -> None:
    unsure = Hearing().missed(START, moved_at=START - HOUR, heard_at=None)
    assert unsure.is_probed(START, None)
    assert unsure.is_probed(START + PROBED_FOR - MINUTE, LONG_AGO)
    assert not unsure.is_probed(START + PROBED_FOR, None)
    assert not unsure.is_probed(START + MINUTE, START + timedelta(seconds=30))
    assert not after("ss").is_probed(START, None)
    assert not Hearing().is_probed(START, None)
    assert (unsure.is_alarming, after("ss").is_alarming, Hearing().is_alarming) == (False, True, False)


def test_a_new_fear_begins_anew() -> None:
    channel = Channel()
    first, second = channel.play("s"), channel.play("es")
    assert (second.quiet, second.quiet_since) == (Quiet.UNSURE, channel.now)
    assert first.quiet_since != second.quiet_since


def test_it_is_told_once_however_much_is_missed() -> None:
    silent = after("ss")
    later = silent.missed(START + 99 * HOUR, moved_at=START + 98 * HOUR, heard_at=None)
    assert (later.quiet, later.quiet_since) == (Quiet.SILENT, silent.quiet_since)
    assert after("smsm", silent).quiet is Quiet.SILENT


def test_a_channel_that_loses_more_than_it_tells_is_noticed_after_ten_moves() -> None:
    assert after("m" * (FEWEST - 1)).quiet is None
    assert after("m" * FEWEST).quiet is Quiet.LOSING
    assert after("tm" * FEWEST).quiet is None
    assert after("tm" * FEWEST + "m").quiet is Quiet.LOSING
    assert after("tmm" * 3 + "e" + "s").quiet is Quiet.LOSING  # fears between do not begin the record anew


def test_one_that_lost_much_is_heard_again_after_three_in_a_row() -> None:
    losing = after("m" * FEWEST)
    assert after("tt", losing).quiet is Quiet.LOSING
    assert after("ttmtt", losing).quiet is Quiet.LOSING
    assert after("ttmttt", losing).quiet is None


def test_a_loss_of_one_in_twenty_raises_an_alarm_once_in_four_hundred_moves_at_most() -> None:
    """At the worst: nothing but these moves is ever heard, and each is found before the next one."""
    dice, channel, alarms = Random(20260302), Channel(), 0
    for _ in range(20_000):
        was = channel.hearing.is_alarming
        alarms += channel.play("s" if dice.random() < 0.05 else "t").is_alarming and not was
    assert 0 < alarms < 20_000 / 400 * 1.5


@given(st.text("tmse", max_size=200))
def test_alarms_and_all_clears_take_turns(outcomes: str) -> None:
    channel, alarms, clears = Channel(), 0, 0
    for outcome in outcomes:
        was, hearing = channel.hearing, channel.play(outcome)
        alarms += not was.is_alarming and hearing.is_alarming
        clears += was.is_alarming and not hearing.is_alarming
        assert len(hearing.record) <= KEPT
        assert (hearing.quiet is None) == (hearing.quiet_since is None)
        assert alarms - clears == hearing.is_alarming
        assert (was.heard_again_at != hearing.heard_again_at) == (was.is_alarming and not hearing.is_alarming)
        assert not (hearing.is_probed(channel.now, channel.heard_at) and hearing.is_alarming)


@given(st.text("tmse", max_size=40), st.integers(2, 30))
def test_whatever_was_before_a_silence_of_two_moves_is_noticed(outcomes: str, moves: int) -> None:
    channel = Channel()
    channel.play(outcomes)
    assert channel.play("s").quiet is not None
    assert channel.play("s" * (moves - 1)).is_alarming


@given(st.text("tmse", max_size=60), st.integers(0, 300))
def test_without_an_alarm_all_probing_together_is_bounded_by_what_was_missed(outcomes: str, minutes: int) -> None:
    channel = Channel()
    for outcome in outcomes:
        was, hearing = channel.hearing, channel.play(outcome)
        if hearing.is_probed(channel.now, channel.heard_at) and not hearing.is_alarming:
            assert outcome == "s" or was == hearing
        if minutes * MINUTE >= PROBED_FOR and hearing.quiet_since is not None:
            assert not hearing.is_probed(hearing.quiet_since + minutes * MINUTE, channel.heard_at)
