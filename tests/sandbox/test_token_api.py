"""The token endpoint refuses every assertion and every form that a real one would refuse."""

import base64
import hmac
import json
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_good_assertion_gets_bearer_token_for_scope(tpp):
    status, body = await tpp.post_token({"client_id": "tpp-client-001", "whatever": "is ignored"})

    assert status == 200
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "accounts openid")
    assert body["access_token"].count(".") == 0


async def test_lifetime_of_tokens_can_be_set(tpp, clock, hub):
    hub.token_lifetime_seconds = 20
    status, body = await tpp.post_token()
    assert (status, body["expires_in"]) == (200, 20)
    hub.stage("account-access", "c-1")

    clock.advance(seconds=19)
    response, _ = await tpp.get("account-access", "c-1", token=body["access_token"])
    assert response.status == 200

    clock.advance(seconds=1)
    response, empty = await tpp.get("account-access", "c-1", token=body["access_token"])
    assert (response.status, empty) == (401, b"")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"client_assertion_type": None}, "invalid_request"),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_client"),
        ({"client_assertion_type": ASSERTION_TYPE.replace(":", "%3A")}, "invalid_client"),
        ({"client_assertion": None}, "invalid_request"),
        ({"client_assertion": "nonsense"}, "invalid_client"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": "é.é.é"}, "invalid_client"),
        ({"client_id": "tpp-client-002"}, "invalid_client"),
        ({"client_secret": "hunter2"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "openid everything"}, "invalid_scope"),
    ],
)
async def test_wrong_form_is_refused(tpp, fields, error):
    status, body = await tpp.post_token(fields)

    assert (status, body["error"]) == (400, error)


async def test_form_sent_otherwise_is_refused(tpp):
    form = {"grant_type": "client_credentials", "scope": "insurance"}

    assert (await tpp.post_token(json.dumps(form)))[1]["error"] == "invalid_request"
    status, body = await tpp.post_token(headers={"Authorization": "Basic YTpi"})
    assert (status, body["error"]) == (400, "invalid_request")
    repeated = [("grant_type", "client_credentials"), ("grant_type", "client_credentials")]
    status, body = await tpp.post_token(repeated)
    assert (status, body["error_description"]) == (400, "a parameter appears twice")
    for broken in (b"\xff=1", b"no equals sign", b"a=%FF"):
        status, body = await tpp.post_token(broken, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert (status, body["error_description"]) == (400, "the body is not a form")


async def refusal(tpp, assertion):
    status, body = await tpp.post_token({"client_assertion": assertion})
    assert (status, body["error"]) == (400, "invalid_client")
    return body["error_description"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": None}, "iss is not"),
        ({"iss": "somebody"}, "iss is not"),
        ({"iss": ["tpp-client-001"]}, "iss is not"),
        ({"sub": None}, "sub must"),
        ({"sub": "tpp-client-002"}, "sub must"),
        ({"aud": None}, "aud must"),
        ({"aud": "http://somebody"}, "aud must"),
        ({"jti": None}, "jti must"),
        ({"jti": ""}, "jti must"),
        ({"jti": 7}, "jti must"),
        ({"iat": None}, "iat must"),
        ({"iat": "yesterday"}, "iat must"),
        ({"iat": True}, "iat must"),
        ({"exp": None}, "exp must be a number"),
        ({"exp": "1772442300"}, "exp must be a number"),
        ({"exp": 10**400}, "exp is no instant"),
    ],
)
async def test_wrong_claim_is_refused(tpp, changes, reason):
    assert (await refusal(tpp, tpp.assertion(**changes))).startswith(reason)


async def test_audience_must_be_issuer_alone(tpp, hub):
    assert "single string" in await refusal(tpp, tpp.assertion(aud=[hub.issuer]))
    assert "single string" in await refusal(tpp, tpp.assertion(aud=f"{hub.issuer}/token"))
    assert "single string" in await refusal(tpp, tpp.assertion(aud=f"{hub.issuer}/"))


@pytest.mark.parametrize(
    ("iat", "exp", "nbf", "reason"),
    [
        (0, 301, None, "at most 300 seconds"),
        (0, 0, None, "after iat"),
        (0, -1, None, "after iat"),
        (-300, -10, None, "has lapsed"),
        (11, 60, None, "not valid yet"),
        (0, 60, 11, "not valid yet"),
    ],
)
async def test_assertion_outside_its_time_is_refused(tpp, hub, iat, exp, nbf, reason):
    now = hub.clock.epoch()
    times = {"iat": now + iat, "exp": now + exp, "nbf": now + nbf if nbf is not None else None}

    assert reason in await refusal(tpp, tpp.assertion(**times))


