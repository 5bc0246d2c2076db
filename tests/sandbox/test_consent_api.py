"""Who may read a consent, in which form, and what the answer is signed with."""

import asyncio
from uuid import UUID

import aiohttp
import pytest
from joserfc.errors import BadSignatureError
from yarl import URL

from tracker.sandbox import ApiFault, Hub, Terms, running_hub

KINDS = ("account-access", "payment", "insurance")
JSON, JWT = "application/json", "application/jwt"


@pytest.mark.parametrize("kind", KINDS)
async def test_signed_answer_verifies_and_names_reader(tpp, hub, kind):
    consent = hub.stage(kind)
    hub.authorize(consent.consent_id)

    response, body = await tpp.get(kind, consent.consent_id, accept=JWT)

    assert (response.status, response.content_type) == (200, JWT)
    claims = tpp.verified(body.decode())
    now = hub.clock.epoch()
    assert claims.pop("message")["Data"]["Status"] == "Authorized"
    assert claims == {"iss": hub.issuer, "aud": ["tpp-client-001"], "iat": now, "nbf": now, "exp": now + 300}


@pytest.mark.parametrize(
    ("kind", "accept", "status", "content_type"),
    [
        ("account-access", JSON, 200, JSON),
        ("account-access", JWT, 200, JWT),
        ("account-access", "*/*", 200, JSON),
        ("account-access", "application/*;q=0.3, application/jwt", 200, JWT),
        ("account-access", "application/json;q=0, */*", 200, JWT),
        ("account-access", "application/jwt;q=0.5, application/json;q=0.4", 200, JWT),
        ("account-access", "text/html, application/json;q=x", 406, None),
        ("insurance", JSON, 200, JSON),
        ("insurance", JWT, 200, JWT),
        ("payment", JWT, 200, JWT),
        ("payment", "*/*", 200, JWT),
        ("payment", JSON, 406, None),
    ],
)
async def test_media_type_follows_accept(tpp, hub, kind, accept, status, content_type):
    hub.stage(kind, "c-1")

    response, body = await tpp.get(kind, "c-1", accept=accept)

    assert response.status == status
    if content_type is None:
        assert body == b""
    else:
        assert response.content_type == content_type


async def test_request_without_token_is_refused(tpp, hub, http):
    hub.stage("account-access", "c-1")

    async with http.get(f"{hub.url}/open-finance/account-information/v2.1/account-access-consents/c-1") as response:
        assert (response.status, await response.read()) == (401, b"")
        UUID(response.headers["x-fapi-interaction-id"])
    response, body = await tpp.get("account-access", "c-1", token="made-up")
    assert (response.status, body) == (401, b"")


async def test_revoked_tokens_are_dead(tpp, other_tpp, hub):
    hub.stage("account-access", "c-1", client_id=tpp.client_id)
    token, other = await tpp.token(), await other_tpp.token()

    assert hub.tokens.revoke_all(other_tpp.client_id) == 1
    assert (await tpp.get("account-access", "c-1", token=token))[0].status == 200
    assert (await other_tpp.get("account-access", "c-1", token=other))[0].status == 401
    assert hub.tokens.revoke_all() == 1
    assert (await tpp.get("account-access", "c-1", token=token))[0].status == 401


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", ["openid accounts", "openid payments", "insurance", "accounts", "openid"])
async def test_token_is_good_for_its_scope_only(tpp, hub, kind, scope):
    needed = {"account-access": {"openid", "accounts"}, "payment": {"openid", "payments"}, "insurance": {"insurance"}}
    hub.stage(kind, "c-1")
    token = await tpp.token(scope)

    response, body = await tpp.get(kind, "c-1", token=token, accept=JWT)

    if needed[kind] <= set(scope.split()):
        assert response.status == 200
    else:
        assert response.status == 403
        assert tpp.verified(body.decode())["message"]["Errors"][0]["Code"] == "AccessToken.InvalidScope"


async def test_refused_scope_is_told_in_plain_json_when_wanted(tpp, hub):
    response, _ = await tpp.get("insurance", "c-1", token=await tpp.token("openid"), accept=JSON)

    assert (response.status, response.content_type) == (403, JSON)


