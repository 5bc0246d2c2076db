"""Looks of many kinds, each in the access record: by whatever way a consent is named, and whatever is answered."""

import pytest

from tests.usecases.bench import CONSENT
from tests.web.site import Site
from tests.web.test_access import ONE, begun, looks, whats
from tests.web.test_completions import subscribe
from tracker.domain.errors import StorageError
from tracker.ports import Access

UNKNOWN = "0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e"


async def test_an_evidence_pack_is_a_look_at_its_consent(site: Site) -> None:
    tracking_id = await begun(site)
    assert (await site.get(f"{ONE}/evidence?private=false")).status == 200
    (look, *_) = await looks(site, f"?tracking_id={tracking_id}")
    assert (look["what"], look["asked"]) == ("evidence.pack", {"private": "false"})
    assert (await site.get("/v1/consents/demobank/nobody-knows-it/evidence")).status == 404
    (look, *_) = await looks(site)
    assert (look["what"], look["consent_id"], look["status"]) == ("evidence.pack", "nobody-knows-it", 404)


async def test_what_is_asked_about_a_person_is_a_look_at_the_persons_consents_without_the_person(site: Site) -> None:
    tracking_id = await begun(site)
    erasures, holds = "/v1/privacy/erasures", "/v1/privacy/holds"
    person = {"user_ref": "customer-42"}
    await site.call("POST", erasures, json=person | {"dry_run": True})
    await site.call("POST", erasures, json=person)
    await site.get(erasures)
    await site.call("POST", holds, json=person | {"reason": "case 17"})
    await site.get(holds)
    found = await looks(site, f"?tracking_id={tracking_id}")
    assert [one["what"] for one in found][:5] == [
        "privacy.holds",
        "privacy.hold",
        "privacy.erasures",
        "privacy.erase",
        "privacy.erase",
    ]
    assert [one["asked"] for one in found[3:5]] == [
        {"user_ref": True, "dry_run": False},
        {"user_ref": True, "dry_run": True},
    ]
    assert "customer-42" not in repr(site.rows("SELECT * FROM access_record"))


async def test_a_batch_is_a_look_at_those_that_it_names(site: Site) -> None:
    tracking_id = await begun(site)
    row = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT, "user_ref": "customer-42"}
    await site.call("POST", "/v1/consents/batch", json={"items": [row, row | {"kind": "unheard-of"}]})
    (look, *_) = await looks(site)
    assert (look["what"], look["shown_ids"]) == ("consent.register_batch", [tracking_id])


async def test_what_subscribers_were_not_told_and_must_do_are_looks(site: Site) -> None:
    place = await subscribe(site)
    (tracking_id,) = {item["tracking_id"] for item in (await site.get(place)).json["items"]}
    await site.get(place.replace("completions", "failures"))
    failures, completions, *_ = await looks(site)
    assert (failures["what"], failures["shown_ids"]) == ("subscription.failures", [])
    assert (completions["what"], completions["shown_ids"]) == ("subscription.completions", [tracking_id])
    await site.call("POST", "/v1/subscriptions/preview", json={})
    preview = (await looks(site))[0]
    assert (preview["what"], preview["shown"], preview["asked"]["private"]) == ("subscription.preview", 2, False)


async def test_who_asks_by_our_key_for_what_is_not_there_is_found_by_that_key(site: Site) -> None:
    await begun(site)
    assert (await site.get(f"/v1/consents/by-tracking-id/{UNKNOWN}")).status == 404
    assert await whats(site, f"?tracking_id={UNKNOWN}") == [("consent.show", 404)]
    for odd in ("%00", "a" * 5_000, "%F0%9F%92%A9", UNKNOWN.upper()):
        assert (await site.get(f"/v1/consents/by-tracking-id/{odd}")).status == 404
    assert [one["tracking_id"] for one in (await looks(site))[:4]] == [None] * 4


async def test_a_holders_no_says_that_the_consent_is_tracked_and_is_written_down(site: Site) -> None:
    tracking_id = await begun(site)
    said = await site.call("POST", f"{ONE}/refresh")
    (look, *_) = await looks(site, f"?tracking_id={tracking_id}")
    assert (look["what"], look["status"]) == ("consent.refresh", said.status)
    assert said.status in {502, 503}


async def test_who_looked_at_a_consent_is_found_by_its_name_when_it_is_gone(site: Site) -> None:
    tracking_id = (await site.register(user_ref="customer-42"))["tracking_id"]
    await site.get(ONE)
    before = await whats(site, f"?provider=demobank&consent_id={CONSENT}")
    assert ("consent.show", 200) in before
    site.advance(2 * 86_400)
    (fate,) = (await site.call("POST", "/v1/privacy/erasures", json={"user_ref": "customer-42"})).json["items"]
    assert fate["outcome"] == "erased"
    assert (await site.get(ONE)).problem == "consent_disposed"
    assert (await site.get(f"/v1/consents/by-tracking-id/{tracking_id}")).problem == "consent_disposed"
    by_name = await whats(site, f"?provider=demobank&consent_id={CONSENT}")
    assert by_name == await whats(site, f"?tracking_id={tracking_id}")
    assert set(before) < set(by_name) and ("consent.show", 410) in by_name


async def test_head_is_a_look_too(site: Site) -> None:
    tracking_id = await begun(site)
    for path in (ONE, f"{ONE}/usable", f"{ONE}/evidence"):
        await site.call("HEAD", path)
    found = await whats(site, f"?tracking_id={tracking_id}")
    assert found[:3] == [("evidence.pack", 200), ("consent.usable", 200), ("consent.show", 200)]


async def test_what_cannot_be_written_down_is_not_shown_here_either(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(site)

    async def refuse(_access: Access, *, flush: bool) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(site.tracker.store.accesses, "add", refuse)
    for path in (f"{ONE}/evidence", "/v1/privacy/holds", "/v1/privacy/erasures"):
        assert (await site.get(path)).problem == "not_ready", path
