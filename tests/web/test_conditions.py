"""`If-Match` on what changes something."""

import pytest

from tests.usecases.bench import CONSENT, data
from tests.web.site import Site

ONE = f"/v1/consents/demobank/{CONSENT}"


@pytest.mark.parametrize(
    ("condition", "status", "problem"),
    [
        ("*", 200, None),
        ('"1"', 200, None),
        ('"0", "1"', 200, None),
        (',"0" ,, "1",', 200, None),
        ('"2"', 412, "version_conflict"),
        ('W/"1"', 412, "version_conflict"),
        ('"0", "11"', 412, "version_conflict"),
        ('"1,"', 412, "version_conflict"),
        ("1", 422, "invalid_request"),
        ('"1', 422, "invalid_request"),
        ('*, "1"', 422, "invalid_request"),
    ],
)
async def test_a_refresh_can_be_tied_to_a_version(site: Site, condition: str, status: int, problem: str | None) -> None:
    await site.register()
    site.hub.message = {"Data": data()}
    assert (await site.get(ONE)).headers["ETag"] == '"1"'
    said = await site.call("POST", f"{ONE}/refresh", headers={"If-Match": condition})
    assert said.status == status
    assert problem is None or said.problem == problem
    assert bool(site.rows("SELECT 1 FROM consent WHERE asked_at IS NOT NULL")) == (status == 200)


async def test_what_is_not_there_is_not_found_whatever_the_condition(site: Site) -> None:
    said = await site.call("POST", f"{ONE}/refresh", headers={"If-Match": '"1"'})
    assert said.problem == "consent_not_found"
    said = await site.call("DELETE", "/v1/subscriptions/nobody", headers={"If-Match": "*"})
    assert said.problem == "subscription_not_found"


async def test_a_subscription_is_changed_and_deleted_only_at_the_version_that_was_seen(site: Site) -> None:
    made = (await site.call("POST", "/v1/subscriptions", json={"url": "https://x.example/", "types": ["*"]})).json
    one = f"/v1/subscriptions/{made['id']}"
    assert (made["version"], (await site.get(one)).headers["ETag"]) == (1, '"1"')
    said = await site.call("PATCH", one, json={"description": "CRM"}, headers={"If-Match": '"1"'})
    assert (said.status, said.headers["ETag"], said.json["version"]) == (200, '"2"', 2)
    for method, path, body in (
        ("PATCH", one, {"description": "x"}),
        ("POST", f"{one}/pause", None),
        ("POST", f"{one}/resume", None),
        ("POST", f"{one}/rotate-secret", {}),
        ("DELETE", one, None),
    ):
        said = await site.call(method, path, json=body, headers={"If-Match": '"1"'})
        assert (said.status, said.problem) == (412, "version_conflict")
    assert (await site.get(one)).status == 200
    assert (await site.call("DELETE", one, headers={"If-Match": '"2"'})).status == 204
    assert (await site.call("DELETE", one)).problem == "subscription_not_found"