@pytest.mark.parametrize(("iat", "exp", "nbf"), [(10, 60, None), (-300, -9, None), (0, 300, 10), (0, 60.5, -10)])
async def test_assertion_within_leeway_is_accepted(tpp, hub, iat, exp, nbf):
    now = hub.clock.epoch()
    times = {"iat": now + iat, "exp": now + exp, "nbf": now + nbf if nbf is not None else None}

    assert (await tpp.post_token({"client_assertion": tpp.assertion(**times)}))[0] == 200


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "RS256"}, "alg must be PS256"),
        ({"kid": None}, "kid names none"),
        ({"kid": "TPP-CLIENT-001-SIG"}, "kid names none"),
        ({"kid": "tpp-client-002-sig"}, "kid names none"),
        ({"typ": "at+jwt"}, "typ must be JWT"),
    ],
)
async def test_wrong_header_is_refused(tpp, other_tpp, header, reason):
    assert (await refusal(tpp, tpp.assertion(header))).startswith(reason)


async def test_header_oddities_are_refused(tpp):
    claims = tpp.assertion().split(".")[1]
    kid = tpp.signing_key.kid

    assert "crit" in await refusal(tpp, f"{part({'alg': 'PS256', 'kid': kid, 'crit': ['x']})}.{claims}.AAAA")
    assert "kid names none" in await refusal(tpp, f"{part({'alg': 'PS256', 'kid': [kid]})}.{claims}.AAAA")
    assert "alg must be" in await refusal(tpp, f"{part({'alg': 'none'})}.{claims}.")
    for header in ([1], 1, "x", None):
        assert "not a JSON object" in await refusal(tpp, f"{part(header)}.{claims}.AAAA")
    twice = base64.urlsafe_b64encode(b'{"alg":"none","alg":"PS256"}').rstrip(b"=").decode()
    assert "a name appears twice" in await refusal(tpp, f"{twice}.{claims}.AAAA")
    assert "not canonical" in await refusal(tpp, f"{part({'alg': 'PS256'})}=.{claims}.AAAA")


async def test_symmetric_signature_with_public_key_is_refused(tpp):
    claims = tpp.assertion().split(".")[1]
    signing_input = f"{part({'alg': 'HS256', 'kid': tpp.signing_key.kid})}.{claims}"
    digest = hmac.digest(tpp.signing_key.as_pem(private=False), signing_input.encode(), "sha256")

    forged = f"{signing_input}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    assert "alg must be" in await refusal(tpp, forged)


async def test_signature_of_other_key_is_refused(tpp, other_tpp):
    assert "signature" in await refusal(tpp, tpp.assertion(key=other_tpp.signing_key))


async def test_altered_claims_are_refused(tpp):
    header, _, signature = tpp.assertion().split(".")
    claims = tpp.assertion().split(".")[1]

    assert "signature" in await refusal(tpp, f"{header}.{claims}.{signature}")


async def test_signature_with_shorter_salt_is_refused(tpp):
    signing_input = tpp.assertion().rpartition(".")[0]
    private = tpp.signing_key.private_key
    for salt_length, accepted in ((20, False), (32, True)):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
        signature = base64.urlsafe_b64encode(private.sign(signing_input.encode(), pss, hashes.SHA256()))
        token = f"{signing_input}.{signature.rstrip(b'=').decode()}"
        assert ((await tpp.post_token({"client_assertion": token}))[0] == 200) is accepted


async def test_replayed_jti_is_refused_until_it_lapsed(tpp, other_tpp, clock):
    assert (await tpp.post_token({"client_assertion": tpp.assertion(jti="once")}))[0] == 200

    assert await refusal(tpp, tpp.assertion(jti="once")) == "jti was used before"
    assert (await other_tpp.post_token({"client_assertion": other_tpp.assertion(jti="once")}))[0] == 200
    clock.advance(seconds=320)
    assert (await tpp.post_token({"client_assertion": tpp.assertion(jti="once")}))[0] == 200


async def test_refused_assertion_does_not_spend_its_jti(tpp):
    await refusal(tpp, tpp.assertion(jti="kept", aud="http://somebody"))

    assert (await tpp.post_token({"client_assertion": tpp.assertion(jti="kept")}))[0] == 200


async def test_other_client_cannot_be_claimed(tpp, other_tpp):
    forged = tpp.assertion(iss="tpp-client-002", sub="tpp-client-002")

    assert "kid names none" in await refusal(tpp, forged)


async def test_form_is_encoded_once(tpp):
    form = urlencode(
        {
            "grant_type": "client_credentials",
            "scope": "openid accounts",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": tpp.assertion(),
        }
    )
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}

    assert (await tpp.post_token(form, headers=headers))[0] == 200


async def test_reregistered_client_loses_its_old_key(tpp, other_tpp, hub):
    hub.register_client(
        tpp.client_id,
        signing_jwks={"keys": [other_tpp.signing_key.as_dict(private=False)]},
        encryption_jwks={"keys": [other_tpp.encryption_key.as_dict(private=False)]},
        webhook_url="http://127.0.0.1:9/",
    )

    assert "kid names none" in await refusal(tpp, tpp.assertion())


async def test_wrong_method_is_refused_without_body(hub, http):
    async with http.get(f"{hub.url}/token") as response:
        assert (response.status, await response.read(), response.headers["Allow"]) == (405, b"", "POST")
