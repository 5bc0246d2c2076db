"""A RabbitMQ of our own, as whoever runs the tests: everything in a folder, its own port mapper, killed and started again."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import aiormq
import trustme

from tests.adapters.sinks.heard import Heard
from tests.adapters.sinks.nats_server import wait_for_port, wait_until_stopped

# What the package puts on the path changes to a user of its own; this is what that starts.
PROGRAM = next(
    (
        str(path)
        for path in (
            Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
            *map(Path, filter(None, [shutil.which("rabbitmq-server")])),
        )
        if path.exists()
    ),
    None,
)
MOST_BYTES = 64 * 1024


class RabbitmqServer:
    """Implements `tests.adapters.sinks.bench.Place`."""

    scheme = "amqp"

    def __init__(self, folder: Path, port: int, tls_port: int, distribution_port: int, mapper_port: int) -> None:
        self.folder = folder
        self.tls_port = tls_port
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.mapper: subprocess.Popen[bytes] | None = None
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))
        } | {
            "HOME": str(folder),  # for the cookie
            "RABBITMQ_NODENAME": f"tracker{port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "config"),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        (folder / "enabled_plugins").write_text("[].\n")
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(folder / "server.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        (folder / "rabbitmq.conf").write_text(
            f"""
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
max_message_size = {MOST_BYTES}
"""
        )

    def up(self) -> None:
        assert PROGRAM is not None
        # Otherwise the node starts one, which outlives it.
        self.mapper = subprocess.Popen(
            ["epmd"], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for_port(int(self.environment["ERL_EPMD_PORT"]), self.mapper)
        with (self.folder / "rabbitmq.log").open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM],
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        wait_for_port(self.port, self.process)

    def down(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        if self.mapper is not None:
            self.mapper.kill()
            self.mapper.wait()
            self.mapper = None

    def freeze(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        for path in Path("/proc").glob("[0-9]*"):
            if self._is_ours(path):
                wait_until_stopped(int(path.name))

    def _is_ours(self, path: Path) -> bool:
        assert self.process is not None
        try:
            return os.getpgid(int(path.name)) == self.process.pid
        except ProcessLookupError:
            return False

    def thaw(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    async def client(self) -> Any:
        return await aiormq.connect(f"amqp://guest:guest@127.0.0.1:{self.port}/")

    async def make(self, name: str, **arguments: Any) -> str:
        connection = await self.client()
        channel = await connection.channel()
        await channel.exchange_declare(name, exchange_type="topic", durable=True)
        await channel.queue_declare(name, durable=True, arguments={"x-queue-mode": "lazy", **arguments})
        await channel.queue_bind(name, name, "#")
        await connection.close()
        return f"amqp://127.0.0.1:{self.port}/?exchange={name}"

    def missing(self, name: str) -> str:
        return f"amqp://127.0.0.1:{self.port}/?exchange={name}"

    async def heard(self, name: str) -> list[Heard]:
        connection = await self.client()
        channel = await connection.channel(publisher_confirms=False)
        found = []
        while (message := await channel.basic_get(name)).header.properties.message_id is not None:
            properties = message.header.properties
            found.append(
                Heard(
                    id=properties.message_id,
                    key=message.delivery.routing_key,
                    body=message.body,
                    headers={
                        **properties.headers,
                        "content-type": properties.content_type,
                        "delivery": properties.delivery_mode,
                    },
                )
            )
        await connection.close()  # what was got and not acknowledged is there again
        return found
