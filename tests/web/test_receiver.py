"""The door for events: what is answered, and what is kept before it is."""

import asyncio
import gzip
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from tests import tokens
from tests.web.site import DOOR, Said, Site, open_site

ID = "x-fapi-interaction-id"
LARGEST = 64 * 1024


async def chunked(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """A body without a Content-Length."""
    for at in range(0, len(body), size):
        yield body[at : at + size]


def inbox(site: Site) -> int:
    found: int = site.rows("SELECT count(*) FROM inbox")[0][0]
    return found


def looks(said: Said) -> tuple[int, bytes, frozenset[str]]:
    """All that a sender sees of an answer, but for the id that is its own and the time of day."""
    return said.status, said.body, frozenset(name.lower() for name in said.headers)


async def speak(site: Site, request: bytes, *, hang_up: bool = False) -> bytes:
    """Send bytes as they are, and read the head of the answer; nothing if there is none."""
    reader, writer = await asyncio.open_connection(site.client.host, site.client.port)
    try:
        writer.write(request)
        await writer.drain()
        if hang_up:
            writer.write_eof()
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


# ---------------------------------------------------------------------------------------------- taken in


@pytest.mark.parametrize("content_type", ["application/jose", "application/json", "text/plain", "nonsense"])
async def test_an_event_is_kept_and_answered_with_an_empty_202(site: Site, content_type: str) -> None:
    body = site.event()
    said = await site.post(body, headers={"Content-Type": content_type, ID: "9d1a-7:x_y.z"})
    assert (said.status, said.body, said.headers[ID]) == (202, b"", "9d1a-7:x_y.z")
    assert site.rows("SELECT body, interaction_id, profile FROM inbox") == [(body, "9d1a-7:x_y.z", "uae-v2.1")]


async def test_an_event_of_exactly_the_largest_size_is_kept(site: Site) -> None:
    body = site.event()
    assert (await site.post(body + b" " * (LARGEST - len(body)))).status == 202
    assert (await site.post(chunked(body + b"\n" * (LARGEST - len(body))))).status == 202
    assert site.rows("SELECT DISTINCT body FROM inbox") == [(body,)]


async def test_an_event_may_come_compressed(site: Site) -> None:
    body = site.event()
    said = await site.post(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    assert said.status == 202
    assert site.rows("SELECT body FROM inbox") == [(body,)]


@pytest.mark.parametrize("hint", ["demobank", "otherbank", "nobody", "%2e%2e", "a%00b", "x" * 300])
async def test_the_provider_in_the_path_is_not_believed(site: Site, hint: str) -> None:
    await site.register()
    said = await site.post(site.event(), path=f"{DOOR}/{hint}")
    assert said.status == 202
    await site.work_off()
    assert site.rows("SELECT provider, status FROM consent") == [("demobank", "Authorized")]


@pytest.mark.parametrize("sent", [None, "", "a b", "<script>", "a" * 129, "%0d%0aSet-Cookie:x", "é"])
async def test_an_interaction_id_is_made_where_none_can_be_echoed(site: Site, sent: str | None) -> None:
    said = await site.post(site.event(), headers={} if sent is None else {ID: sent})
    assert said.status == 202
    assert UUID(said.headers[ID]).version == 4
    assert site.rows("SELECT interaction_id FROM inbox") == [(said.headers[ID],)]


@pytest.mark.parametrize(
    "header",
    [
        b"a\r\n Set-Cookie: evil=1",
        b"a\nSet-Cookie: evil=1",
        b"a\rSet-Cookie: evil=1",
        b"a\x00b",
        b"a" * 10_000,
    ],
    ids=["folded", "LF", "CR", "NUL", "10 KB"],
)
async def test_a_header_that_is_none_is_refused_and_not_echoed_as_one(site: Site, header: bytes) -> None:
    body = site.event()
    request = b"POST %s HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n" % (
        DOOR.encode(),
        ID.encode(),
        header,
        len(body),
    )
    head = await speak(site, request + body)
    assert head.split(b" ")[1] == b"400"
    assert b"set-cookie" not in head.lower()
    assert b"aaaa" not in head
    assert inbox(site) == 0


# ---------------------------------------------------------------------------------------------- refused


async def test_whatever_is_refused_looks_alike_and_is_kept_nowhere(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracker.web.receiver")
    seen = {}
    for name, bad in tokens.REFUSED_AT_GATE.items():
        for sent in (bad.make(), chunked(bad.make())):
            caplog.clear()
            said = await site.post(sent)
            assert said.headers[ID], name
            if name != "64 KiB + 1":
                seen[name] = looks(said)
                # Why stands in the log. That a key of ours may be missing is said besides: see tests/usecases/test_our_keys.py.
                (record,) = [one for one in caplog.records if one.name == "tracker.web.receiver"]
                assert record.getMessage().endswith(bad.reason), name
                assert record.levelno == logging.INFO, name
            else:
                assert (said.status, said.body) == (413, b"")
    assert len(seen) == len(tokens.REFUSED_AT_GATE) - 1
    assert set(seen.values()) == {seen["not a JWE"]}
    assert seen["not a JWE"][:2] == (400, b"")
    assert inbox(site) == 0
    assert site.rows("SELECT count(*) FROM quarantine") == [(0,)]


async def test_a_body_that_is_one_byte_too_large_is_refused(site: Site) -> None:
    body = site.event()
    padded = body + b" " * (LARGEST + 1 - len(body))
    for sent in (padded, chunked(padded)):
        assert (await site.post(sent)).status == 413
    assert inbox(site) == 0


async def test_a_length_that_is_too_large_is_refused_without_waiting_for_the_body(site: Site) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (DOOR.encode(), LARGEST + 1)
    answer = await speak(site, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Connection: close" in answer


async def test_a_small_body_that_unpacks_to_a_large_one_is_refused(site: Site) -> None:
    bomb = gzip.compress(b"A" * 20_000_000)
    assert len(bomb) < LARGEST
    assert (await site.post(bomb, headers={"Content-Encoding": "gzip"})).status == 413
    assert inbox(site) == 0


async def test_a_body_that_does_not_unpack_is_refused_like_any_other(site: Site) -> None:
    said = await site.post(b"no gzip at all", headers={"Content-Encoding": "gzip"})
    assert (said.status, said.body) == (400, b"")


async def test_a_body_that_ends_before_its_time_is_nowhere(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" % DOOR.encode()
    await speak(site, head + site.event()[:100], hang_up=True)
    assert inbox(site) == 0
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert (await site.post(site.event())).status == 202


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_leads_through_the_door(site: Site, method: str) -> None:
    for path in (DOOR, f"{DOOR}/demobank"):
        said = await site.call_bare(method, path, data=site.event())
        assert (said.status, said.headers["Allow"]) == (405, "POST")
    assert inbox(site) == 0


@pytest.mark.parametrize("profile", ["paynet-ofp", "uae-v2.2", "UAE-V2.1", "%00", "..%2fuae-v2.1"])
async def test_there_is_no_door_for_what_is_not_configured(site: Site, profile: str) -> None:
    said = await site.call_bare("POST", f"/webhooks/{profile}", data=site.event())
    assert said.status == 404
    assert inbox(site) == 0


async def test_a_body_that_is_too_slow_is_given_up(database: Path, keys: Path) -> None:
    async with open_site(database, keys, receiver={"body_timeout_seconds": 0.05}) as site:
        head = b"POST %s HTTP/1.1\r\nHost: x\r\n%s: slow-1\r\nContent-Length: 5000\r\n\r\n" % (
            DOOR.encode(),
            ID.encode(),
        )
        answer = await speak(site, head + site.event()[:100])
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"slow-1" in answer
        assert inbox(site) == 0


# ---------------------------------------------------------------------------------------------- cannot be taken in now


async def test_a_full_inbox_says_when_to_come_again_and_then_takes_more(database: Path, keys: Path) -> None:
    async with open_site(database, keys, receiver={"inbox_max_events": 2}) as site:
        await site.register()
        assert [(await site.post(site.event())).status for _ in range(2)] == [202, 202]
        said = await site.post(site.event(), headers={ID: "come-again"})
        assert (said.status, said.body, said.headers[ID]) == (503, b"", "come-again")
        assert int(said.headers["Retry-After"]) > 0
        await site.work_off()
        site.advance(2)
        assert (await site.post(site.event())).status == 202


async def test_an_inbox_that_nobody_works_off_takes_no_more(site: Site) -> None:
    assert (await site.post(site.event())).status == 202
    site.advance(301)
    assert (await site.post(site.event())).status == 503
    assert inbox(site) == 1


async def test_what_the_database_does_not_take_is_not_answered_for(site: Site) -> None:
    site.execute("CREATE TRIGGER disk_full BEFORE INSERT ON inbox BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    said = await site.post(site.event())
    assert (said.status, said.body) == (503, b"")
    assert int(said.headers["Retry-After"]) > 0
    assert inbox(site) == 0
    site.execute("DROP TRIGGER disk_full")
    assert (await site.post(site.event())).status == 202


async def test_while_the_database_is_away_nothing_is_answered_for(site: Site) -> None:
    await site.tracker.store.close()
    assert (await site.post(site.event())).status == 503
    # What is refused for its form is refused as ever: it needs no database.
    assert (await site.post(b"hello")).status == 400


async def test_202_goes_out_only_after_the_commit(site: Site) -> None:
    await site.post(site.event())  # so that the inbox has been looked at
    with closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can commit now
        posts = [asyncio.create_task(site.post(site.event())) for _ in range(5)]
        answered, _ = await asyncio.wait(posts, timeout=0.3, return_when=asyncio.FIRST_COMPLETED)
        assert answered == set()
        assert inbox(site) == 1
        other.execute("ROLLBACK")
        assert [said.status for said in await asyncio.gather(*posts)] == [202] * 5
    assert inbox(site) == 6