async def test_consent_is_visible_to_its_client_at_its_place_only(tpp, other_tpp, hub):
    hub.stage("account-access", "mine", client_id=tpp.client_id)

    assert (await tpp.get("account-access", "mine"))[0].status == 200
    for reader, kind, consent_id in (
        (other_tpp, "account-access", "mine"),
        (tpp, "insurance", "mine"),
        (tpp, "account-access", "never-staged"),
    ):
        response, body = await reader.get(kind, consent_id)
        assert (response.status, body) == (404, b"")


@pytest.mark.parametrize(
    ("consent_id", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("urn:x:1", "urn%3Ax%3A1"),
        ("../../par", "..%2F..%2Fpar"),
        ("a?b#c", "a%3Fb%23c"),
        ("a%2Fb", "a%252Fb"),
        ("x" * 128, "x" * 128),
    ],
)
async def test_odd_consent_ids_are_decoded_once(tpp, hub, consent_id, encoded):
    hub.stage("account-access", consent_id)
    token = await tpp.token()
    url = URL(f"{hub.url}/open-finance/account-information/v2.1/account-access-consents/{encoded}", encoded=True)

    async with tpp.http.get(url, headers={"Authorization": f"Bearer {token}"}) as response:
        body = await response.json()

    assert body["Data"]["ConsentId"] == consent_id
    assert body["Links"]["Self"] == str(url)


async def test_interaction_id_is_echoed_when_it_is_a_uuid(tpp, hub):
    hub.stage("account-access", "c-1")
    token = await tpp.token()
    given = "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10"

    response, _ = await tpp.get("account-access", "c-1", token=token, **{"x-fapi-interaction-id": given})
    assert response.headers["x-fapi-interaction-id"] == given
    response, _ = await tpp.get("account-access", "c-1", token=token, **{"x-fapi-interaction-id": "42"})
    assert UUID(response.headers["x-fapi-interaction-id"]).version == 4


async def test_unknown_path_has_no_body(hub, http):
    async with http.get(f"{hub.url}/open-finance/account-information/v1.2/account-access-consents/c") as response:
        assert (response.status, await response.read()) == (404, b"")
        assert "x-fapi-interaction-id" in response.headers


async def test_discovery_names_places_that_answer(tpp, hub, http):
    async with http.get(f"{hub.issuer}/.well-known/openid-configuration") as response:
        document = await response.json()
        assert response.headers["Cache-Control"] == "max-age=900"

    assert document["issuer"] == hub.issuer == hub.url
    assert document["token_endpoint"] == f"{hub.url}/token"
    assert document["token_endpoint_auth_signing_alg_values_supported"] == ["PS256"]
    async with http.get(document["jwks_uri"]) as response:
        (key,) = (await response.json())["keys"]
    assert (key["kty"], key["use"], key["alg"], key["kid"]) == ("RSA", "sig", "PS256", "demobank-sig2-1")
    assert set(key) == {"kty", "use", "alg", "kid", "n", "e"}


async def test_rotation_keeps_or_drops_the_old_key(tpp, hub):
    async def kids():
        return [key.kid for key in (await tpp.jwks()).keys]

    hub.keyring.rotate()
    assert await kids() == ["demobank-sig2-1", "demobank-sig2-2"]
    hub.keyring.withdraw("demobank-sig2-1")
    assert await kids() == ["demobank-sig2-2"]
    hub.keyring.rotate(keep_old=False)
    assert await kids() == ["demobank-sig2-3"]

    hub.stage("payment", "c-1")
    _, body = await tpp.get("payment", "c-1")
    assert tpp.verified(body.decode())["iss"] == hub.issuer


async def test_hubs_in_one_process_have_their_own_keys_and_consents(tpp, hub, options):
    async with running_hub(Hub("otherbank", options)) as other:
        assert other.issuer != hub.issuer
        assert other.keyring.current.public_jwk()["n"] != hub.keyring.current.public_jwk()["n"]
        hub.stage("account-access", "c-1")
        assert list(other.consents) == []


