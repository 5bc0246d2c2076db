"""Revoking, withdrawing, pausing and resuming over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.adapters.hub.scripted_hub import Reply, Seen, says, says_json
from tests.usecases.bench import CONSENT, data
from tests.web.site import Said, Site, open_site

ONE = f"/v1/consents/demobank/{CONSENT}"
BY = {"revoked_by": "TPP.InitiatedByUser"}


@pytest_asyncio.fixture
async def site_that_waits(database: Path, keys: Path) -> AsyncIterator[Site]:
    """A site that waits for a holder no longer than a test can."""
    async with open_site(database, keys, services={"ask_timeout_seconds": 0.05}) as made:
        yield made


async def _authorized(site: Site, **facts: Any) -> None:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    site.hub.message = {"Data": data(**facts)}


def _carries_out(site: Site, status: int = 204, body: bytes = b"") -> Reply:
    """A holder that revokes when it is asked to."""

    def reply(seen: Seen) -> Any:
        if seen.method == "PATCH":
            site.hub.message = {"Data": data("Revoked", "2026-03-02T15:20:01+04:00", RevokedBy="TPP.InitiatedByUser")}
            return says(status, body)(seen)
        return site.hub.says_signed()(seen)

    return reply


def _refuses(site: Site) -> Reply:
    def reply(seen: Seen) -> Any:
        if seen.method == "PATCH":
            return says_json({"Errors": [{"Code": "Consent.BusinessRuleViolation", "Message": "no"}]}, 400)(seen)
        return site.hub.says_signed()(seen)

    return reply


async def _revoke(site: Site, **options: Any) -> Said:
    return await site.call("POST", f"{ONE}/revoke", json=BY, **options)


async def test_a_consent_is_revoked(site: Site) -> None:
    await _authorized(site)
    site.hub.always["consent"] = _carries_out(site)
    said = await _revoke(site)
    assert said.status == 200
    assert (said.json["effective_status"], said.json["usable"]) == ("Revoked", False)
    assert (said.json["revoked_by"], said.json["confirmed_by"]) == ("TPP.InitiatedByUser", "poll")
    assert said.json["revocation"]["state"] == "ended"
    assert said.headers["ETag"] == f'"{said.json["version"]}"'
    sent, read = site.hub.seen[-2:]
    assert (sent.method, read.method) == ("PATCH", "GET")
    assert sent.raw_path == read.raw_path
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == read.headers["Authorization"]
    assert json.loads(sent.body) == {"Data": {"Status": "Revoked", "RevokedBy": "TPP.InitiatedByUser"}}
    types = [item["type"] for item in (await site.get(f"{ONE}/timeline")).json["items"]]
    assert types[-2:] == ["consent.revocation_requested", "consent.status_changed"]
    assert (await _revoke(site)).status == 200  # the first one
    assert sum(seen.method == "PATCH" for seen in site.hub.seen) == 1


async def test_a_holder_that_is_away_is_seen_and_the_request_is_kept(site: Site) -> None:
    await _authorized(site)
    site.hub.always["consent"] = says(503)
    said = await _revoke(site)
    assert said.status == 202
    revocation = said.json["revocation"]
    assert (revocation["state"], revocation["attempts"]) == ("pending", 1)
    assert (revocation["last_error"], revocation["revoked_by"]) == ("holder_unavailable", "TPP.InitiatedByUser")
    assert revocation["next_attempt_at"] > revocation["sent_at"]
    usable = (await site.get(f"{ONE}/usable")).json
    assert (usable["usable"], usable["reason"]) == (False, "revocation_pending")
    site.hub.always["consent"] = _carries_out(site)
    site.advance(6)
    assert await site.tracker.shared_revocations.run_once("demobank") == 1
    assert (await site.get(ONE)).json["effective_status"] == "Revoked"


async def test_a_refusal_is_told_and_an_administrator_may_withdraw(site: Site) -> None:
    await _authorized(site)
    site.hub.always["consent"] = _refuses(site)
    said = await _revoke(site)
    assert (said.status, said.problem) == (502, "holder_refused")
    assert "Consent.BusinessRuleViolation" in said.json["detail"]
    assert (await site.get(ONE)).json["revocation"]["state"] == "refused"
    writer = await site.add_key("write")
    assert (await site.call("DELETE", f"{ONE}/revoke", key=writer)).problem == "forbidden"
    withdrawn = await site.call("DELETE", f"{ONE}/revoke")
    assert (withdrawn.status, withdrawn.json["revocation"], withdrawn.json["usable"]) == (200, None, True)
    assert (await site.call("DELETE", f"{ONE}/revoke")).problem == "not_revocable"


async def test_a_token_that_was_withdrawn_early_is_replaced_once(site: Site) -> None:
    await _authorized(site)
    carry = _carries_out(site)
    site.hub.next["consent"].extend([says(401), carry])
    said = await _revoke(site)
    assert (said.status, site.hub.count("token")) == (200, 2)
    assert [seen.method for seen in site.hub.seen if seen.route == "consent"] == ["PATCH", "PATCH", "GET"]


async def test_a_holder_that_takes_too_long_does_not_hold_up_the_answer(site_that_waits: Site) -> None:
    site = site_that_waits
    await _authorized(site)
    gate = site.hub.hold("consent")
    said = await _revoke(site)
    assert (said.status, said.json["revocation"]["state"]) == (202, "pending")
    site.hub.always["consent"] = _carries_out(site)
    gate.set()
    async with asyncio.timeout(10):
        while (await site.get(ONE)).json["effective_status"] != "Revoked":
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"revoked_by": "LFI"}, "invalid_request"),
        ({"revoked_by": "TPP", "why": "x"}, "invalid_request"),
        ({}, "invalid_request"),
        ({"revoked_by": "no spaces"}, "invalid_request"),
    ],
)
async def test_what_makes_no_sense_is_refused(site: Site, body: Any, code: str) -> None:
    await _authorized(site)
    said = await site.call("POST", f"{ONE}/revoke", json=body)
    assert (said.status, said.problem) == (422, code)
    assert (await site.get(ONE)).json["revocation"] is None


async def test_pause_and_resume_are_told_and_may_be_repeated(site: Site) -> None:
    await _authorized(site)
    first = await site.call("POST", f"{ONE}/pause")
    assert (first.status, first.json["paused"], first.json["usable"]) == (200, True, False)
    assert (await site.get(f"{ONE}/usable")).json["reason"] == "paused"
    again = await site.call("POST", f"{ONE}/pause")
    assert again.json["version"] == first.json["version"]
    resumed = await site.call("POST", f"{ONE}/resume")
    assert (resumed.json["paused"], resumed.json["usable"]) == (False, True)
    assert (await site.call("POST", f"{ONE}/resume")).json["version"] == resumed.json["version"]
    told = [(e["type"], e["data"]["usable"]) for e in (await site.get("/v1/journal")).json["items"]][2:]
    assert told == [("consent.paused", False), ("consent.resumed", True)]


@pytest.mark.parametrize(
    ("method", "deed"), [("POST", "revoke"), ("DELETE", "revoke"), ("POST", "pause"), ("POST", "resume")]
)
async def test_if_match_and_names_are_looked_at_first(site: Site, method: str, deed: str) -> None:
    body = {"json": BY} if (method, deed) == ("POST", "revoke") else {}
    assert (await site.call(method, f"{ONE}/{deed}", **body)).problem == "consent_not_found"
    await _authorized(site)
    stale = await site.call(method, f"{ONE}/{deed}", headers={"If-Match": '"99"'}, **body)
    assert (stale.status, stale.problem) == (412, "version_conflict")
    version = (await site.get(ONE)).json["version"]
    site.hub.always["consent"] = _carries_out(site)
    said = await site.call(method, f"{ONE}/{deed}", headers={"If-Match": f'"{version}"'}, **body)
    assert said.status in ({409} if method == "DELETE" else {200})
