"""Having a consent revoked over HTTP: what is sent for each kind, and what each answer means."""

import json
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import RSAKey
from jwcrypto.jwk import JWK

from tests.adapters.hub.conftest import World
from tests.adapters.hub.scripted_hub import CLIENT_ID, Seen, says, says_json
from tests.adapters.hub.test_consents import BASES, errors
from tests.profiles.test_uae_v2_1_specs import SPECS, problems
from tracker.adapters.jose import SigningKey
from tracker.domain.consent import ConsentId
from tracker.domain.errors import (
    ConsentApiContractError,
    ConsentApiError,
    ConsentApiRefusedError,
    ConsentApiUnavailableError,
    ConsentNotStagedError,
    RevocationRefusedError,
)
from tracker.ports import Provider

BY = "TPP.InitiatedByUser"
BODY = {"Data": {"Status": "Revoked", "RevokedBy": BY}}
SCHEMAS = {
    "account-access": ("account-access", "AEPatchConsent"),
    "payment": ("payment", "AEPatchPaymentConsent"),
    "insurance": ("insurance", "AEUpdateConsent1"),
}
DONE = says(204)


async def revoke(world: World, kind: str = "payment", consent_id: str = "c-1", revoked_by: str = BY) -> Seen:
    kinds = world.provider.profile.kinds
    await world.holders.revoke_consent(world.provider, kinds[kind], ConsentId(consent_id), revoked_by, "interaction-1")
    return world.hub.last("consent")


def opened(world: World, token: bytes, key: RSAKey) -> tuple[dict[str, Any], dict[str, Any]]:
    found = jws.deserialize_compact(token, key, algorithms=["PS256"])
    return found.headers(), json.loads(found.payload or b"")


@pytest.mark.parametrize("kind", BASES)
async def test_each_kind_is_patched_at_its_place(world: World, kind: str, rsa_keys: dict[str, RSAKey]) -> None:
    world.hub.next["consent"].append(DONE)
    seen = await revoke(world, kind, "a/b")
    assert (seen.method, seen.raw_path) == ("PATCH", BASES[kind] + "a%2Fb")
    assert seen.headers["Authorization"] == "Bearer secret-token-1"
    assert seen.headers["x-fapi-interaction-id"] == "interaction-1"
    if kind != "payment":
        assert seen.headers["Content-Type"] == "application/json"
        body = json.loads(seen.body)
    else:
        assert seen.headers["Content-Type"] == "application/jwt"
        header, claims = opened(world, seen.body, rsa_keys["client"])
        assert header == {"alg": "PS256", "kid": "tpp-sig-1", "typ": "JWT"}
        now = int(world.clock.now().timestamp())
        assert (claims["iss"], claims["aud"]) == (CLIENT_ID, [world.hub.issuer])
        assert claims["nbf"] == claims["iat"] == now - 60 < now < claims["exp"] <= now + 240
        body = claims["message"]
        assert set(claims) == {"iss", "aud", "iat", "nbf", "exp", "message"}
    assert body == BODY
    if SPECS.is_dir():
        assert problems(*SCHEMAS[kind], body) == []


async def test_the_new_key_signs_after_a_change(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    key = rsa_keys["stranger"]
    world.holders.sign_with({world.provider.id: SigningKey("new", JWK(**key.as_dict(private=True)))})
    world.hub.next["consent"].append(DONE)
    header, _ = opened(world, (await revoke(world)).body, key)
    assert header["kid"] == "new"


async def test_an_unknown_revoker_is_a_mistake_of_ours_and_nothing_is_sent(world: World) -> None:
    with pytest.raises(ValueError, match="LFI"):
        await revoke(world, revoked_by="LFI")
    assert world.hub.seen == []


@pytest.mark.parametrize(
    ("reply", "error", "says_why"),
    [
        (errors("Consent.BusinessRuleViolation"), RevocationRefusedError, "Consent.BusinessRuleViolation"),
        (errors("JWS.InvalidSignature"), RevocationRefusedError, "JWS.InvalidSignature"),
        (errors("not a code, but Ahmed"), RevocationRefusedError, "bad_request"),
        (says(400, "nonsense"), RevocationRefusedError, "bad_request"),
        (errors("GenericRecoverableError"), ConsentApiUnavailableError, None),
        (errors("AccessToken.InvalidScope", 403), ConsentApiRefusedError, None),
        (says(404), ConsentNotStagedError, None),
        (says(405), ConsentApiContractError, None),
        (says(415), ConsentApiContractError, None),
        (says(302, Location="/elsewhere"), ConsentApiContractError, None),
        (says(408), ConsentApiUnavailableError, None),
        (says(500), ConsentApiUnavailableError, None),
        (says(503), ConsentApiUnavailableError, None),
    ],
    ids=[
        "rule",
        "signature",
        "strange",
        "nonsense",
        "passing",
        "scope",
        "404",
        "405",
        "415",
        "302",
        "408",
        "500",
        "503",
    ],
)
async def test_each_answer_has_its_meaning(
    world: World, reply: Any, error: type[ConsentApiError], says_why: str | None
) -> None:
    world.hub.next["consent"].append(reply)
    with pytest.raises(error) as found:
        await revoke(world)
    assert getattr(found.value, "reason", None) == says_why
    assert "Ahmed" not in str(found.value)
    assert world.hub.count("consent") == 1  # once: whether to try again, somebody else decides


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_any_success_is_one_and_what_came_of_it_the_consent_says(world: World, status: int) -> None:
    world.hub.next["consent"].append(says(status, "<html>thank you</html>"))
    await revoke(world)
    assert world.hub.count("consent") == 1


async def test_a_repeat_with_a_fresh_token_is_one_more_request_of_the_budget(world: World) -> None:
    world.hub.next["consent"].extend([says(401), DONE])
    counted: list[tuple[str, int]] = []

    async def count(provider: Provider) -> None:
        counted.append((provider.id, world.hub.count("consent")))

    world.holders = world.connect(world.provider, before_repeat=count)
    try:
        await revoke(world)
    finally:
        await world.holders.close()
    assert counted == [("demobank", 1)]


@pytest.mark.parametrize("status", [429, 503])
async def test_how_long_to_wait_is_passed_on(world: World, status: int) -> None:
    world.hub.next["consent"].append(says(status, Retry_After="77"))
    with pytest.raises(ConsentApiUnavailableError) as found:
        await revoke(world)
    assert found.value.retry_after_seconds == 77


async def test_a_token_that_died_early_is_replaced_once_and_not_twice(world: World) -> None:
    world.hub.next["consent"].extend([says(401), DONE])
    assert (await revoke(world)).headers["Authorization"] == "Bearer secret-token-2"
    assert world.hub.count("token") == 2
    world.hub.always["consent"] = says(401)
    with pytest.raises(ConsentApiRefusedError):
        await revoke(world)
    assert (world.hub.count("token"), world.hub.count("consent")) == (3, 4)


async def test_a_holder_that_takes_too_long_may_have_done_it(world: World) -> None:
    await world.read()  # there is a token
    gate = world.hub.hold("consent")
    world.holders._timeout_seconds = 0.2
    with pytest.raises(ConsentApiUnavailableError, match="in time"):
        await revoke(world)
    gate.set()
    assert [seen.method for seen in world.hub.seen if seen.route == "consent"] == ["GET", "PATCH"]


async def test_an_answer_of_any_size_is_not_read_without_end(world: World) -> None:
    world.hub.next["consent"].append(says_json({"x": "y" * 300_000}, 400))
    with pytest.raises(ConsentApiContractError):
        await revoke(world)
