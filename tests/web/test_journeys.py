"""The way to an authorization: what our application tells us is noted, makes us ask, and never makes anything usable."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.adapters.hub.scripted_hub import says
from tests.profiles.json_values import json_values
from tests.usecases.bench import CONSENT, data, message
from tests.web.site import Said, Site

ONE = f"/v1/consents/demobank/{CONSENT}"
PAR, BACK, TOKEN, REFRESH = (
    f"{ONE}/{name}" for name in ("par-result", "authorization-result", "token-result", "refresh")
)
RETURNED = {"code_received": True}
AWAITING = {"status": "AwaitingAuthorization", "at": "2026-03-02T15:19:00+04:00"}


def failed(error: str, description: str | None = None) -> dict[str, Any]:
    return {"error": error} if description is None else {"error": error, "error_description": description}


def details(found: dict[str, Any], **beside: Any) -> dict[str, Any]:
    return {"authorization_details": [{"type": "urn:example:consent", "consent": {"Data": found}, **beside}]}


async def tell(site: Site, path: str, said: Any, **options: Any) -> Said:
    return await site.call("POST", path, json=said, **options)


async def told(site: Site) -> list[tuple[str, str | None, str | None, bool]]:
    """Type, to, reason and usable of every entry."""
    items = (await site.get("/v1/journal?limit=500")).json["items"]
    return [(e["type"], e["data"]["to"], e["data"]["reason"], e["data"]["usable"]) for e in items]


async def run_due(site: Site) -> int:
    """What the workers would ask now."""
    return await site.tracker.services.asker.run_once("demobank")


def holder_says(site: Site, status: str, at: str, meta: Any = None, **changes: Any) -> None:
    site.hub.message = {"Data": data(status, at, **changes)} | ({} if meta is None else {"Meta": meta})


async def settle(site: Site) -> None:
    """Registered, and asked about once: the holder does not know it yet."""
    await site.register()
    site.hub.next["consent"].append(says(404))
    assert await run_due(site) == 1
    assert await run_due(site) == 0


async def authorized(site: Site) -> None:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    holder_says(site, "Authorized", "2026-03-02T15:13:19+04:00")
    await run_due(site)
    assert (await site.get(f"{ONE}/usable")).json["usable"]


# ------------------------------------------------------------------------------------------------ each makes us ask


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (PAR, {"accepted": True, "request_uri": "urn:x:1", "expires_in": 90}),
        (PAR, {"accepted": False, "error": "invalid_request", "error_description": "no"}),
        (BACK, RETURNED),
        (BACK, failed("access_denied", "user_account_blocked")),
        (TOKEN, details({"ConsentId": CONSENT, **AWAITING})),
    ],
)
async def test_each_is_noted_and_makes_us_ask_at_once(site: Site, path: str, said: Any) -> None:
    await settle(site)
    rings = site.tracker.bells.asks.rings
    answer = await tell(site, path, said)
    assert answer.status == 202
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    assert site.tracker.bells.asks.rings > rings
    assert answer.json["next_poll_at"] == answer.json["journey"]["pushed_at" if path == PAR else _at(path)]
    holder_says(site, "AwaitingAuthorization", "2026-03-02T15:19:00+04:00")
    assert await run_due(site) == 1
    seen = (await site.get(ONE)).json
    assert (seen["status"], seen["usable"], seen["in_doubt"]) == ("AwaitingAuthorization", False, False)


def _at(path: str) -> str:
    return "returned_at" if path == BACK else "token_at"


async def test_a_running_service_asks_within_two_seconds(site: Site) -> None:
    from tracker.app.service import worker_for

    await settle(site)
    worker = worker_for(site.tracker)
    worker.start()
    try:
        before = site.hub.count("consent")
        holder_says(site, "Authorized", "2026-03-02T15:19:30+04:00")
        await tell(site, BACK, RETURNED)
        async with asyncio.timeout(2):
            await site.hub.asked("consent", before + 1)
    finally:
        await worker.stop()
    assert (await site.get(ONE)).json["status"] == "Authorized"


async def test_the_journey_is_shown_and_only_codes_of_errors_are_kept(site: Site) -> None:
    await site.register()
    await tell(site, PAR, {"accepted": True, "request_uri": "urn:x:1", "expires_in": 90})
    site.advance(30)
    seen = await tell(site, BACK, failed("access_denied", "<script>Ms Smith</script>"))
    assert seen.json["journey"] == {
        "pushed_at": "2026-03-02T11:20:00.000000Z",
        "push_accepted": True,
        "request_expires_at": "2026-03-02T11:21:30.000000Z",
        "returned_at": "2026-03-02T11:20:30.000000Z",
        "code_received": False,
        "error": "access_denied",
        "error_description": None,
        "token_at": None,
        "overdue_at": None,
    }
    assert "Smith" not in str(site.rows("SELECT * FROM consent")) + str(site.rows("SELECT * FROM report"))
    assert "urn:x:1" not in str(site.rows("SELECT * FROM consent"))
    again = await tell(site, BACK, RETURNED)
    assert (again.json["journey"]["code_received"], again.json["journey"]["error"]) == (True, None)


@pytest.mark.parametrize("path", [PAR, BACK, TOKEN])
async def test_it_is_done_at_the_version_that_was_seen_or_not_at_all(site: Site, path: str) -> None:
    said = {PAR: {"accepted": True}, BACK: RETURNED, TOKEN: details({})}[path]
    assert (await tell(site, path, said)).problem == "consent_not_found"
    await site.register()
    assert (await tell(site, path, said, headers={"If-Match": '"7"'})).problem == "version_conflict"
    assert (await site.get(ONE)).json["version"] == 1
    assert (await tell(site, path, said, headers={"If-Match": '"1"'})).status == 202
    assert (await site.get(ONE)).json["version"] == 2
    assert (await tell(site, path, said, key=await site.add_key("read"))).problem == "forbidden"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (PAR, {}),
        (PAR, {"accepted": "yes"}),
        (PAR, {"accepted": False}),
        (PAR, {"accepted": True, "error": "x"}),
        (PAR, {"accepted": False, "error": "x", "expires_in": 3}),
        (PAR, {"accepted": True, "expires_in": -1}),
        (PAR, {"accepted": True, "expires_in": 90.5}),
        (BACK, {}),
        (BACK, {"code_received": False}),
        (BACK, {"code_received": True, "error": "x"}),
        (BACK, {"code_received": True, "error_description": "x"}),
        (BACK, {"code": "the code itself"}),
        (TOKEN, {}),
        (TOKEN, {"authorization_details": []}),
        (TOKEN, {"authorization_details": [{}, {}]}),
        (TOKEN, {"authorization_details": [{"consent": None}]}),
        (TOKEN, {"authorization_details": [{"consent": {"Data": []}}]}),
        (TOKEN, details({"ConsentId": "another"})),
        (TOKEN, details({"ConsentId": ["x"]})),
        (TOKEN, details({"ConsentId": CONSENT, "Status": 7})),
        (TOKEN, details({"StatusUpdateDateTime": "yesterday", "Status": "Revoked"})),
        (REFRESH, {}),
        (REFRESH, {"because": "boredom", "status": 403}),
        (REFRESH, {"because": "access_refused", "status": 200}),
    ],
)
async def test_what_makes_no_sense_is_refused_and_notes_nothing(site: Site, path: str, said: Any) -> None:
    await site.register()
    assert (await tell(site, path, said)).problem == "invalid_request"
    seen = (await site.get(ONE)).json
    assert (seen["version"], set(seen["journey"].values())) == (1, {None})


# ------------------------------------------------------------------------------------------------ an end that they tell

ENDS = [
    ("access_denied", "user_rejected_consent"),
    ("invalid_request", "user_lacks_eligible_accounts"),
    ("access_denied", "consent_not_supported"),
    ("access_denied", "session_expired"),
    ("server_error", "lfi_internal_error"),
    ("server_error", "api_hub_communication_error"),
    ("temporarily_unavailable", "lfi_temporarily_unavailable"),
    ("access_denied", "user_failed_step_up_authentication"),
    ("invalid_request", None),
]
NO_ENDS = [("access_denied", "user_failed_to_authenticate"), ("access_denied", "user_account_blocked")]


@pytest.mark.parametrize(("error", "description", "ends"), [(*e, True) for e in ENDS] + [(*e, False) for e in NO_ENDS])
async def test_each_error_of_the_callback(site: Site, error: str, description: str | None, ends: bool) -> None:
    await authorized(site)
    said = await tell(site, BACK, failed(error, description))
    assert (said.json["status"], said.json["usable"], said.json["in_doubt"]) == ("Authorized", not ends, ends)
    assert said.json["reason"] == ("end_hinted" if ends else None)
    usable = (await site.get(f"{ONE}/usable")).json
    assert usable["reason"] == ("in_doubt" if ends else "ok")
    assert (await told(site))[2:] == [("consent.irregular", "Authorized", "end_hinted", False)] * ends
    site.advance(1)
    assert await run_due(site) == 1
    assert (await site.get(f"{ONE}/usable")).json["usable"]
    assert (await told(site))[3:] == [("consent.status_confirmed", "Authorized", None, True)] * ends


async def test_the_same_hint_again_before_anybody_has_asked_is_one_hint_and_after_it_another(site: Site) -> None:
    await authorized(site)
    for _ in range(3):
        await tell(site, BACK, failed("access_denied", "user_rejected_consent"))
    assert site.rows("SELECT count(*), max(repeats) FROM report WHERE channel = 'callback'") == [(1, 2)]
    await run_due(site)
    assert (await site.get(f"{ONE}/usable")).json["usable"]
    await tell(site, BACK, failed("access_denied", "user_rejected_consent"))
    assert not (await site.get(f"{ONE}/usable")).json["usable"]
    assert site.rows("SELECT count(*) FROM report WHERE channel = 'callback'") == [(2,)]


@pytest.mark.parametrize("status", ["Rejected", "Revoked", "Expired", "Consumed"])
async def test_an_end_that_comes_with_a_token_denies_use_until_the_holder_answered(site: Site, status: str) -> None:
    await authorized(site)
    said = await tell(site, TOKEN, details(data(status, "2026-03-02T15:19:00+04:00")))
    assert (said.json["status"], said.json["usable"]) == ("Authorized", False)
    await run_due(site)
    assert (await site.get(ONE)).json["usable"]


@pytest.mark.parametrize("beside", [{}, {"status": "Authorized"}])
async def test_a_token_is_no_proof_of_an_authorization(site: Site, beside: dict[str, str]) -> None:
    await settle(site)
    found = {"ConsentId": CONSENT} if beside else data("Authorized", "2026-03-02T15:19:00+04:00")
    said = await tell(site, TOKEN, details(found, **beside))
    assert (said.json["status"], said.json["usable"], said.json["in_doubt"]) == ("NotStaged", False, False)
    assert [kind for kind, *_ in await told(site)] == ["consent.registered"]


async def test_a_claim_that_a_token_made_first_is_the_holders_only_when_the_holder_makes_it(site: Site) -> None:
    """The timeline named the token as what told of a move, and a late event went untold because its claim was known."""
    await settle(site)
    await tell(site, TOKEN, details(data("Revoked", "2026-03-02T15:14:00+04:00")))
    site.advance(60)
    await site.post(site.event(message=message(data("Revoked", "2026-03-02T15:14:00+04:00"))))
    await site.work_off()
    (move,) = [item for item in (await site.get(f"{ONE}/timeline")).json["items"] if item["to"] == "Revoked"]
    assert (move["channel"], move["learned_at"]) == ("webhook", "2026-03-02T11:21:00.000000Z")


@pytest.mark.parametrize(
    ("status", "code", "hints"),
    [
        (403, "Consent.PermanentAccountAccessFailure", True),
        (403, "Consent.Invalid", True),
        (403, None, True),
        (401, None, True),
        (403, "Consent.TransientAccountAccessFailure", False),
        (403, "Consent.AccountTemporarilyBlocked", False),
        (403, "AccessToken.InvalidScope", False),
        (403, "GenericError", False),
        (429, None, False),
        (500, "Consent.Invalid", False),
    ],
)
async def test_a_refusal_that_our_data_application_met_is_one_more_hint(
    site: Site, status: int, code: str | None, hints: bool
) -> None:
    await authorized(site)
    site.advance(60)
    site.hub.always["consent"] = says(500)
    said = await tell(site, REFRESH, {"because": "access_refused", "status": status, "code": code})
    assert said.problem == "holder_unavailable"
    assert (await site.get(f"{ONE}/usable")).json["usable"] is not hints
    site.hub.always.clear()
    assert (await site.call("POST", REFRESH)).json["usable"]


async def test_a_refusal_is_answered_with_what_the_holder_says_now(site: Site) -> None:
    await authorized(site)
    holder_says(site, "Suspended", "2026-03-02T15:19:30+04:00")
    said = await tell(site, REFRESH, {"because": "access_refused", "status": 403})
    assert (said.status, said.json["status"]) == (200, "Suspended")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_details=json_values())
async def test_whatever_comes_with_a_token_is_noted_or_refused(site: Site, given_details: Any) -> None:
    if (await site.get(ONE)).status == 404:
        await site.register()
    for found in (given_details, [given_details], [{"consent": given_details}], [{"consent": {"Data": given_details}}]):
        said = await tell(site, TOKEN, {"authorization_details": found})
        assert said.status == 202 or said.problem in {"invalid_request", "malformed_json"}
        assert not (await site.get(ONE)).json["usable"]


# ------------------------------------------------------------------------------------------------ nobody comes back


async def look(site: Site, seconds: float) -> list[tuple[str, str | None]]:
    """Let time pass and the clock speak; give what it told beside the rest."""
    site.advance(seconds)
    await site.tracker.expiry.run_once()
    return [(reason or "", to) for kind, to, reason, _ in await told(site) if kind == "consent.authorization_overdue"]


async def test_no_callback_at_all_is_told_once_and_makes_us_ask(site: Site) -> None:
    await settle(site)
    await tell(site, PAR, {"accepted": True, "request_uri": "urn:x:1", "expires_in": 90})
    holder_says(site, "AwaitingAuthorization", "2026-03-02T15:19:00+04:00")
    await run_due(site)
    assert await look(site, 899) == []
    assert await look(site, 1) == [("no_callback", "AwaitingAuthorization")]
    seen = (await site.get(ONE)).json
    assert seen["journey"]["overdue_at"] == "2026-03-02T11:35:00.000000Z"
    assert not seen["abandoned"], "its holder has not been asked yet"
    assert await run_due(site) == 1
    assert (await site.get(ONE)).json["abandoned"]
    assert len(await look(site, 86_400)) == 1


async def test_what_is_abandoned_is_no_more_when_somebody_comes_back_after_all(site: Site) -> None:
    await site.register()
    holder_says(site, "AwaitingAuthorization", "2026-03-02T15:19:00+04:00")
    await run_due(site)
    await look(site, 900)
    await run_due(site)
    holder_says(site, "Authorized", "2026-03-02T15:40:00+04:00")
    site.advance(600)
    await tell(site, BACK, RETURNED)
    await run_due(site)
    seen = (await site.get(ONE)).json
    assert (seen["status"], seen["abandoned"], seen["usable"]) == ("Authorized", False, True)


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        (BACK, RETURNED, [("not_finished", "AwaitingAuthorization")]),
        (BACK, failed("access_denied", "user_account_blocked"), [("not_finished", "AwaitingAuthorization")]),
        (PAR, {"accepted": True}, [("no_callback", "AwaitingAuthorization")]),
    ],
)
async def test_so_long_after_the_last_that_was_heard(site: Site, path: str, said: Any, expected: list[Any]) -> None:
    await site.register()
    holder_says(site, "AwaitingAuthorization", "2026-03-02T15:19:00+04:00")
    site.advance(600)
    await tell(site, path, said)
    await run_due(site)
    assert await look(site, 899) == []
    assert await look(site, 1) == expected


async def test_where_the_holder_refused_the_request_nobody_is_waited_for(site: Site) -> None:
    await settle(site)
    await tell(site, PAR, {"accepted": False, "error": "invalid_request"})
    assert await look(site, 86_400) == []


@pytest.mark.parametrize("status", ["Authorized", "Suspended", "Rejected", "Revoked"])
async def test_who_has_decided_is_not_waited_for(site: Site, status: str) -> None:
    await site.register()
    holder_says(site, status, "2026-03-02T15:19:00+04:00")
    await run_due(site)
    assert await look(site, 86_400) == []


async def test_imported_ones_are_not_waited_for(site: Site) -> None:
    row = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT}
    assert (await site.call("POST", "/v1/consents/batch", json={"items": [row]})).status == 200
    assert await look(site, 86_400) == []


# ------------------------------------------------------------------------------------------------ several authorizers


def progress(*statuses: str) -> dict[str, Any]:
    done = [
        {"AuthorizerId": f"A{n}", "AuthorizerType": "Approver", "AuthorizationStatus": status}
        | ({} if status == "Pending" else {"AuthorizationDate": "2026-03-02T15:19:30+04:00"})
        for n, status in enumerate(statuses, 1)
    ]
    return {"MultipleAuthorizers": {"TotalRequired": len(statuses), "Authorizations": done}}


def payment_data(status: str, at: str) -> dict[str, Any]:
    found = {
        name: value for name, value in data(status, at).items() if name not in {"Permissions", "OpenFinanceBilling"}
    }
    window = {"IsSingleAuthorization": False, "AuthorizationExpirationDateTime": "2026-03-05T10:00:00+04:00"}
    return (
        found | window | {"PaymentPurposeCode": "ACM", "ControlParameters": {"ConsentSchedule": {"MultiPayment": {}}}}
    )


async def test_how_far_several_authorizers_have_come_is_shown_and_told(site: Site) -> None:
    await site.register(kind="payment")
    waiting = payment_data("AwaitingAuthorization", "2026-03-02T15:19:00+04:00")
    site.hub.message = {"Data": waiting, "Meta": progress("Pending", "Pending")}
    await run_due(site)
    site.hub.message = {"Data": waiting, "Meta": progress("Approved", "Pending")}
    await tell(site, BACK, RETURNED)
    await run_due(site)
    seen = (await site.get(ONE)).json
    assert seen["authorizers"] == {
        "total_required": 2,
        "approved": 1,
        "is_waiting": True,
        "authorizations": [
            {
                "authorizer_id": "A1",
                "authorizer_type": "Approver",
                "status": "Approved",
                "date_time": "2026-03-02T11:19:30.000000Z",
            },
            {"authorizer_id": "A2", "authorizer_type": "Approver", "status": "Pending", "date_time": None},
        ],
    }
    (entry,) = [e for e in (await site.get("/v1/journal")).json["items"] if e["type"] == "consent.terms_changed"]
    assert entry["private"]["authorizers"]["authorizations"][0]["status"] == "Approved"
    # The others have their window: nobody is overdue before its end.
    assert await look(site, 86_400) == []
    assert await look(site, 2 * 86_400) == [("not_finished", "AwaitingAuthorization")]
    site.hub.message = {
        "Data": payment_data("Authorized", "2026-03-05T10:05:00+04:00"),
        "Meta": progress("Approved", "Approved"),
    }
    site.advance(3600)
    await site.call("POST", REFRESH)
    seen = (await site.get(ONE)).json
    assert (seen["status"], seen["authorizers"]["approved"], seen["authorizers"]["is_waiting"]) == (
        "Authorized",
        2,
        False,
    )
    site.hub.message = {"Data": payment_data("Authorized", "2026-03-05T10:05:00+04:00")}
    seen = (await site.call("POST", REFRESH)).json
    assert seen["authorizers"]["approved"] == 2, "an answer that does not tell of them takes nothing back"
