"""What strangers cause fills no log: so many lines a minute for each reason, then their number."""

import logging
from pathlib import Path

import pytest

from tests import tokens
from tests.web.site import Site, open_site
from tracker.web.ration import A_MINUTE


async def test_of_each_reason_so_many_are_logged_a_minute_and_then_their_number(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "tracker.usecases.receive")
    caplog.set_level(logging.INFO, "tracker.web.receiver")
    for _ in range(A_MINUTE + 7):
        await site.post(b"hello")
    assert len(caplog.records) == A_MINUTE
    caplog.clear()
    await site.post(tokens.REFUSED_AT_GATE["kid unknown"].make())  # another reason has its own share
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    caplog.clear()
    site.advance(60)
    await site.post(b"hello")
    told = [(record.levelno, record.getMessage().partition(":")[2].strip()) for record in caplog.records]
    assert told == [(logging.WARNING, "not_compact_jwe"), (logging.INFO, "not_compact_jwe")]
    assert caplog.records[0].getMessage().startswith("7 more events at the door")
    caplog.clear()
    site.advance(60)
    await site.post(b"hello")
    assert len(caplog.records) == 1


async def test_who_is_refused_by_his_address_has_his_lines_too(
    database: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracker.web.receiver")
    async with open_site(database, keys, receiver={"allow_networks": ["192.0.2.0/24"]}) as site:
        for _ in range(A_MINUTE + 7):
            assert (await site.post(b"hello")).status == 403
        assert len(caplog.records) == A_MINUTE
        site.advance(60)
        caplog.clear()
        await site.post(b"hello")
        assert [record.getMessage() for record in caplog.records] == [
            "7 more events at the door were not logged one by one: not_allowed",
            "A request from 127.0.0.1 was refused at the door: not in allow_networks",
        ]
