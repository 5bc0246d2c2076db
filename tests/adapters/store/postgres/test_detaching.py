"""A partition of the journal is taken out when nothing in it is needed; and what disposal leaves on PostgreSQL's disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.adapters.store.postgres.test_partitions import append, jump, parts, saved
from tests.contract.facts import START, a_report, a_subscription, an_evidence, draft_about, parked, stored
from tests.postgres import query
from tracker.adapters.store.detaching import OldestPart, detach, oldest_part
from tracker.adapters.store.partitions import ENTRIES_IN_ONE
from tracker.adapters.store.postgres import in_one_transaction
from tracker.adapters.store.store import SqlStore
from tracker.domain.replay import Replay, Selection, Wanted
from tracker.domain.subscription import EntryFilter, SubscriptionState
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Progress, Transaction
from tracker.usecases.feed import Feed
from tracker.usecases.wake import Bell

FIRST = f"entry_before_{ENTRIES_IN_ONE}"


def cover(url: str, size: int) -> None:
    """Have the tree say that it reaches so far."""
    query(url, f"UPDATE tree SET size = {size}")


async def dispose(store: SqlStore, consent: TrackedConsent) -> None:
    def script(transaction: Transaction) -> None:
        held = transaction.lock_named([consent.name])[consent.name]
        transaction.destroy_key(held.tracking_id)
        transaction.disposals.dispose(held, START)
        transaction.append([draft_about(held, type="consent.disposed")], START)

    await store.transact(script)


async def look(url: str) -> OldestPart:
    found: OldestPart | None = await in_one_transaction(url, oldest_part)
    assert found is not None
    assert (found.name, found.below) == (FIRST, ENTRIES_IN_ONE)
    return found


async def test_it_is_needed_until_everything_in_it_is_gone_and_everybody_is_beyond_it(
    store: SqlStore, url: str
) -> None:
    consent = await saved(store)
    jump(url, ENTRIES_IN_ONE - 2)
    assert [reason.split(":")[0] for reason in (await look(url)).needed] == ["it is not full"]
    await append(store, 3, consent)
    head = await store.head()
    behind = a_subscription(cursor=5)
    await store.add_subscription(behind)
    await store.save_progress(Progress(subscription=behind, park=(parked(4),)))
    again = Replay(
        id="r",
        subscription_id=behind.id,
        selection=Selection(wanted=Wanted.RANGE, last=5),
        total=5,
        created_at=START,
    )
    assert await store.replays.add(again)
    assert await store.save_completion_watch(behind, None, 7, [])
    reasons = " ".join((await look(url)).needed)
    for why in (
        "still to be told",
        "parked",
        "tells it again",
        "asked for work",
        "the reading",
        "not been disposed of",
    ):
        assert why in reasons
    await store.delete_subscription(behind.id)
    disabled = a_subscription(cursor=5, state=SubscriptionState.DISABLED)
    await store.add_subscription(disabled)
    query(url, f"UPDATE journal_reading SET sequence = {head}")
    assert "the stored tree does not cover it yet" in (await look(url)).needed
    cover(url, head)
    assert (await look(url)).needed == (f"consent {consent.tracking_id} has not been disposed of",)
    await dispose(store, consent)
    assert (await look(url)).needed == ()


async def test_a_private_value_of_whatever_entry_keeps_it(store: SqlStore, url: str) -> None:
    consent = await saved(store)
    jump(url, ENTRIES_IN_ONE - 1)
    await append(store, 2, consent)
    await dispose(store, consent)
    query(url, f"UPDATE journal_reading SET sequence = {await store.head()}")
    cover(url, await store.head())
    query(url, f"UPDATE entry SET private = '{{}}', private_salt = 's' WHERE sequence = {ENTRIES_IN_ONE - 1}")
    assert (await look(url)).needed == (f"entry {ENTRIES_IN_ONE - 1} has a private value",)


async def test_once_taken_out_the_journal_begins_behind_it_and_the_feed_says_so(store: SqlStore, url: str) -> None:
    consent = await saved(store)
    jump(url, ENTRIES_IN_ONE - 1)
    await append(store, 2, consent)
    await dispose(store, consent)
    query(url, f"UPDATE journal_reading SET sequence = {await store.head()}")
    cover(url, await store.head())
    part = await look(url)

    def work(connection: Connection) -> None:
        detach(connection, part, START)

    await in_one_transaction(url, work)
    assert FIRST not in parts(url, "entry")
    assert query(url, f"SELECT count(*) FROM {FIRST}")[0][0] == 1
    assert await store.retention.journal_floor() == ENTRIES_IN_ONE
    feed = Feed(store, Bell(), store.retention.journal_floor)
    wanted = EntryFilter(types=("*",))
    with pytest.raises(Exception, match=f"after={ENTRIES_IN_ONE - 1}"):
        await feed.read(0, 10, wanted)
    page = await feed.read(ENTRIES_IN_ONE - 1, 10, wanted)
    assert [entry.sequence for entry in page.entries] == [ENTRIES_IN_ONE, ENTRIES_IN_ONE + 1]
    await append(store, 1, await _another(store))


async def _another(store: SqlStore) -> TrackedConsent:
    return await saved(store)


async def test_after_a_full_vacuum_nothing_personal_is_in_the_files_of_the_tables(
    open_store: Callable[..., SqlStore], url: str
) -> None:
    """Plain VACUUM makes room and clears nothing, nor is the write-ahead log cleared: docs/privacy.md says so."""
    store = open_store()
    consent = await saved(store)
    proof = an_evidence(1)
    secret = b"OnlyThisPersonHasThis"

    def script(transaction: Transaction) -> None:
        held = transaction.lock_named([consent.name])[consent.name]
        told = stored(a_report(1), held, terms={"name": secret.decode()}, jws_sha256=proof.jws_sha256)
        transaction.add_report(told, replace(proof, token=replace(proof.token, jws=secret)))
        private = {"user_ref": secret.decode()}
        transaction.append([draft_about(held, private=private, private_salt=b"s" * 32)], START)

    await store.transact(script)
    files = _files(url)
    sealed = "SELECT key FROM consent_key UNION ALL SELECT jws FROM evidence UNION ALL SELECT sealed FROM report"
    values = "SELECT private_salt FROM entry WHERE private_salt IS NOT NULL"
    personal = [bytes(row[0]) for row in query(url, f"{sealed} UNION ALL {values}")]
    query(url, "CHECKPOINT")
    seen = [path.read_bytes() for path in files()]
    assert len(personal) == 4
    assert all(any(one in held for held in seen) for one in personal)
    assert [held for held in seen if secret in held] == []  # not as it is, while it is there
    await dispose(store, consent)
    query(url, "VACUUM FULL")
    query(url, "CHECKPOINT")
    assert [path for path in files() if any(one in path.read_bytes() for one in personal)] == []


def _files(url: str) -> Callable[[], list[Path]]:
    folder = Path(query(url, "SHOW data_directory")[0][0])

    def found() -> list[Path]:
        names: list[Any] = query(
            url,
            "SELECT pg_relation_filepath(oid) AS path FROM pg_class WHERE relkind IN ('r', 'i', 't')"
            " AND pg_relation_filepath(oid) IS NOT NULL",
        )
        return [path for row in names if (path := folder / row["path"]).is_file()]

    if not folder.is_dir():
        pytest.skip("The server's files are not on this machine.")
    return found
