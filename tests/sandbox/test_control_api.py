"""The hub driven by HTTP alone, as with curl."""

import asyncio
from contextlib import suppress

import pytest

from tracker.sandbox import Hub, serve


class Curl:
    def __init__(self, http, url):
        self.http = http
        self.url = url

    async def __call__(self, method, path, body=None):
        async with self.http.request(method, f"{self.url}/sandbox{path}", json=body) as response:
            return response.status, await response.json() if response.content_type == "application/json" else None


@pytest.fixture
def curl(http, hub):
    return Curl(http, hub.url)


async def test_story_over_http_alone(curl, tpp, hub, registration):
    status, client = await curl("POST", "/clients", registration)
    assert (status, client["encryption_kid"]) == (201, "tpp-client-001-enc")
    assert (await curl("GET", "/clients"))[1]["items"] == [client]

    body = {"kind": "account-access", "consent_id": "c-1", "expires_in_seconds": 3600, "data": {"AccountType": ["SME"]}}
    status, consent = await curl("POST", "/consents", body)
    assert (status, consent["status"], consent["data"]["AccountType"]) == (201, "AwaitingAuthorization", ["SME"])
    assert consent["data"]["ExpirationDateTime"] == "2026-03-02T11:15:00+04:00"

    status, moved = await curl("POST", "/consents/c-1/move", {"status": "Authorized"})
    assert (status, moved["consent"]["status"], moved["event"]["subject"]) == (200, "Authorized", "c-1")
    await curl("POST", "/consents/c-1/move", {"status": "Suspended", "fault": {"drop": True}})
    await curl("POST", "/consents/c-1/move", {"status": "Authorized", "send": False})
    await curl("POST", "/consents/c-1/move", {"status": "Revoked", "revoked_by": "LFI"})
    await hub.settle()

    assert tpp.statuses() == ["Authorized", "Revoked"]
    _, events = await curl("GET", "/events")
    assert [event["outcome"] for event in events["items"]] == ["delivered", "dropped", "delivered"]
    assert events["items"][0]["attempts"][0]["status"] == 202
    _, consent = await curl("GET", "/consents/c-1")
    assert [change["status"] for change in consent["history"]] == [
        "AwaitingAuthorization",
        "Authorized",
        "Suspended",
        "Authorized",
        "Revoked",
    ]
    assert len((await curl("GET", "/consents"))[1]["items"]) == 1


async def test_authorizers_groups_and_what_cannot_be_revoked_over_http(curl, tpp, hub):
    body = {"kind": "payment", "consent_id": "c-1", "authorizers": 2}
    _, staged = await curl("POST", "/consents", body)
    assert staged["meta"]["MultipleAuthorizers"]["TotalRequired"] == 2
    path = "/consents/c-1/authorizations"
    status, said = await curl("POST", path, {"authorizer_id": "A1", "status": "Approved"})
    assert (status, said["consent"]["status"], said["event"]) == (200, "AwaitingAuthorization", None)
    _, said = await curl("POST", path, {"authorizer_id": "A2", "status": "Approved"})
    assert (said["consent"]["status"], said["event"]["subject"]) == ("Authorized", "c-1")
    assert (await curl("POST", path, {"authorizer_id": "A2", "status": "Approved"}))[0] == 409
    assert (await curl("POST", path, {"authorizer_id": "A2", "status": "Maybe"}))[0] == 422

    await curl("POST", "/consents", {"kind": "payment", "consent_id": "c-2", "base_consent_id": "c-1"})
    status, ended = await curl("POST", "/groups/c-1/revoke", {"revoked_by": "LFI"})
    assert (status, [(one["consent_id"], one["status"]) for one in ended["items"]]) == (
        200,
        [("c-1", "Revoked"), ("c-2", "Revoked")],
    )
    assert (await curl("POST", "/groups/nobody/revoke", {}))[0] == 404

    assert (await curl("PUT", "/revocation", {"no_op": True, "suspended": False}))[0] == 204
    assert (hub.revocation.no_op, hub.revocation.suspended) == (True, False)