async def test_outage_is_answered_as_told_and_ends(tpp, hub, http):
    hub.stage("account-access", "c-1")
    token = await tpp.token()

    hub.faults.break_api(ApiFault(endpoint="consent", status=429, retry_after=7, times=2))
    for _ in range(2):
        response, body = await tpp.get("account-access", "c-1", token=token)
        assert (response.status, response.headers["Retry-After"], body) == (429, "7", b"")
    assert (await tpp.get("account-access", "c-1", token=token))[0].status == 200

    hub.faults.break_api(ApiFault(status=503))
    for path in ("/.well-known/openid-configuration", "/jwks"):
        async with http.get(hub.url + path) as response:
            assert (response.status, await response.read()) == (503, b"")
    hub.faults.clear()
    assert (await tpp.get("account-access", "c-1", token=token))[0].status == 200


async def test_fault_of_one_consent_leaves_others_alone(tpp, hub):
    hub.stage("account-access", "c-1")
    hub.stage("account-access", "c-2")
    token = await tpp.token()
    hub.faults.break_api(ApiFault(consent_id="c-1", status=500))

    response, body = await tpp.get("account-access", "c-1", token=token, accept=JWT)
    assert response.status == 500
    assert tpp.verified(body.decode())["message"] == {"Errors": [{"Code": "GenericError", "Message": "The hub failed"}]}
    assert (await tpp.get("account-access", "c-2", token=token))[0].status == 200


async def test_garbage_wrong_key_and_hang_up(tpp, hub):
    hub.stage("payment", "c-1")
    token = await tpp.token("openid payments")

    hub.faults.break_api(ApiFault(endpoint="consent", garbage=True, times=1))
    response, body = await tpp.get("payment", "c-1", token=token)
    assert response.status == 200
    assert b"not what you asked for" in body

    hub.faults.break_api(ApiFault(endpoint="consent", wrong_key=True, times=1))
    _, body = await tpp.get("payment", "c-1", token=token)
    with pytest.raises(BadSignatureError):
        tpp.verified(body.decode())

    hub.faults.break_api(ApiFault(endpoint="consent", disconnect=True))
    with pytest.raises(aiohttp.ClientError):
        await tpp.get("payment", "c-1", token=token)
    assert hub.recorder.count("consent", status=0) >= 1


async def test_slow_answer_comes_after_its_delay(tpp, hub, sleep):
    hub.stage("payment", "c-1")
    token = await tpp.token("openid payments")
    hub.faults.break_api(ApiFault(endpoint="consent", delay_seconds=30, times=1))

    asking = asyncio.create_task(tpp.get("payment", "c-1", token=token))
    while not sleep.asked:
        await asyncio.sleep(0)
    assert not asking.done()
    sleep.wake.set()

    assert (await asking)[0].status == 200
    assert sleep.asked == [30]


async def test_requests_are_recorded(tpp, hub):
    hub.stage("account-access", "c-1")
    token = await tpp.token()
    await tpp.get("account-access", "c-1", token=token)
    await tpp.get("account-access", "c-2", token=token)

    assert hub.recorder.count("token") == 1
    assert hub.recorder.count("consent") == 2
    assert hub.recorder.count("consent", consent_id="c-1") == 1
    assert hub.recorder.count("consent", status=404) == 1
    (request,) = hub.recorder.requests_to("token")
    assert (request.client_id, request.scope, request.status) == ("tpp-client-001", "openid accounts", 200)
    assert request.at == hub.clock.now()
    hub.recorder.clear()
    assert hub.recorder.count("token") == 0


async def test_subscription_is_shown_as_the_standard_allows(tpp, hub):
    hub.stage("account-access", "c-1", terms=Terms(webhook_active=False, webhook_url="https://hooks.test/x"))
    hub.stage("insurance", "c-2")
    hub.stage("insurance", "c-3", terms=Terms(webhook_url="https://hooks.test/x"))

    async def subscription(kind, consent_id):
        response, _ = await tpp.get(kind, consent_id)
        return (await response.json())["Subscription"]["Webhook"]

    assert await subscription("account-access", "c-1") == {"Url": "https://hooks.test/x", "IsActive": False}
    assert await subscription("insurance", "c-2") == {"IsActive": True}
    assert await subscription("insurance", "c-3") == {"Url": "https://hooks.test/x", "IsActive": True}
