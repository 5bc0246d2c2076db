"""`tracker providers`: how they are doing."""

import json
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from tests.contract.facts import DEMOBANK
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.hearing import Hearing
from tracker.domain.lags import Lags
from tracker.ports import Signs, Told


@pytest_asyncio.fixture
async def quiet(filled):
    """A provider that told one move of three, and nothing since."""
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    store = SqlStore(SqliteDatabase(filled / "tracker.db"), SystemIds())

    def script(transaction):
        book = transaction.providers
        book.lock_health(DEMOBANK)
        then = now - timedelta(hours=1)
        once = Hearing().missed(then, moved_at=then, heard_at=None)
        book.save_hearing(DEMOBANK, once.missed(then, moved_at=then, heard_at=None))
        book.count_moves(
            {
                (DEMOBANK, Told.WEBHOOK, hour): Lags.of([2.5]),
                (DEMOBANK, Told.POLL, hour): Lags.of([100.0, 4000.0]),
                (DEMOBANK, Told.MISSED, hour): Lags.of([4000.0]),
            }
        )

    await store.transact(script)
    await store.note_signs({DEMOBANK: Signs(last_event_at=now, keys_fetched_at=now, tokens_failed_at=now)})
    await store.close()
    return now


def test_of_one_that_was_never_asked_little_is_known(run, filled):
    (headings, row) = run("providers").lines
    assert headings.split()[:2] == ["id", "events"]
    assert row.split() == ["demobank", "come", "–", "–", "as", "usual", "5", "–", "unknown", "unknown"]
    assert run("providers", "list").lines == [headings, row]
    assert json.loads(run("providers", "--json").out) == json.loads(run("providers", "list", "--json").out)


def test_it_shows_one_that_has_gone_quiet(run, filled, quiet):
    shown = dict(line.split("  ", 1) for line in run("providers", "show", "demobank").lines)
    facts = {label: fact.strip() for label, fact in shown.items()}
    assert facts["events"].startswith("silent since ")
    assert facts["told"] == "33.3% of the moves of 24 h; 1 missed"
    assert facts["by webhook"] == "1: p50 2.5 s, p95 2.5 s, max 2.5 s"
    assert facts["by poll"].endswith("max 4000 s")
    assert facts["keys"].startswith("ok, ")
    assert facts["tokens"].startswith("failing, ")
    assert facts["budget"] == "5 now, 5 a second"
    told = json.loads(run("providers", "show", "demobank", "--json").out)
    assert told["events"]["quiet"] == "silent"
    assert told["moves"]["missed"] == 1


def test_who_there_is_not_is_named(run, filled):
    done = run("providers", "show", "nobody")
    assert done.status == 1
    assert "nobody" in done.says
