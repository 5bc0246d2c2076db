"""A short storm on each database: what was answered for is on record once, and told. The long one is in benchmarks/torture.py."""

from pathlib import Path
from random import Random, randrange

import pytest

from tests.e2e.storm import Plan, stage, weather

_PLANS = {
    "sqlite": Plan(seconds=6, rate=20, kills=2, steps=2, full_disks=1),
    "postgres": Plan(
        seconds=8, rate=20, kills=3, pauses=1, steps=2, full_disks=1, restarts=2, terminations=2, full_servers=1
    ),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("database", _PLANS)
async def test_nothing_answered_for_is_lost_in_a_storm(tmp_path: Path, database: str) -> None:
    seed = randrange(10**9)
    print(f"seed {seed}")  # shown when it fails
    async with stage(tmp_path, Random(seed), on_server=database == "postgres") as everything:
        outcome = await weather(everything, _PLANS[database])
    print(outcome)
    assert outcome.reckoning.faults == {}
    assert outcome.reckoning.figures["acknowledged"] > 20
    assert outcome.done["kills"] == _PLANS[database].kills
