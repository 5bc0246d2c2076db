"""Whether the process lives and can do its work, for those who start it and send it traffic."""

import asyncio
from pathlib import Path

import pytest

from tests.web.site import Site, open_site
from tracker.web import health


async def test_a_service_that_can_work_says_so_to_everybody(site: Site) -> None:
    for path, said in ("/livez", {"live": True}), ("/readyz", {"ready": True}):
        answer = await site.call_bare("GET", path)
        assert (answer.status, answer.json, answer.headers["Cache-Control"]) == (200, said, "no-store")
        assert (await site.call_bare("HEAD", path)).status == 200


async def test_without_its_database_it_lives_and_is_not_ready(site: Site) -> None:
    await site.tracker.store.close()
    said = await site.call_bare("GET", "/readyz")
    assert (said.status, said.problem) == (503, "not_ready")
    assert int(said.headers["Retry-After"]) > 0
    assert (await site.call_bare("GET", "/livez")).status == 200


async def test_a_broken_database_is_not_described_to_strangers(site: Site) -> None:
    site.execute("DROP TABLE journal")
    said = await site.call_bare("GET", "/readyz")
    assert (said.status, said.problem) == (503, "not_ready")
    assert b"journal" not in said.body


async def test_it_is_not_ready_when_it_says_no(database: Path, keys: Path) -> None:
    async def is_ready() -> bool:
        return False

    async with open_site(database, keys, services={"is_ready": is_ready}) as site:
        said = await site.call_bare("GET", "/readyz")
        assert (said.status, said.problem) == (503, "not_ready")


async def test_a_database_that_does_not_answer_is_not_waited_for(
    database: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_ready() -> bool:
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(health, "_ANSWER_WITHIN_SECONDS", 0.05)
    async with open_site(database, keys, services={"is_ready": is_ready}) as site:
        said = await site.call_bare("GET", "/readyz")
        assert (said.status, said.problem) == (503, "not_ready")
