"""Our public keys for notifications, and subscriptions that ask for more than a secret, over the API."""

from pathlib import Path

import pytest

from tests.web.site import Site
from tracker.adapters.notification_keys import load_notification_keys, make_notification_keys

HOOK = "https://hooks.example.com/x"
OAUTH = {"token_url": "https://as.example.com/token", "client_id": "c", "client_secret": "s3cret-1", "scope": "a b"}


def use_a_key(site: Site, folder: Path) -> str:
    path = folder / "notifications.jwks.json"
    path.touch(mode=0o600)
    path.write_text(make_notification_keys())
    keys = load_notification_keys(path)
    site.tracker.webhooks.sign_with(keys)
    return keys.kid


async def test_public_keys_are_for_everybody(site: Site, tmp_path: Path) -> None:
    assert (await site.call_bare("GET", "/v1/notification-keys")).json == {"keys": []}
    kid = use_a_key(site, tmp_path)
    said = await site.call_bare("GET", "/v1/notification-keys")
    (key,) = said.json["keys"]
    assert (said.status, key["kid"], key["whpk"][:5], "d" in key) == (200, kid, "whpk_", False)


async def test_what_is_secret_goes_in_and_never_comes_out(site: Site, tmp_path: Path) -> None:
    use_a_key(site, tmp_path)
    wanted = {"url": HOOK, "signatures": ["v1a", "v1"], "headers": {"X-Api-Key": "s3cret-2"}, "oauth": OAUTH}
    said = await site.call("POST", "/v1/subscriptions", json=wanted)
    assert said.status == 201
    made = said.json
    shown = {"token_url": OAUTH["token_url"], "client_id": "c", "scope": "a b"}
    assert (made["signatures"], made["headers"], made["oauth"]) == (["v1", "v1a"], ["X-Api-Key"], shown)
    place = f"/v1/subscriptions/{made['id']}"
    kept = await site.tracker.store.get_subscription(made["id"])
    assert kept is not None
    assert (kept.sending.headers[0].value, kept.sending.credentials is not None) == ("s3cret-2", True)
    bodies = [said.body, (await site.get(place)).body, (await site.get("/v1/subscriptions")).body]

    changed = await site.call("PATCH", place, json={"headers": {"X-Other": "s3cret-3"}})
    assert (changed.json["headers"], changed.json["oauth"]) == (["X-Other"], shown)
    assert (await site.call("PATCH", place, json={"description": "x"})).json["headers"] == ["X-Other"]
    changed = await site.call("PATCH", place, json={"headers": {}, "oauth": None, "signatures": ["v1"]})
    assert (changed.json["headers"], changed.json["oauth"], changed.json["signatures"]) == ([], None, ["v1"])
    assert not any(b"s3cret" in body for body in [*bodies, changed.body])


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"signatures": ["v1", "v1a"]}, "no signing_key"),
        ({"signatures": ["v1a"]}, "signatures are"),
        ({"headers": {"Host": "s3cret"}}, "set by the connection or by us"),
        ({"headers": {"X-A": "s3cret\n"}}, "value of the header X-A"),
        ({"client_certificate": "crm"}, "no [[client_certificate]] of this name"),
        ({"oauth": {**OAUTH, "token_url": "https://10.0.0.1/token"}}, "no address that may be posted to"),
        ({"oauth": {**OAUTH, "token_url": "http://as.example.com/token"}}, "begins with https"),
    ],
)
async def test_what_cannot_be_is_refused_when_it_is_asked_for(
    site: Site, wanted: dict[str, object], words: str
) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": HOOK})).json["id"]
    for method, path, body in (
        ("POST", "/v1/subscriptions", {"url": HOOK, **wanted}),
        ("PATCH", f"/v1/subscriptions/{made}", wanted),
    ):
        said = await site.call(method, path, json=body)
        assert (said.status, said.problem) == (422, "invalid_request")
        assert words in said.body.decode()
        assert b"s3cret" not in said.body
