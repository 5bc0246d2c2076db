"""The tracker's deeds on a real database, with keys, holders and clock in the hands of the test."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests import tokens
from tests.clocks import ManualClock
from tracker.adapters.clock import SystemIds
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.adapters.key_files import event_keys, load_encryption_keys
from tracker.adapters.public_keys import verification_keys
from tracker.adapters.store.database import Database
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.condition import Condition
from tracker.domain.consent import ConsentId, ProviderId
from tracker.domain.errors import ConsentApiError, ConsentNotStagedError, KeysUnavailableError
from tracker.domain.schedule import Pace
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import Answer, Provider, Token, VerificationKey
from tracker.profiles import PROFILES
from tracker.profiles.profile import Kind, Profile
from tracker.usecases.ask import Asker
from tracker.usecases.believed import Believing
from tracker.usecases.budget import Budget
from tracker.usecases.consult import Consulting
from tracker.usecases.expire import Expiry
from tracker.usecases.key_wait import KeyWait
from tracker.usecases.notices import Notices
from tracker.usecases.open import Opening
from tracker.usecases.opening import Opener
from tracker.usecases.pause import Pausing
from tracker.usecases.providers import Providers
from tracker.usecases.pulse import Conditions, Pulse
from tracker.usecases.quarantine import Quarantine
from tracker.usecases.receive import Receiver
from tracker.usecases.record import Recorder
from tracker.usecases.recording import Office
from tracker.usecases.register import Registrar, Registration
from tracker.usecases.reopen import Reopening
from tracker.usecases.revoke import Revoker
from tracker.usecases.siblings import Siblings
from tracker.usecases.suspects import Suspects
from tracker.usecases.timeline import Timelines
from tracker.usecases.wake import Bell
from tracker.usecases.watch import Watch

UAE = PROFILES["uae-v2.1"]
NOW = datetime.fromisoformat("2026-03-02T11:20:00+00:00")
"""Within the life of `tokens.claims()`."""
DEMOBANK = ProviderId("demobank")
OTHERBANK = ProviderId("otherbank")
CONSENT = "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10"


class NoJitter:
    """`ports.Entropy` without surprises but in tokens."""

    def __init__(self) -> None:
        self._made = 0

    def token(self, size: int) -> bytes:
        self._made += 1
        return self._made.to_bytes(size, "big")

    def fraction(self) -> float:
        return 0.0


@cache
def keys_of(name: str, kid: str) -> Mapping[str, VerificationKey]:
    return verification_keys(
        tokens.jwk_set(tokens.public_jwk(tokens.rsa_key(name), kid=kid, use="sig")), tokens.JWKS_URI
    )


@dataclass
class ScriptedKeys:
    """`ports.HolderKeys`: what is published is found after a refresh."""

    published: dict[str, Mapping[str, VerificationKey]] = field(default_factory=dict)
    fetched: dict[str, Mapping[str, VerificationKey]] = field(default_factory=dict)
    unavailable: bool = False
    refreshes: int = 0

    def find(self, provider: Provider, kid: str, received_at: datetime | None = None) -> VerificationKey | None:
        return self.fetched.get(provider.id, {}).get(kid)

    def at_hand(self, provider: Provider) -> tuple[str, ...]:
        return tuple(sorted(self.fetched.get(provider.id, {})))

    async def refresh(self, provider: Provider) -> None:
        self.refreshes += 1
        if self.unavailable:
            raise KeysUnavailableError
        self.fetched[provider.id] = self.published.get(provider.id, {})


@dataclass
class ScriptedHolders:
    """`ports.HolderApi`: answers as told; a consent of which nothing was told is not staged."""

    answers: dict[str, Mapping[str, Any] | ConsentApiError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    signed: bool = True

    revoked: list[tuple[str, str]] = field(default_factory=list)
    said: deque[ConsentApiError | Callable[[], object] | None] = field(default_factory=deque)
    """What the next revocations are answered with; a function is called first, and then it is accepted."""

    async def revoke_consent(
        self, provider: Provider, kind: Kind, consent_id: ConsentId, revoked_by: str, interaction_id: str
    ) -> None:
        self.revoked.append((consent_id, revoked_by))
        said = self.said.popleft() if self.said else None
        if isinstance(said, ConsentApiError):
            raise said
        if said is not None:
            said()

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        self.asked.append(consent_id)
        answer = self.answers.get(consent_id, ConsentNotStagedError())
        if isinstance(answer, ConsentApiError):
            raise answer
        key = keys_of("hub", tokens.HUB_KID)[tokens.HUB_KID]
        said = {
            "iss": provider.issuer,
            "aud": [provider.client_id],
            "nbf": 0,
            "exp": 2**32,
            "jti": str(len(self.asked)),
        }
        jws = tokens.jws({**said, "message": answer})
        token = Token(jws=jws, kid=key.kid, jwk=key.jwk, jwk_thumbprint=key.jwk_thumbprint, jwks_uri=key.jwks_uri)
        return Answer(body=answer, token=token if self.signed else None)


def data(status: str = "Authorized", at: str = "2026-03-02T15:13:19+04:00", **changes: Any) -> dict[str, Any]:
    """A data sharing consent as a holder tells it."""
    return {
        "ConsentId": CONSENT,
        "CreationDateTime": "2026-03-02T10:15:00+04:00",
        "Status": status,
        "StatusUpdateDateTime": at,
        "Permissions": ["ReadAccountsBasic", "ReadBalances"],
        "ExpirationDateTime": "2026-09-01T00:00:00+04:00",
        "OpenFinanceBilling": {"UserType": "Retail", "Purpose": "AccountAggregation"},
        **changes,
    }


def message(found: Mapping[str, Any] | None, *, at: str = "2026-03-02T15:13:20+04:00", **meta: Any) -> dict[str, Any]:
    """An event's message about a consent."""
    said = {"EventDateTime": at, "EventResource": "/x", "EventType": "Resource.Updated", "ConsentId": CONSENT, **meta}
    return {"Meta": said} if found is None else {"Meta": said, "Data": dict(found)}


