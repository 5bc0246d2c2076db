"""The hot statements, as SQLite would run them: by index, in time that grows with what is asked for, not with what there is."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.contract.facts import (
    CONSENT_1,
    DEMOBANK,
    OTHERBANK,
    START,
    a_consent,
    a_decision,
    a_quarantined,
    a_report,
    an_evidence,
    an_item,
    an_other_event,
    at,
    draft_about,
    save,
    stored,
)
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.condition import Condition
from tracker.domain.consent import ConsentId, Status, TrackingId
from tracker.domain.schedule import Pace, tempo
from tracker.domain.tracked import Asking
from tracker.ports import AskLine, ConsentQuery, QuarantineFilter, Transaction

Statement = tuple[str, Any]


@pytest.fixture
def executed(sqlite: SqliteDatabase) -> Iterator[list[Statement]]:
    """Every statement that is sent to the database."""
    seen: list[Statement] = []

    def note(_c: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append((statement, parameters[0] if many else parameters))

    for engine in (sqlite._write_engine, sqlite._read_engine):
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in (sqlite._write_engine, sqlite._read_engine):
        event.remove(engine, "before_cursor_execute", note)


async def plans(sqlite: SqliteDatabase, executed: list[Statement]) -> dict[str, list[str]]:
    def explain(connection: Connection) -> dict[str, list[str]]:
        return {
            statement: [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in executed
        }

    return await sqlite.read(explain)


def whole_tables(steps: dict[str, list[str]]) -> list[str]:
    """The steps that go through all of a table or index; the journal's head is one row, and a list of ours no table."""
    whole = [step for found in steps.values() for step in found if step.startswith("SCAN")]
    return [step for step in whole if "journal" not in step and "VIRTUAL TABLE" not in step]


