"""Who looked at what: written down before the answer, found by consent and by caller, and nothing shown that is not."""

from typing import Any

import pytest
import pytest_asyncio

from tests.usecases.bench import CONSENT
from tests.web.site import Site
from tracker.domain.errors import StorageError
from tracker.ports import Access

ONE = f"/v1/consents/demobank/{CONSENT}"
LOOKS = "/v1/audit/access"


async def looks(site: Site, query: str = "") -> list[dict[str, Any]]:
    said = await site.get(LOOKS + query)
    assert said.status == 200, said.body
    return [item for item in said.json["items"] if item["what"] != "audit.access"]


async def whats(site: Site, query: str = "") -> list[tuple[str, int]]:
    return [(item["what"], item["status"]) for item in await looks(site, query)]


async def begun(site: Site) -> str:
    tracking_id: str = (await site.register(user_ref="customer-42"))["tracking_id"]
    await site.post(site.event())
    await site.work_off()
    return tracking_id


async def test_each_look_at_a_consent_is_written_down_whatever_it_was_answered(site: Site) -> None:
    tracking_id = await begun(site)
    for path in (
        ONE,
        f"/v1/consents/lookup?provider=demobank&consent_id={CONSENT}",
        f"/v1/consents/by-tracking-id/{tracking_id}",
        f"{ONE}/timeline",
        f"{ONE}/usable",
        f"{ONE}/was-usable?at={site.clock.now():%Y-%m-%dT%H:%M:%SZ}",
        f"{ONE}/payments",
        "/v1/consents?status=Authorized",
        "/v1/consents/demobank/nobody-knows-it",
        f"{ONE}?as_of=2999-01-01T00:00:00Z",
    ):
        await site.get(path)
    found = await whats(site, f"?tracking_id={tracking_id}")
    assert found == [
        ("consent.list", 200),
        ("payment.list", 200),
        ("consent.was_usable", 200),
        ("consent.usable", 200),
        ("consent.timeline", 200),
        ("consent.show", 200),
        ("consent.show", 200),
        ("consent.show", 200),
        ("consent.register", 201),
    ]
    assert await whats(site, f"?provider=demobank&consent_id={CONSENT}") == found
    everything = await looks(site)
    assert (everything[0]["what"], everything[0]["consent_id"], everything[0]["status"]) == (
        "consent.show",
        "nobody-knows-it",
        404,
    )
    assert len(everything) == len(found) + 1, "a question that makes no sense looks at nothing"


async def test_a_look_names_the_caller_the_address_and_the_request(site: Site) -> None:
    tracking_id = await begun(site)
    key = await site.add_key("read")
    await site.get(f"{ONE}/usable", key=key, headers={"x-fapi-interaction-id": "their-own-id"})
    (look, *_) = await looks(site, f"?tracking_id={tracking_id}")
    key_id = key.split("_")[1]
    assert (look["who"], look["name"], look["peer"]) == (key_id, "test", "127.0.0.1")
    assert look["interaction_id"] == "their-own-id"
    assert [one["who"] for one in await looks(site, f"?who={key_id}")] == [key_id]
    assert await looks(site, "?who=somebody-else") == []


async def test_a_search_is_one_look_with_what_it_showed_and_without_the_user_it_named(site: Site) -> None:
    tracking_id = await begun(site)
    other = (await site.register("another"))["tracking_id"]
    await site.get("/v1/consents?user_ref=customer-42&kind=account-access")
    (look, *_) = await looks(site)
    assert (look["shown"], look["shown_ids"], look["asked"]) == (
        1,
        [tracking_id],
        {"user_ref": True, "kind": "account-access"},
    )
    assert [one["what"] for one in await looks(site, f"?tracking_id={other}")] == ["consent.register"]
    assert "customer-42" not in repr(site.rows("SELECT * FROM access_record"))


async def test_the_feed_is_a_look_at_each_consent_only_with_its_personal_values(site: Site) -> None:
    tracking_id = await begun(site)
    plain = await site.add_key("read")
    await site.get("/v1/journal", key=plain)
    await site.get("/v1/journal")
    await site.get("/v1/journal?after=1000")
    with_private, without, *_ = await looks(site)
    assert (with_private["what"], with_private["shown_ids"]) == ("journal.feed", [tracking_id])
    assert with_private["asked"]["private"] is True
    assert (without["shown"], without["shown_ids"], without["asked"]["private"]) == (with_private["shown"], [], False)


async def test_pages_of_looks_follow_one_another_and_since_and_until_bound_them(site: Site) -> None:
    tracking_id = await begun(site)
    for _ in range(5):
        site.advance(60)
        await site.get(ONE)
    whole = [item["id"] for item in await looks(site, f"?tracking_id={tracking_id}")]
    page = (await site.get(f"{LOOKS}?tracking_id={tracking_id}&limit=4")).json
    rest = (await site.get(f"{LOOKS}?tracking_id={tracking_id}&limit=4&cursor={page['next_cursor']}")).json
    assert [item["id"] for item in page["items"] + rest["items"]] == whole
    assert rest["next_cursor"] is None
    assert (await site.get(f"{LOOKS}?who=a&cursor={page['next_cursor']}")).problem == "cursor_invalid"
    latest = (await looks(site))[0]["at"]
    assert [one["at"] for one in await looks(site, f"?since={latest}")] == [latest]
    assert latest not in [one["at"] for one in await looks(site, f"?until={latest}")]


async def test_it_takes_the_scope_audit_and_names_a_consent_wholly(site: Site) -> None:
    assert (await site.get(LOOKS, key=await site.add_key("read", "write"))).problem == "forbidden"
    assert (await site.get(LOOKS, key=await site.add_key("audit"))).status == 200
    assert (await site.get(f"{LOOKS}?provider=demobank")).problem == "invalid_request"
    assert (await looks(site, "?provider=demobank&consent_id=nobody-knows-it")) == []


@pytest_asyncio.fixture
async def full(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await begun(site)

    async def refuse(_access: Access, *, flush: bool) -> None:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(site.tracker.store.accesses, "add", refuse)


async def test_what_cannot_be_written_down_is_not_shown(site: Site, full: None) -> None:
    for path in (ONE, f"{ONE}/usable", f"{ONE}/timeline", "/v1/consents", "/v1/journal", "/v1/journal/stream", LOOKS):
        assert (await site.get(path)).problem == "not_ready", path


async def test_best_effort_answers_all_the_same_and_says_so(
    site: Site, full: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(site.tracker.services.accesses, "_is_required", False)
    assert (await site.get("/v1/consents")).status == 200
    assert "A look is missing in the access record: consent.list by" in caplog.text
