"""Windows between processes whose clocks differ by as much as clocks do."""

from datetime import timedelta

import pytest

from tests.domain.test_pull import EMPTY, MINUTE, NOW, STORY, poll


@pytest.mark.parametrize("behind", [timedelta(milliseconds=1), timedelta(seconds=2), timedelta(seconds=59)], ids=str)
def test_what_a_process_with_a_faster_clock_has_just_handed_out_is_kept_back(behind: timedelta) -> None:
    handed, handout = poll(EMPTY, *STORY, limit=2)
    assert handed == [1, 2]
    handed, handout = poll(handout.after, *STORY, at=NOW - behind)
    assert handed == [4]  # neither 1 and 2, nor 3 behind 1
    handed, _ = poll(handout.after, *STORY, at=NOW + MINUTE)
    assert handed == [1, 2, 3, 4]
