"""The real service in a process of its own, and an issuer that publishes the tests' keys."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests import tokens
from tests.postgres import query as postgres_rows
from tracker.adapters.key_files import make_jwks


@asynccontextmanager
async def issuer() -> AsyncIterator[str]:
    """Discovery and keys, nothing else: asking about consents fails."""
    application = web.Application()
    url = ""

    async def discovery(_: web.Request) -> web.Response:
        return web.json_response({"issuer": url, "token_endpoint": f"{url}/token", "jwks_uri": f"{url}/jwks"})

    async def jwks(_: web.Request) -> web.Response:
        return web.Response(body=tokens.hub_jwks(), content_type="application/json")

    application.router.add_get("/.well-known/openid-configuration", discovery)
    application.router.add_get("/jwks", jwks)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield url
    finally:
        await runner.cleanup()


_NOBODY = "http://127.0.0.1:1"
"""Where nothing listens."""


class Service:
    """`tracker serve` on a database in a folder, or on a PostgreSQL; it can be killed and started again."""

    def __init__(
        self, folder: Path, issuer_url: str, sections: str = "", *, postgres: str | None = None, roles: str = ""
    ) -> None:
        self.folder = folder
        self.roles = roles
        self.database = folder / "tracker.db"
        self.postgres = postgres
        self.process: asyncio.subprocess.Process | None = None
        self.url = ""
        _write(folder / "signing.jwks.json", make_jwks("signing").encode())
        _write(folder / "encryption.jwks.json", tokens.our_private_jwks())
        (folder / "tracker.toml").write_text(
            f"""
[database]
url = "{postgres or f"sqlite:///{self.database}"}"
[http]
port = 0
[[client]]
client_id = "{tokens.CLIENT_ID}"
profile = "uae-v2.1"
signing_jwks = "signing.jwks.json"
encryption_jwks = "encryption.jwks.json"
[[provider]]
id = "demobank"
profile = "uae-v2.1"
client_id = "{tokens.CLIENT_ID}"
issuer = "{issuer_url}"
resource_url = "{issuer_url}"
{sections or "[log]" + chr(10) + 'level = "error"'}
"""
        )

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
        return kept | {"TRACKER_CONFIG": str(self.folder / "tracker.toml")}

    @property
    def command(self) -> tuple[str, ...]:
        chosen = ("--roles", self.roles) if self.roles else ()
        return sys.executable, "-m", "tracker", "serve", *chosen

    async def start(self) -> None:
        with (self.folder / "log.txt").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdout=asyncio.subprocess.PIPE, stderr=log, env=self.environment
            )
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), 90)).decode()  # four at once, on a busy machine
        assert line.startswith("tracker listens on http"), line
        self.url = line.split()[3]

    async def kill(self) -> None:
        """Kill it, if it is not dead yet."""
        assert self.process is not None
        # Its port is anybody's from now on: another's server on it would answer for us.
        self.url = _NOBODY
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def run(self, *arguments: str) -> str:
        """Run another command of the program; give what it prints."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tracker", *arguments, stdout=asyncio.subprocess.PIPE, env=self.environment
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, arguments
        return out.decode().strip()

    def rows(self, query: str) -> list[Any]:
        if self.postgres is not None:
            return [tuple(row) for row in postgres_rows(self.postgres, query)]
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    async def until_worked_off(self, seconds: float = 60) -> None:
        """Wait until nothing is in the inbox any more."""
        async with asyncio.timeout(seconds):
            while await asyncio.to_thread(self.rows, "SELECT count(*) FROM inbox") != [(0,)]:
                await asyncio.sleep(0.05)


def _write(path: Path, text: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(text)


def an_event(
    issuer_url: str, consent_id: str, status: str, at: str, now: float, *, size: int = 0, **sealing: Any
) -> bytes:
    """A whole event about a consent; with padding, if its claims are to have a certain size; sealed as said."""
    found = {
        "ConsentId": consent_id,
        "Status": status,
        "StatusUpdateDateTime": at,
        "CreationDateTime": "2026-03-02T10:15:00+04:00",
        "Permissions": ["ReadAccountsBasic"],
        "ExpirationDateTime": "2099-09-01T00:00:00+04:00",
        "OpenFinanceBilling": {"UserType": "Retail", "Purpose": "AccountAggregation"},
    }
    meta = {"EventDateTime": at, "EventResource": "/x", "EventType": "Resource.Updated", "ConsentId": consent_id}
    claims = tokens.claims(
        iss=issuer_url, iat=now - 1, nbf=now - 1, exp=now + 600, message={"Meta": meta, "Data": found}
    )
    missing = size - len(json.dumps(claims)) + len(status)  # whatever the status, the terms are the same
    if missing > 0:
        found["Padding"] = "x" * missing
    return tokens.jwe(tokens.jws(claims), **sealing)
