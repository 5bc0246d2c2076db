"""`usable?fresh=true`: the holder is asked first where that could change the answer, within a deadline; never an error."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import event

from tests.adapters.hub.scripted_hub import says
from tests.usecases.bench import CONSENT, data
from tests.web.site import Site

ONE = f"/v1/consents/demobank/{CONSENT}"
FRESH = f"{ONE}/usable?fresh=true"


async def known(site: Site, status: str = "Authorized", **changes: Any) -> None:
    """Known, and vouched for a minute ago."""
    await site.register()
    await site.post(site.event(data(status, **changes)))
    await site.work_off()
    site.hub.message = {"Data": data(status, **changes)}
    assert (await site.call("POST", f"{ONE}/refresh")).status == 200
    site.advance(60)


async def test_what_is_known_is_young_enough_nobody_is_asked(site: Site) -> None:
    await known(site)
    asked = site.hub.count("consent")
    said = (await site.get(f"{FRESH}&max_age=60")).json
    assert (said["usable"], said["reason"], site.hub.count("consent")) == (True, "ok", asked)


@pytest.mark.parametrize("query", ["", "&max_age=59", "&max_age=0", "&max_age=59&permission=ReadBalances"])
async def test_what_is_known_is_too_old_the_holder_is_asked(site: Site, query: str) -> None:
    await known(site)
    asked = site.hub.count("consent")
    said = (await site.get(FRESH + query)).json
    assert (said["usable"], said["reason"], site.hub.count("consent")) == (True, "ok", asked + 1)
    assert (said["age_seconds"], said["confirmed_at"]) == (0.0, "2026-03-02T11:21:00.000000Z")


async def test_the_holders_answer_is_the_answer(site: Site) -> None:
    await known(site)
    site.hub.message = {"Data": data("Revoked", "2026-03-02T15:20:30+04:00")}
    said = (await site.get(FRESH)).json
    assert (said["usable"], said["reason"], said["effective_status"]) == (False, "revoked", "Revoked")


async def test_without_fresh_nobody_is_asked(site: Site) -> None:
    await known(site)
    asked = site.hub.count("consent")
    for query in ("?max_age=1", "?fresh=false&max_age=1"):
        assert (await site.get(f"{ONE}/usable{query}")).json["reason"] == "knowledge_too_old"
    assert site.hub.count("consent") == asked


@pytest.mark.parametrize("status", [500, 403, 429, 404, 302])
async def test_a_holder_that_is_away_is_no_error(site: Site, status: int) -> None:
    await known(site)
    site.hub.always["consent"] = says(status)
    said = await site.get(f"{FRESH}&max_age=30")
    assert (said.status, said.json["usable"], said.json["reason"]) == (200, False, "knowledge_too_old")
    assert said.json["age_seconds"] == 60


async def test_a_holder_that_is_slow_is_waited_for_so_long_and_its_answer_is_not_lost(site: Site) -> None:
    await known(site)
    gate = site.hub.hold("consent")
    asked = site.hub.count("consent")
    loop = asyncio.get_running_loop()
    began = loop.time()
    said = (await site.get(f"{FRESH}&within=0.2")).json
    assert 0.1 < loop.time() - began < 5
    assert (said["usable"], said["reason"]) == (False, "knowledge_too_old")
    assert site.hub.count("consent") == asked + 1
    gate.set()
    async with asyncio.timeout(10):
        while (await site.get(f"{ONE}/usable?max_age=1")).json["reason"] != "ok":
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("within", ["0", "0.05", "10.5", "-1", "soon", "1e0"])
async def test_the_deadline_has_bounds(site: Site, within: str) -> None:
    assert (await site.get(f"{FRESH}&within={within}")).problem == "invalid_request"


@pytest.mark.parametrize("fresh", ["1", "yes", "True", ""])
async def test_fresh_is_true_or_false(site: Site, fresh: str) -> None:
    assert (await site.get(f"{ONE}/usable?fresh={fresh}")).problem == "invalid_request"


@pytest.mark.parametrize("status", ["Revoked", "Rejected", "Expired"])
async def test_about_what_has_ended_nobody_is_asked(site: Site, status: str) -> None:
    await known(site, status)
    asked = site.hub.count("consent")
    assert (await site.get(FRESH)).json["reason"] == status.lower()
    assert site.hub.count("consent") == asked


@pytest.mark.parametrize("query", ["&permission=ReadParty"])
async def test_where_no_answer_would_help_nobody_is_asked(site: Site, query: str) -> None:
    await known(site)
    asked = site.hub.count("consent")
    assert (await site.get(FRESH + query)).json["reason"] == "permission_missing"
    assert (await site.get("/v1/consents/demobank/nobody/usable?fresh=true")).json["reason"] == "unknown_consent"
    site.execute("UPDATE consent SET paused = 1")
    assert (await site.get(FRESH)).json["reason"] == "paused"
    assert site.hub.count("consent") == asked


@pytest.mark.parametrize("status", ["Suspended", "AwaitingAuthorization"])
async def test_what_may_have_become_usable_is_asked_about(site: Site, status: str) -> None:
    await known(site, status)
    site.hub.message = {"Data": data("Authorized", "2026-03-02T15:20:30+04:00")}
    assert (await site.get(FRESH)).json["reason"] == "ok"


@pytest.mark.parametrize("query", ["", "?max_age=100", "?max_age=1", "?fresh=true&max_age=100"])
async def test_otherwise_it_is_one_read_by_index(site: Site, query: str) -> None:
    await known(site)
    statements: list[str] = []
    engine = site.tracker.store._database.beneath._read_engine

    def sent(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", sent)
    await site.get(f"{ONE}/usable{query}")
    event.remove(engine, "before_cursor_execute", sent)
    about_keys, about_consents = ([s for s in statements if name in s] for name in ("FROM api_key", "FROM consent"))
    assert (len(about_consents), len(about_keys), len(statements)) == (1, 1, 2)
    plan = site.rows(
        "EXPLAIN QUERY PLAN SELECT * FROM consent JOIN identity ON identity.tracking_id = consent.tracking_id "
        "WHERE identity.provider = 'demobank' AND identity.kind = 'consent_id' AND identity.value = 'x'"
    )
    assert all("SEARCH" in row[3] for row in plan), plan