def event(found: Mapping[str, Any] | None, *, key: str = "hub", kid: str = tokens.HUB_KID, **claims: Any) -> bytes:
    """A whole event about a consent."""
    whole = tokens.claims(**{"message": message(found), **claims})
    return tokens.jwe(tokens.jws(whole, key=tokens.rsa_key(key), kid=kid))


@dataclass
class Bench:
    """Everything at hand."""

    path: Path
    clock: ManualClock
    store: SqlStore
    keys: ScriptedKeys
    holders: ScriptedHolders
    office: Office
    receiver: Receiver
    opening: Opening
    recorder: Recorder
    registrar: Registrar
    asker: Asker
    revoker: Revoker
    pausing: Pausing
    expiry: Expiry
    notices: Notices
    consulting: Consulting
    believing: Believing
    timelines: Timelines
    quarantine: Quarantine
    siblings: Siblings
    reopening: Reopening
    forced: dict[ProviderId, Condition]
    watch: Watch
    pulse: Pulse
    conditions: Conditions
    profile: Profile = UAE

    async def register(self, consent_id: str = CONSENT, provider: str = DEMOBANK, **facts: Any) -> TrackedConsent:
        given = {"kind": "account-access", **facts}
        return (await self.registrar.register(Registration(provider=provider, consent_id=consent_id, **given)))[0]

    async def deliver(self, *bodies: bytes) -> None:
        """Let events in and work the inbox off, keys fetched and all."""
        for body in bodies:
            await self.receiver.receive(self.profile, body, "interaction")
        await self.work_off()

    async def look_after(self) -> None:
        """Watch over the providers, once."""
        await self.pulse.write()
        await self.watch.run_once()
        await self.conditions.refresh()

    async def work_off(self) -> None:
        while True:
            worked = await self.opening.run_once()
            await self.fetched()
            if not worked and not await self.opening.run_once():
                return

    async def fetched(self) -> None:
        """Let fetches of keys that are under way end."""
        await self.opening.key_wait.settled()

    async def consent(self, consent_id: str = CONSENT, provider: ProviderId = DEMOBANK) -> TrackedConsent:
        found = await self.store.find_consent((provider, ConsentId(consent_id)))
        assert found is not None
        return found

    async def status(self, consent_id: str = CONSENT, provider: ProviderId = DEMOBANK) -> tuple[str, bool]:
        """The effective status, and whether it may be used."""
        seen = await self.consulting.get(provider, consent_id)
        return seen.effective_status.value, seen.usable

    async def entries(self) -> list[Entry]:
        return await self.store.entries_after(0, 10_000)

    async def told(self) -> list[tuple[str, str | None, str, bool]]:
        """Type, from, to and usable of every entry."""
        found = [(e.type.removeprefix("consent."), e.leaf["data"]) for e in await self.entries()]
        return [(kind, data["from"], data["to"], data["usable"]) for kind, data in found]

    async def quarantined(self) -> list[tuple[str, str, bool]]:
        """Step, reason and whether verified, the oldest first."""
        return [(q.step, q.reason, q.verified) for q in reversed(await self.store.quarantined(1000))]

    def rows(self, query: str) -> list[Any]:
        """Look into the file, past all our code."""
        with sqlite3.connect(self.path) as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def execute(self, statement: str) -> None:
        """Do something to the file, past all our code."""
        with sqlite3.connect(self.path) as connection:
            connection.execute(statement)
        connection.close()

    def advance(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())