async def test_other_events_over_http(curl, tpp, hub):
    await curl("POST", "/consents", {"kind": "payment", "consent_id": "c-1"})
    for body in (
        {"subject": "c-1"},
        {"family": "payment", "subject": "c-1", "status": "Pending"},
        {"family": "payment", "subject": "c-1", "payment_id": "PMT-2"},
        {"family": "insurance-quote", "subject": "3d1f0b7e-5f0d-4f6b-9a21-6a4b8f1f0c22"},
        {"family": "fx-quote", "subject": "3d1f0b7e-5f0d-4f6b-9a21-6a4b8f1f0c22", "status": "Funded"},
        {"family": "account-opening", "subject": "ACC-1", "client_id": "tpp-client-001"},
    ):
        status, answer = await curl("POST", "/events", body)
        assert (status, answer["event"]["family"]) == (202, body.get("family", "consent"))
    status, _ = await curl("PATCH", "/consents/c-1", {"data": {"DebtorReference": "Rent"}})
    await hub.settle()

    assert (status, len(tpp.webhook.received)) == (200, 7)
    assert tpp.opened(tpp.webhook.received[-1].body)["message"]["Data"]["DebtorReference"] == "Rent"


async def test_faults_over_http(curl, tpp, hub, http):
    await curl("POST", "/consents", {"kind": "account-access", "consent_id": "c-1"})
    assert (await curl("POST", "/faults/event", {"fault": {"hold": True}, "subject": "c-1"}))[0] == 204
    await curl("POST", "/consents/c-1/move", {"status": "Authorized"})
    await hub.settle()
    assert tpp.webhook.received == []
    _, released = await curl("POST", "/events/release", {"subject": "c-1"})
    assert len(released["items"]) == 1
    assert (await curl("POST", "/events/release"))[1] == {"items": []}
    await hub.settle()
    assert tpp.statuses() == ["Authorized"]

    await curl("POST", "/faults/api", {"fault": {"endpoint": "jwks", "status": 429, "retry_after": 3}})
    async with http.get(f"{hub.url}/jwks") as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")
    assert (await curl("DELETE", "/faults"))[0] == 204
    assert len((await tpp.jwks()).keys) == 1
    _, requests = await curl("GET", "/requests")
    assert [(item["endpoint"], item["status"]) for item in requests["items"]] == [("jwks", 429), ("jwks", 200)]


async def test_keys_tokens_and_expiry_over_http(curl, tpp, hub, clock):
    token = await tpp.token()
    assert (await curl("POST", "/tokens/revoke", {"lifetime_seconds": 5}))[1] == {"revoked": 1}
    assert (await curl("POST", "/tokens/revoke"))[1] == {"revoked": 0}
    await curl("POST", "/consents", {"kind": "account-access", "consent_id": "c-1", "expires_in_seconds": 60})
    assert (await tpp.get("account-access", "c-1", token=token))[0].status == 401
    assert hub.token_lifetime_seconds == 5

    assert (await curl("POST", "/keys/rotate"))[1] == {"kid": "demobank-sig2-2"}
    assert (await curl("DELETE", "/keys/demobank-sig2-1"))[0] == 204
    assert (await curl("DELETE", "/keys/demobank-sig2-1"))[0] == 422
    assert [key.kid for key in (await tpp.jwks()).keys] == ["demobank-sig2-2"]

    assert (await curl("PUT", "/expiry", {"late_seconds": 30, "send_event": False}))[0] == 204
    clock.advance(seconds=60)
    assert (await curl("GET", "/consents/c-1"))[1]["status"] == "AwaitingAuthorization"
    clock.advance(seconds=30)
    assert (await curl("GET", "/consents"))[1]["items"][0]["status"] == "Expired"


