"""Consents over the API: register, look up, timeline, usable, ask now."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.hub.scripted_hub import says, says_json
from tests.usecases.bench import CONSENT, data
from tests.web.site import Said, Site, open_site
from tracker.web.api.examples import REGISTRATION

ONE = f"/v1/consents/demobank/{CONSENT}"


def tag(said: Said) -> str:
    return f'"{said.json["version"]}"'


# ---------------------------------------------------------------------------------------------- register


async def test_a_consent_is_registered_and_found_where_the_answer_says(site: Site) -> None:
    said = await site.call("POST", "/v1/consents", json=REGISTRATION)
    assert said.status == 201
    assert said.headers["Cache-Control"] == "no-store"
    assert said.headers["ETag"] == '"1"'
    assert said.headers["Content-Type"] == "application/json; charset=utf-8"
    found = said.json
    assert {name: found[name] for name in ("provider", "consent_id", "kind", "user_ref", "permissions")} == {
        name: REGISTRATION[name] for name in ("provider", "consent_id", "kind", "user_ref", "permissions")
    }
    assert (found["status"], found["usable"], found["profile"]) == ("NotStaged", False, "uae-v2.1")
    assert found["expiration_date_time"] == "2027-03-02T06:15:00.000000Z"
    assert (await site.get(said.headers["Location"])).json == found


async def test_every_fact_of_a_registration_is_kept(site: Site) -> None:
    facts: dict[str, Any] = {
        "base_consent_id": "root-1",
        "user_ref": "Zoë 😀",
        "expiration_date_time": "2027-03-02T10:15:00.123456789+04:00",
        "authorization_expiration_date_time": "2026-03-02 11:30:00z",
        "permissions": ["ReadBalances"],
        "terms": {"Purpose": ["x", {"y": 1.5}], "z": None},
    }
    found = await site.register(**facts)
    assert {name: found[name] for name in facts} == facts | {
        "expiration_date_time": "2027-03-02T06:15:00.123456Z",
        "authorization_expiration_date_time": "2026-03-02T11:30:00.000000Z",
    }
    assert (await site.get(ONE)).json == found


async def test_a_consent_that_is_tracked_already_is_answered_with_200(site: Site) -> None:
    first = await site.register(user_ref="customer-42")
    for facts in ({}, {"user_ref": "customer-42"}, {"permissions": ["ReadBalances"]}):
        again = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT, **facts}
        said = await site.call("POST", "/v1/consents", json=again)
        assert (said.status, said.json) == (200, first)
        assert "Location" not in said.headers
    assert len((await site.get("/v1/journal")).json["items"]) == 1


@pytest.mark.parametrize("other", [{"kind": "payment"}, {"user_ref": "customer-43"}, {"base_consent_id": "root-2"}])
async def test_a_consent_cannot_be_registered_again_as_another(site: Site, other: dict[str, Any]) -> None:
    await site.register(user_ref="customer-42", base_consent_id="root-1")
    again = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT, **other}
    said = await site.call("POST", "/v1/consents", json=again)
    assert (said.status, said.problem) == (409, "consent_conflict")
    assert next(iter(other)) in said.json["detail"]


async def test_the_same_id_at_two_providers_is_two_consents(site: Site) -> None:
    assert (await site.register())["tracking_id"] != (await site.register(provider="otherbank"))["tracking_id"]


async def test_a_provider_that_is_not_configured_has_no_consents(site: Site) -> None:
    body = {"provider": "nobank", "kind": "account-access", "consent_id": CONSENT}
    said = await site.call("POST", "/v1/consents", json=body)
    assert (said.status, said.problem) == (404, "provider_not_found")
    assert (await site.get(f"/v1/consents/nobank/{CONSENT}")).problem == "consent_not_found"


async def test_an_expiry_that_is_past_is_taken_and_asked_about(site: Site) -> None:
    found = await site.register(expiration_date_time="2026-01-01T00:00:00Z")
    assert found["status"] == "NotStaged"
    assert found["next_poll_at"] == "2026-03-02T11:20:00.000000Z"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_the_ends_of_time_break_nothing(site: Site, time: str) -> None:
    found = await site.register(expiration_date_time=time, authorization_expiration_date_time=time)
    site.hub.message = {"Data": data()}
    await site.tracker.expiry.run_once()
    assert (await site.call("POST", f"{ONE}/refresh")).status == 200
    await site.tracker.expiry.run_once()
    for path in (f"{ONE}/timeline", f"/v1/consents?expiring_before={time}&updated_since={time}"):
        assert (await site.get(path)).status == 200
    assert (await site.get(f"{ONE}?as_of={time}")).status == (200 if time < "2026" else 422)
    assert found["expiration_date_time"].startswith(time[:19])


# ---------------------------------------------------------------------------------------------- look up


async def test_a_consent_is_found_by_three_ways(site: Site) -> None:
    registered = await site.register()
    for path in (
        ONE,
        f"/v1/consents/lookup?provider=demobank&consent_id={CONSENT}",
        f"/v1/consents/by-tracking-id/{registered['tracking_id']}",
    ):
        said = await site.get(path)
        assert (said.status, said.json) == (200, registered)
        assert said.headers["ETag"] == tag(said)
        assert said.headers["Cache-Control"] == "no-store"
        # It changes with the clock, so nobody is ever told that it has not changed.
        assert (await site.get(path, headers={"If-None-Match": tag(said)})).status == 200
        head = await site.call("HEAD", path)
        assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag(said))


async def test_a_consent_that_is_not_tracked_is_not_found(site: Site) -> None:
    await site.register()
    for path in (
        "/v1/consents/demobank/another",
        f"/v1/consents/otherbank/{CONSENT}",
        f"/v1/consents/demobank/{CONSENT.upper()}",
        "/v1/consents/lookup?provider=demobank&consent_id=another",
        "/v1/consents/by-tracking-id/0198f1c2-0000-7000-8000-000000000000",
        "/v1/consents/by-tracking-id/%00",
        "/v1/consents/demobank/another/timeline",
    ):
        said = await site.get(path)
        assert (said.status, said.problem) == (404, "consent_not_found"), path
    said = await site.call("POST", "/v1/consents/demobank/another/refresh")
    assert (said.status, said.problem) == (404, "consent_not_found")


async def test_the_version_rises_with_what_is_learnt(site: Site) -> None:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    said = await site.get(ONE)
    assert (said.json["status"], said.headers["ETag"]) == ("Authorized", '"2"')
    assert (said.json["confirmed_by"], said.json["terms"]["Status"]) == ("webhook", "Authorized")


async def test_what_was_so_at_an_instant_can_be_asked(site: Site) -> None:
    await site.register()
    await site.post(site.event())
    await site.post(site.event(data("Revoked", "2026-03-02T15:16:00+04:00", RevokedBy="LFI.InitiatedByUser")))
    await site.work_off()
    told = {
        "2026-03-02T11:13:18Z": "NotStaged",
        "2026-03-02T11:13:19Z": "Authorized",
        "2026-03-02T15:15:59%2B04:00": "Authorized",
        "2026-03-02T15:16:00%2B04:00": "Revoked",
    }
    for instant, status in told.items():
        for path in (
            f"{ONE}?as_of={instant}",
            f"/v1/consents/lookup?provider=demobank&consent_id={CONSENT}&as_of={instant}",
        ):
            assert (await site.get(path)).json["status"] == status, instant


async def test_nobody_knows_what_will_be(site: Site) -> None:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    said = await site.get(f"{ONE}?as_of=2026-03-02T11:20:01Z")
    assert (said.status, said.problem) == (422, "invalid_request")
    assert (await site.get(f"{ONE}?as_of=2026-03-02T11:20:00Z")).json["usable"] is True


async def test_a_timeline_tells_every_move_in_the_holders_order(site: Site) -> None:
    await site.register()
    await site.post(site.event(data("Suspended", "2026-03-02T15:16:00+04:00")))
    await site.work_off()
    site.advance(1)
    await site.post(site.event(data("Authorized", "2026-03-02T15:13:19+04:00")))
    await site.work_off()
    said = await site.get(f"{ONE}/timeline")
    assert said.headers["Cache-Control"] == "no-store"
    items = said.json["items"]
    assert [(i["from"], i["to"], i["late"]) for i in items if i["type"] == "consent.status_changed"] == [
        ("NotStaged", "Authorized", True),
        ("Authorized", "Suspended", False),
    ]
    # The registration stands where our clock puts it: after what the holder dates before it.
    assert sorted(i["sequence"] for i in items) == [1, 2, 3]


# ---------------------------------------------------------------------------------------------- usable


async def test_usable_answers_for_whatever_is_asked(site: Site) -> None:
    said = await site.get(f"{ONE}/usable")
    assert (said.status, said.headers["Cache-Control"]) == (200, "no-store")
    assert said.json == {
        "usable": False,
        "reason": "unknown_consent",
        "effective_status": None,
        "confirmed_at": None,
        "age_seconds": None,
    }
    await site.register()
    assert (await site.get(f"{ONE}/usable")).json["reason"] == "not_staged"
    await site.post(site.event())
    await site.work_off()
    site.advance(20)
    assert (await site.get(f"{ONE}/usable")).json == {
        "usable": True,
        "reason": "ok",
        "effective_status": "Authorized",
        "confirmed_at": "2026-03-02T11:13:20.000000Z",
        "age_seconds": 420.0,
    }


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("permission=ReadBalances", "ok"),
        ("permission=ReadParty", "permission_missing"),
        ("permission=readbalances", "permission_missing"),
        ("max_age=400", "ok"),
        ("max_age=399.999", "knowledge_too_old"),
        ("max_age=0", "knowledge_too_old"),
        ("permission=ReadParty&max_age=0", "permission_missing"),
    ],
)
async def test_usable_says_the_first_reason_against_it(site: Site, query: str, reason: str) -> None:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    found = (await site.get(f"{ONE}/usable?{query}")).json
    assert (found["reason"], found["usable"]) == (reason, reason == "ok")


# ---------------------------------------------------------------------------------------------- ask now


async def test_the_holder_is_asked_at_once(site: Site) -> None:
    await site.register()
    site.hub.message = {"Data": data()}
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.json["status"], said.json["confirmed_by"]) == (200, "Authorized", "poll")
    assert said.headers["ETag"] == tag(said)
    assert site.hub.count("consent") == 1


async def test_a_consent_that_the_holder_does_not_know_yet_is_no_error(site: Site) -> None:
    await site.register()
    site.hub.always["consent"] = says(404)
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.json["status"]) == (200, "NotStaged")


async def test_a_holder_that_refuses_us_is_a_bad_gateway(site: Site) -> None:
    await site.register()
    site.hub.always["consent"] = says_json({}, 403)
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.problem) == (502, "holder_refused")


async def test_a_holder_that_is_down_makes_us_unavailable(site: Site) -> None:
    await site.register()
    site.hub.always["consent"] = says(500)
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.problem) == (503, "holder_unavailable")
    assert int(said.headers["Retry-After"]) > 0


async def test_a_holder_that_asks_for_patience_is_passed_on(site: Site) -> None:
    await site.register()
    site.hub.always["consent"] = says(429, Retry_After="77")
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.headers["Retry-After"]) == (503, "77")


async def test_a_holder_that_answers_about_another_consent_is_not_believed(site: Site) -> None:
    await site.register()
    site.hub.message = {"Data": data(ConsentId="another")}
    said = await site.call("POST", f"{ONE}/refresh")
    assert (said.status, said.problem) == (503, "holder_unavailable")
    assert (await site.get(ONE)).json["status"] == "NotStaged"


async def test_a_slow_answer_is_recorded_though_nobody_waits_for_it_any_more(database: Path, keys: Path) -> None:
    async with open_site(database, keys, services={"ask_timeout_seconds": 0.05}) as site:
        await site.register()
        site.hub.message = {"Data": data()}
        gate = site.hub.hold("consent")
        said = await site.call("POST", f"{ONE}/refresh")
        assert (said.status, said.problem) == (503, "holder_unavailable")
        asks = [task for task in asyncio.all_tasks() if "ask_now" in repr(task.get_coro())]
        assert len(asks) == 1
        gate.set()
        await asks[0]
        assert (await site.get(ONE)).json["status"] == "Authorized"


# ---------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
async def test_json_is_json_however_its_type_is_written(site: Site, content_type: str) -> None:
    said = await site.call("POST", "/v1/consents", json=REGISTRATION, headers={"Content-Type": content_type})
    assert said.status == 201


async def test_a_body_that_is_large_and_allowed_is_kept(site: Site) -> None:
    found = await site.register(terms={"a": "x" * 900_000})
    assert len(found["terms"]["a"]) == 900_000


async def test_our_own_mistakes_are_logged_and_not_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.register()
    site.execute("UPDATE consent SET told_status = 'Nonsense'")
    said = await site.get("/v1/consents")
    assert (said.status, said.problem) == (500, "internal_error")
    assert b"Nonsense" not in said.body
    assert "is inconsistent" in caplog.text
