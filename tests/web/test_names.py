"""Ids of consents, however strange, in a body, in a path and in a query; and what is no id."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.usecases.bench import data
from tests.web.site import Site

STRANGE = [
    "a/b",
    "urn:x:1",
    "../../par",
    "...",
    "a?b#c",
    "a%2Fb",
    "%",
    "%00",
    "a+b&c=d",
    "a;b",
    "{tracking_id}",
    "lookup",
    "by-tracking-id",
    "usable",
    'a"b\\c',
    "~!*'()",
    "x" * 128,
]
NONE = ["", ".", "..", "a b", "a\x00b", "a\r\nb", "é", "x" * 129, "\x7f"]


def in_path(text: str) -> str:
    return quote(text, safe="")


async def test_a_strange_id_is_percent_encoded_once(site: Site) -> None:
    for consent_id in STRANGE:
        body = {"provider": "demobank", "kind": "account-access", "consent_id": consent_id}
        made = await site.call("POST", "/v1/consents", json=body)
        assert (made.status, made.json["consent_id"]) == (201, consent_id)
        place = made.headers["Location"]
        assert place == f"/v1/consents/demobank/{in_path(consent_id)}"
        for path in (place, f"/v1/consents/lookup?provider=demobank&consent_id={in_path(consent_id)}"):
            assert (await site.get(path)).json == made.json
        assert (await site.get(f"{place}/timeline")).json["items"][0]["type"] == "consent.registered"
        assert (await site.get(f"{place}/usable")).json["reason"] == "not_staged"
        # A second time round it is another id.
        if "%" in in_path(consent_id):
            assert (await site.get(f"/v1/consents/demobank/{in_path(in_path(consent_id))}")).status == 404


async def test_the_holder_is_asked_about_a_strange_id_below_its_own_path(site: Site) -> None:
    for consent_id in STRANGE:
        await site.register(consent_id)
        site.hub.message = {"Data": data(ConsentId=consent_id)}
        site.clock.advance(1)  # else there would be no room for so many questions
        said = await site.call("POST", f"/v1/consents/demobank/{in_path(consent_id)}/refresh")
        assert said.json["status"] == "Authorized"
        asked = site.hub.last("consent").raw_path
        assert asked.endswith(f"/account-access-consents/{in_path(consent_id)}")


async def test_ids_that_only_look_alike_are_different_consents(site: Site) -> None:
    names = ["a/b", "a%2Fb", "a%252Fb", "A/b", "a//b", "a/b/"]
    keys = {(await site.register(name))["tracking_id"] for name in names}
    assert len(keys) == len(names)
    for name in names:
        assert (await site.get(f"/v1/consents/demobank/{in_path(name)}")).json["consent_id"] == name


@pytest.mark.parametrize("text", NONE)
async def test_what_is_no_id_is_refused_in_a_body_and_in_a_query_and_unknown_in_a_path(site: Site, text: str) -> None:
    for member in ("consent_id", "base_consent_id"):
        body = {"provider": "demobank", "kind": "account-access", "consent_id": "c", member: text}
        said = await site.call("POST", "/v1/consents", json=body)
        assert (said.status, said.problem) == (422, "invalid_request")
        assert [error["pointer"] for error in said.json["errors"]] == [f"/{member}"]
    said = await site.get(f"/v1/consents/lookup?provider=demobank&consent_id={in_path(text)}")
    assert (said.status, said.problem) == (422, "invalid_request")
    if text:
        said = await site.get(f"/v1/consents/demobank/{in_path(text)}")
        assert (said.status, said.problem) == (404, "consent_not_found")
        assert (await site.get(f"/v1/consents/demobank/{in_path(text)}/usable")).json["reason"] == "unknown_consent"


@pytest.mark.parametrize(
    "path", ["/v1/consents/demobank/a/b", "/v1/consents/demobank/../../x", "/v1/consents//x", "//v1"]
)
async def test_a_path_that_is_not_encoded_leads_nowhere(site: Site, path: str) -> None:
    await site.register("a/b")
    said = await site.get(path)
    assert (said.status, said.problem) == (404, "not_found")


async def test_an_id_in_a_path_without_need_of_encoding_may_stand_as_it_is(site: Site) -> None:
    await site.register("urn:x:1")
    assert (await site.get("/v1/consents/demobank/urn:x:1")).status == 200
    await site.register("...")
    assert (await site.get("/v1/consents/demobank/...")).status == 200


@pytest.mark.parametrize(
    "path", ["consents/%00/c", "consents/by-tracking-id/a%00", "subscriptions/%00", "quarantine/%00"]
)
async def test_nul_is_looked_for_nowhere(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses to; that is no reason to answer otherwise than to what is merely unknown."""
    looked_for: list[object] = []
    for name in ("find_watched", "get_watched", "get_subscription", "get_quarantined"):
        look = getattr(site.tracker.store, name)

        def noted(what: object, look: Any = look) -> Any:
            looked_for.append(what)
            return look(what)

        monkeypatch.setattr(site.tracker.store, name, noted)
    assert (await site.get(f"/v1/{path}")).status == 404
    assert looked_for
    assert "\0" not in str(looked_for)
    assert "\\x00" not in repr(looked_for)