async def test_staging_takes_everything_that_terms_have(curl, tpp, hub):
    await curl(
        "POST",
        "/consents",
        {
            "kind": "payment",
            "consent_id": "c-1",
            "client_id": "tpp-client-001",
            "base_consent_id": "c-0",
            "creation_date_time": "2026-03-01T10:00:00+04:00",
            "expiration_date_time": "2026-06-01T06:00:00Z",
            "authorization_expires_in_seconds": 60,
            "meta": {"MultipleAuthorizers": {"TotalRequired": 2}},
            "expiry": {"late_seconds": None},
            "webhook_url": "https://hooks.test/x",
            "webhook_active": False,
        },
    )

    data = (await curl("GET", "/consents/c-1"))[1]["data"]
    assert data["BaseConsentId"] == "c-0"
    assert data["CreationDateTime"] == "2026-03-01T10:00:00+04:00"
    assert data["ExpirationDateTime"] == "2026-06-01T10:00:00+04:00"
    assert data["AuthorizationExpirationDateTime"] == "2026-03-01T10:01:00+04:00"
    assert data["Status"] == "AwaitingAuthorization"
    consent = hub.consent("c-1")
    assert (consent.webhook_url, consent.webhook_active) == ("https://hooks.test/x", False)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("POST", "/consents", {"kind": "savings"}, 422, "kind: "),
        ("POST", "/consents", {"kind": "payment", "typo": 1}, 422, "typo: "),
        ("POST", "/consents", {"kind": "payment", "consent_id": "c-1"}, 409, "staged before"),
        ("POST", "/consents", {"kind": "payment", "client_id": "x"}, 404, "no client 'x'"),
        ("POST", "/consents/c-1/move", {"status": "Consumed"}, 409, "it can become"),
        ("POST", "/consents/c-1/move", {"status": "Authorized", "fault": {"dorp": True}}, 422, "fault.dorp: "),
        ("POST", "/consents/c-1/move", {"status": "Authorized", "fault": {"copies": 0}}, 422, "copies starts at 1"),
        ("POST", "/consents/c-1/move", None, 422, "the body: "),
        ("POST", "/consents/c-9/move", {"status": "Authorized"}, 404, "no consent 'c-9'"),
        ("POST", "/events", {"family": "payment", "subject": "c-2"}, 422, "no payment consent"),
        ("POST", "/faults/api", {"fault": {"times": 0}}, 422, "times starts at 1"),
        ("GET", "/consents/c-9", None, 404, "no consent 'c-9'"),
        ("GET", "/nothing", None, 404, "Not Found"),
        ("DELETE", "/clients", None, 405, "Method Not Allowed"),
    ],
)
async def test_refusals_are_one_sentence(curl, tpp, hub, method, path, body, status, sentence):
    hub.stage("payment", "c-1")
    hub.stage("insurance", "c-2")

    got, answer = await curl(method, path, body)

    assert got == status
    assert sentence in answer["error"]
    assert "\n" not in answer["error"]


async def test_registration_is_checked(curl, registration):
    key = registration["signing_jwks"]["keys"][0]
    for changes, sentence in (
        ({"client_id": ""}, "needs a client_id"),
        ({"webhook_url": "ftp://x"}, "neither http nor https"),
        ({"encryption_kid": "other"}, "no key other"),
        ({"signing_jwks": {}}, 'array "keys"'),
        ({"signing_jwks": {"keys": []}}, 'no RSA key for use "sig"'),
        ({"signing_jwks": {"keys": [1]}}, "is an object"),
        ({"signing_jwks": registration["encryption_jwks"]}, 'no RSA key for use "sig"'),
        ({"signing_jwks": {"keys": [key | {"kid": ""}]}}, 'needs a "kid"'),
        ({"signing_jwks": {"keys": [key | {"kty": "EC"}]}}, 'not of type "RSA"'),
        ({"signing_jwks": {"keys": [key | {"d": "AQAB"}]}}, "is private"),
        ({"signing_jwks": {"keys": [key | {"n": "!"}]}}, "no usable modulus"),
        ({"signing_jwks": {"keys": [key | {"e": "AA"}]}}, "no usable modulus"),
        ({"signing_jwks": {"keys": [{"kty": "RSA", "kid": "k"}]}}, "no usable modulus"),
    ):
        status, answer = await curl("POST", "/clients", registration | changes)
        assert status == 422, changes
        assert sentence in answer["error"]


async def test_control_requests_are_neither_recorded_nor_hit_by_faults(curl, hub):
    await curl("POST", "/faults/api", {"fault": {"status": 503}})

    assert (await curl("GET", "/requests")) == (200, {"items": []})


async def test_serve_announces_itself_and_runs_until_cancelled(http, options):
    announced = asyncio.Queue()
    hub = Hub("demobank", options)
    serving = asyncio.create_task(serve(0, announced.put_nowait, hub=hub))
    introduction = await announced.get()

    assert introduction.splitlines()[0] == f"simulated API Hub of demobank: {hub.issuer}"
    assert f"{hub.url}/sandbox/clients" in introduction
    assert (await Curl(http, hub.url)("GET", "/clients")) == (200, {"items": []})
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    assert serving.cancelled()
