"""What vouches for a holder's key is kept with it: when it was fetched, which certificates the server showed and the set had."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

import pytest
import pytest_asyncio
import trustme
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests.adapters.hub.conftest import RandomIds, World, make_provider, read
from tests.adapters.hub.scripted_hub import CLIENT_ID, ScriptedHub, says
from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto
from tracker.adapters.public_keys import verification_keys
from tracker.ports import KeyOrigin


@dataclass(frozen=True)
class TlsHub:
    hub: ScriptedHub
    context: ssl.SSLContext
    certificate: str


@pytest_asyncio.fixture
async def tls(rsa_keys: dict[str, RSAKey]) -> AsyncIterator[TlsHub]:
    authority, hub = trustme.CA(), ScriptedHub(rsa_keys["first"])
    issued = authority.issue_cert("127.0.0.1")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(theirs)
    server = TestServer(hub.application())
    await server.start_server(ssl=theirs)
    hub.issuer = f"https://127.0.0.1:{server.port}"
    ours = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    authority.configure_trust(ours)
    shown = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    yield TlsHub(hub, ours, sha256(shown).hexdigest())
    await server.close()


async def test_a_key_knows_when_and_from_whom_it_was_fetched(world: World, tls: TlsHub) -> None:
    tls.hub.clock_seconds = int(world.clock.now().timestamp())
    provider = make_provider(tls.hub.issuer)
    connection = HolderConnection(provider=provider, signing_key=world.signing_key, contexts=lambda: tls.context)
    holders = Holders([connection], world.clock, RandomIds(), JwcryptoEventCrypto({}))
    try:
        fetched_at = world.clock.now()
        await holders.refresh(provider)
        world.advance(60)
        key = holders.find(provider, "hub-1")
        assert key is not None
        assert key.origin.fetched_at == fetched_at
        assert key.origin.tls_chain[0] == tls.certificate
        answer = await read(holders, provider)
        assert answer.token is not None
        assert answer.token.origin == key.origin
    finally:
        await holders.close()


async def test_without_tls_there_is_no_certificate(world: World) -> None:
    answer = await world.read()
    assert answer.token is not None
    assert answer.token.origin == KeyOrigin(fetched_at=world.clock.now())


async def test_an_answer_says_what_was_checked_of_it(world: World) -> None:
    answer = await world.read()
    assert answer.token is not None
    done = answer.token.verification
    assert done is not None
    assert (done.at, done.alg, done.issuer) == (world.clock.now(), "PS256", world.hub.issuer)
    assert (done.audience, set(done.checks)) == ((CLIENT_ID,), {"signature", "iss", "aud", "exp", "nbf"})
    world.hub.next["consent"].append(says(200, world.hub.signed(aud=None, nbf=None), "application/jwt"))
    bare = await world.read()
    assert bare.token is not None
    assert bare.token.verification is not None
    assert (bare.token.verification.audience, set(bare.token.verification.checks)) == ((), {"signature", "iss", "exp"})


@pytest.mark.parametrize(
    ("x5c", "kept"),
    [
        (["MIIA", "MIIB=="], ("MIIA", "MIIB==")),
        (None, ()),
        ([], ()),
        ("MIIA", ()),
        ([7], ()),
        (["<script>"], ()),
        (["A" * 20_000], ()),
        (["MIIA"] * 11, ()),
    ],
)
def test_certificates_of_a_set_are_kept_if_they_may_be_such(
    rsa_keys: dict[str, RSAKey], x5c: object, kept: tuple[str, ...]
) -> None:
    import json

    member = rsa_keys["first"].as_dict(private=False) | {"x5c": x5c}
    (key,) = verification_keys(json.dumps({"keys": [member]}).encode(), "https://keys.example").values()
    assert key.origin.x5c == kept
