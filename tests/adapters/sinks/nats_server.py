"""A NATS server of our own: JetStream in a folder, a user and a stranger, killed and started again on the same port."""

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nats
from nats.js.api import StreamConfig

from tests.adapters.sinks.heard import Heard

PROGRAM = shutil.which("nats-server")
PASSWORD = "s3cret+/@:"
MOST_BYTES = 64 * 1024


class NatsServer:
    """Implements `tests.adapters.sinks.bench.Place`."""

    scheme = "nats"

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, more: str = "", **tls: Path) -> None:
        """Write the server's configuration."""
        section = "\n".join(f'{name}: "{path}"' for name, path in tls.items())
        (self.folder / "nats.conf").write_text(
            f"""
host: 127.0.0.1
port: {self.port}
max_payload: {MOST_BYTES}
jetstream {{ store_dir: "{self.folder / "store"}" }}
authorization {{ users: [
  {{ user: tracker, password: {json.dumps(PASSWORD)} }}
  {{ user: stranger, password: {json.dumps(PASSWORD)}, permissions: {{ publish: "other.>", subscribe: "_INBOX.>" }} }}
] }}
{f"tls {{ {section} }}" if tls else ""}
{more}
"""
        )

    def up(self) -> None:
        assert PROGRAM is not None
        with (self.folder / "nats.log").open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", str(self.folder / "nats.conf")], stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def down(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        wait_until_stopped(self.process.pid)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def client(self) -> Any:
        return await nats.connect(
            f"nats://127.0.0.1:{self.port}", user="tracker", password=PASSWORD, allow_reconnect=False
        )

    async def make(self, name: str, **config: Any) -> str:
        client = await self.client()
        await client.jetstream().add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], **config))
        await client.close()
        return f"nats://127.0.0.1:{self.port}/{name}.{{tracking_id}}"

    def missing(self, name: str) -> str:
        return f"nats://127.0.0.1:{self.port}/{name}.{{tracking_id}}"

    async def heard(self, name: str) -> list[Heard]:
        client = await self.client()
        stream = client.jetstream()
        state = (await stream.stream_info(name)).state
        found = [await stream.get_msg(name, sequence) for sequence in range(1, state.messages + 1)]
        await client.close()
        return [
            Heard(
                id=_id(message.headers),
                key=message.subject.rpartition(".")[2],
                body=message.data,
                headers=message.headers,
            )
            for message in found
        ]


def _id(headers: Mapping[str, str]) -> str:
    return headers["Nats-Msg-Id"].partition("@")[0]


def wait_until_stopped(pid: int) -> None:
    """Until no thread of a process runs: that it was told to stop is not yet that it has."""
    while any(
        path.read_text().rpartition(")")[2].split()[0] not in "TtZX"
        for path in Path(f"/proc/{pid}/task").glob("*/stat")
    ):
        time.sleep(0.005)


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Until something listens; fails if the process ends first."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.05)
        else:
            return
