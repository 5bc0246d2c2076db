"""One in ten is refused at random and the process is killed again and again: all is told, in order, with few repeats."""

import random
from pathlib import Path

import pytest

from tests.e2e.erratic import play
from tracker.domain.manner import Attempts

QUICK = Attempts(alone_seconds=(1,) * 10, down_seconds=(1,))


@pytest.mark.timeout(180)
async def test_a_subscriber_that_refuses_at_random_gets_everything_whoever_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(10**9)  # printed when the test fails
    print(f"seed {seed}")
    told = await play(tmp_path, entries=600, consents=200, kill_after=(0.6, 1.2), attempts=QUICK, seed=seed)
    print(told)
    assert (told.missing, told.out_of_order, told.dead_letters) == (0, 0, 0)
    assert told.kills > 1
    assert told.most_repeats_after_a_kill <= told.bound
