"""Partitions: what is written past the last one is kept, the next ones are made in time, and whole days are forgotten."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.contract.facts import START, a_consent, a_decision, a_report, an_evidence, draft_about, stored
from tests.postgres import query
from tracker.adapters.store.partitions import ENTRIES_IN_ONE
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Channel, Status
from tracker.domain.errors import StorageError
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Confirmation, Transaction

DAY = timedelta(days=1)
LATER = START + 10_000 * DAY  # long after the schema was made, whenever that is


def parts(url: str, table: str) -> dict[str, int]:
    """The partitions of a table, and how many rows each has."""
    names = query(
        url,
        f"SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = '{table}'::regclass ORDER BY 1",
    )
    return {row["name"]: query(url, f"SELECT count(*) FROM {row['name']}")[0][0] for row in names}


async def append(store: SqlStore, count: int, consent: TrackedConsent) -> None:
    def script(transaction: Transaction) -> None:
        transaction.lock_tracked([consent.tracking_id])
        transaction.append([draft_about(consent) for _ in range(count)], START)

    await store.transact(script)


async def confirm(store: SqlStore, *times: datetime) -> None:
    def script(transaction: Transaction) -> None:
        for when in times:
            transaction.add_confirmation(
                Confirmation(
                    tracking_id=consent.tracking_id,
                    vouched_at=when,
                    recorded_at=when,
                    channel=Channel.POLL,
                    status=Status.AUTHORIZED,
                )
            )

    consent = a_consent()
    await store.transact(script)


async def saved(store: SqlStore) -> TrackedConsent:
    consent = a_consent()
    await store.transact(lambda t: t.save(consent, a_decision(), next_ask_at=None, next_tick_at=None))
    return consent


def jump(url: str, sequence: int) -> None:
    query(url, f"UPDATE journal SET next_sequence = {sequence}")


@asynccontextmanager
async def in_the_middle_of(url: str, statement: str) -> AsyncIterator[None]:
    """Another transaction that has done something, and has not ended."""
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute(statement)
            yield
    finally:
        await other.close()


# ---------------------------------------------------------------------------------------------- the journal


async def test_the_journal_goes_past_its_last_partition_and_nobody_was_there_to_make_the_next(
    store: SqlStore, url: str
) -> None:
    consent = await saved(store)
    jump(url, ENTRIES_IN_ONE - 3)
    await append(store, 3, consent)
    await append(store, 4, consent)
    expected = list(range(ENTRIES_IN_ONE - 3, ENTRIES_IN_ONE + 4))
    assert [e.sequence for e in await store.entries_after(0, 100)] == expected
    assert parts(url, "entry") == {f"entry_before_{ENTRIES_IN_ONE}": 3, "entry_rest": 4}

    await store.trim(START)
    assert parts(url, "entry") == {
        f"entry_before_{ENTRIES_IN_ONE}": 3,
        f"entry_before_{2 * ENTRIES_IN_ONE}": 4,
        f"entry_before_{3 * ENTRIES_IN_ONE}": 0,
        "entry_rest": 0,
    }
    await append(store, 1, consent)
    assert [e.sequence for e in await store.entries_of(consent.tracking_id)] == [*expected, expected[-1] + 1]
    assert parts(url, "entry")[f"entry_before_{2 * ENTRIES_IN_ONE}"] == 5


async def test_there_is_always_one_partition_more_than_the_one_that_is_written(store: SqlStore, url: str) -> None:
    await store.trim(START)
    names = [f"entry_before_{ENTRIES_IN_ONE}", f"entry_before_{2 * ENTRIES_IN_ONE}", "entry_rest"]
    assert list(parts(url, "entry")) == sorted(names)
    await store.trim(START)
    assert list(parts(url, "entry")) == sorted(names)
    jump(url, ENTRIES_IN_ONE + 1)
    await store.trim(START)
    assert list(parts(url, "entry")) == sorted([*names, f"entry_before_{3 * ENTRIES_IN_ONE}"])


async def test_what_was_taken_near_the_end_of_a_range_gets_a_longer_one(store: SqlStore, url: str) -> None:
    """While the rest becomes a partition the head moves on: what comes must fit it too."""
    consent = await saved(store)
    jump(url, 2 * ENTRIES_IN_ONE - 1)
    await append(store, 1, consent)
    await store.trim(START)
    assert parts(url, "entry") == {
        f"entry_before_{ENTRIES_IN_ONE}": 0,
        f"entry_before_{3 * ENTRIES_IN_ONE}": 1,
        "entry_rest": 0,
    }


async def test_a_new_partition_is_stored_and_indexed_as_the_others(store: SqlStore, url: str) -> None:
    await store.trim(START)

    def told(name: str) -> tuple[list[str], list[str]]:
        columns = query(
            url,
            f"SELECT attname || attstorage::text || attcompression::text || attnotnull FROM pg_attribute"
            f" WHERE attrelid = '{name}'::regclass AND attnum > 0 ORDER BY attnum",
        )
        indexes = query(
            url,
            f"SELECT regexp_replace(pg_get_indexdef(indexrelid), '.*USING', '') || indisprimary FROM pg_index"
            f" WHERE indrelid = '{name}'::regclass ORDER BY 1",
        )
        return [row[0] for row in columns], [row[0] for row in indexes]

    for table in ("entry", "confirmation"):
        first, *others = [told(name) for name in parts(url, table)]
        assert [other for other in others if other != first] == []


# ---------------------------------------------------------------------------------------------- confirmations


async def test_confirmations_of_days_that_nobody_made_a_partition_for_are_kept(store: SqlStore, url: str) -> None:
    await confirm(store, START, LATER, LATER + DAY)
    assert [n for name, n in parts(url, "confirmation").items() if name.endswith("_rest")] == [2]
    await store.trim(LATER + DAY)
    found = parts(url, "confirmation")
    assert found["confirmation_rest"] == 0
    assert found[f"confirmation_before_{LATER + 3 * DAY:%Y%m%d}"] == 2  # both days, and all since the schema was made
    assert f"confirmation_before_{LATER + 8 * DAY:%Y%m%d}" in found


async def test_days_are_dropped_when_they_are_old_and_no_sooner(store: SqlStore, url: str) -> None:
    await store.trim(LATER)
    await confirm(store, *(LATER + n * DAY for n in range(7)))
    assert sum(parts(url, "confirmation").values()) == 7
    await store.trim(LATER + 402 * DAY)
    kept = query(url, "SELECT min(recorded_at) FROM confirmation")[0][0]
    assert kept == LATER + 2 * DAY
    dropped = {f"confirmation_before_{LATER + n * DAY:%Y%m%d}" for n in (1, 2)}
    assert dropped.isdisjoint(parts(url, "confirmation"))


async def test_what_a_clock_put_far_ahead_stays_where_it_is_and_is_told_of(
    store: SqlStore, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await confirm(store, LATER, LATER + 5000 * DAY)
    await store.trim(LATER)
    assert parts(url, "confirmation")["confirmation_rest"] == 2
    assert "confirmation_rest holds what is far ahead of our clock" in caplog.text
    await store.trim(LATER + 450 * DAY)  # what has become old is deleted, and the days go on
    assert parts(url, "confirmation")["confirmation_rest"] == 1
    assert f"confirmation_before_{LATER + 457 * DAY:%Y%m%d}" in parts(url, "confirmation")


# ---------------------------------------------------------------------------------------------- reports


async def test_a_digest_is_on_record_once(store: SqlStore, url: str) -> None:
    consent = await saved(store)
    await store.transact(lambda t: t.add_report(stored(a_report(1), consent), an_evidence()))
    with pytest.raises(StorageError):
        await store.transact(lambda t: t.add_report(stored(a_report(1), consent), an_evidence()))
    assert sum(parts(url, "report").values()) == 1


async def test_reports_are_spread_over_all_partitions(store: SqlStore, url: str) -> None:
    consents = [a_consent(f"consent-{n}") for n in range(64)]

    def script(transaction: Transaction) -> None:
        for consent in consents:
            transaction.add_report(stored(a_report(consent.consent_id), consent), None)

    await store.transact(script)
    found = parts(url, "report")
    assert len(found) == 8
    assert min(found.values()) > 0
    for consent in consents:
        assert [r.consent_id for r in await store.reports_of(consent.tracking_id)] == [consent.consent_id]


# ---------------------------------------------------------------------------------------------- nobody waits


async def test_making_partitions_waits_for_no_writer(store: SqlStore, url: str) -> None:
    written = f"INSERT INTO entry VALUES ({ENTRIES_IN_ONE - 1}, 'x', 't', now(), '', '')"
    today = "INSERT INTO confirmation VALUES (1, 't', now(), now(), 'poll', 'Authorized')"
    async with in_the_middle_of(url, f"{written}; {today}"):
        await asyncio.wait_for(store.trim(START), 10)
        assert f"entry_before_{2 * ENTRIES_IN_ONE}" in parts(url, "entry")


async def test_a_day_that_is_being_read_is_dropped_another_time(
    open_store: Callable[..., SqlStore], store: SqlStore, url: str
) -> None:
    await store.trim(LATER)
    await confirm(store, LATER)
    async with in_the_middle_of(url, "SELECT count(*) FROM confirmation"):
        with pytest.raises(StorageError):
            await asyncio.wait_for(store.trim(LATER + 402 * DAY), 10)
        await asyncio.wait_for(confirm(open_store(), LATER + DAY), 10)
    await store.trim(LATER + 402 * DAY)
    assert query(url, "SELECT count(*) FROM confirmation WHERE recorded_at < now() + interval '1000 days'")[0][0] == 0


async def test_two_who_keep_house_do_not_meet(open_store: Callable[..., SqlStore], url: str) -> None:
    stores = [open_store() for _ in range(3)]
    await asyncio.gather(*(each.trim(START) for each in stores for _ in range(3)))
    assert len(parts(url, "entry")) == 3
