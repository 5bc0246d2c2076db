"""The README is followed to the letter, from an empty folder."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

SERVICES = ("tracker sandbox hub", "tracker serve")
"""What runs in a terminal of its own."""

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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Reader:
    """Somebody who copies the blocks into a terminal, one after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8080": str(free_port()), "9000": str(free_port())}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
        self.environment = kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.services: list[subprocess.Popen[str]] = []

    def begin(self, command: str) -> None:
        """Start what goes on, and wait until it says where it is."""
        service = subprocess.Popen(
            self._here(command).split(), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.services.append(service)
        assert service.stdout is not None
        assert "http://127.0.0.1" in service.stdout.readline()

    def copy(self, block: str) -> str:
        """Run a block; what it sets is there for the next."""
        script = f"[ -f ../set ] && . ../set\n{self._here(block)}\ndeclare -p KEY VKEY > ../set 2>/dev/null || true"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _here(self, text: str) -> str:
        for shown, port in self.ports.items():
            text = re.sub(rf"(:|--port |port = ){shown}\b", rf"\g<1>{port}", text)
        return text.replace(".venv/bin/python -m benchmarks.ingest", f"cd {ROOT} && {sys.executable} -m {QUICK}")


QUICK = "benchmarks.ingest --events 30 --rate 60 --consents 5"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    folder = tmp_path / "empty"
    folder.mkdir()
    reader = Reader(folder)
    yield reader
    for service in reversed(reader.services):
        service.send_signal(signal.SIGTERM)
    assert [service.wait(20) for service in reader.services] == [0] * len(reader.services)
    for service in reader.services:
        assert service.stdout is not None
        service.stdout.close()


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="The README's commands need bash and curl"
)
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
