import asyncio
import json
import logging
from typing import Any

import pytest

from tests.adapters.hub.conftest import World, make_provider
from tests.adapters.hub.scripted_hub import says, says_json
from tracker.adapters.hub.discovery import read_metadata
from tracker.domain.errors import ConsentApiContractError, ConsentApiUnavailableError

ISSUER = "https://auth1.demobank.example"
DOCUMENT = {
    "issuer": ISSUER,
    "token_endpoint": "https://as1.demobank.example/token",
    "jwks_uri": "https://keystore.example/1/application.jwks",
}


def read(**changes: Any) -> Any:
    return read_metadata(json.dumps(DOCUMENT | changes).encode(), ISSUER)


def test_endpoints_may_be_on_other_hosts() -> None:
    metadata = read()
    assert str(metadata.token_endpoint) == DOCUMENT["token_endpoint"]
    assert str(metadata.jwks_uri) == DOCUMENT["jwks_uri"]


def test_endpoint_for_mutual_tls_is_preferred() -> None:
    metadata = read(mtls_endpoint_aliases={"token_endpoint": "https://mtls.demobank.example/token"})
    assert str(metadata.token_endpoint) == "https://mtls.demobank.example/token"


@pytest.mark.parametrize("aliases", [{}, {"revocation_endpoint": "https://x.example/"}, None, "https://x.example/", []])
def test_endpoint_without_an_alias_serves(aliases: Any) -> None:
    assert str(read(mtls_endpoint_aliases=aliases).token_endpoint) == DOCUMENT["token_endpoint"]


@pytest.mark.parametrize(
    "issuer", [ISSUER + "/", ISSUER.upper(), "https://auth1.otherbank.example", "", None, [ISSUER], 1]
)
def test_issuer_must_be_equal_to_the_letter(issuer: Any) -> None:
    with pytest.raises(ConsentApiContractError, match="issuer"):
        read(issuer=issuer)


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    ["http://as1.demobank.example/x", "http://127.0.0.1:6379/", "file:///etc/passwd", "/x", "", None, 1, ["https://x"]],
)
def test_endpoint_that_may_not_be_asked_is_refused(name: str, url: Any) -> None:
    with pytest.raises(ConsentApiContractError, match=name):
        read(**{name: url})


def test_alias_that_may_not_be_asked_is_refused() -> None:
    with pytest.raises(ConsentApiContractError, match="token_endpoint"):
        read(mtls_endpoint_aliases={"token_endpoint": "http://as1.demobank.example/"})


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"x"', b"\xff", b'{"issuer": 1, "issuer": 2}'])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(ConsentApiContractError):
        read_metadata(body, ISSUER)


async def test_document_is_found_below_the_issuer_and_kept_as_long_as_it_says(world: World) -> None:
    world.hub.discovery_headers = {"Cache-Control": "max-age=1200"}
    world.hub.expires_in = 1
    await world.read()
    assert world.hub.last("discovery").raw_path == "/.well-known/openid-configuration"
    world.advance(1_199)
    await world.read()
    assert world.hub.count("discovery") == 1
    world.advance(1)
    await world.read()
    assert world.hub.count("discovery") == 2


async def test_document_of_an_issuer_with_a_path(world: World) -> None:
    issuer = world.hub.issuer + "/bank/"
    world.hub.discovery_changes = {"issuer": issuer}
    provider = make_provider(issuer)
    holders = world.connect(provider)
    await holders.describe(provider)
    await holders.close()
    assert world.hub.last("discovery").raw_path == "/bank/.well-known/openid-configuration"


async def test_token_is_fetched_where_the_alias_says(world: World) -> None:
    await world.read()
    assert world.hub.last("token").raw_path == "/token"


async def test_many_readers_ask_for_the_document_once(world: World) -> None:
    gate = world.hub.hold("discovery")
    readers = [asyncio.create_task(world.read()) for _ in range(50)]
    await world.hub.asked("discovery")
    gate.set()
    await asyncio.gather(*readers)
    assert world.hub.count("discovery") == 1


FAILURES = {
    "503": says(503),
    "404": says(404),
    "rubbish": says(200, "rubbish", "application/json"),
    "another issuer's": says_json({"issuer": "https://evil.example"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_old_document_serves_for_a_day_when_it_cannot_be_renewed(
    world: World, failure: Any, caplog: pytest.LogCaptureFixture
) -> None:
    world.hub.expires_in = 1
    await world.read()
    world.hub.always["discovery"] = failure
    world.advance(86_399)
    with caplog.at_level(logging.WARNING):
        await world.read()
    assert world.hub.count("discovery") == 2
    assert world.hub.issuer in caplog.text


async def test_failed_renewal_is_not_tried_again_at_once(world: World) -> None:
    world.hub.expires_in = 1
    await world.read()
    world.hub.always["discovery"] = says(503)
    world.advance(900)
    await world.read()
    world.advance(299)
    await world.read()
    assert world.hub.count("discovery") == 2
    world.advance(1)
    await world.read()
    assert world.hub.count("discovery") == 3


async def test_after_a_day_the_old_document_is_gone(world: World) -> None:
    world.hub.expires_in = 1
    await world.read()
    world.hub.always["discovery"] = says(503)
    world.advance(86_400)
    with pytest.raises(ConsentApiUnavailableError):
        await world.read()


async def test_first_document_that_cannot_be_had_is_asked_for_again(world: World) -> None:
    world.hub.next["discovery"].append(says(503, Retry_After="30"))
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert caught.value.retry_after_seconds == 30
    await world.read()


async def test_document_under_another_status_is_none(world: World) -> None:
    urls = {"token_endpoint": f"{world.hub.issuer}/token", "jwks_uri": f"{world.hub.issuer}/application.jwks"}
    world.hub.next["discovery"].append(says_json({"issuer": world.hub.issuer, **urls}, 203))
    with pytest.raises(ConsentApiContractError, match="203"):
        await world.read()


async def test_redirect_is_not_followed(world: World) -> None:
    world.hub.next["discovery"].append(says(302, Location=f"{world.hub.issuer}/elsewhere/application.jwks"))
    with pytest.raises(ConsentApiContractError):
        await world.read()
    assert [seen.route for seen in world.hub.seen] == ["discovery"]


async def test_document_that_is_too_large_is_not_read(world: World) -> None:
    world.hub.next["discovery"].append(says_json({"issuer": world.hub.issuer, "padding": "x" * 256 * 1024}))
    with pytest.raises(ConsentApiContractError, match="more than"):
        await world.read()
