import asyncio
import json
from typing import Any

import aiohttp
import pytest
from joserfc.jwk import RSAKey
from yarl import URL

from tests.adapters.hub.conftest import World, make_provider, read
from tests.adapters.hub.scripted_hub import CLIENT_ID, Reply, says, says_json
from tracker.adapters.hub.session import HolderSession
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
    ConsentNotStagedError,
    InvalidRequestError,
    ProviderNotFoundError,
)

BASES = {
    "account-access": "/rs/open-finance/account-information/v2.1/account-access-consents/",
    "payment": "/rs/open-finance/payment/v2.1/payment-consents/",
    "insurance": "/rs/open-finance/insurance/v2.1/insurance-consents/",
}


def errors(code: Any, status: int = 400) -> Reply:
    return says_json({"Errors": [{"Code": code, "Message": "Please call Ahmed"}]}, status)


# ------------------------------------------------------------------------------------------------ the request


@pytest.mark.parametrize("kind", BASES)
async def test_each_kind_is_asked_for_at_its_place(world: World, kind: str) -> None:
    await world.read("c-1", kind)
    seen = world.hub.last("consent")
    assert (seen.method, seen.raw_path) == ("GET", BASES[kind] + "c-1")
    assert seen.headers["Authorization"] == "Bearer secret-token-1"
    assert seen.headers["Accept"] == world.provider.profile.kinds[kind].accept
    assert seen.headers["x-fapi-interaction-id"] == "interaction-1"
    assert "Cookie" not in seen.headers


async def test_another_version_is_asked_for_at_its_place(world: World) -> None:
    provider = make_provider(world.hub.issuer, api_version="v2.0")
    holders = world.connect(provider)
    await read(holders, provider)
    await holders.close()
    assert world.hub.last("consent").raw_path == BASES["payment"].replace("v2.1", "v2.0") + "c-1"


@pytest.mark.parametrize(
    ("consent_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("urn:x:1", "urn%3Ax%3A1"),
        ("../../par", "..%2F..%2Fpar"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"),
        ("!*'();:@&=+$,/?%#[]", "%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%25%23%5B%5D"),
    ],
)
async def test_consent_id_arrives_percent_encoded_once(world: World, consent_id: str, segment: str) -> None:
    await world.read(consent_id)
    assert world.hub.last("consent").raw_path == BASES["payment"] + segment


@pytest.mark.parametrize("consent_id", ["..", ".", "", "a b", "a\r\nX-Evil: 1", "x" * 129])
async def test_what_is_no_consent_id_is_not_asked_for(world: World, consent_id: str) -> None:
    with pytest.raises(InvalidRequestError):
        await world.read(consent_id)
    assert world.hub.seen == []


async def test_provider_that_is_not_configured_is_not_asked(world: World) -> None:
    stranger = make_provider(world.hub.issuer, id="stranger")
    with pytest.raises(ProviderNotFoundError):
        await read(world.holders, stranger)
    with pytest.raises(ProviderNotFoundError):
        world.holders.find(stranger, "hub-1")
    with pytest.raises(ProviderNotFoundError):
        await world.holders.refresh(stranger)
    with pytest.raises(ProviderNotFoundError):
        await world.holders.describe(stranger)
    assert world.hub.seen == []


# ------------------------------------------------------------------------------------------------ signed answers


async def test_signed_answer_comes_with_what_proves_it(world: World) -> None:
    jws = world.hub.signed()
    world.hub.next["consent"].append(says(200, jws + "\n", "Application/JWT; charset=utf-8"))
    answer = await world.read()
    assert answer.body == world.hub.message
    assert answer.token is not None
    assert answer.token.jws == jws.encode()
    assert answer.token.kid == "hub-1"
    assert answer.token.jwk_thumbprint == world.hub.key.thumbprint()
    assert answer.token.jwk["n"] == world.hub.key.as_dict(private=False)["n"]
    assert answer.token.jwks_uri == world.hub.issuer + "/application.jwks"


@pytest.mark.parametrize("kind", BASES)
async def test_signed_answer_is_taken_for_every_kind(world: World, kind: str) -> None:
    assert (await world.read("c-1", kind)).token is not None


SOUND = {
    "lapsed within the leeway": lambda now: {"exp": now - 60},
    "not yet valid within the leeway": lambda now: {"nbf": now + 60},
    "without nbf": lambda _: {"nbf": None},
    "without aud": lambda _: {"aud": None},
    "aud a string": lambda _: {"aud": CLIENT_ID},
    "aud with others": lambda _: {"aud": ["other", CLIENT_ID]},
    "times with fractions": lambda now: {"exp": now + 1.5, "nbf": now - 1.5},
}


@pytest.mark.parametrize("changes", SOUND.values(), ids=SOUND)
async def test_signed_answer_that_is_believed(world: World, changes: Any) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(**changes(world.hub.clock_seconds)))
    assert (await world.read()).token is not None


