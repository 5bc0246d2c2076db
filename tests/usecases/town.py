"""Providers of one service, each with an issuer, keys, tokens, a budget and failures of its own, on loopback ports.

All of the tracker is the real one, as the composition root makes it, but for the clock, which stands still until it is
moved, and for the worker: a test takes its turns itself, so that it can count them.
"""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.clocks import ManualClock
from tests.usecases.bench import NOW, UAE, data, message
from tests.web.site import settings_for, write_keys
from tracker.adapters.key_files import make_jwks
from tracker.app.composition import Tracker, build
from tracker.app.world import World
from tracker.domain.consent import ConsentId, ProviderId
from tracker.ports import InboxItem
from tracker.usecases.register import Registration


@cache
def hub_key(name: str, generation: int = 1) -> RSAKey:
    """A key that a provider signs with."""
    return RSAKey.import_key(tokens.private_jwk(tokens.rsa_key(f"{name} {generation}"), kid=f"{name}-sig-{generation}"))


@cache
def our_set(*names: str) -> bytes:
    """A private set of encryption keys, by name; the first name of all tests is `tokens.OUR_KID`."""
    return tokens.jwk_set(
        *(tokens.private_jwk(tokens.rsa_key(f"ours {name}"), kid=name, use="enc", alg="RSA-OAEP-256") for name in names)
    )


@dataclass
class Town:
    """Everything at hand."""

    folder: Path
    database: Path
    clock: ManualClock
    hubs: Mapping[str, ScriptedHub]
    tracker: Tracker

    # ---------------------------------------------------------------------------------------------- what comes in

    def event(
        self, provider: str, consent_id: str = "c-1", *, generation: int = 1, to: str = "old", **said: Any
    ) -> bytes:
        """A whole event of a provider, signed with one of its keys, encrypted for one of ours."""
        found = data(**{"ConsentId": consent_id, **said})
        whole = tokens.claims(
            iss=self.hubs[provider].issuer,
            message=message(found, ConsentId=consent_id),
            iat=self.seconds,
            nbf=self.seconds,
            exp=self.seconds + 600,
        )
        key = tokens.rsa_key(f"{provider} {generation}")
        signed = tokens.jws(whole, key=key, kid=f"{provider}-sig-{generation}")
        return tokens.jwe(signed, key=tokens.rsa_key(f"ours {to}"), kid=to)

    async def receive(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.tracker.services.receiver.receive(UAE, body, "interaction")

    async def pile_up(self, body: bytes, times: int, lane: str | None = None) -> None:
        """Let the same event wait in the inbox many times, past the door and its limits."""
        ids, now = self.tracker.world.ids, self.clock.now()
        items = [
            InboxItem(id=ids.ordered(), profile=UAE.name, body=body, received_at=now, interaction_id="pile", lane=lane)
            for _ in range(times)
        ]
        await asyncio.gather(*(self.tracker.store.admit(item) for item in items))

    # ---------------------------------------------------------------------------------------------- turns

    async def turn(self) -> int:
        """One turn of the opening loop; no keys come meanwhile."""
        return await self.tracker.opening.run_once()

    async def work_off(self) -> None:
        """Open what is due, keys fetched and all."""
        while True:
            worked = await self.turn()
            await self.tracker.opening.key_wait.settled()
            if not worked and not await self.turn():
                return

    async def ask(self, *providers: str) -> dict[str, int]:
        """Let the askers of some providers look once, one after the other; say how many questions each asked."""
        return {name: await self.tracker.services.asker.run_once(name) for name in providers}

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for hub in self.hubs.values():
            hub.clock_seconds = self.seconds

    @property
    def seconds(self) -> int:
        return int(self.clock.now().timestamp())

    # ---------------------------------------------------------------------------------------------- what is known

    async def register(self, provider: str, consent_id: str = "c-1") -> None:
        wanted = Registration(provider=provider, kind="account-access", consent_id=consent_id)
        await self.tracker.services.registrar.register(wanted)

    async def status(self, provider: str, consent_id: str = "c-1") -> str:
        found = await self.tracker.store.find_consent((ProviderId(provider), ConsentId(consent_id)))
        assert found is not None
        return found.told.status.value

    async def quarantined(self) -> list[str]:
        return [one.reason for one in reversed(await self.tracker.store.quarantined(20_000))]

    def waiting(self) -> int:
        found: int = self.rows("SELECT count(*) FROM inbox")[0][0]
        return found

    def rows(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()

    # ---------------------------------------------------------------------------------------------- our keys

    def write_set(self, text: bytes, name: str = "encryption") -> None:
        (self.folder / f"{name}.jwks.json").write_bytes(text)

    def join_signing_key(self, kid: str) -> None:
        """Put a new signing key before the one that signs."""
        path = self.folder / "signing.jwks.json"
        old = json.loads(path.read_text())["keys"]
        path.write_text(json.dumps({"keys": json.loads(make_jwks("signing", kid))["keys"] + old}))


@asynccontextmanager
async def open_town(
    database: Path, folder: Path, *providers: str, clock: ManualClock | None = None, **sections: Any
) -> AsyncIterator[Town]:
    """Open a service with some providers; what stands in the folder and the database is kept."""
    clock = clock or ManualClock(NOW)
    if not (folder / "signing.jwks.json").exists():
        write_keys(folder)
        (folder / "encryption.jwks.json").write_bytes(our_set("old"))
    hubs = {name: ScriptedHub(hub_key(name)) for name in providers}
    async with AsyncExitStack() as stack:
        for hub in hubs.values():
            server = await stack.enter_async_context(TestServer(hub.application()))
            hub.issuer = str(server.make_url("/")).rstrip("/")
        settings = settings_for(database, folder, {name: hub.issuer for name, hub in hubs.items()}, **sections)
        tracker = await stack.enter_async_context(build(settings, World(clock=clock)))
        town = Town(folder, database, clock, hubs, tracker)
        town.advance(0)
        try:
            yield town
        finally:
            for hub in hubs.values():
                hub.release()
