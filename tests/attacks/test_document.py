"""The security document names tests that exist, and every threat has one."""

import re
from functools import cache
from pathlib import Path

from tests.vectors.deviations import DEVIATIONS

TESTS = Path(__file__).parents[1]
DOCUMENT = (TESTS.parent / "docs" / "security.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines() if line.startswith("| ")
]
NOT_YET = {"CSV formulas"}

WANTED = (
    "forged", "replayed", "reordered", "cross-provider", "oversized", "slow", "decompression", "algorithm confusion",
    "key confusion", "`jku`", "SSRF by a subscription", "DNS rebinding", "path climbing", "redirects", "log injection",
    "terminal escapes", "CSV formulas", "timing of API keys", "private data in proofs", "journal tampering",
    "stolen API key", "stolen database", "denial by doubt", "clock jumps",
)  # fmt: skip


@cache
def names_in(path: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE))


def test_every_test_that_is_named_exists():
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", DOCUMENT)
    assert len(named) > 60
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(TESTS / path)]
    assert missing == []


def test_every_threat_has_a_defence_and_a_test():
    threats = [row for row in ROWS if row[0] != "threat"]
    assert all(len(row) == 3 for row in threats)
    bare = [row[0] for row in threats if not row[1] or ("::test_" not in row[2] and row[0] not in NOT_YET)]
    assert bare == []
    text = "\n".join(row[0] for row in threats)
    assert [threat for threat in WANTED if threat not in text] == []


def test_the_figures_of_the_vectors_are_right():
    assert f"from {sum(len(d.numbers) for d in DEVIATIONS)}, each" in DOCUMENT
