"""A scripted holder on a loopback port, and the adapter under test connected to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey
from jwcrypto.jwk import JWK

from tests.adapters.hub.scripted_hub import CLIENT_ID, ScriptedHub
from tests.clocks import ManualClock
from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto, SigningKey
from tracker.domain.consent import ConsentId, ProviderId
from tracker.ports import Answer, Provider
from tracker.profiles.uae_v2_1 import UAE_V2_1


class RandomIds:
    def ordered(self) -> str:
        return str(uuid4())

    def random(self) -> str:
        return str(uuid4())


def make_provider(issuer: str, **changes: Any) -> Provider:
    values: dict[str, Any] = {
        "id": ProviderId("demobank"),
        "profile": UAE_V2_1,
        "client_id": CLIENT_ID,
        "issuer": issuer,
        "resource_url": issuer + "/rs",
        "api_version": "v2.1",
        "requests_per_second": 5,
    }
    return Provider(**(values | changes))


async def read(holders: Holders, provider: Provider, consent_id: str = "c-1", kind: str = "payment") -> Answer:
    return await holders.read_consent(provider, provider.profile.kinds[kind], ConsentId(consent_id), "interaction-1")


@dataclass
class World:
    """One provider, asked through the adapter."""

    hub: ScriptedHub
    clock: ManualClock
    provider: Provider
    holders: Holders
    signing_key: SigningKey

    async def read(self, consent_id: str = "c-1", kind: str = "payment") -> Answer:
        return await read(self.holders, self.provider, consent_id, kind)

    def connect(self, *providers: Provider, **options: Any) -> Holders:
        """Another adapter, with nothing in memory; the caller closes it."""
        connections = [HolderConnection(provider=provider, signing_key=self.signing_key) for provider in providers]
        return Holders(connections, self.clock, RandomIds(), JwcryptoEventCrypto({}), **options)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.hub.clock_seconds = int(self.clock.now().timestamp())


@pytest.fixture(scope="session")
def rsa_keys() -> dict[str, RSAKey]:
    """Keys made once: two of the holder, one of ours, one of a stranger who calls his like the holder's first."""
    kids = {"first": "hub-1", "second": "hub-2", "client": "tpp-sig-1", "stranger": "hub-1"}
    return {name: RSAKey.generate_key(2048, {"kid": kid}) for name, kid in kids.items()}


@pytest.fixture(scope="session")
def signing_key(rsa_keys: dict[str, RSAKey]) -> SigningKey:
    key = rsa_keys["client"]
    return SigningKey(str(key.kid), JWK(**key.as_dict(private=True)))


@pytest_asyncio.fixture
async def hub(rsa_keys: dict[str, RSAKey]) -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub(rsa_keys["first"])
    async with TestServer(hub.application()) as server:
        hub.issuer = str(server.make_url("/")).removesuffix("/")
        yield hub
        hub.release()


@pytest_asyncio.fixture
async def world(hub: ScriptedHub, signing_key: SigningKey) -> AsyncIterator[World]:
    provider = make_provider(hub.issuer)
    world = World(hub, ManualClock(), provider, None, signing_key)  # type: ignore[arg-type]
    world.advance(0)
    world.holders = world.connect(provider)
    yield world
    await world.holders.close()
