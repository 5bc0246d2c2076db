"""What the port has no way to read: evidence, keys, confirmations, other events, dead letters, counts. Read past our code."""

import sqlite3
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from sqlalchemy import select

from tests.contract import strategies as any_of
from tests.contract.facts import (
    START,
    a_consent,
    a_report,
    a_subscription,
    an_evidence,
    an_other_event,
    append,
    at,
    draft_about,
    parked,
    record,
    save,
    stored,
)
from tracker.adapters.store.evidence import to_jws
from tracker.adapters.store.sealed import OTHER_EVENT
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import evidence as evidence_table
from tracker.adapters.store.tables import holder_key, other_event
from tracker.domain.consent import Channel, Status
from tracker.ports import Confirmation, Evidence, Progress, StoredReport, Transaction


def look(path: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(path)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(report=any_of.stored_reports, evidence=any_of.evidences)
async def test_evidence_is_kept_whole_with_the_key_that_verified_it(
    sqlite: SqliteDatabase, store: SqlStore, report: StoredReport, evidence: Evidence
) -> None:
    await record(store, report, evidence=evidence)
    token = evidence.token
    query = select(evidence_table).where(evidence_table.c.jws_sha256 == evidence.jws_sha256)
    row = await sqlite.read(lambda c: c.execute(query).one())
    jws = await store._database.read(lambda c: to_jws(c.execute(query).one()))
    assert (jws, row.kid, row.jwk_thumbprint) == (token.jws, token.kid, token.jwk_thumbprint)
    assert row.jws != token.jws
    assert (row.jwe_sha256, row.provider, row.received_at) == (
        evidence.jwe_sha256,
        evidence.provider,
        evidence.received_at,
    )
    key = await sqlite.read(
        lambda c: c.execute(select(holder_key).where(holder_key.c.provider == evidence.provider)).one()
    )
    assert (key.jwk, key.jwks_uri, key.kid) == (token.jwk, token.jwks_uri, token.kid)
    assert (key.jwk_thumbprint, key.first_seen_at) == (token.jwk_thumbprint, evidence.received_at)


async def test_a_key_and_a_token_are_kept_once(store: SqlStore, database: Path) -> None:
    await record(store, stored(a_report(1)), evidence=an_evidence(1))
    await record(store, stored(a_report(2)), evidence=an_evidence(2, received_at=at(9)))
    await record(store, stored(a_report(3)), evidence=an_evidence(2, received_at=at(99)))
    assert len(look(database, "SELECT * FROM evidence")) == 2
    assert look(database, "SELECT first_seen_at FROM holder_key") == [("2026-03-02T06:00:00.000000+00:00",)]


async def test_repeats_are_counted(store: SqlStore, database: Path) -> None:
    report, other = stored(a_report(1), a_consent()), an_other_event()
    await record(store, report)

    def script(transaction: Transaction) -> None:
        transaction.add_other_event(other, an_evidence())
        for _ in range(2):
            transaction.count_repeat(report.report.digest)
        transaction.count_repeat(other.digest)

    await store.transact(script)
    await store.transact(lambda transaction: transaction.count_repeat(other.digest))
    assert look(database, "SELECT repeats FROM report") == [(2,)]
    assert look(database, "SELECT repeats FROM other_event") == [(2,)]


async def test_other_events_and_confirmations_are_written(store: SqlStore, database: Path) -> None:
    consent = a_consent()

    def script(transaction: Transaction) -> None:
        transaction.add_other_event(an_other_event(7), an_evidence(7))
        for seconds in (1, 2):
            transaction.add_confirmation(
                Confirmation(
                    tracking_id=consent.tracking_id,
                    vouched_at=at(seconds),
                    recorded_at=at(5),
                    channel=Channel.POLL,
                    status=Status.AUTHORIZED,
                )
            )

    await store.transact(script)
    (written,) = look(database, "SELECT family, event_type, data FROM other_event")
    assert written == ("payment", "Resource.Updated", None)
    seen = await store._database.read(lambda c: OTHER_EVENT.opened(c.execute(select(other_event)).one()))
    assert seen == {"data": {"PaymentId": "7"}}
    found = look(database, "SELECT tracking_id, vouched_at, channel, status FROM confirmation ORDER BY id")
    assert found == [
        (consent.tracking_id, f"2026-03-02T06:00:0{seconds}.000000+00:00", "poll", "Authorized") for seconds in (1, 2)
    ]


async def test_entries_that_were_given_up_are_dead_letters_once(store: SqlStore, database: Path) -> None:
    made = a_subscription()
    await store.add_subscription(made)
    lost = parked(4, attempts=7, last_error="410", next_attempt_at=at(60))
    for _ in range(2):
        await store.save_progress(Progress(subscription=made, given_up=(lost,)))
    found = look(database, "SELECT sequence, attempts, last_error, given_up_at FROM dead_letter")
    assert found == [(4, 7, "410", "2026-03-02T06:01:00.000000+00:00")]
    await store.delete_subscription(made.id)
    assert look(database, "SELECT * FROM dead_letter") == []


async def test_a_transaction_that_appends_leaves_one_mark_and_others_none(store: SqlStore, database: Path) -> None:
    consent = a_consent()
    await save(store, consent)
    assert look(database, "SELECT * FROM batch") == []
    await append(store, draft_about(consent), draft_about(consent))
    assert len(look(database, "SELECT id FROM batch")) == 1


async def test_old_confirmations_and_marks_are_forgotten(store: SqlStore, database: Path) -> None:
    consent = a_consent()
    await save(store, consent)
    await append(store, draft_about(consent), now=at(0))
    day = 86_400

    def confirm(transaction: Transaction) -> None:
        for days in (0, 1):
            transaction.add_confirmation(
                Confirmation(
                    tracking_id=consent.tracking_id,
                    vouched_at=START,
                    recorded_at=at(days * day),
                    channel=Channel.POLL,
                    status=Status.AUTHORIZED,
                )
            )

    await store.transact(confirm)
    await store.trim(at(day))
    assert [len(look(database, f"SELECT * FROM {table}")) for table in ("confirmation", "batch")] == [2, 1]
    await store.trim(at(day + 1))
    assert [len(look(database, f"SELECT * FROM {table}")) for table in ("confirmation", "batch")] == [2, 0]
    await store.trim(at(400 * day + 1))
    assert [len(look(database, f"SELECT * FROM {table}")) for table in ("confirmation", "batch")] == [1, 0]
    assert (await store.head(), len(await store.entries_of(consent.tracking_id))) == (1, 1)
