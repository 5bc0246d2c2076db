"""The README is followed to the letter, from an empty folder."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reader import ROOT, SERVICES, Reader, reading

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

ELSEWHERE = ("python3 -m pip", ".venv/bin/pytest")
"""The two commands of a fresh machine. The build runs them as they stand, and another test sees to it."""

SHOWN_IN_THE_END = {
    "tracker check": "provider demobank",
    "tracker consents timeline": "Authorized → Revoked",
    "curl -sf http://127.0.0.1:8080/v1/consents/demobank/c-1/usable": '"reason":"revoked"',
    "tracker consents import": "1 row: 1 created.",
    "tracker subscriptions": "https://example.com/hooks/consents",
    "VKEY=": "by whom        tracker.example/journal, key tracker.example/journal+",
    ".venv/bin/python -m benchmarks.ingest": '"lost": 0',
}
"""What a reader waits to see after a block; some of it takes a moment."""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with reading(tmp_path / "empty") as reader:
        yield reader


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="The README's commands need bash and curl"
)
@pytest.mark.timeout(400)  # some thirty programs, one after another, on a machine that may be busy
def test_the_readme_can_be_followed(reader: Reader) -> None:
    unseen = dict(SHOWN_IN_THE_END)
    for block in BLOCKS:
        if block.startswith(ELSEWHERE):
            continue
        if block.startswith(SERVICES):
            reader.begin(block)
            continue
        shown = reader.copy(block)
        expected = next((unseen.pop(start) for start in list(unseen) if start in block), "")
        deadline = time.monotonic() + 20
        while expected not in shown:
            assert time.monotonic() < deadline, f"{block}\n{shown}"
            shown = reader.copy(block)
    assert unseen == {}


def test_the_readme_shows_no_other_commands() -> None:
    indented_or_unmarked = re.findall(r"^```(?!sh$|text$|$).*", README, re.MULTILINE)
    assert indented_or_unmarked == []
    assert len(BLOCKS) > len(SERVICES) + len(ELSEWHERE)


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
