"""PATCH of each kind, checked as the real hub checks it."""

import json

import pytest

from tests.sandbox.conftest import rsa_key
from tracker.sandbox import ApiFault, RevocationPolicy, Terms

KINDS = ("account-access", "payment", "insurance")
REVOKE = {"Data": {"Status": "Revoked", "RevokedBy": "TPP.InitiatedByUser"}}


def code(tpp, response, body):
    """The code of an error, signed or not."""
    errors = tpp.verified(body.decode())["message"] if response.content_type == "application/jwt" else json.loads(body)
    return errors["Errors"][0]["Code"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", ["AwaitingAuthorization", "Authorized", "Suspended"])
async def test_what_is_open_is_revoked_and_told(tpp, hub, clock, kind, status):
    hub.stage(kind, "c-1")
    for step in {"AwaitingAuthorization": (), "Authorized": ("Authorized",)}.get(status, ("Authorized", "Suspended")):
        hub.move("c-1", step, send=False)
    clock.advance(seconds=2)
    response, body = await tpp.patch(kind, "c-1", REVOKE)
    assert (response.status, body) == (204, b"")
    assert response.headers["x-fapi-interaction-id"]
    assert hub.consent("c-1").revoked_by == "TPP.InitiatedByUser"
    assert await tpp.status(kind, "c-1") == "Revoked"
    await hub.settle()
    assert tpp.statuses() == ["Revoked"]


@pytest.mark.parametrize("kind", ["account-access", "insurance"])
async def test_signed_bodies_are_taken_of_the_other_kinds_too(tpp, hub, kind):
    hub.stage(kind, "c-1")
    response, _ = await tpp.patch(kind, "c-1", REVOKE, media_type="application/jwt")
    assert response.status == 204


@pytest.mark.parametrize("kind", KINDS)
async def test_what_has_ended_is_refused_or_as_before_left_alone(tpp, hub, kind):
    hub.stage(kind, "c-1")
    hub.reject("c-1")
    response, body = await tpp.patch(kind, "c-1", REVOKE)
    assert (response.status, code(tpp, response, body)) == (400, "Consent.BusinessRuleViolation")
    hub.revocation = RevocationPolicy(no_op=True)
    response, _ = await tpp.patch(kind, "c-1", REVOKE)
    assert response.status == 204
    assert hub.consent("c-1").status == "Rejected"


async def test_a_hub_may_refuse_what_is_suspended(tpp, hub):
    hub.revocation = RevocationPolicy(suspended=False)
    hub.stage("account-access", "c-1")
    hub.authorize("c-1")
    hub.suspend("c-1")
    response, _ = await tpp.patch("account-access", "c-1", REVOKE)
    assert response.status == 400
    hub.restore("c-1")
    response, _ = await tpp.patch("account-access", "c-1", REVOKE)
    assert response.status == 204


async def test_what_expires_before_it_is_read_cannot_be_revoked(tpp, hub, clock):
    from datetime import timedelta

    hub.stage("account-access", "c-1", terms=Terms(expiration=timedelta(minutes=20)))
    clock.advance(minutes=21)
    response, _ = await tpp.patch("account-access", "c-1", REVOKE)
    assert response.status == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("account-access", {"Data": {"Status": "Authorized"}}),
        ("account-access", {"Data": {"Status": "Revoked", "RevokedBy": "Somebody"}}),
        ("account-access", {"Data": {"Status": "Revoked", "Permissions": []}}),
        ("account-access", {"Data": {"Status": "Revoked"}, "More": 1}),
        ("account-access", {}),
        ("account-access", "not json"),
        ("account-access", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("payment", {"Data": {"Status": "Revoked", "RevokedBy": "LFI"}}),
        ("insurance", {"Subscription": {"Webhook": {"Url": "https://x.example", "IsActive": True}}}),
    ],
)
async def test_bodies_of_another_form_are_refused(tpp, hub, kind, body):
    hub.stage(kind, "c-1")
    response, said = await tpp.patch(kind, "c-1", body)
    assert (response.status, code(tpp, response, said)) == (400, "Body.InvalidFormat")
    assert hub.consent("c-1").status == "AwaitingAuthorization"


