"""The benchmarks of `benchmarks.load`, for a moment: they run, and nothing is lost. Figures come from long runs only."""

import json
import subprocess
import sys
from typing import Any

from tests.reader import ROOT


def measured(*arguments: str, consents: int = 20) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load", *arguments, "--consents", str(consents)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_steady_tells_how_soon_a_subscriber_hears() -> None:
    found = measured("steady", "--seconds", "0.5", "--rate", "40", "--lookups", "40")
    looked, both = found["turns"]
    assert (looked["lookups_failed"], both["lookups_failed"]) == (0, 0)
    assert looked["statuses"] == {}
    assert both["statuses"] == {"202": 20}
    assert (both["not_told"], both["badly_signed"], found["lost"]) == (0, 0, 0)
    assert 0 < both["ack_ms"]["p50"] < both["receipt_to_sink_ms"]["p50"]


def test_soak_samples_what_each_process_keeps() -> None:
    # One event each: of two that are under way at once the later one may be recorded first, and then the other tells no move.
    found = measured("soak", "--events", "60", "--every", "30", consents=60)
    assert [sample["events"] for sample in found["samples_mb"]] == [0, 30, 60]
    assert found["resident_mb"]["all"]["most"] > 20
    assert (found["accepted"], found["told"], found["lost"]) == (60, 60, 0)
