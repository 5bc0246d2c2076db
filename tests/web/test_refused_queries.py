"""Queries that are refused, and how: cursors, limits, times, names."""

import pytest

from tests.web.site import Site, forged_cursor

pytestmark = pytest.mark.asyncio(loop_scope="module")


KEY = "0198f1c2-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "null",
        "%00",
        "%C3%A9",
        "0",
        KEY,
        "A" * 512,
        forged_cursor(),
        forged_cursor(1, KEY),
        forged_cursor(1, KEY, "0" * 16),
        forged_cursor(2, KEY, "0" * 16),
        forged_cursor(1, "' OR 1=1 --", "0" * 16),
        forged_cursor(1, 5, 6),
        forged_cursor(1, [KEY], {}),
        "e30",
        "Ww",
        "bnVsbA",
    ],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(shared_site: Site, cursor: str) -> None:
    for path in ("/v1/consents", "/v1/quarantine", "/v1/subscriptions"):
        said = await shared_site.get(f"{path}?cursor={cursor}")
        assert (said.status, said.problem) == (422, "cursor_invalid")


@pytest.mark.parametrize("path", ["/v1/consents", "/v1/quarantine", "/v1/subscriptions", "/v1/journal"])
@pytest.mark.parametrize("limit", ["0", "501", "-1", "+5", "5.0", "1e2", "1_0", "", "x", "9" * 30, "%D9%A5", "null"])
async def test_a_limit_is_from_1_to_500(shared_site: Site, path: str, limit: str) -> None:
    said = await shared_site.get(f"{path}?limit={limit}")
    assert (said.status, said.problem) == (422, "invalid_request")
    assert [error["pointer"] for error in said.json["errors"]] == ["/limit"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=authorized", "/status"),
        ("status=", "/status"),
        ("effective_status=Paused", "/effective_status"),
        ("provider=No", "/provider"),
        ("provider=", "/provider"),
        ("kind=a%20b", "/kind"),
        ("user_ref=", "/user_ref"),
        ("user_ref=a%0Ab", "/user_ref"),
        ("user_ref=" + "a" * 257, "/user_ref"),
        ("base_consent_id=..", "/base_consent_id"),
        ("expiring_before=tomorrow", "/expiring_before"),
        ("expiring_before=2026-03-02", "/expiring_before"),
        ("expiring_before=2026-03-02T10:15:00", "/expiring_before"),
        ("expiring_before=2026-02-30T10:15:00Z", "/expiring_before"),
        ("updated_since=1772450400", "/updated_since"),
        ("updated_since=0001-01-01T00:00:00%2B04:00", "/updated_since"),
        ("updated_since=2026-03-02T10:15:00+04:00", "/updated_since"),
        ("Status=Authorized", "/Status"),
        ("nonsense=1", "/nonsense"),
        ("a/b~c=1", "/a~1b~0c"),
    ],
)
async def test_a_search_that_makes_no_sense_says_where(shared_site: Site, query: str, pointer: str) -> None:
    said = await shared_site.get(f"/v1/consents?{query}")
    assert (said.status, said.problem) == (422, "invalid_request")
    assert [error["pointer"] for error in said.json["errors"]] == [pointer]


async def test_a_parameter_given_twice_is_refused(shared_site: Site) -> None:
    for query in ("status=Authorized&status=Authorized", "limit=1&limit=2"):
        said = await shared_site.get(f"/v1/consents?{query}")
        assert (said.status, said.problem) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("call", "query"),
    [
        ("GET /v1/consents/demobank/c", "as_of=yesterday"),
        ("GET /v1/consents/demobank/c", "known_by=2026-03-02T10:15:00Z"),
        ("GET /v1/consents/demobank/c/usable", "max_age=-1"),
        ("GET /v1/consents/demobank/c/usable", "max_age=1e3"),
        ("GET /v1/consents/demobank/c/usable", "max_age=NaN"),
        ("GET /v1/consents/demobank/c/usable", "permission="),
        ("GET /v1/consents/demobank/c/timeline", "limit=1"),
        ("POST /v1/consents/demobank/c/refresh", "force=1"),
        ("GET /v1/consents/lookup", "provider=demobank"),
        ("GET /v1/consents/by-tracking-id/x", "as_of=1"),
        ("GET /v1/journal", "until=5"),
        ("DELETE /v1/subscriptions/x", "really=1"),
    ],
)
async def test_no_call_takes_what_is_not_described(shared_site: Site, call: str, query: str) -> None:
    method, path = call.split()
    said = await shared_site.call(method, f"{path}?{query}")
    assert (said.status, said.problem) == (422, "invalid_request")


@pytest.mark.parametrize("after", ["-1", "+1", "1.0", "", "x", str(2**63), "9" * 20, "9" * 21, "1_0"])
async def test_an_after_that_is_no_sequence_is_refused(shared_site: Site, after: str) -> None:
    said = await shared_site.get(f"/v1/journal?after={after}")
    assert (said.status, said.problem) == (422, "invalid_request")


@pytest.mark.parametrize("types", ["", ",", "Consent.*", "*.x", "consent.**", "consent.*,", "a%20b", "%00", "a" * 1025])
async def test_types_that_are_none_are_refused(shared_site: Site, types: str) -> None:
    said = await shared_site.get(f"/v1/journal?types={types}")
    assert (said.status, said.problem) == (422, "invalid_request")
