"""Each operation of the API is written down in the access record when it shows a consent, or there is a reason why not."""

from typing import Any

import pytest

from tests.usecases.bench import CONSENT, data
from tests.web.site import Site
from tracker.web.application import OPERATIONS
from tracker.web.looks import _PERSONAL

HASHES = "shows hashes, and what is published of keys"
DELIVERIES = "shows how a subscriber is told: places in the journal, and what an endpoint answered"
PROVIDERS = "shows how providers are doing"
NOT_OPENED = "shows events that nobody could open or believe, and nothing of a consent on record"
NOT_WRITTEN_DOWN = {
    "GET /v1/audit/key": HASHES,
    "GET /v1/audit/checkpoint": HASHES,
    "POST /v1/audit/checkpoint": HASHES,
    "POST /v1/audit/checkpoint/cosignatures": HASHES,
    "GET /v1/audit/proof": HASHES,
    "GET /v1/audit/tile": HASHES,
    "GET /v1/notification-keys": HASHES,
    "POST /v1/subscriptions/{subscription_id}/completions": "keeps what a subscriber did, and shows that alone",
    "DELETE /v1/audit/exports/{export_id}": "shows nothing",
    "GET /v1/journal/stream": "writes down by itself what it shows, piece by piece",
    "POST /v1/subscriptions/{subscription_id}/challenge": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/verify": DELIVERIES,
    "GET /v1/providers": PROVIDERS,
    "GET /v1/providers/{provider}": PROVIDERS,
    "GET /v1/quarantine": NOT_OPENED,
    "GET /v1/quarantine/{event_id}": NOT_OPENED,
    "POST /v1/quarantine/{event_id}/retry": NOT_OPENED,
    "POST /v1/quarantine/retry": NOT_OPENED,
    "POST /v1/subscriptions/{subscription_id}/replay": DELIVERIES,
    "GET /v1/subscriptions/{subscription_id}/jobs": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/jobs/{job_id}/cancel": DELIVERIES,
    "POST /v1/subscriptions": DELIVERIES,
    "GET /v1/subscriptions": DELIVERIES,
    "GET /v1/subscriptions/{subscription_id}": DELIVERIES,
    "PATCH /v1/subscriptions/{subscription_id}": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/pause": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/resume": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/rotate-secret": DELIVERIES,
    "POST /v1/subscriptions/{subscription_id}/test": DELIVERIES,
    "DELETE /v1/subscriptions/{subscription_id}": DELIVERIES,
}
PERSON = "customer-4711-of-the-bank"


def test_each_operation_is_written_down_or_there_is_a_reason() -> None:
    not_written_down = {f"{one.method} {one.path}" for one in OPERATIONS if one.look is None}
    assert not_written_down == set(NOT_WRITTEN_DOWN)
    assert all(one.scope is not None for one in OPERATIONS if one.look is not None), "without a caller there is no look"


def test_what_names_a_person_in_a_query_is_known_to_be_personal() -> None:
    asked = {name for one in OPERATIONS for name in one.query.model_fields}
    assert {name for name in asked if "user" in name} | {"why"} == _PERSONAL


@pytest.mark.parametrize("dry_run", [True, False])
async def test_an_erasure_is_a_look_at_each_of_a_persons_consents(site: Site, dry_run: bool) -> None:
    tracking_id = (await site.register(user_ref=PERSON))["tracking_id"]
    await site.call("POST", "/v1/privacy/erasures", json={"user_ref": PERSON, "dry_run": dry_run})
    await site.get("/v1/privacy/erasures")
    shown = [] if dry_run else [tracking_id]
    assert [(what, ids) for what, ids, _ in await looks(site)] == [
        ("privacy.erasures", shown),
        ("privacy.erase", [tracking_id]),
    ]
    assert (await looks(site))[1][2] == {"user_ref": True, "dry_run": dry_run}
    assert PERSON not in repr(site.rows("SELECT * FROM access_record"))


async def test_holds_are_looks_at_what_they_lie_on(site: Site) -> None:
    tracking_id = (await site.register(user_ref=PERSON))["tracking_id"]
    asked = {"user_ref": PERSON, "reason": "case 17/2031"}
    (hold,) = (await site.call("POST", "/v1/privacy/holds", json=asked)).json["items"]
    await site.get("/v1/privacy/holds")
    await site.call("DELETE", f"/v1/privacy/holds/{hold['id']}?why=settled")
    found = await looks(site)
    assert [(what, ids) for what, ids, _ in found] == [
        ("privacy.release", [tracking_id]),
        ("privacy.holds", [tracking_id]),
        ("privacy.hold", [tracking_id]),
    ]
    assert found[0][2] == {"hold_id": hold["id"], "why": True}
    assert PERSON not in repr(site.rows("SELECT * FROM access_record"))


async def test_an_evidence_pack_is_a_look_and_the_next_one_tells_of_it(site: Site) -> None:
    tracking_id = (await site.register(user_ref=PERSON))["tracking_id"]
    await site.post(site.event(data("Authorized")))
    await site.work_off()
    path = f"/v1/consents/demobank/{CONSENT}/evidence"
    assert (await site.get(path)).json["pack"]["access"][-1]["what"] == "consent.register"
    assert (await site.get(f"{path}?private=false")).json["pack"]["access"][-1]["what"] == "evidence.pack"
    assert (await site.get("/v1/consents/demobank/nobody/evidence")).problem == "consent_not_found"
    found = (await site.get(f"/v1/audit/access?tracking_id={tracking_id}")).json["items"]
    assert [(one["what"], one["status"]) for one in found][:2] == [("evidence.pack", 200)] * 2


async def test_a_pack_of_what_was_erased_tells_that_it_was(site: Site) -> None:
    await site.register(user_ref=PERSON)
    site.advance(2 * 86400)
    (fate,) = (await site.call("POST", "/v1/privacy/erasures", json={"user_ref": PERSON})).json["items"]
    assert fate["outcome"] == "erased"
    made = (await site.get(f"/v1/consents/demobank/{CONSENT}/evidence")).json["pack"]
    assert [one["entry"]["type"] for one in made["entries"]] == ["consent.registered", "consent.disposed"]


async def looks(site: Site) -> list[tuple[str, list[str], dict[str, Any]]]:
    """Those of privacy, the last first."""
    found = (await site.get("/v1/audit/access")).json["items"]
    return [(one["what"], one["shown_ids"], one["asked"]) for one in found if one["what"].startswith("privacy.")]
