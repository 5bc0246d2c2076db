"""A whole tracker behind HTTP on a loopback port: real database, real keys, two scripted holders, a clock in hand."""

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from joserfc.jwk import RSAKey
from yarl import URL

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.clocks import ManualClock
from tests.damage import unguarded
from tests.usecases.bench import CONSENT, NOW, data, message
from tests.web.described import require_as_described
from tracker.adapters.key_files import make_jwks
from tracker.app.composition import Tracker, build
from tracker.app.world import World
from tracker.settings import Settings
from tracker.web.application import web_application

DOOR = "/webhooks/uae-v2.1"
OTHER_KID = "other-sig2"


@cache
def _hub_key(name: str, kid: str) -> RSAKey:
    return RSAKey.import_key(tokens.private_jwk(tokens.rsa_key(name), kid=kid))


def write_keys(folder: Path) -> Path:
    """Our private keys as files."""
    for name, text in (("signing", make_jwks("signing").encode()), ("encryption", tokens.our_private_jwks())):
        path = folder / f"{name}.jwks.json"
        path.touch(mode=0o600)
        path.write_bytes(text)
    return folder


def settings_for(
    database: Path, keys: Path, issuers: Mapping[str, str], *, daily_requests: int = 0, **sections: Any
) -> Settings:
    """A configuration of one client with a provider for each issuer."""
    return Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{database}"},
            "http": {"port": 0},
            "client": [
                {
                    "client_id": tokens.CLIENT_ID,
                    "profile": "uae-v2.1",
                    "signing_jwks": keys / "signing.jwks.json",
                    "encryption_jwks": keys / "encryption.jwks.json",
                }
            ],
            "provider": [
                {
                    "id": name,
                    "profile": "uae-v2.1",
                    "client_id": tokens.CLIENT_ID,
                    "issuer": issuer,
                    "resource_url": issuer + "/rs",
                    "daily_requests": daily_requests,
                }
                for name, issuer in issuers.items()
            ],
            "notifications": {"ownership_challenge": False},
            "audit": {"exports_folder": str(database.parent / "exports")},
            **sections,
        }
    )


@dataclass(frozen=True)
class Said:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The code of the problem that this answer is, checked for its form."""
        told = self.json
        assert self.headers["Content-Type"].startswith("application/problem+json")
        assert self.headers["Cache-Control"] == "no-store"
        assert told["status"] == self.status
        assert told["type"] == f"/docs#problem-{told['code']}"
        assert told["title"]
        return str(told["code"])


@dataclass
class Site:
    """Everything at hand."""

    database: Path
    clock: ManualClock
    hub: ScriptedHub
    other_hub: ScriptedHub
    tracker: Tracker
    client: TestClient[web.Request, web.Application]
    key: str

    # ---------------------------------------------------------------------------------------------- the door

    def event(
        self, found: Mapping[str, Any] | None = None, *, key: str = "hub", kid: str = tokens.HUB_KID, **claims: Any
    ) -> bytes:
        """A whole event about a consent, signed by the first holder unless something else is said."""
        return tokens.jwe(self.token(found, key=key, kid=kid, **claims))

    def token(
        self, found: Mapping[str, Any] | None = None, *, key: str = "hub", kid: str = tokens.HUB_KID, **claims: Any
    ) -> bytes:
        whole = {"iss": self.hub.issuer, "message": message(data() if found is None else found), **claims}
        return tokens.jws(tokens.claims(**whole), key=tokens.rsa_key(key), kid=kid)

    async def post(self, body: Any, path: str = DOOR, **options: Any) -> Said:
        """Send a body to the door, as a holder does."""
        return await self.call_bare("POST", path, data=body, **options)

    async def work_off(self) -> None:
        """Open what waits in the inbox, keys fetched and all."""
        while True:
            worked = await self.tracker.opening.run_once()
            await self.tracker.opening.key_wait.settled()
            if not worked and not await self.tracker.opening.run_once():
                return

    # ---------------------------------------------------------------------------------------------- the API

    async def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> Said:
        """Call the API; the path goes out as it stands. With the site's own key, which may do all, unless told otherwise."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}", **options.pop("headers", {})}
        return await self.call_bare(
            method, path, headers={name: text for name, text in headers.items() if text}, **options
        )

    async def call_bare(self, method: str, path: str, **options: Any) -> Said:
        """Call without a key. Every answer is held against the OpenAPI document."""
        said = await _said(self.client.session.request(method, self.url(path), **options))
        is_json = said.body and "json" in said.headers.get("Content-Type", "")
        value = said.json if is_json and method != "HEAD" and path.startswith("/v1/") else None
        require_as_described(method, path, said.status, said.headers.get("Content-Type", ""), value)
        return said

    def url(self, path: str) -> URL:
        return URL(f"http://{self.client.host}:{self.client.port}{path}", encoded=True)

    async def get(self, path: str, **options: Any) -> Said:
        return await self.call("GET", path, **options)

    async def register(self, consent_id: str = CONSENT, **facts: Any) -> Any:
        given = {"provider": "demobank", "kind": "account-access", "consent_id": consent_id, **facts}
        said = await self.call("POST", "/v1/consents", json=given)
        assert said.status == 201, said.body
        return said.json

    async def add_key(self, *scopes: str, **options: Any) -> str:
        return (await self.tracker.api_keys.add("test", scopes, **options))[1]

    # ---------------------------------------------------------------------------------------------- behind it

    def rows(self, query: str) -> list[Any]:
        """Look into the file, past all our code."""
        with sqlite3.connect(self.database) as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def execute(self, statement: str) -> None:
        """Do something to the file, past all our code."""
        with unguarded(self.database) as connection:
            connection.execute(statement)

    @property
    def seconds(self) -> int:
        """Our clock, as tokens tell the time."""
        return int(self.clock.now().timestamp())

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for hub in (self.hub, self.other_hub):
            hub.clock_seconds = self.seconds


def forged_cursor(*members: Any) -> str:
    """A cursor as ours are made, with other members."""
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


async def _said(under_way: Any) -> Said:
    response: ClientResponse
    async with under_way as response:
        return Said(response.status, response.headers, await response.read())


@asynccontextmanager
async def open_site(
    database: Path, keys: Path, *, services: Mapping[str, Any] | None = None, spans: Any = None, **sections: Any
) -> AsyncIterator[Site]:
    """Make a site; sections of the configuration and members of the services may be other than usual."""
    clock = ManualClock(NOW)
    hub = ScriptedHub(_hub_key("hub", tokens.HUB_KID))
    other_hub = ScriptedHub(_hub_key("other hub", OTHER_KID))
    async with TestServer(hub.application()) as first, TestServer(other_hub.application()) as second:
        hub.issuer, other_hub.issuer = (str(server.make_url("/")).rstrip("/") for server in (first, second))
        issuers = {"demobank": hub.issuer, "otherbank": other_hub.issuer}
        async with build(settings_for(database, keys, issuers, **sections), World(clock=clock, spans=spans)) as tracker:
            application = web_application(replace(tracker.services, **(services or {})))
            async with TestClient(TestServer(application)) as client:
                _, key = await tracker.api_keys.add("site", ["admin"])
                site = Site(database, clock, hub, other_hub, tracker, client, key)
                site.advance(0)
                try:
                    yield site
                finally:
                    hub.release()
                    other_hub.release()
