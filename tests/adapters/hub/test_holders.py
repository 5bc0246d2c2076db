import asyncio
import gc
import ssl
import warnings
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import trustme
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests.adapters.hub.conftest import RandomIds, World, make_provider
from tests.adapters.hub.scripted_hub import ScriptedHub, says, says_json
from tests.clocks import ManualClock
from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto, SigningKey
from tracker.domain.errors import (
    ConfigurationError,
    ConsentApiContractError,
    ConsentApiUnavailableError,
    KeysUnavailableError,
)
from tracker.ports import HolderApi, HolderKeys

# ------------------------------------------------------------------------------------------------ describing


def as_ports(holders: Holders) -> tuple[HolderApi, HolderKeys]:
    """For the type checker: it is what the use cases ask for."""
    return holders, holders


async def test_description_says_what_the_holder_publishes(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    world.hub.published = [rsa_keys["second"], rsa_keys["first"]]
    found = await world.holders.describe(world.provider)
    assert found.issuer == world.hub.issuer
    assert found.token_endpoint == world.hub.issuer + "/token"
    assert found.jwks_uri == world.hub.issuer + "/application.jwks"
    assert found.key_ids == ("hub-1", "hub-2")


async def test_description_is_fetched_whatever_is_known(world: World) -> None:
    await world.read()
    await world.holders.describe(world.provider)
    assert world.hub.count("discovery") == world.hub.count("jwks") == 2
    world.hub.always["jwks"] = says(503)
    with pytest.raises(KeysUnavailableError):
        await world.holders.describe(world.provider)
    world.hub.always["discovery"] = says_json({"issuer": "https://evil.example"})
    with pytest.raises(ConsentApiContractError):
        await world.holders.describe(world.provider)


async def test_an_address_is_tried_without_a_token_about_a_consent_that_there_is_not(world: World) -> None:
    kind = next(iter(world.provider.profile.kinds.values()))
    for status in (401, 404):
        world.hub.always["consent"] = says(status)
        where, answered = await world.holders.try_address(world.provider, kind)
        seen = world.hub.last("consent")
        assert (where.removeprefix(world.hub.issuer), answered) == (seen.raw_path.rpartition("/")[0], status)
        assert "authorization" not in {name.lower() for name in seen.headers}
    paths = [seen.raw_path for seen in world.hub.seen]
    assert len(set(paths)) == 2
    assert world.hub.count("token") == 0


@pytest.mark.parametrize("name", ["issuer", "resource_url"])
async def test_plain_http_to_another_machine_is_refused_before_anything_is_sent(
    world: World, signing_key: SigningKey, name: str
) -> None:
    provider = make_provider(**({"issuer": world.hub.issuer} | {name: "http://auth1.demobank.example"}))
    with pytest.raises(ConfigurationError, match=name):
        world.connect(provider)


def test_connection_does_not_show_its_key(signing_key: SigningKey) -> None:
    connection = HolderConnection(provider=make_provider("https://h.example"), signing_key=signing_key)
    assert "SigningKey" not in repr(connection)


# ------------------------------------------------------------------------------------------------ connections


async def test_one_connection_is_kept_for_many_questions(world: World) -> None:
    for n in range(20):
        await world.read(f"c-{n}")
    assert len(world.hub.peers) == 1


async def test_cookies_are_not_kept(world: World) -> None:
    world.hub.discovery_headers = {"Set-Cookie": "sid=1; Path=/"}
    await world.read()
    assert all("Cookie" not in seen.headers for seen in world.hub.seen)


async def test_proxies_of_the_environment_are_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    await world.read()


async def test_holder_that_is_not_there() -> None:
    with pytest.raises(ConsentApiUnavailableError, match="could not be asked"):
        await ask_raw(None)


RAW = {
    "closes": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "cut short": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    "cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "long header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "broken gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", RAW.values(), ids=RAW)
async def test_holder_that_answers_with_half_a_response_or_none(answer: bytes) -> None:
    with pytest.raises(ConsentApiUnavailableError, match="could not be asked"):
        await ask_raw(answer)


async def ask_raw(answer: bytes | None) -> None:
    """Ask for the discovery document of a server that sends these bytes; None: of none at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer or b"")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    provider = make_provider(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    if answer is None:
        server.close()
        await server.wait_closed()
    connection = HolderConnection(provider=provider, signing_key=None)  # type: ignore[arg-type]
    holders = Holders([connection], ManualClock(), RandomIds(), JwcryptoEventCrypto({}))
    try:
        await holders.describe(provider)
    finally:
        await holders.close()
        server.close()
        await server.wait_closed()


async def test_closed_adapter_asks_nothing_more(world: World) -> None:
    await world.read()
    asked = len(world.hub.seen)
    await world.holders.close()
    with pytest.raises(ConsentApiUnavailableError):
        await world.read()
    assert len(world.hub.seen) == asked
    await world.holders.close()


async def test_close_leaves_nothing_behind(world: World) -> None:
    world.hub.hold("token")
    reader = asyncio.create_task(world.read())
    await world.hub.asked("token")
    reader.cancel()
    await asyncio.wait([reader])
    orphans = {task for task in asyncio.all_tasks() if "AccessTokens" in repr(task)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await world.holders.close()
        gc.collect()
    assert len(orphans) == 1
    assert all(task.cancelled() for task in orphans)


async def test_unused_adapter_can_be_made_and_closed_anywhere(signing_key: SigningKey) -> None:
    provider = make_provider("https://auth1.demobank.example")
    connection = HolderConnection(provider=provider, signing_key=signing_key)
    holders = await asyncio.to_thread(Holders, [connection], ManualClock(), RandomIds(), JwcryptoEventCrypto({}))
    await holders.close()


# ------------------------------------------------------------------------------------------------ TLS


@pytest_asyncio.fixture
async def tls_hub(authority: trustme.CA, rsa_keys: dict[str, RSAKey]) -> AsyncIterator[ScriptedHub]:
    """A holder that speaks TLS and wants our certificate."""
    hub = ScriptedHub(rsa_keys["first"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = TestServer(hub.application())
    await server.start_server(ssl=context)
    hub.issuer = f"https://127.0.0.1:{server.port}"
    yield hub
    await server.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def our_context(authority: trustme.CA, *, certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    authority.configure_trust(context)
    if certificate:
        authority.issue_cert("tpp.example").configure_cert(context)
    return context


async def describe_by(world: World, hub: ScriptedHub, context: ssl.SSLContext | None) -> None:
    provider = make_provider(hub.issuer)
    contexts = None if context is None else lambda: context
    connection = HolderConnection(provider=provider, signing_key=world.signing_key, contexts=contexts)
    holders = Holders([connection], world.clock, RandomIds(), JwcryptoEventCrypto({}))
    try:
        await holders.describe(provider)
    finally:
        await holders.close()


async def test_our_certificate_is_shown(world: World, tls_hub: ScriptedHub, authority: trustme.CA) -> None:
    await describe_by(world, tls_hub, our_context(authority))
    assert [seen.route for seen in tls_hub.seen] == ["discovery", "jwks"]


async def test_without_our_certificate_nobody_speaks_to_us(
    world: World, tls_hub: ScriptedHub, authority: trustme.CA
) -> None:
    with pytest.raises(ConsentApiUnavailableError):
        await describe_by(world, tls_hub, our_context(authority, certificate=False))
    assert tls_hub.seen == []


@pytest.mark.parametrize("context", [None, "another authority's"])
async def test_certificate_of_an_unknown_authority_is_not_trusted(
    world: World, tls_hub: ScriptedHub, context: str | None
) -> None:
    with pytest.raises(ConsentApiUnavailableError, match="certificate is not trusted"):
        await describe_by(world, tls_hub, None if context is None else our_context(trustme.CA()))
    assert tls_hub.seen == []
