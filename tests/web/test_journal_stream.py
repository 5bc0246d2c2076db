"""The change feed by waiting for it: long polls and server-sent events, over real connections."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientPayloadError, ClientResponse

from tests.web.site import Site
from tracker.domain.errors import StorageError
from tracker.usecases.feed import Feed
from tracker.web.api import journal


class Events:
    """Server-sent events, read as a browser does. Spec: HTML Living Standard §9.2.6."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def __anext__(self) -> dict[str, Any]:
        """The next event that has data."""
        while True:
            told = await self.block()
            if "data" in told:
                return dict(json.loads(told["data"]))

    async def block(self) -> dict[str, str]:
        """The next one, with data or without."""
        async with asyncio.timeout(20):
            lines = (await self.response.content.readuntil(b"\n\n")).decode().splitlines()
        fields = dict(line.split(": ", 1) for line in lines if line)
        self.last_id = fields.get("id", self.last_id)
        return fields

    async def rest(self) -> None:
        """Read until it ends."""
        async with asyncio.timeout(20):
            with suppress(ClientPayloadError):
                await self.response.content.read()


@asynccontextmanager
async def following(site: Site, query: str = "", *, key: str | None = None, **headers: str) -> AsyncIterator[Events]:
    headers = {"Authorization": f"Bearer {key or site.key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    async with site.client.session.get(site.url(f"/v1/journal/stream{query}"), headers=headers) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert response.headers["Cache-Control"] == "no-store"
        yield Events(response)


def sequence(entry: dict[str, Any]) -> int:
    return int(entry["sequence"])


# ---------------------------------------------------------------------------------------------- long polls


async def test_a_reader_waits_for_what_is_not_there_yet(site: Site) -> None:
    waiting = asyncio.create_task(site.get("/v1/journal?wait=60"))
    await until_somebody_waits(site.tracker.services.feed)
    await site.register()
    said = await waiting
    assert [sequence(item) for item in said.json["items"]] == [1]
    assert said.json["next_cursor"] == "1"


async def test_what_is_there_is_not_waited_for(site: Site) -> None:
    await site.register()
    async with asyncio.timeout(10):
        assert len((await site.get("/v1/journal?wait=60")).json["items"]) == 1


async def test_who_waits_for_one_type_goes_on_behind_what_was_looked_at(site: Site) -> None:
    await site.register("c1")
    said = await site.get("/v1/journal?wait=1&types=payment.*")
    assert said.json == {"items": [], "next_cursor": "1"}


async def test_a_wait_is_at_most_a_minute(site: Site) -> None:
    for wait in ("61", "-1", "1.5", "x"):
        assert (await site.get(f"/v1/journal?wait={wait}")).problem == "invalid_request"


async def test_an_entry_that_nobody_rang_for_is_found_by_looking(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.usecases.feed._LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr("tracker.usecases.tail._LOOK_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(site.tracker.bells.journal, "ring", lambda: None)
    waiting = asyncio.create_task(site.get("/v1/journal?wait=60"))
    await until_somebody_waits(site.tracker.services.feed)
    await site.register()
    assert len((await waiting).json["items"]) == 1


# ---------------------------------------------------------------------------------------------- streams


async def test_a_stream_tells_what_comes_as_it_was_hashed(site: Site) -> None:
    await site.register("before")
    key = await site.add_key("read")
    async with following(site, key=key) as events:
        assert await events.block() == {"id": "1"}  # where to go on, before there is anything to tell
        await site.register()
        told = await anext(events)
        await site.post(site.event())
        await site.work_off()
        moved = await anext(events)
    assert [sequence(told), sequence(moved)] == [2, 3]
    assert events.last_id == "3"
    assert [told, moved] == (await site.get("/v1/journal?after=1", key=key)).json["items"]


async def test_a_stream_goes_on_behind_the_last_id_whatever_the_query_says(site: Site) -> None:
    for n in range(5):
        await site.register(f"c{n}")
    async with following(site, "?after=0", Last_Event_ID="3") as events:
        assert [sequence(await anext(events)) for _ in range(2)] == [4, 5]
    async with following(site, "?after=1&types=consent.*") as events:
        assert [sequence(await anext(events)) for _ in range(4)] == [2, 3, 4, 5]


async def test_what_is_not_wanted_moves_the_id_on_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", 0.01)
    await site.register()
    async with following(site, "?after=0&types=payment.*") as events:
        while events.last_id != "1":
            assert "data" not in await events.block()


@pytest.mark.parametrize("last", ["x", "-1", "1.0", "²", "9" * 19, "9" * 5000, " "])
async def test_an_id_that_we_never_gave_is_refused(site: Site, last: str) -> None:
    said = await site.get("/v1/journal/stream", headers={"Last-Event-ID": last})
    assert said.problem == "cursor_invalid"


async def test_beyond_the_end_a_stream_is_silent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", 0.01)
    await site.register()
    async with following(site, Last_Event_ID=str(2**63 - 1)) as events:
        assert [await events.block() for _ in range(3)] == [{"id": str(2**63 - 1)}] * 3


async def test_personal_values_are_told_to_those_who_may_see_them(site: Site) -> None:
    await site.register(user_ref="customer-42")
    for scope, sees in (("read", False), ("audit", True)):
        async with following(site, "?after=0", key=await site.add_key("read", scope)) as events:
            assert ("customer-42" in json.dumps(await anext(events))) is sees


async def test_a_stream_ends_with_its_key(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", 0.01)
    made, key = await site.tracker.api_keys.add("test", ["read"])
    async with following(site, key=key) as events:
        await events.block()
        await site.tracker.api_keys.revoke(made.id)
        await events.rest()  # it comes to an end
        await site.register()
    async with site.client.session.get(
        site.url("/v1/journal/stream"), headers={"Authorization": f"Bearer {key}"}
    ) as response:
        assert response.status == 401


async def test_a_stream_ends_when_the_database_is_away_and_goes_on_where_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise StorageError

    await site.register("c1")
    with monkeypatch.context() as patch:
        patch.setattr(journal, "HEARTBEAT_SECONDS", 0.01)
        async with following(site, "?after=0") as events:
            assert sequence(await anext(events)) == 1
            patch.setattr(site.tracker.services.feed, "await_page", away)
            await events.rest()
    await site.register("c2")
    async with following(site, Last_Event_ID=events.last_id) as events:
        assert sequence(await anext(events)) == 2


async def test_when_the_service_stops_nobody_holds_it_up(site: Site) -> None:
    async with following(site) as events:
        await events.block()
        waiting = asyncio.create_task(site.get("/v1/journal?wait=60"))
        await until_somebody_waits(site.tracker.services.feed, 2)
        async with asyncio.timeout(3):
            await site.client.server.close()
            assert (await waiting).json["items"] == []
        await events.rest()


async def test_who_only_asks_for_the_head_is_not_kept(site: Site) -> None:
    async with asyncio.timeout(10):
        said = await site.call("HEAD", "/v1/journal/stream")
    assert (said.status, said.body) == (200, b"")


# ---------------------------------------------------------------------------------------------- many readers


async def test_many_who_wait_cost_one_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    feed, store = site.tracker.services.feed, site.tracker.store
    real = store.entries_after

    async def counted(after: int, limit: int) -> Any:
        nonlocal looks
        looks += 1
        return await real(after, limit)

    await site.register("first")
    waiting = [asyncio.create_task(site.get("/v1/journal?after=1&wait=60")) for _ in range(40)]
    await until_somebody_waits(feed, 40)
    monkeypatch.setattr(store, "entries_after", counted)
    await site.register()
    assert [[sequence(item) for item in (await one).json["items"]] for one in waiting] == [[2]] * 40
    assert looks <= 3


async def until_somebody_waits(feed: Feed, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while len(feed._waiting) < count:
            await asyncio.sleep(0.001)
