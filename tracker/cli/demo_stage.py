"""What the demo plays on: a simulated hub, the tracker on a database in a temporary folder, and somebody who is told."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from rich.text import Text
from standardwebhooks import Webhook

from tracker.app import Tracker, make_key_file, public_keys, service
from tracker.cli.output import print_line
from tracker.cli.timeline import what_text
from tracker.domain.errors import TrackerError
from tracker.sandbox.hub import Hub
from tracker.sandbox.runner import running_hub
from tracker.settings import Settings

CLIENT = "tpp-client-001"
PROVIDER = "demobank"
PROFILE = "uae-v2.1"
_PATIENCE_SECONDS = 20.0
_WHAT_WIDTH = 35
_NOTE_INDENT = 24


class StepFailedError(TrackerError):
    """Something that should have come about did not."""

    code = "demo_step_failed"


@dataclass(eq=False)
class Stage:
    """What the story has to do with.

    Attributes:
        hub: The simulated API Hub.
        tracker: The tracker, running.
        url: Where it listens.
        key: An API key with all scopes.
        folder: Temporary; gone afterwards.
        vkey: The key that exports are signed with.
        http: A session that shows the API key.
        told: What the subscriber was told, in the order of arrival; each with a signature that held.
        secret: The subscription's.
        is_over: The last word is said: what the subscriber is told from here on is not shown.
    """

    hub: Hub
    tracker: Tracker
    url: str
    key: str
    folder: Path
    vkey: str
    http: aiohttp.ClientSession
    told: list[dict[str, Any]] = field(default_factory=list)
    secret: str = ""
    is_over: bool = False

    def say(self, text: str | Text = "", style: str = "") -> None:
        """Print a line."""
        print_line(Text(text, style) if isinstance(text, str) else text)

    async def get(self, path: str) -> Any:
        """Ask the tracker's API."""
        async with self.http.get(self.url + path) as response:
            return await response.json()

    async def post(self, path: str, body: Any, expected: int) -> Any:
        """Tell the tracker's API something."""
        async with self.http.post(self.url + path, json=body) as response:
            if response.status != expected:
                raise StepFailedError(f"POST {path} answered {response.status}: {await response.text()}")
            return await response.json()

    async def consent(self, consent_id: str) -> Any:
        """What the tracker says of a consent."""
        return await self.get(f"/v1/consents/{PROVIDER}/{consent_id}")

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something is so."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while not await holds():
            if time.monotonic() > end:
                raise StepFailedError(f"{what}: did not come about within {_PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(0.05)

    async def until_status(self, consent_id: str, effective_status: str, **facts: Any) -> Any:
        """Wait until the tracker says that a consent has an effective status, and these other facts."""
        wanted = {"effective_status": effective_status, **facts}

        async def holds() -> bool:
            found = await self.consent(consent_id)
            return all(found.get(name) == value for name, value in wanted.items())

        shown = ", ".join(f"{name} {value}" for name, value in wanted.items())
        await self.until(f"{consent_id}: {shown}", holds)
        return await self.consent(consent_id)

    async def notified(self, request: web.Request) -> web.Response:
        """Be the subscriber: check the signature, then take the notification."""
        body = await request.text()
        Webhook(self.secret).verify(body, dict(request.headers))
        entry = json.loads(body)
        self.told.append(entry)
        if not self.is_over:
            self._show(entry)
        return web.Response(status=204)

    def say_headings(self) -> None:
        """Explain the lines by which the subscriber shows what it was told."""
        self.say(_told("entry", "consent", Text("what the subscriber is told"), "learnt by", Text("usable")), "dim")

    def _show(self, entry: dict[str, Any]) -> None:
        data = entry["data"]
        # A step of the clock is told by two entries; the first says that it is one.
        is_inference = entry["type"] == "consent.expiry_inferred"
        what = Text("expiry inferred") if is_inference else what_text(entry["type"], data["from"], data["to"])
        usable = Text("yes", "green") if data["usable"] else Text("no", "dim")
        self.say(_told(f"#{int(entry['sequence'])}", data["consent_id"], what, data["channel"] or "", usable))
        if data["revoked_by"]:
            self.say(f"{'':{_NOTE_INDENT}}by {data['revoked_by']}", "dim")
        if entry["type"].startswith("payment."):
            self.say(f"{'':{_NOTE_INDENT}}{data['reason']}", "dim")
        if data["late"]:
            self.say(f"{'':{_NOTE_INDENT}}older than what was known: it moves nothing", "dim")

    def say_where_to_look(self) -> None:
        """Tell a visitor where to go on from here."""
        api = f"{self.url}/v1"
        move = """'{"status": "Revoked", "revoked_by": "LFI"}'"""
        ask = 'curl -H "Authorization: Bearer $KEY"'
        self.say()
        self.say("It all goes on running until you press Ctrl-C. Look around:", "bold")
        self.say(f"  API, to read   {self.url}/docs")
        self.say(f"  API key        {self.key}")
        self.say(f"  database       {self.folder / 'tracker.db'}")
        self.say()
        self.say("From another terminal:", "bold")
        for what, command in (
            ("the key", f"KEY={self.key}"),
            ("a consent", f"{ask} {api}/consents/{PROVIDER}/savings-coach"),
            ("its story", f"{ask} {api}/consents/{PROVIDER}/savings-coach/timeline"),
            ("the change feed", f"{ask} '{api}/journal?after=0&limit=5'"),
            ("what the hub sent", f"curl {self.hub.url}/sandbox/events"),
            (
                "the bank revokes one: see it told here",
                f"curl {self.hub.url}/sandbox/consents/car-cover/move -d {move}",
            ),
        ):
            self.say(f"  # {what}", "dim")
            self.say(f"  {command}")


def _told(entry: str, consent: str, what: Text, learnt_by: str, usable: Text) -> Text:
    gap = " " * (_WHAT_WIDTH - what.cell_len)
    return Text.assemble(f"  {entry:<5}  {consent:<13}  ", what, f"{gap}  {learnt_by:<9}  ", usable)


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Set everything up on free ports and in a temporary folder, and take it away again."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracker-demo-")))
        loop = asyncio.get_running_loop()
        names = {
            "signing": "signing.jwks.json",
            "encryption": "encryption.jwks.json",
            "checkpoint": "checkpoint.jwk.json",
            "secrets": "secrets.jwks.json",
        }
        for kind, name in names.items():
            await loop.run_in_executor(None, make_key_file, kind, folder / name, None)  # type: ignore[arg-type]
        hub = await stack.enter_async_context(running_hub())
        settings = _settings(folder, hub)
        public = public_keys(settings)
        tracker, url = await stack.enter_async_context(service(settings))
        hub.register_client(
            CLIENT,
            signing_jwks=public["clients"][CLIENT]["signing_jwks"],
            encryption_jwks=public["clients"][CLIENT]["encryption_jwks"],
            webhook_url=f"{url}/webhooks/{PROFILE}",
        )
        _, key = await tracker.api_keys.add("demo", ["read", "write", "audit", "admin"])
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}))
        stage = Stage(hub, tracker, url, key, folder, public["checkpoint_vkey"], http)
        hook = await stack.enter_async_context(_listening(stage.notified))
        made = await stage.post("/v1/subscriptions", {"url": hook, "types": ["consent.*", "payment.*"]}, 201)
        stage.secret = made["secret"]
        yield stage


def _settings(folder: Path, hub: Hub) -> Settings:
    return Settings.model_validate(
        {
            "database": {"url": f"sqlite:///{folder / 'tracker.db'}"},
            "http": {"port": 0},
            "client": [
                {
                    "client_id": CLIENT,
                    "profile": PROFILE,
                    "signing_jwks": folder / "signing.jwks.json",
                    "encryption_jwks": folder / "encryption.jwks.json",
                }
            ],
            "provider": [
                {
                    "id": PROVIDER,
                    "profile": PROFILE,
                    "client_id": CLIENT,
                    "issuer": hub.issuer,
                    "resource_url": hub.url,
                    "requests_per_second": 20,
                }
            ],
            # A real one asks every few hours; here a lost event is to be found while somebody watches.
            "polling": {"awaiting_authorization": 2, "authorized": 3, "suspended": 3},
            "notifications": {"allow_networks": ["127.0.0.0/8"], "secrets_key": folder / "secrets.jwks.json"},
            "audit": {"origin": "demo.example/journal", "checkpoint_key": folder / "checkpoint.jwk.json"},
        }
    )


@asynccontextmanager
async def _listening(handler: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/hook", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()
