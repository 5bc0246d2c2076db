"""Bodies that are refused: what is no JSON, what could be read in two ways, what makes no sense, what is too much."""

import io
import json
from typing import Any

import pytest

from tests.web.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = {"provider": "demobank", "kind": "account-access", "consent_id": "c"}
HOOK = "https://hooks.example.com/x"
JSON = {"Content-Type": "application/json"}


async def send(site: Site, body: bytes, path: str = "/v1/consents", **headers: str) -> tuple[int, str]:
    """Send a body as it is; give the status and the problem."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    said = await site.call("POST", path, data=io.BytesIO(body), headers={**JSON, **named})
    return said.status, said.problem


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hello",
        b"provider=demobank",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 1}',
        b'{"terms": {"b": {"c": 1, "\\u0063": 2}}}',
        b'{"a": "\\ud800"}',
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 500_000,
        b'{"terms": ' + b'{"a":' * 64 + b"1" + b"}" * 65,
        b'{"terms": {"a": ' + b"9" * 100_000 + b"}}",
    ],
    ids=lambda body: body[:24].decode(errors="replace"),
)
async def test_what_is_no_json_or_could_be_read_in_two_ways_is_refused(shared_site: Site, body: bytes) -> None:
    for path in ("/v1/consents", "/v1/subscriptions"):
        assert await send(shared_site, body, path) == (400, "malformed_json")
    assert shared_site.rows("SELECT count(*) FROM consent") == [(0,)]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"nonsense": 1}, ["/nonsense"]),
        ({"Provider": "demobank"}, ["/Provider"]),
        ({"status": "Authorized"}, ["/status"]),
        ({"tracking_id": "x"}, ["/tracking_id"]),
        ({"a/b": 1, "c~d": 2}, ["/a~1b", "/c~0d"]),
        ({"provider": None}, ["/provider"]),
        ({"provider": 1}, ["/provider"]),
        ({"consent_id": ["c"]}, ["/consent_id"]),
        ({"kind": "a b"}, ["/kind"]),
        ({"user_ref": 42}, ["/user_ref"]),
        ({"user_ref": ""}, ["/user_ref"]),
        ({"user_ref": "a\u0000b"}, ["/user_ref"]),
        ({"user_ref": "a" * 257}, ["/user_ref"]),
        ({"permissions": "ReadBalances"}, ["/permissions"]),
        ({"permissions": ["ReadBalances", 1]}, ["/permissions/1"]),
        ({"permissions": ["p"] * 101}, ["/permissions"]),
        ({"terms": []}, ["/terms"]),
        ({"terms": "x"}, ["/terms"]),
        ({"expiration_date_time": 1772450400}, ["/expiration_date_time"]),
        ({"expiration_date_time": "1772450400"}, ["/expiration_date_time"]),
        ({"expiration_date_time": "2026-03-02T10:15:00"}, ["/expiration_date_time"]),
        ({"expiration_date_time": "2026-03-02T10:15:00+0400"}, ["/expiration_date_time"]),
        ({"expiration_date_time": "2026-02-30T10:15:00Z"}, ["/expiration_date_time"]),
        ({"expiration_date_time": "9999-12-31T23:59:59-04:00"}, ["/expiration_date_time"]),
        ({"authorization_expiration_date_time": True}, ["/authorization_expiration_date_time"]),
    ],
    ids=str,
)
async def test_a_registration_that_makes_no_sense_says_where(
    shared_site: Site, changes: dict[str, Any], pointers: list[str]
) -> None:
    said = await shared_site.call("POST", "/v1/consents", json=GOOD | changes)
    assert (said.status, said.problem) == (422, "invalid_request")
    assert [error["pointer"] for error in said.json["errors"]] == pointers
    assert shared_site.rows("SELECT count(*) FROM consent") == [(0,)]


@pytest.mark.parametrize("missing", list(GOOD))
async def test_a_registration_that_lacks_something_says_what(shared_site: Site, missing: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != missing}
    said = await shared_site.call("POST", "/v1/consents", json=rest)
    assert [error["pointer"] for error in said.json["errors"]] == [f"/{missing}"]


@pytest.mark.parametrize("body", [[], 1, "x", None, [GOOD]], ids=str)
async def test_a_body_that_is_no_object_is_refused(shared_site: Site, body: Any) -> None:
    assert await send(shared_site, json.dumps(body).encode()) == (422, "invalid_request")


async def test_a_kind_that_the_profile_does_not_have_is_refused_with_those_it_has(shared_site: Site) -> None:
    said = await shared_site.call("POST", "/v1/consents", json=GOOD | {"kind": "library-card"})
    assert (said.status, said.problem) == (422, "invalid_request")
    assert "account-access, payment, insurance" in said.json["detail"]


async def test_what_a_caller_sent_is_not_repeated_to_whoever_reads_the_answer(shared_site: Site) -> None:
    said = await shared_site.call("POST", "/v1/consents", json=GOOD | {"user_ref": "secret\n", "permissions": "secret"})
    assert b"secret" not in said.body


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/vnd.x+json", "json"],
)
async def test_only_json_is_read(shared_site: Site, content_type: str) -> None:
    for path in ("/v1/consents", "/v1/subscriptions"):
        assert await send(shared_site, json.dumps(GOOD).encode(), path, Content_Type=content_type) == (
            415,
            "unsupported_media_type",
        )


async def test_a_body_that_is_too_large_is_refused_however_it_comes(shared_site: Site) -> None:
    large = json.dumps(GOOD | {"terms": {"a": "x" * 1024 * 1024}}).encode()
    assert await send(shared_site, large) == (413, "body_too_large")
    said = await shared_site.call("POST", "/v1/consents", data=_pieces(large), headers=JSON)
    assert (said.status, said.problem) == (413, "body_too_large")


async def _pieces(body: bytes) -> Any:
    for at in range(0, len(body), 50_000):
        yield body[at : at + 50_000]


async def test_a_body_that_does_not_unpack_is_no_json(shared_site: Site) -> None:
    assert await send(shared_site, b"no gzip", Content_Encoding="gzip") == (400, "malformed_json")


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("PUT /v1/consents", {"GET", "HEAD", "POST"}),
        ("DELETE /v1/consents/demobank/c", {"GET", "HEAD"}),
        ("GET /v1/consents/demobank/c/refresh", {"POST"}),
        ("POST /v1/journal", {"GET", "HEAD"}),
        ("PUT /v1/subscriptions/x", {"GET", "HEAD", "DELETE", "PATCH"}),
        ("POST /livez", {"GET", "HEAD"}),
    ],
)
async def test_what_cannot_be_done_here_says_what_can(shared_site: Site, call: str, allowed: set[str]) -> None:
    said = await shared_site.call(*call.split())
    assert (said.status, said.problem) == (405, "method_not_allowed")
    assert set(said.headers["Allow"].replace(" ", "").split(",")) == allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://hooks.example.com/x"},
        {"url": "https://127.0.0.1/x"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "https://user:pass@hooks.example.com/"},
        {"url": ""},
        {"url": "https://h.example.com/" + "x" * 2048},
        {"types": []},
        {"types": "consent.*"},
        {"types": ["Consent"]},
        {"types": ["*.x"]},
        {"types": ["consent.*"] * 51},
        {"filter": {"to": ["revoked"]}},
        {"filter": {"to": "Revoked"}},
        {"filter": {"provider": ["No"]}},
        {"filter": {"consent_id": ["x"]}},
        {"filter": None},
        {"description": "a\nb"},
        {"description": "a" * 501},
        {"from_sequence": 0},
        {"from_sequence": 1.0},
        {"from_sequence": "1"},
        {"from_sequence": 2**63},
        {"order": "strict"},
        {"include_private": "yes"},
        {"secret": "whsec_mine"},
    ],
    ids=lambda changes: str(changes)[:60],
)
async def test_a_subscription_that_makes_no_sense_is_refused(shared_site: Site, changes: dict[str, Any]) -> None:
    said = await shared_site.call("POST", "/v1/subscriptions", json={"url": HOOK, **changes})
    assert (said.status, said.problem) == (422, "invalid_request")
    assert said.json.get("detail") or said.json["errors"]
    assert shared_site.rows("SELECT count(*) FROM subscription") == [(0,)]
