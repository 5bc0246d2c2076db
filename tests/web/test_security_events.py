"""Entries as Security Event Tokens, read and verified by another library than ours."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.usecases.bench import data
from tests.web.site import Site, open_site
from tracker.adapters.key_files import write_private
from tracker.adapters.notification_keys import load_notification_keys, make_notification_keys
from tracker.adapters.security_event_signer import event_signer

# RFC 9864 has a newer name for the algorithm; the older one is that which readers of tokens know.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

REVOKED = data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "notifications.jwks.json"
    write_private(path, make_notification_keys())
    return path


@pytest_asyncio.fixture
async def signing(database: Path, keys: Path, key_file: Path) -> AsyncIterator[Site]:
    async with open_site(database, keys, notifications={"signing_key": key_file}) as made:
        yield made


def published(key_file: Path) -> KeySet:
    """What a subscriber knows of our keys."""
    return KeySet.import_key_set(json.loads(json.dumps(load_notification_keys(key_file).public_jwks())))  # type: ignore[arg-type]


async def polled(site: Site, **terms: Any) -> tuple[str, dict[str, str]]:
    """A subscription to signed tokens, and what it is handed out of a story of two entries."""
    wanted = {"poll": {"format": "set", "visibility_seconds": 1}, "from_sequence": 1, **terms}
    made = await site.call("POST", "/v1/subscriptions", json=wanted)
    assert made.status == 201, made.body
    await site.register(user_ref="customer-42")
    await site.post(site.event(REVOKED))
    await site.work_off()
    return made.json["id"], await again(site, made.json["id"])


async def again(site: Site, subscription_id: str) -> dict[str, str]:
    said = await site.call("POST", f"/v1/subscriptions/{subscription_id}/poll", json={"returnImmediately": True})
    assert said.status == 200, said.body
    sets: dict[str, str] = said.json["sets"]
    return sets


async def test_a_token_is_verified_and_says_what_the_entry_says(signing: Site, key_file: Path) -> None:
    subscription_id, sets = await polled(signing)
    entries = (await signing.get("/v1/journal", key=await signing.add_key("read"))).json["items"]
    assert list(sets) == [entry["id"] for entry in entries]
    for token, entry in zip(sets.values(), entries, strict=True):
        read = jwt.decode(token, published(key_file), algorithms=["EdDSA"])
        kid = load_notification_keys(key_file).kid
        assert read.header == {"alg": "EdDSA", "kid": kid, "typ": "secevent+jwt"}
        claims = read.claims
        assert claims["jti"] == entry["id"]
        assert claims["iss"] == entry["source"]
        assert claims["aud"] == f"urn:uuid:{subscription_id}"
        assert claims["sub_id"] == {"format": "opaque", "id": entry["subject"]}
        assert claims["iat"] == signing.seconds
        assert claims["events"] == {f"urn:consent-tracker:event:{entry['type']}": entry}
        assert not {"exp", "sub"} & set(claims)  # RFC 8417 section 2.2 and RFC 9493
    registered, revoked = (jwt.decode(token, published(key_file), algorithms=["EdDSA"]) for token in sets.values())
    assert registered.claims["toe"] == registered.claims["iat"]
    assert revoked.claims["toe"] == 1772450160  # the holder's time


async def test_a_changed_token_is_refused(signing: Site, key_file: Path) -> None:
    _, sets = await polled(signing)
    token = next(iter(sets.values()))
    for place in (0, 25, token.index(".") + 1, len(token) // 2, len(token) - 10):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises((JoseError, ValueError)):
            jwt.decode(token[:place] + other + token[place + 1 :], published(key_file), algorithms=["EdDSA"])


async def test_the_same_entry_makes_the_same_token_each_time(signing: Site) -> None:
    subscription_id, sets = await polled(signing)
    signing.advance(30)
    assert await again(signing, subscription_id) == sets


async def test_personal_values_are_in_the_token_for_who_may_see_them(signing: Site, key_file: Path) -> None:
    _, sets = await polled(signing, include_private=True)
    claims = jwt.decode(next(iter(sets.values())), published(key_file), algorithms=["EdDSA"]).claims
    (entry,) = claims["events"].values()
    assert entry["private"] == {"user_ref": "customer-42"}


async def test_with_another_key_the_next_token_is_signed_with_that(signing: Site, key_file: Path) -> None:
    subscription_id, _ = await polled(signing)
    key_file.unlink()
    write_private(key_file, make_notification_keys())
    signing.tracker.services.polling.sign_with(event_signer(load_notification_keys(key_file)))
    signing.advance(30)
    for token in (await again(signing, subscription_id)).values():
        jwt.decode(token, published(key_file), algorithms=["EdDSA"])


async def test_without_a_key_nobody_can_have_tokens(signing: Site, site: Site) -> None:
    wanted = {"poll": {"format": "set"}}
    assert (await site.call("POST", "/v1/subscriptions", json=wanted)).problem == "invalid_request"
    plain = (await site.call("POST", "/v1/subscriptions", json={})).json["id"]
    assert (await site.call("PATCH", f"/v1/subscriptions/{plain}", json=wanted)).problem == "invalid_request"


async def test_when_the_key_is_gone_nothing_is_handed_out_unsigned(signing: Site) -> None:
    subscription_id, sets = await polled(signing)
    signing.tracker.services.polling.sign_with(None)
    signing.advance(30)
    said = await signing.call("POST", f"/v1/subscriptions/{subscription_id}/poll", json={})
    assert (said.status, said.problem) == (503, "not_ready")
    signing.tracker.services.polling.sign_with(
        event_signer(load_notification_keys(signing.tracker.settings.notifications.signing_key or Path()))
    )
    assert await again(signing, subscription_id) == sets
