"""Whether a provider's events come, by what became of its last moves."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.hearing import FEWEST, KEPT, Hearing, Quiet

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def after(outcomes: str, hearing: Hearing | None = None) -> Hearing:
    """t: told; m: missed while other events come; s: missed, and nothing was heard at all."""
    hearing = hearing or Hearing()
    for outcome in outcomes:
        hearing = hearing.told(START) if outcome == "t" else hearing.missed(START, in_silence=outcome == "s")
    return hearing


def test_a_channel_that_is_wholly_silent_is_noticed_by_the_first_move_that_is_missed() -> None:
    quiet = after("tttttts")
    assert (quiet.quiet, quiet.quiet_since, quiet.record) == (Quiet.SILENT, START, "")
    again = quiet.told(START + timedelta(hours=1))
    assert (again.quiet, again.heard_again_at) == (None, START + timedelta(hours=1))


def test_it_is_told_once_however_much_is_missed() -> None:
    quiet = after("s")
    later = quiet.missed(START + timedelta(hours=1), in_silence=True)
    assert (later.quiet, later.quiet_since) == (Quiet.SILENT, START)
    assert after("smsm", quiet).quiet is Quiet.SILENT


def test_a_channel_that_loses_more_than_it_tells_is_noticed_after_ten_moves() -> None:
    assert after("m" * (FEWEST - 1)).quiet is None
    assert after("m" * FEWEST).quiet is Quiet.LOSING
    assert after("tm" * FEWEST).quiet is None
    assert after("tm" * FEWEST + "m").quiet is Quiet.LOSING


def test_one_that_lost_much_is_heard_again_after_three_in_a_row() -> None:
    losing = after("m" * FEWEST)
    assert after("tt", losing).quiet is Quiet.LOSING
    assert after("ttmtt", losing).quiet is Quiet.LOSING
    assert after("ttmttt", losing).quiet is None


def test_a_loss_of_one_in_twenty_is_no_silence() -> None:
    dice, hearing = Random(20260302), Hearing()
    for _ in range(20_000):
        hearing = after("m" if dice.random() < 0.05 else "t", hearing)
        assert hearing.quiet is None


@given(st.text("tms", max_size=200))
def test_alarms_and_all_clears_take_turns(outcomes: str) -> None:
    hearing, alarms, clears = Hearing(), 0, 0
    for outcome in outcomes:
        was, hearing = hearing, after(outcome, hearing)
        alarms += was.quiet is None and hearing.quiet is not None
        clears += was.quiet is not None and hearing.quiet is None
        assert len(hearing.record) <= KEPT
        assert (hearing.quiet is None) == (hearing.quiet_since is None)
        assert alarms - clears == (hearing.quiet is not None)
