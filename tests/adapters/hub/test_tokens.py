import asyncio
import logging
import traceback
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.adapters.hub.conftest import World, make_provider, read
from tests.adapters.hub.scripted_hub import CLIENT_ID, Reply, says, says_json
from tracker.adapters.hub.tokens import AccessToken, Client
from tracker.adapters.jose import SigningKey
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
)


def token_answer(**changes: Any) -> Reply:
    body = {"access_token": "secret-token-x", "token_type": "Bearer", "expires_in": 600} | changes
    return says_json({name: value for name, value in body.items() if value != "left out"})


async def test_request_is_a_client_credentials_grant(world: World) -> None:
    await world.read(kind="payment")
    seen = world.hub.last("token")
    assert seen.method == "POST"
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert seen.headers["Accept"] == "application/json"
    assert "Authorization" not in seen.headers
    assert {name: value for name, value in seen.form.items() if name != "client_assertion"} == {
        "grant_type": "client_credentials",
        "scope": "openid payments",
        "client_id": CLIENT_ID,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }


async def test_assertion_is_what_a_strict_holder_takes(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    await world.read()
    assertion = jwt.decode(world.hub.last("token").form["client_assertion"], rsa_keys["client"], algorithms=["PS256"])
    now = world.hub.clock_seconds
    claims = dict(assertion.claims)
    assert assertion.header == {"alg": "PS256", "kid": "tpp-sig-1", "typ": "JWT"}
    assert claims.pop("jti")
    assert claims.pop("iss") == claims.pop("sub") == CLIENT_ID
    assert claims.pop("aud") == world.hub.issuer  # one string, and not the token endpoint
    # A minute old, so that it is valid where it is a minute earlier; and long enough for where it is a minute later.
    issued = claims.pop("iat")
    assert issued == claims.pop("nbf") == now - 60
    expiry = claims.pop("exp")
    assert (expiry - issued <= 300, expiry - now >= 90) == (True, True)
    assert claims == {}


async def test_each_assertion_has_an_id_of_its_own(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    world.hub.expires_in = 1
    for _ in range(3):
        await world.read()
        world.advance(1)
    assertions = [seen.form["client_assertion"] for seen in world.hub.seen if seen.route == "token"]
    decoded = [jwt.decode(text, rsa_keys["client"], algorithms=["PS256"]) for text in assertions]
    assert len({token.claims["jti"] for token in decoded}) == 3


@pytest.mark.parametrize(
    ("expires_in", "used_seconds"),
    [(600, 555), (300, 255), (90, 45), (60, 30), (10, 5), (1, 0.5), (599.5, 554.5), (1e300, 3_555), ("left out", 30)],
)
async def test_token_is_renewed_before_it_lapses(world: World, expires_in: Any, used_seconds: float) -> None:
    world.hub.next["token"].append(token_answer(expires_in=expires_in))
    await world.read()
    world.advance(used_seconds - 0.25)
    await world.read()
    assert world.hub.count("token") == 1
    world.advance(0.25)
    await world.read()
    assert world.hub.count("token") == 2
    assert world.hub.last("consent").headers["Authorization"] == "Bearer secret-token-2"


async def test_life_of_a_token_counts_from_asking(world: World) -> None:
    """A slow answer must not lengthen it."""
    gate = world.hub.hold("token")
    reader = asyncio.create_task(world.read())
    await world.hub.asked("token")
    world.advance(200)
    gate.set()
    await reader
    world.advance(355)
    await world.read()
    assert world.hub.count("token") == 2


async def test_many_readers_ask_for_a_token_once(world: World) -> None:
    gate = world.hub.hold("token")
    readers = [asyncio.create_task(world.read()) for _ in range(100)]
    await world.hub.asked("token")
    gate.set()
    await asyncio.gather(*readers)
    assert world.hub.count("token") == 1
    assert world.hub.count("consent") == 100


async def test_cancelled_reader_leaves_the_token_to_the_others(world: World) -> None:
    gate = world.hub.hold("token")
    first, second = asyncio.create_task(world.read()), asyncio.create_task(world.read())
    await world.hub.asked("token")
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    await second
    assert first.cancelled()
    assert world.hub.count("token") == 1


async def test_token_is_fetched_to_the_end_when_all_readers_have_left(world: World) -> None:
    gate = world.hub.hold("token")
    reader = asyncio.create_task(world.read())
    await world.hub.asked("token")
    reader.cancel()
    await asyncio.wait([reader])
    gate.set()
    await world.read()
    assert world.hub.count("token") == 1


async def test_scopes_have_tokens_of_their_own(world: World) -> None:
    for kind in ("payment", "account-access", "insurance", "payment"):
        await world.read(kind=kind)
    asked = [seen.form["scope"] for seen in world.hub.seen if seen.route == "token"]
    assert asked == ["openid payments", "openid accounts", "insurance"]


async def test_clients_of_one_issuer_have_tokens_of_their_own_and_share_its_documents(world: World) -> None:
    providers = [world.provider, make_provider(world.hub.issuer, id="other-app", client_id="tpp-client-002")]
    holders = world.connect(*providers)
    world.hub.always["consent"] = world.hub.says_signed(aud=[CLIENT_ID, "tpp-client-002"])
    for provider in providers:
        await read(holders, provider)
    await holders.close()
    asked = [seen.form["client_id"] for seen in world.hub.seen if seen.route == "token"]
    assert asked == [CLIENT_ID, "tpp-client-002"]
    assert world.hub.count("discovery") == world.hub.count("jwks") == 1


async def test_refused_token_is_dropped_and_one_more_is_tried(world: World) -> None:
    await world.read()
    world.hub.next["consent"].append(says(401))
    await world.read()
    assert world.hub.count("token") == 2
    used = [seen.headers["Authorization"] for seen in world.hub.seen if seen.route == "consent"]
    assert used == ["Bearer secret-token-1"] * 2 + ["Bearer secret-token-2"]
    await world.read()
    assert world.hub.count("token") == 2


def refusing_the_first_token(world: World) -> Reply:
    return lambda seen: (
        says(401)(seen) if seen.headers["Authorization"].endswith("-1") else world.hub.says_signed()(seen)
    )


async def test_many_refusals_of_one_token_bring_one_new_token(world: World) -> None:
    """Each of them drops the old token; none may drop the new one."""
    await world.read()
    world.hub.always["consent"] = refusing_the_first_token(world)
    await asyncio.gather(*(world.read() for _ in range(50)))
    assert world.hub.count("token") == 2


async def test_token_that_was_replaced_already_is_not_dropped_by_a_late_refusal(world: World) -> None:
    await world.read()
    world.hub.always["consent"] = refusing_the_first_token(world)
    gate = world.hub.hold("consent")
    late = asyncio.create_task(world.read())
    await world.hub.asked("consent", 2)
    del world.hub.gates["consent"]
    world.advance(600)
    await world.read()
    gate.set()
    await late
    await world.read()
    assert world.hub.count("token") == 2


REFUSALS = {
    "invalid_client": (says_json({"error": "invalid_client"}, 401), "invalid_client"),
    "invalid_scope": (says_json({"error": "invalid_scope", "error_description": "no"}, 400), "invalid_scope"),
    "401 bare": (says(401), "401"),
    "400 bare": (says(400), "400"),
    "400 page": (says(400, "<html>", "text/html"), "400"),
    "403": (says_json({"error": "unauthorized_client"}, 403), "unauthorized_client"),
}


@pytest.mark.parametrize(("reply", "told"), REFUSALS.values(), ids=REFUSALS)
async def test_refused_client_or_scope(world: World, reply: Reply, told: str) -> None:
    world.hub.next["token"].append(reply)
    with pytest.raises(ConsentApiRefusedError, match=told):
        await world.read()
    assert world.hub.count("token") == 1
    assert world.hub.count("consent") == 0
    await world.read()


async def test_holders_error_text_is_not_repeated(world: World) -> None:
    world.hub.next["token"].append(says_json({"error": "Dear <b>operator</b>, secret-token-x"}, 400))
    with pytest.raises(ConsentApiRefusedError) as caught:
        await world.read()
    assert "operator" not in str(caught.value)


UNAVAILABLE = {
    "429": (says(429, Retry_After="7"), 7),
    "429 bare": (says(429), None),
    "503 date": (says(503, Retry_After="Mon, 02 Mar 2026 06:01:30 GMT"), 90),
    "500": (says(500), None),
    "502": (says(502, "<html>"), None),
}


@pytest.mark.parametrize(("reply", "seconds"), UNAVAILABLE.values(), ids=UNAVAILABLE)
async def test_token_endpoint_that_cannot_answer_now(world: World, reply: Reply, seconds: float | None) -> None:
    world.hub.next["token"].append(reply)
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert caught.value.retry_after_seconds == seconds


async def test_told_to_wait_nobody_asks_for_a_token_meanwhile(world: World) -> None:
    world.hub.next["token"].append(says(429, Retry_After="20"))
    for elapsed, left in ((0, 20), (5, 15), (14, 1)):
        world.advance(elapsed)
        with pytest.raises(ConsentApiUnavailableError) as caught:
            await world.read()
        assert caught.value.retry_after_seconds == left
    assert world.hub.count("token") == 1
    world.advance(1)
    await world.read()
    assert world.hub.count("token") == 2


async def test_wait_that_would_stop_all_asking_for_long_is_cut(world: World) -> None:
    world.hub.next["token"].append(says(429, Retry_After="86400"))
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert caught.value.retry_after_seconds == 86_400
    world.advance(300)
    await world.read()


BROKEN = {
    "not JSON": says(200, '{"access_token": "secret-token-x", ', "application/json"),
    "a list": says_json(["secret-token-x"]),
    "no token": token_answer(access_token="left out"),
    "token a number": token_answer(access_token=1),
    "token empty": token_answer(access_token=""),
    "token with a blank": token_answer(access_token="secret-token-x y"),
    "token with a line": token_answer(access_token="secret-token-x\r\nX-Evil: 1"),
    "type missing": token_answer(token_type="left out"),
    "type DPoP": token_answer(token_type="DPoP"),
    "life 0": token_answer(expires_in=0),
    "life negative": token_answer(expires_in=-5),
    "life a string": token_answer(expires_in="600"),
    "life true": token_answer(expires_in=True),
    "life null": token_answer(expires_in=None),
    "life NaN": says(200, '{"access_token":"secret-token-x","token_type":"Bearer","expires_in":NaN}'),
    "name twice": says(200, '{"access_token":"secret-token-x","access_token":"b","token_type":"Bearer"}'),
    "too large": token_answer(padding="x" * 64 * 1024),
    "redirect": says(302, Location="/token"),
    "404": says(404),
    "201": says_json({"access_token": "secret-token-x", "token_type": "Bearer", "expires_in": 600}, 201),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
async def test_answer_outside_the_standard(world: World, reply: Reply) -> None:
    world.hub.next["token"].append(reply)
    with pytest.raises(ConsentApiContractError):
        await world.read()
    assert world.hub.count("consent") == 0
    assert world.hub.count("token") == 1


async def test_type_of_token_is_compared_without_case(world: World) -> None:
    world.hub.next["token"].append(token_answer(token_type="bearer"))
    await world.read()


SECRETIVE = {
    **BROKEN,
    **{name: reply for name, (reply, _) in REFUSALS.items()},
    **{name: reply for name, (reply, _) in UNAVAILABLE.items()},
}


@pytest.mark.parametrize("reply", SECRETIVE.values(), ids=SECRETIVE)
async def test_no_error_and_no_log_line_holds_a_token_or_an_assertion(
    world: World, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    world.hub.next["token"].append(reply)
    with caplog.at_level(logging.DEBUG), pytest.raises(ConsentApiError) as caught:
        await world.read()
    told = caplog.text + "".join(traceback.format_exception(caught.value)) + everything_in(caught.value)
    assert "secret-token" not in told
    assert world.hub.last("token").form["client_assertion"] not in told


def everything_in(error: BaseException | None) -> str:
    """The texts and attributes of an error and of all that led to it."""
    text = ""
    while error is not None:
        text += f"{error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


def test_token_and_client_do_not_show_their_secrets(signing_key: SigningKey) -> None:
    assert "secret" not in repr(AccessToken("secret-token-x", 1))
    assert "Key" not in repr(Client(client_id=CLIENT_ID, signing_key=signing_key))


async def test_no_log_line_of_a_good_question_holds_a_secret(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await world.read()
        world.hub.next["consent"].append(says(503))
        with pytest.raises(ConsentApiUnavailableError) as caught:
            await world.read()
    told = caplog.text + everything_in(caught.value)
    assert "secret-token" not in told
    assert world.hub.last("token").form["client_assertion"] not in told