UNSOUND = {
    "another issuer": (lambda _: {"iss": "https://auth1.otherbank.example"}, "another issuer"),
    "issuer with a slash more": (lambda _: {"iss": "https://x/"}, "another issuer"),
    "no issuer": (lambda _: {"iss": None}, "another issuer"),
    "lapsed": (lambda now: {"exp": now - 61}, "lapsed"),
    "no exp": (lambda _: {"exp": None}, "lapsed"),
    "exp true": (lambda _: {"exp": True}, "lapsed"),
    "not yet valid": (lambda now: {"nbf": now + 61}, "not valid yet"),
    "nbf true": (lambda _: {"nbf": True}, "not valid yet"),
    "nbf a list": (lambda now: {"nbf": [now]}, "not valid yet"),
    "another client": (lambda _: {"aud": ["tpp-client-002"]}, "another client"),
    "another client as a string": (lambda _: {"aud": CLIENT_ID + "0"}, "another client"),
    "aud empty": (lambda _: {"aud": []}, "another client"),
    "aud an object": (lambda _: {"aud": {CLIENT_ID: 1}}, "another client"),
    "no message": (lambda _: {"message": None}, "message_missing"),
    "message a list": (lambda _: {"message": [{"Data": {}}]}, "message_missing"),
    "message a string": (lambda _: {"message": "Data"}, "message_missing"),
}


@pytest.mark.parametrize(("changes", "told"), UNSOUND.values(), ids=UNSOUND)
async def test_signed_answer_that_is_not_believed(world: World, changes: Any, told: str) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(**changes(world.hub.clock_seconds)))
    with pytest.raises(ConsentApiContractError, match=told):
        await world.read()


@pytest.mark.parametrize("claim", ["exp", "nbf"])
async def test_times_as_strings_are_not_believed(world: World, claim: str) -> None:
    claims = {"iss": world.hub.issuer, "exp": world.hub.clock_seconds + 300, "message": {}}
    claims |= {claim: str(world.hub.clock_seconds)}
    world.hub.next["consent"].append(says(200, compact(world.hub.key, claims), "application/jwt"))
    with pytest.raises(ConsentApiContractError):
        await world.read()


async def test_claim_that_is_null_is_there(world: World) -> None:
    claims = {"iss": world.hub.issuer, "exp": world.hub.clock_seconds + 300, "aud": None, "message": {}}
    world.hub.next["consent"].append(says(200, compact(world.hub.key, claims), "application/jwt"))
    with pytest.raises(ConsentApiContractError, match="another client"):
        await world.read()


def compact(key: RSAKey, payload: Any, alg: str = "PS256") -> str:
    """A signed token whose payload nobody looks at while it is made."""
    from joserfc import jws

    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.serialize_compact({"alg": alg, "kid": key.kid}, data, key, algorithms=[alg])


async def test_signature_by_a_strangers_key_of_the_same_name_is_not_believed(
    world: World, rsa_keys: dict[str, RSAKey]
) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(rsa_keys["stranger"]))
    with pytest.raises(ConsentApiContractError, match="cannot be verified"):
        await world.read()


async def test_unpublished_key_is_not_believed(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(rsa_keys["second"]))
    with pytest.raises(ConsentApiContractError, match="does not publish"):
        await world.read()


@pytest.mark.parametrize("alg", ["RS256", "PS384"])
async def test_algorithm_that_the_profile_does_not_have_is_not_believed(world: World, alg: str) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(header={"alg": alg}))
    with pytest.raises(ConsentApiContractError, match="alg_not_allowed"):
        await world.read()


async def test_changed_answer_is_not_believed(world: World) -> None:
    jws = world.hub.signed()
    head, _, signature = jws.split(".")
    forged = world.hub.signed(message={"Data": {"Status": "Revoked"}}).split(".")[1]
    world.hub.next["consent"].append(says(200, f"{head}.{forged}.{signature}", "application/jwt"))
    with pytest.raises(ConsentApiContractError, match="cannot be verified"):
        await world.read()


@pytest.mark.parametrize("body", [b"", b"a.b", b"e30.e30.", b"{}", b"\xff\xfe", b"a.b.c.d.e", b"."])
async def test_what_is_no_token_is_outside_the_standard(world: World, body: bytes) -> None:
    world.hub.next["consent"].append(says(200, body, "application/jwt"))
    with pytest.raises(ConsentApiContractError, match="no signed token"):
        await world.read()


