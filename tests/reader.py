"""Somebody who copies the commands of a document into a terminal, and what he sees."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVICES = ("tracker sandbox hub", "tracker serve")
"""What runs in a terminal of its own."""

QUICK = "benchmarks.ingest --events 30 --rate 60 --consents 5"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Reader:
    """Copies blocks into a terminal, one after another, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8080": str(free_port()), "9000": str(free_port())}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
        self.environment = kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.services: list[subprocess.Popen[str]] = []

    def begin(self, command: str) -> None:
        """Start what goes on, and wait until it says where it is."""
        service = subprocess.Popen(
            self.here(command).split(), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.services.append(service)
        assert service.stdout is not None
        assert "http://127.0.0.1" in service.stdout.readline()

    def run(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block until a command of it fails; what it sets is there for the next."""
        script = f"[ -f ../set ] && . ../set\n{self.here(block)}\ndeclare -p KEY VKEY > ../set 2>/dev/null || true"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def copy(self, block: str) -> str:
        """Run a block that ends well, and give what it shows."""
        done = self.run(block)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def here(self, text: str) -> str:
        """Put the ports of this reader in the place of those that are written."""
        for shown, port in self.ports.items():
            text = re.sub(rf"(:|--port |port = ){shown}\b", rf"\g<1>{port}", text)
        return text.replace(".venv/bin/python -m benchmarks.ingest", f"cd {ROOT} && {sys.executable} -m {QUICK}")


@contextmanager
def reading(folder: Path) -> Iterator[Reader]:
    """Begin in an empty folder; in the end what was begun is stopped, and that goes well."""
    folder.mkdir()
    reader = Reader(folder)
    try:
        yield reader
    finally:
        for service in reversed(reader.services):
            service.send_signal(signal.SIGTERM)
        assert [service.wait(20) for service in reader.services] == [0] * len(reader.services)
        for service in reader.services:
            assert service.stdout is not None
            service.stdout.close()
