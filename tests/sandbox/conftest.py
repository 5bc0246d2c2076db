"""A third party as the hub meets it: keys and tokens by joserfc, a webhook server that answers as told."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwe, jws
from joserfc.jwk import KeySet, RSAKey

from tracker.sandbox import Hub, HubOptions, running_hub
from tracker.sandbox.jwk import SigningKey

START = datetime(2026, 3, 2, 6, 15, 0, 700_000, tzinfo=UTC)

PATHS = {
    "account-access": "/open-finance/account-information/v2.1/account-access-consents/",
    "payment": "/open-finance/payment/v2.1/payment-consents/",
    "insurance": "/open-finance/insurance/v2.1/insurance-consents/",
}
SCOPES = {"account-access": "openid accounts", "payment": "openid payments", "insurance": "insurance"}
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ManualClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class ManualSleep:
    """Nobody waits; sleeps longer than nothing end when the test says so."""

    asked: list[float] = field(default_factory=list)
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.wake.wait()


@cache
def rsa_key(kid: str, use: str = "sig") -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": use})


hub_key = cache(SigningKey)


@dataclass
class Received:
    body: str
    headers: Any


class Webhook:
    """The door of a third party."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[int] = deque()
        self.url = ""
        self.knocked = asyncio.Event()
        self.gates: deque[asyncio.Event] = deque()

    async def receive(self, request: web.Request) -> web.Response:
        self.knocked.set()
        self.received.append(Received((await request.read()).decode("ascii"), request.headers.copy()))
        if self.gates:
            await self.gates.popleft().wait()
        return web.Response(status=self.answers.popleft() if self.answers else 202)


def registration(webhook: Webhook, client_id: str = "tpp-client-001") -> dict[str, Any]:
    return {
        "client_id": client_id,
        "signing_jwks": {"keys": [rsa_key(f"{client_id}-sig").as_dict(private=False)]},
        "encryption_jwks": {"keys": [rsa_key(f"{client_id}-enc", "enc").as_dict(private=False)]},
        "webhook_url": webhook.url,
    }


@dataclass
class Tpp:
    """One client of the hub."""

    hub: Hub
    http: aiohttp.ClientSession
    client_id: str
    webhook: Webhook

    @property
    def signing_key(self) -> RSAKey:
        return rsa_key(f"{self.client_id}-sig")

    @property
    def encryption_key(self) -> RSAKey:
        return rsa_key(f"{self.client_id}-enc", "enc")

    def register(self) -> None:
        self.hub.register_client(**registration(self.webhook, self.client_id))

    def assertion(self, header: dict | None = None, key: RSAKey | None = None, **changes: Any) -> str:
        now = self.hub.clock.epoch()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.hub.issuer,
            "jti": str(uuid4()),
            "iat": now,
            "exp": now + 300,
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        protected = {"alg": "PS256", "kid": self.signing_key.kid} | (header or {})
        protected = {name: value for name, value in protected.items() if value is not None}
        return jws.serialize_compact(
            protected, json.dumps(claims), key or self.signing_key, algorithms=["PS256", "RS256", "HS256", "none"]
        )

    async def post_token(self, fields: dict | list | str | None = None, **options: Any) -> tuple[int, dict]:
        form: Any = fields
        if fields is None or isinstance(fields, dict):
            form = {
                "grant_type": "client_credentials",
                "scope": "openid accounts",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": self.assertion(),
            } | (fields or {})
            form = {name: value for name, value in form.items() if value is not None}
        async with self.http.post(f"{self.hub.url}/token", data=form, **options) as response:
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, await response.json()

    async def token(self, scope: str = "openid accounts") -> str:
        status, body = await self.post_token({"scope": scope})
        assert status == 200, body
        return body["access_token"]

    async def get(
        self, kind: str, consent_id: str, *, token: str | None = None, accept: str | None = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        token = token if token is not None else await self.token(SCOPES[kind])
        headers["Authorization"] = f"Bearer {token}"
        if accept is not None:
            headers["Accept"] = accept
        url = f"{self.hub.url}{PATHS[kind]}{consent_id}"
        async with self.http.get(url, headers=headers) as response:
            return response, await response.read()

    def signed(self, body: Any, header: dict | None = None, key: RSAKey | None = None, **changes: Any) -> str:
        """A request as a JWS; a change to None leaves the claim out."""
        now = self.hub.clock.epoch()
        claims = {
            "iss": self.client_id,
            "aud": [self.hub.issuer],
            "iat": now,
            "nbf": now,
            "exp": now + 120,
            "message": body,
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        protected = {"alg": "PS256", "kid": self.signing_key.kid} | (header or {})
        return jws.serialize_compact(
            protected, json.dumps(claims), key or self.signing_key, algorithms=["PS256", "RS256"]
        )

    async def patch(
        self, kind: str, consent_id: str, body: Any, *, media_type: str | None = None, token: str | None = None
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a PATCH: a text as it is, anything else as JSON or signed, as the kind wants it."""
        media_type = media_type or ("application/jwt" if kind == "payment" else "application/json")
        if not isinstance(body, str):
            body = self.signed(body) if media_type == "application/jwt" else json.dumps(body)
        token = token if token is not None else await self.token(SCOPES[kind])
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
        url = f"{self.hub.url}{PATHS[kind]}{consent_id}"
        async with self.http.patch(url, data=body, headers=headers) as response:
            return response, await response.read()

    async def status(self, kind: str, consent_id: str) -> str:
        _, body = await self.get(kind, consent_id, accept="application/jwt")
        return self.verified(body.decode())["message"]["Data"]["Status"]

    async def jwks(self) -> KeySet:
        async with self.http.get(f"{self.hub.url}/jwks") as response:
            return KeySet.import_key_set(await response.json())

    def keys(self) -> KeySet:
        return KeySet.import_key_set(self.hub.keyring.jwks())

    def verified(self, token: str) -> dict:
        opened = jws.deserialize_compact(token, self.keys(), algorithms=["PS256"])
        return json.loads(opened.payload)

    def decrypted(self, token: str) -> str:
        opened = jwe.decrypt_compact(token, self.encryption_key, algorithms=["RSA-OAEP-256", "A256GCM"])
        return opened.plaintext.decode("ascii")

    def opened(self, token: str) -> dict:
        """Decrypt and verify an event."""
        return self.verified(self.decrypted(token))

    def statuses(self) -> list[str]:
        """Statuses in the order in which events arrived."""
        return [self.opened(item.body)["message"]["Data"]["Status"] for item in self.webhook.received]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def sleep():
    return ManualSleep()


@pytest.fixture
def options(clock, sleep):
    return HubOptions(now=clock, sleep=sleep, retry_delays_seconds=(), make_key=hub_key)


@pytest.fixture
async def hub(options):
    async with running_hub(Hub("demobank", options)) as hub:
        yield hub


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def webhook():
    door = Webhook()
    app = web.Application()
    app.router.add_post("/webhooks/uae-v2.1", door.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/uae-v2.1"
    yield door
    await runner.cleanup()


@pytest.fixture(name="registration")
def registration_fixture(webhook):
    """What a client registers, for hubs that a test starts itself."""
    return registration(webhook)


@pytest.fixture
def tpp(hub, http, webhook):
    tpp = Tpp(hub, http, "tpp-client-001", webhook)
    tpp.register()
    return tpp


@pytest.fixture
def other_tpp(hub, http, webhook, tpp):
    other = Tpp(hub, http, "tpp-client-002", webhook)
    other.register()
    return other