@pytest.mark.parametrize("payload", [b"[]", b"1", b"not json", b'{"iss":1,"iss":2}', b'{"exp":1e400}'])
async def test_signed_rubbish_is_outside_the_standard(world: World, payload: bytes) -> None:
    world.hub.next["consent"].append(says(200, compact(world.hub.key, payload), "application/jwt"))
    with pytest.raises(ConsentApiContractError):
        await world.read()


# ------------------------------------------------------------------------------------------------ plain answers


@pytest.mark.parametrize("kind", ["account-access", "insurance"])
async def test_unsigned_answer_is_taken_where_the_standard_has_it(world: World, kind: str) -> None:
    world.hub.next["consent"].append(says_json({"Data": {"Status": "Authorized"}}))
    answer = await world.read(kind=kind)
    assert answer.body == {"Data": {"Status": "Authorized"}}
    assert answer.token is None
    assert world.hub.count("jwks") == 0


async def test_unsigned_answer_about_a_payment_is_outside_the_standard(world: World) -> None:
    world.hub.next["consent"].append(says_json({"Data": {"Status": "Authorized"}}))
    with pytest.raises(ConsentApiContractError, match="not signed"):
        await world.read(kind="payment")


@pytest.mark.parametrize(
    "body", ["", "null", "[]", '"Data"', "{", "NaN", '{"a":1,"a":2}', '{"a":"\\ud800"}', "[" * 100_000, "<html>"]
)
async def test_unsigned_rubbish_is_outside_the_standard(world: World, body: str) -> None:
    world.hub.next["consent"].append(says(200, body, "application/json"))
    with pytest.raises(ConsentApiContractError):
        await world.read(kind="account-access")


@pytest.mark.parametrize(
    "content_type", ["text/html", "application/jose", "application/jwtx", "application/octet-stream"]
)
async def test_other_media_type_is_outside_the_standard(world: World, content_type: str) -> None:
    world.hub.next["consent"].append(says(200, world.hub.signed(), content_type))
    with pytest.raises(ConsentApiContractError, match="neither"):
        await world.read()


async def test_answer_of_256_kib_is_read_and_not_a_byte_more(world: World) -> None:
    body = json.dumps({"Data": {}, "x": ""}).encode()
    fitting = body[:-2] + b"x" * (256 * 1024 - len(body)) + body[-2:]
    world.hub.next["consent"].extend(
        [says(200, fitting, "application/json"), says(200, fitting + b" ", "application/json")]
    )
    assert "Data" in (await world.read(kind="account-access")).body
    with pytest.raises(ConsentApiContractError, match="more than 262144"):
        await world.read(kind="account-access")


# ------------------------------------------------------------------------------------------------ no answer


@pytest.mark.parametrize("status", [201, 203, 206, 300])
async def test_good_answer_under_another_status_is_outside_the_standard(world: World, status: int) -> None:
    world.hub.next["consent"].append(says(status, world.hub.signed(), "application/jwt"))
    with pytest.raises(ConsentApiContractError, match=str(status)):
        await world.read()


def signed_errors(hub: Any, code: str, status: int) -> Reply:
    return says(status, hub.signed(message={"Errors": [{"Code": code}]}), "application/jwt")


STATUSES: dict[str, tuple[Reply, type[ConsentApiError]]] = {
    "400": (says(400), ConsentNotStagedError),
    "400 Consent.Invalid": (errors("Consent.Invalid"), ConsentNotStagedError),
    "400 Resource.InvalidFormat": (errors("Resource.InvalidFormat"), ConsentNotStagedError),
    "400 GenericRecoverableError": (errors("GenericRecoverableError"), ConsentApiUnavailableError),
    "400 GenericError": (errors("GenericError"), ConsentApiUnavailableError),
    "400 JWS.InvalidSignature": (errors("JWS.InvalidSignature"), ConsentApiContractError),
    "400 JWE.DecryptionError": (errors("JWE.DecryptionError"), ConsentApiContractError),
    "404": (says(404), ConsentNotStagedError),
    "404 page": (says(404, "<html>", "text/html"), ConsentNotStagedError),
    "403": (says(403), ConsentApiRefusedError),
    "405": (says(405), ConsentApiContractError),
    "406": (says(406), ConsentApiContractError),
    "409": (says(409), ConsentApiContractError),
    "415": (says(415), ConsentApiContractError),
    "418": (says(418), ConsentApiContractError),
    "204": (says(204), ConsentApiContractError),
    "206": (says(206), ConsentApiContractError),
    "301": (says(301, Location="/x"), ConsentApiContractError),
    "304": (says(304), ConsentApiContractError),
    "307": (says(307, Location="https://evil.example/"), ConsentApiContractError),
    "408": (says(408), ConsentApiUnavailableError),
    "429": (says(429), ConsentApiUnavailableError),
    "500": (errors("GenericError", 500), ConsentApiUnavailableError),
    "503": (says(503), ConsentApiUnavailableError),
    "504": (says(504, "<html>", "text/html"), ConsentApiUnavailableError),
}