@cache
def our_crypto(folder: Path) -> JwcryptoEventCrypto:
    path = folder / "encryption.jwks.json"
    path.touch(mode=0o600)
    path.write_bytes(tokens.our_private_jwks())
    return JwcryptoEventCrypto(event_keys({tokens.CLIENT_ID: load_encryption_keys(path)}))


def a_provider(name: ProviderId, issuer: str, profile: Profile = UAE, **changes: Any) -> Provider:
    facts = {
        "id": name,
        "profile": profile,
        "client_id": tokens.CLIENT_ID,
        "issuer": issuer,
        "resource_url": "https://rs1.example",
        "api_version": profile.default_api_version,
        "requests_per_second": 5.0,
    }
    return Provider(**{**facts, **changes})


@asynccontextmanager
async def open_bench(
    path: Path,
    crypto: JwcryptoEventCrypto,
    *,
    clock: ManualClock | None = None,
    profile: Profile = UAE,
    pace: Pace | None = None,
    database: Database | None = None,
) -> AsyncIterator[Bench]:
    clock = clock or ManualClock(NOW)
    providers = Providers(
        [
            a_provider(DEMOBANK, tokens.ISSUER, profile),
            a_provider(OTHERBANK, "https://auth1.otherbank.example", profile),
        ]
    )
    ids, entropy = SystemIds(), NoJitter()
    store = SqlStore(database or SqliteDatabase(path), ids)
    conditions = Conditions(store, clock)
    forced: dict[ProviderId, Condition] = {}
    office = Office(
        providers=providers,
        clock=clock,
        ids=ids,
        entropy=entropy,
        pace=pace or Pace(),
        condition_of=lambda provider: forced.get(provider) or conditions.of(provider),
    )
    keys = ScriptedKeys({DEMOBANK: keys_of("hub", tokens.HUB_KID), OTHERBANK: keys_of("other hub", "other-sig2")})
    keys.fetched = dict(keys.published)
    holders = ScriptedHolders()
    bells = Bell(), Bell(), Bell()
    consulting = Consulting(store, providers, clock, office.tempo)
    suspects = Suspects()
    budget = Budget(store, clock)
    asker = Asker(store, office, holders, budget, bells[0], bells[1])
    pulse = Pulse(store, clock)
    recorder = Recorder(store, office, bells[0], bells[1], pulse=pulse)
    with ThreadPoolExecutor(2) as threads:
        key_wait = KeyWait(store, clock, keys, most_each=100_000)
        opening = Opening(store, clock, Opener(providers, crypto, keys), key_wait, recorder, threads, suspects)
        try:
            yield Bench(
                path=path,
                clock=clock,
                store=store,
                keys=keys,
                holders=holders,
                office=office,
                receiver=Receiver(
                    store,
                    clock,
                    ids,
                    crypto,
                    providers.profiles,
                    [provider.id for provider in providers],
                    bells[2],
                    suspects,
                    max_events=1000,
                    max_age_seconds=300,
                ),
                opening=opening,
                recorder=recorder,
                registrar=Registrar(store, office, bells[0], bells[1]),
                asker=asker,
                revoker=Revoker(store, office, holders, budget, asker, bells[0]),
                pausing=Pausing(store, office, bells[0]),
                expiry=Expiry(store, office, bells[0], bells[1]),
                notices=Notices(store, office, bells[0]),
                consulting=consulting,
                believing=Believing(store, store.past, clock, consulting),
                timelines=Timelines(store, providers),
                quarantine=Quarantine(store, clock, crypto.knows_key, bells[2], max_events=1000),
                siblings=Siblings(store, office, bells[1]),
                reopening=Reopening(store, clock, keys, key_wait, bells[2], max_events=1000),
                watch=Watch(store, office, bells[0], grace=timedelta(seconds=300)),
                pulse=pulse,
                conditions=conditions,
                forced=forced,
                profile=profile,
            )
        finally:
            await key_wait.close()
            await store.close()


class Desk:
    """A bench that stays open for all examples."""

    def __init__(self, run: asyncio.Runner, bench: Bench) -> None:
        self.run = run
        self.bench = bench