async def test_a_recording_goes_through_no_table(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    """Pairs of provider and consent id were looked up by going through all consents, and all waiting reports."""
    consent, names = a_consent("new"), [CONSENT_1, (DEMOBANK, ConsentId("consent-2")), (OTHERBANK, ConsentId("x"))]

    def script(transaction: Transaction) -> None:
        transaction.lock_named(names)
        transaction.lock_tracked([consent.tracking_id, TrackingId("another")])
        transaction.waiting_reports(names)
        transaction.known_digests(["a", "b"])
        transaction.known_claims([consent.tracking_id, TrackingId("another")])
        for _ in range(2):
            transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
        transaction.add_report(stored(a_report(), consent), an_evidence())
        transaction.add_other_event(an_other_event(), an_evidence())
        transaction.count_repeat("a")
        transaction.quarantine(a_quarantined())
        transaction.take_from_inbox(["a", "b"])
        transaction.append([draft_about(consent)], START)

    for item in ("a", "b"):
        await store.admit(an_item(id=item))
    executed.clear()
    await store.transact(script)
    steps = await plans(sqlite, executed)
    assert len(steps) > 10
    assert whole_tables(steps) == []


async def test_due_work_is_found_by_its_index_in_its_order(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.transact(lambda transaction: transaction.lock_due_asks(DEMOBANK, START, 10))
    await store.transact(lambda transaction: transaction.lock_due_ticks(START, 10))
    await store.transact(lambda transaction: transaction.lock_due_ticks(START, 10, [DEMOBANK, OTHERBANK]))
    await store.admit(an_item())
    await store.claim_inbox(START, 10, 0)
    found = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    indexes = ["ix_consent_next_ask_at", "ix_consent_next_tick_at", "ix_consent_next_tick_at", "ix_inbox_due_at_id"]
    assert len(found) == len(indexes), found  # nothing is sorted
    assert [step for index, step in zip(indexes, found, strict=True) if index not in step] == []


async def test_the_lines_of_due_questions_are_read_in_their_order(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    """Whatever the condition of the provider: that moves a bound, and nothing is written for it."""
    for condition in (Condition(), Condition(quiet=True), Condition(stretch=3)):
        its = tempo(Pace(), condition)
        executed.clear()
        for line in AskLine:
            await store.transact(lambda t, line=line, its=its: t.lock_due_asks(DEMOBANK, START, 10, line, its))
        assert [statement for statement, _ in executed if not statement.startswith("SELECT")] == []
        found = [
            step for statement in executed for steps in (await plans(sqlite, [statement])).values() for step in steps
        ]
        indexes = [
            "ix_consent_doubted_ask_at (provider=? AND urgent_ask_at>? AND urgent_ask_at<?)",
            "ix_consent_urgent_ask_at (provider=? AND urgent_ask_at>? AND urgent_ask_at<?)",
            "ix_consent_suspected_at (provider=? AND suspected_at>? AND suspected_at<?)",
            "ix_consent_next_ask_at (provider=? AND next_ask_at>? AND next_ask_at<?)",
            *["ix_consent_steady_ask_at (provider=? AND status=? AND steady_ask_at>? AND steady_ask_at<?)"] * 2,
            "ix_consent_next_ask_at (provider=? AND next_ask_at>?)",  # what a clock that was ahead has mistimed
            *["ix_consent_steady_ask_at (provider=? AND status=? AND steady_ask_at>?)"] * 2,
            *["ix_consent_queued"] * 3,
        ]
        assert len(found) == len(indexes), found  # nothing is sorted
        assert [(index, step) for index, step in zip(indexes, found, strict=True) if index not in step] == []


async def test_siblings_and_what_is_opened_again_are_found_by_index(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    revoked = a_consent(base_consent_id="root", asking=Asking(siblings_wanted_at=START))
    sibling = a_consent("sibling", base_consent_id="root")
    await save(store, revoked, decision=a_decision(Status.REVOKED))
    await save(store, sibling, decision=a_decision(Status.AUTHORIZED))
    executed.clear()
    found = await store.transact(lambda transaction: transaction.lock_revoked(START, 10, [DEMOBANK]))
    assert (len(found.revoked), len(found.siblings[revoked.tracking_id])) == (1, 1)
    await store.lacked_keys("demobank", ["a", "b"], 10, "")
    await store.transact(lambda transaction: transaction.release_claimed([CONSENT_1], 5, START))
    await store.quarantined_ids(10, "a", QuarantineFilter(reason="kid_unknown", our_kids=frozenset({"a", "b"})))
    steps = await plans(sqlite, executed)
    assert whole_tables(steps) == []
    whole = str(steps)
    assert "ix_consent_siblings_wanted_at" in whole
    assert "ix_consent_base_consent_id" in whole
    assert "ix_quarantine_key (provider=? AND kid=? AND id>?)" in whole
    assert "ix_quarantine_provider_consent_id (provider=? AND consent_id=?)" in whole
    assert "ix_quarantine_reason_id (reason=? AND id>?)" in whole


async def test_notices_and_chains_are_found_by_index(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    root = (DEMOBANK, ConsentId("root"))
    await store.transact(lambda transaction: transaction.lock_due_notices(START, 10))
    await store.transact(lambda transaction: transaction.lock_due_notices(START, 10, [DEMOBANK, OTHERBANK]))
    found = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    assert len(found) == 2  # nothing is sorted
    assert all("ix_consent_next_notice_at" in step for step in found), found
    executed.clear()
    await store.transact(lambda transaction: transaction.lock_chain(root, [TrackingId("a"), TrackingId("b")]))
    await store.transact(lambda transaction: transaction.named_as_roots([root, CONSENT_1]))
    await store.chain(root, 10)
    await store.reports_of_each([TrackingId("a"), TrackingId("b")])
    steps = await plans(sqlite, executed)
    assert len(steps) == 5
    assert whole_tables(steps) == []
    looks = [step for found in steps.values() for step in found if "consent USING INDEX" in step]
    assert {step.split("USING INDEX ")[1].split()[0] for step in looks} <= {
        "ix_consent_base_consent_id",
        "sqlite_autoindex_consent_1",
    }


async def test_due_revocations_are_read_in_their_order(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.transact(lambda transaction: transaction.lock_due_revocations(DEMOBANK, START, 10))
    (step,) = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    assert "ix_consent_revocation_due_at" in step


async def test_what_readers_ask_for_is_found_by_index(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    consent = a_consent()
    await store.find_consent(CONSENT_1)
    await store.get_consent(consent.tracking_id)
    await store.next_ask_at(consent.tracking_id)
    await store.reports_of(consent.tracking_id)
    await store.entries_of(consent.tracking_id)
    await store.entries_after(5, 10, up_to=9)
    await store.entries_at([1, 2])
    await store.get_subscription("a")
    await store.parked("a")
    await store.get_api_key("a")
    await store.search(ConsentQuery(user_ref="u"), at(0))
    await store.search(ConsentQuery(base_consent_id="root"), at(0))
    await store.search(ConsentQuery(after="x"), at(0))
    assert len(executed) == 14  # with the key of the hashes of users
    assert whole_tables(await plans(sqlite, executed)) == []


async def test_users_are_found_by_index_whether_or_not_their_rows_are_sealed(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await save(store, a_consent(user_ref="u"))
    executed.clear()
    assert len(await store.search(ConsentQuery(user_ref="u"), at(0))) == 1
    found = await plans(sqlite, executed)
    assert whole_tables(found) == []
    assert {"ix_consent_user_ref_hash", "ix_consent_user_ref"} <= {
        word for steps in found.values() for step in steps for word in step.split()
    }


async def test_pages_of_lists_are_read_in_their_order(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    known = frozenset({DEMOBANK, OTHERBANK})
    await store.search(ConsentQuery(providers=known, after="x"), at(0))
    await store.search(ConsentQuery(providers=known, provider=DEMOBANK, after="x"), at(0))
    await store.search(ConsentQuery(providers=known, effective_status=Status.AUTHORIZED, after="x"), at(0))
    await store.search(ConsentQuery(providers=known, effective_status=Status.EXPIRED, after="x"), at(0))
    found = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    indexes = [
        "sqlite_autoindex_consent_1",
        "ix_consent_provider_tracking_id",
        "ix_consent_status_tracking_id",
        "sqlite_autoindex_consent_1",
    ]
    assert len(found) == len(indexes), found  # nothing is sorted
    assert [step for index, step in zip(indexes, found, strict=True) if index not in step] == []


async def test_few_changes_are_sorted_and_not_looked_for_among_all(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.search(ConsentQuery(providers=frozenset({DEMOBANK}), updated_since=at(0), after="x"), at(0))
    found = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    assert found == [
        "SEARCH consent USING COVERING INDEX ix_consent_updated_at (updated_at>?)",
        "SEARCH consent USING INDEX ix_consent_updated_at (updated_at>?)",
        "USE TEMP B-TREE FOR ORDER BY",
    ]


async def test_what_few_end_soon_is_found_by_the_end(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.search(ConsentQuery(effective_status=Status.AUTHORIZED, expiring_before=at(9), after="x"), at(0))
    found = [step for steps in (await plans(sqlite, executed)).values() for step in steps]
    assert [step for step in found if "ix_consent_status_expiration_date_time" not in step] == [
        "USE TEMP B-TREE FOR ORDER BY"
    ]


async def test_what_is_open_and_has_ended_is_not_looked_for(store: SqlStore, executed: list[Statement]) -> None:
    assert await store.search(ConsentQuery(effective_status=Status.AUTHORIZED, expiring_before=at(0)), at(0)) == []
    assert executed == []
    await store.search(ConsentQuery(effective_status=Status.AUTHORIZED, expiring_before=at(1)), at(0))
    await store.search(ConsentQuery(effective_status=Status.EXPIRED, expiring_before=at(0)), at(0))
    assert len(executed) == 3  # one looks first whether they are few


async def test_watching_reads_what_is_due_and_not_what_there_is(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.survey(START, [DEMOBANK])
    steps = [step for found in (await plans(sqlite, executed)).values() for step in found]
    clock = [step for step in steps if "next_tick_at" in step or "next_notice_at" in step]
    assert clock == [
        "SEARCH consent USING INDEX ix_consent_next_tick_at (next_tick_at>? AND next_tick_at<?)",
        "SEARCH consent USING INDEX ix_consent_next_notice_at (next_notice_at>? AND next_notice_at<?)",
    ]
    due = [step for step in steps if "consent" in step and "expiration" not in step and step not in clock]
    indexes = ["doubted_ask_at", "urgent_ask_at", "next_ask_at", "steady_ask_at"]
    assert [
        step for index, step in zip(indexes, due, strict=True) if f"ix_consent_{index} (provider=?" not in step
    ] == []
    ended = [step for step in steps if "consent" in step and "expiration" in step]
    by_end = "ix_consent_status_expiration_date_time (status=? AND expiration_date_time<?)"
    assert [step for step in ended if by_end not in step] == []
    assert len(ended) == 1  # one statement for all statuses
    assert [step for step in steps if "quarantine" in step and "COVERING INDEX" not in step] == []
    sorted_ones = [step for step in steps if "TEMP B-TREE" in step and "subscription" not in step]
    assert sorted_ones == ["USE TEMP B-TREE FOR GROUP BY", "USE TEMP B-TREE FOR ORDER BY"]  # what has ended unconfirmed


async def test_payments_are_found_by_their_ids_and_by_their_consent_in_order(
    sqlite: SqliteDatabase, store: SqlStore, executed: list[Statement]
) -> None:
    await store.transact(lambda transaction: transaction.lock_payments([(DEMOBANK, "a"), (DEMOBANK, "b")]))
    await store.transact(lambda transaction: transaction.payments_under([CONSENT_1]))
    await store.payments_of(CONSENT_1, 100, "a")
    await store.get_payment((DEMOBANK, "a"))
    steps = await plans(sqlite, executed)
    assert len(steps) == 4
    assert whole_tables(steps) == []
    assert not [step for found in steps.values() for step in found if "TEMP B-TREE" in step and "IN" not in step], steps