@pytest.mark.parametrize(("reply", "error"), STATUSES.values(), ids=STATUSES)
async def test_status_that_is_not_success(world: World, reply: Reply, error: type[ConsentApiError]) -> None:
    world.hub.next["consent"].append(reply)
    with pytest.raises(ConsentApiError) as caught:
        await world.read()
    assert type(caught.value) is error
    assert world.hub.count("consent") == 1
    assert world.hub.count("token") == 1


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [({"Retry_After": "12"}, 12), ({"Retry_After": "Mon, 02 Mar 2026 06:01:00 GMT"}, 60), ({}, None)],
    ids=["seconds", "date", "none"],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_wait_that_the_holder_asks_for_is_passed_on(
    world: World, status: int, retry_after: dict[str, str], seconds: float | None
) -> None:
    world.hub.next["consent"].append(says(status, **retry_after))
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("code", ["AccessToken.InvalidScope", "Consent.TransientAccountAccessFailure", "GenericError"])
async def test_refusal_names_the_holders_code(world: World, code: str) -> None:
    world.hub.next["consent"].extend([errors(code, 403), signed_errors(world.hub, code, 403)])
    for _ in range(2):
        with pytest.raises(ConsentApiRefusedError) as caught:
            await world.read()
        assert code in str(caught.value)
        assert "Ahmed" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        {"Errors": [{"Code": "A" * 81}]},
        {"Errors": [{"Code": "Call 1-800"}]},
        {"Errors": [{"Code": "A\nB"}]},
        {"Errors": [{"Code": "A\n"}]},
        {"Errors": [{"Code": 7}]},
        {"Errors": [{}]},
        {"Errors": ["A"]},
        {"Errors": []},
        {"Errors": {"Code": "A"}},
        {"error": "A"},
        ["Errors"],
        None,
    ],
    ids=str,
)
async def test_refusal_without_a_readable_code(world: World, body: Any) -> None:
    world.hub.next["consent"].append(says_json(body, 403))
    with pytest.raises(ConsentApiRefusedError, match=r"answered 403\.$"):
        await world.read()


async def test_refusal_in_a_broken_token(world: World) -> None:
    world.hub.next["consent"].append(says(403, "a.b.c", "application/jwt"))
    with pytest.raises(ConsentApiRefusedError, match=r"answered 403\.$"):
        await world.read()


async def test_signed_code_counts_for_a_400(world: World) -> None:
    world.hub.next["consent"].append(signed_errors(world.hub, "GenericRecoverableError", 400))
    with pytest.raises(ConsentApiUnavailableError):
        await world.read()


async def test_second_401_is_a_refusal(world: World) -> None:
    world.hub.always["consent"] = says(401)
    with pytest.raises(ConsentApiRefusedError):
        await world.read()
    assert world.hub.count("consent") == 2
    assert world.hub.count("token") == 2


async def test_new_token_that_is_refused_after_a_401(world: World) -> None:
    await world.read()
    world.hub.next["consent"].append(says(401))
    world.hub.next["token"].append(says_json({"error": "invalid_client"}, 401))
    with pytest.raises(ConsentApiRefusedError, match="invalid_client"):
        await world.read()


async def test_other_answer_after_a_401_counts_as_such(world: World) -> None:
    world.hub.next["consent"].extend([says(401), says(404)])
    with pytest.raises(ConsentNotStagedError):
        await world.read()


# ------------------------------------------------------------------------------------------------ time


async def test_holder_that_does_not_answer_in_time(world: World) -> None:
    """The time is that of the whole question, which began before the request that hangs."""
    holders = world.connect(world.provider, timeout_seconds=0.2)
    for session in holders._sessions:  # of two timers that end at once, either may come first
        session._timeout = aiohttp.ClientTimeout(total=20)
    world.hub.hold("consent")
    with pytest.raises(ConsentApiUnavailableError, match="demobank did not answer in time"):
        await read(holders, world.provider)
    await holders.close()


async def test_request_that_is_not_answered_in_time(world: World) -> None:
    """Keys and tokens are also asked for where nobody waits for a whole question."""
    session = HolderSession(None, timeout_seconds=0.2)
    world.hub.hold("consent")
    with pytest.raises(ConsentApiUnavailableError, match=r"127\.0\.0\.1 did not answer in time"):
        await asyncio.wait_for(session.get(URL(world.hub.issuer), {}, max_bytes=1000), 15)
    await session.close()