async def test_where_events_go_can_be_changed(tpp, hub):
    hub.stage("account-access", "c-1")
    webhook = {"Url": "https://other.example/x", "IsActive": False}
    response, _ = await tpp.patch("account-access", "c-1", {"Subscription": {"Webhook": webhook}})
    assert response.status == 204
    consent = hub.consent("c-1")
    assert (consent.webhook_url, consent.webhook_active, consent.status) == (
        "https://other.example/x",
        False,
        "AwaitingAuthorization",
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": "somebody"}, "JWS.InvalidClaim"),
        ({"iss": None}, "JWS.InvalidClaim"),
        ({"aud": ["https://elsewhere.example"]}, "JWS.InvalidClaim"),
        ({"exp": 1}, "JWS.InvalidClaim"),
        ({"exp": None}, "JWS.InvalidClaim"),
        ({"exp": True}, "JWS.InvalidClaim"),
        ({"nbf": None}, "JWS.InvalidClaim"),
        ({"nbf": 4_000_000_000}, "JWS.InvalidClaim"),
        ({"message": None}, "JWS.InvalidClaim"),
        ({"message": []}, "JWS.InvalidClaim"),
        ({"header": {"alg": "RS256"}}, "JWS.InvalidHeader"),
        ({"header": {"kid": "nobody"}}, "JWS.InvalidHeader"),
        ({"key": "stranger"}, "JWS.InvalidSignature"),
        ({"token": "a.b"}, "JWS.Malformed"),
        ({"token": "a.b.c"}, "JWS.Malformed"),
    ],
)
async def test_what_is_not_signed_as_it_must_be_is_refused(tpp, hub, changes, expected):
    hub.stage("payment", "c-1")
    changes = dict(changes)
    token = changes.pop("token", None)
    if "key" in changes:
        changes["key"] = rsa_key(changes["key"])
    response, body = await tpp.patch("payment", "c-1", token or tpp.signed(changes.pop("message", REVOKE), **changes))
    assert (response.status, code(tpp, response, body)) == (400, expected)
    assert hub.consent("c-1").status == "AwaitingAuthorization"


async def test_an_audience_may_be_left_out(tpp, hub):
    hub.stage("payment", "c-1")
    response, _ = await tpp.patch("payment", "c-1", tpp.signed(REVOKE, aud=None))
    assert response.status == 204


async def test_token_scope_media_type_and_owner_are_checked_before_the_body(tpp, other_tpp, hub):
    hub.stage("payment", "c-1", client_id=tpp.client_id)
    assert (await tpp.patch("payment", "c-1", REVOKE, token="nothing"))[0].status == 401
    response, _ = await tpp.patch("payment", "c-1", REVOKE, token=await tpp.token("openid accounts"))
    assert response.status == 403
    response, body = await tpp.patch("payment", "c-1", REVOKE, media_type="application/json")
    assert (response.status, body) == (415, b"")
    assert (await tpp.patch("account-access", "c-1", REVOKE, media_type="text/plain"))[0].status == 415
    assert (await tpp.patch("payment", "nobody", REVOKE))[0].status == 404
    assert (await tpp.patch("account-access", "c-1", REVOKE))[0].status == 404
    assert (await other_tpp.patch("payment", "c-1", REVOKE))[0].status == 404
    assert hub.consent("c-1").status == "AwaitingAuthorization"


async def test_faults_may_hit_a_patch_alone_before_or_after_it_was_done(tpp, hub):
    for name in ("c-1", "c-2"):
        hub.stage("account-access", name)
    hub.faults.break_api(ApiFault(endpoint="consent", method="PATCH", status=429, retry_after=7, times=1))
    response, _ = await tpp.patch("account-access", "c-1", REVOKE)
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert await tpp.status("account-access", "c-1") == "AwaitingAuthorization"
    hub.faults.break_api(ApiFault(endpoint="consent", method="PATCH", status=500, act_first=True, times=1))
    response, _ = await tpp.patch("account-access", "c-2", REVOKE)
    assert response.status == 500
    assert await tpp.status("account-access", "c-2") == "Revoked"
    hub.stage("account-access", "c-3")
    hub.faults.break_api(ApiFault(endpoint="consent", method="PATCH", act_first=True, times=1))
    response, _ = await tpp.patch("account-access", "c-3", REVOKE)
    assert response.status == 204  # it was done once
    recorded = hub.recorder.requests_to("consent", consent_id="c-2")
    assert [(request.method, request.status) for request in recorded] == [("PATCH", 500), ("GET", 200)]
