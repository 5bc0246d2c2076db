"""API keys and scopes."""

from datetime import timedelta

import pytest

from tests.usecases.bench import CONSENT
from tests.web.described import operation_at
from tests.web.site import Site
from tracker.web.application import OPERATIONS

ONE = f"/v1/consents/demobank/{CONSENT}"


def a_path(template: str) -> str:
    names = {"consent_id": CONSENT, "base_consent_id": CONSENT, "hold_id": "x", "export_id": "x", "file_name": "x"}
    return template.format(provider="demobank", tracking_id="x", subscription_id="x", job_id="x", event_id="x", **names)


async def test_whoever_shows_no_key_learns_what_kind_to_show(site: Site) -> None:
    for operation in OPERATIONS:
        said = await site.call_bare(operation.method, a_path(operation.path))
        if operation.scope is None:
            assert said.status == 200
            continue
        assert (said.status, said.problem) == (401, "unauthorized")
        # RFC 6750 section 3: without a key there is no error to speak of.
        assert said.headers["WWW-Authenticate"] == 'Bearer realm="consent tracker"'


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer",
        "Bearer ",
        "Bearer trk_",
        "Bearer trk_aaaaaaaaaaaaaaaa_" + "A" * 43,
        "Bearer null",
        "Basic dXNlcjpwYXNz",
        "trk_aaaaaaaaaaaaaaaa_" + "A" * 43,
        "Bearer a b",
        "Bearer é",
    ],
)
async def test_what_is_no_key_is_refused(site: Site, shown: str) -> None:
    said = await site.call_bare("GET", "/v1/consents", headers={"Authorization": shown})
    assert (said.status, said.problem) == (401, "unauthorized")
    assert said.headers["WWW-Authenticate"] == 'Bearer realm="consent tracker", error="invalid_token"'


async def test_a_key_whose_secret_is_another_is_refused(site: Site) -> None:
    last = "A" if site.key[-1] != "A" else "E"
    assert (await site.get("/v1/consents", key=site.key[:-1] + last)).status == 401
    assert (await site.get("/v1/consents", key=site.key + "A")).status == 401
    assert (await site.get("/v1/consents", key=site.key.upper())).status == 401
    assert (await site.get("/v1/consents")).status == 200


async def test_the_name_of_the_scheme_may_be_written_in_any_case(site: Site) -> None:
    for scheme in ("bearer", "BEARER", "Bearer "):
        said = await site.call_bare("GET", "/v1/consents", headers={"Authorization": f"{scheme} {site.key}"})
        assert said.status == 200


async def test_every_operation_asks_for_the_scope_that_is_described(site: Site) -> None:
    keys = {scope: await site.add_key(scope) for scope in ("read", "write", "audit", "admin")}
    site.tracker.services.feed.close()  # a stream would go on for good
    for operation in OPERATIONS:
        if operation.scope is None:
            continue
        described = operation_at(operation.method, a_path(operation.path))
        assert described is not None
        assert described["description"].endswith(f"Scope: `{operation.scope}`.")
        for scope, key in keys.items():
            said = await site.call(operation.method, a_path(operation.path), key=key)
            if scope in {operation.scope, "admin"}:
                assert said.status not in {401, 403}, (operation.path, scope)
                continue
            assert (said.status, said.problem) == (403, "forbidden")
            assert f'error="insufficient_scope", scope="{operation.scope}"' in said.headers["WWW-Authenticate"]


async def test_the_key_is_asked_for_before_anything_else_is_looked_at(site: Site) -> None:
    said = await site.call_bare("POST", "/v1/consents?nonsense=1", data=b"{", headers={"Content-Type": "text/plain"})
    assert said.status == 401
    reader = await site.add_key("read")
    said = await site.call("POST", "/v1/consents?nonsense=1", key=reader, data=b"{")
    assert said.status == 403


async def test_a_key_works_from_when_it_is_made_until_it_is_revoked(site: Site) -> None:
    made, key = await site.tracker.api_keys.add("shop", ["read"])
    assert (await site.get("/v1/consents", key=key)).status == 200
    assert await site.tracker.api_keys.revoke(made.id)
    said = await site.get("/v1/consents", key=key)
    assert (said.status, said.problem) == (401, "unauthorized")


async def test_a_key_works_until_it_expires(site: Site) -> None:
    key = await site.add_key("read", expires_at=site.clock.now() + timedelta(minutes=1))
    site.advance(59.9)
    assert (await site.get("/v1/consents", key=key)).status == 200
    site.advance(0.1)
    assert (await site.get("/v1/consents", key=key)).status == 401


async def test_while_keys_cannot_be_looked_up_nobody_may(site: Site) -> None:
    await site.tracker.store.close()
    said = await site.get("/v1/consents")
    assert (said.status, said.problem) == (503, "not_ready")
    assert int(said.headers["Retry-After"]) > 0


async def test_personal_values_in_the_journal_are_for_the_scope_audit(site: Site) -> None:
    await site.register(user_ref="customer-42")
    for scopes, sees in (("read",), False), (("read", "write"), False), (("read", "audit"), True), (("admin",), True):
        (entry,) = (await site.get("/v1/journal", key=await site.add_key(*scopes))).json["items"]
        assert (entry.get("private") == {"user_ref": "customer-42"}) == sees
        assert ("private_salt" in entry) == sees
        assert entry["data"]["private_digest"]
