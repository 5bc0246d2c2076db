"""Erasure and legal holds over the API."""

from tests.usecases.bench import CONSENT, data
from tests.web.site import Site

ERASURES = "/v1/privacy/erasures"
HOLDS = "/v1/privacy/holds"


async def _tell(site: Site, status: str = "Revoked") -> None:
    await site.register(user_ref="customer-42")
    await site.post(site.event(data(status)))
    await site.work_off()


async def test_what_a_duty_covers_is_scheduled_and_the_answer_says_until_when(site: Site) -> None:
    await _tell(site)
    asked = {"user_ref": "customer-42"}
    (looked,) = (await site.call("POST", ERASURES, json=asked | {"dry_run": True})).json["items"]
    assert (looked["outcome"], looked["because"], looked["until"]) == (
        "refused",
        ["duty"],
        "2031-03-02T06:15:00.000000Z",
    )
    assert (await site.get(ERASURES)).json == {"items": []}
    (done,) = (await site.call("POST", ERASURES, json=asked)).json["items"]
    assert (done["outcome"], done["duties"]) == (
        "scheduled",
        {"consent": looked["until"], "evidence": looked["until"]},
    )
    (waiting,) = (await site.get(ERASURES)).json["items"]
    assert (waiting["tracking_id"], waiting["look_at"]) == (done["tracking_id"], looked["until"])
    assert (await site.call("POST", ERASURES, json={"user_ref": "nobody"})).json == {"items": []}


async def test_a_hold_is_placed_listed_and_lifted(site: Site) -> None:
    await _tell(site)
    wanted = {"provider": "demobank", "consent_id": CONSENT, "reason": "case 17/2031"}
    (placed,) = (await site.call("POST", HOLDS, json=wanted)).json["items"]
    assert (await site.get(HOLDS)).json["items"] == [placed]
    looked = await site.call("POST", ERASURES, json={"user_ref": "customer-42", "dry_run": True})
    assert looked.json["items"][0]["because"] == ["duty", "legal_hold"]
    assert (await site.call("DELETE", f"{HOLDS}/{placed['id']}?why=settled")).status == 204
    assert (await site.get(HOLDS)).json["items"] == []
    assert (await site.call("DELETE", f"{HOLDS}/{placed['id']}?why=settled")).problem == "hold_not_found"
    found = (await site.get("/v1/journal?types=consent.hold_placed,consent.hold_lifted")).json["items"]
    assert [(one["private"]["reason"], one["data"]["reason"]) for one in found] == [
        ("case 17/2031", None),
        ("settled", None),
    ]


async def test_a_hold_names_one_thing(site: Site) -> None:
    for wrong in (
        {},
        {"user_ref": "a", "tracking_id": "b"},
        {"provider": "demobank"},
        {"provider": "a", "user_ref": "b"},
    ):
        said = await site.call("POST", HOLDS, json=wrong | {"reason": "x"})
        assert (said.status, said.problem) == (422, "invalid_request")
    for nobody in ({"user_ref": "nobody"}, {"tracking_id": "none"}, {"provider": "demobank", "consent_id": "none"}):
        assert (await site.call("POST", HOLDS, json=nobody | {"reason": "x"})).problem == "consent_not_found"


async def test_only_an_administrator_may(site: Site) -> None:
    key = await site.add_key("read", "write", "audit")
    assert (await site.call("POST", ERASURES, json={"user_ref": "a"}, key=key)).problem == "forbidden"
    assert (await site.get(HOLDS, key=key)).problem == "forbidden"
