"""A row that says what the domain cannot: an error that names it and not its content, and the others go on."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.contract.facts import (
    DEMOBANK,
    a_consent,
    a_decision,
    a_report,
    a_subscription,
    an_item,
    append,
    at,
    digest,
    draft_about,
    name_of,
    parked,
    record,
    save,
    stored,
)
from tests.damage import unguarded
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Status
from tracker.domain.errors import InconsistentRowError
from tracker.domain.tracked import Asking
from tracker.ports import ConsentQuery, Progress, Transaction

SECRET = "Layla Haddad"

Edit = Callable[..., None]


@pytest.fixture
def edit(database: Path) -> Edit:
    """Change the file behind the store's back."""

    def edit(statement: str, *values: object) -> None:
        with unguarded(database) as connection:
            assert connection.execute(statement, values).rowcount == 1

    return edit


def named(caught: pytest.ExceptionInfo[InconsistentRowError], table: str, row: object) -> str:
    """Require that an error names a row and not its content, tracebacks and all; give its sentence."""
    assert (caught.value.table, caught.value.row) == (table, str(row))
    assert caught.value.retryable is False
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return str(caught.value)


DAMAGE = [
    ("status of a report that stands", "summary", '{"asks":0,"standing":[{"digest":"%s"}],"revived_date_time":null}'),
    ("no JSON", "summary", '{"asks": "%s'),
    ("another shape of JSON", "summary", '["%s"]'),
    ("no JSON in the terms", "terms", '{"name": "%s"'),
    ("a status that there is not", "told_status", "%s"),
    ("a channel that there is not", "confirmed_by", "%s"),
    ("a time cut short", "registered_at", "2026-03-02T06:1"),
    ("a time without its zone", "updated_at", "2026-03-02T06:17:31.000000"),
    ("no time at all", "registered_expiry", "%s"),
]


@pytest.mark.parametrize(("column", "text"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
async def test_a_consent_that_cannot_be_read_is_named(store: SqlStore, edit: Edit, column: str, text: str) -> None:
    good, bad, late = a_consent("good"), a_consent("bad"), a_consent("late")
    await save(store, good, bad, late)
    edit(f"UPDATE consent SET {column} = ? WHERE tracking_id = ?", text.replace("%s", SECRET), bad.tracking_id)
    calls: list[Callable[[], Any]] = [
        lambda: store.get_consent(bad.tracking_id),
        lambda: store.find_consent(name_of(bad)),
        lambda: store.search(ConsentQuery(), at(0)),
        lambda: store.transact(lambda t: t.lock_tracked([good.tracking_id, bad.tracking_id])),
        lambda: store.transact(lambda t: t.lock_named([name_of(bad)])),
    ]
    for call in calls:
        with pytest.raises(InconsistentRowError) as caught:
            await call()
        named(caught, "consent", bad.tracking_id)
    # What does not need it goes on; a search names it, so it can be stepped over.
    assert await store.get_consent(good.tracking_id) == good
    assert await store.search(ConsentQuery(limit=1), at(0)) == [good]
    assert await store.search(ConsentQuery(after=bad.tracking_id), at(0)) == [late]
    assert await store.transact(lambda t: t.lock_named([name_of(good)])) == {name_of(good): good}


async def test_an_error_names_the_column_if_it_knows(store: SqlStore, edit: Edit) -> None:
    consent = a_consent()
    await save(store, consent)
    edit("UPDATE consent SET registered_at = ?, terms = ?", SECRET, SECRET)
    with pytest.raises(InconsistentRowError) as caught:
        await store.get_consent(consent.tracking_id)
    assert "registered_at, terms cannot be read" in named(caught, "consent", consent.tracking_id)


@pytest.mark.parametrize("due", ["ask", "tick", "notice"])
async def test_one_damaged_consent_among_those_that_are_due_does_not_stop_the_others(
    store: SqlStore, edit: Edit, caplog: pytest.LogCaptureFixture, due: str
) -> None:
    """It stood in front for ever, and nobody was asked about or told any more."""
    bad, good = a_consent("bad"), a_consent("good")
    await save(store, bad, ask=at(0), tick=at(0), notice=at(0))
    await save(store, good, ask=at(1), tick=at(1), notice=at(1))
    edit("UPDATE consent SET told_status = ? WHERE tracking_id = ?", SECRET, bad.tracking_id)

    def take(now: datetime, limit: int) -> Callable[[Transaction], list[str]]:
        def script(transaction: Transaction) -> list[str]:
            hold = {
                "ask": partial(transaction.lock_due_asks, DEMOBANK),
                "tick": transaction.lock_due_ticks,
                "notice": transaction.lock_due_notices,
            }[due]
            return [consent.consent_id for consent in hold(now, limit)]

        return script

    with caplog.at_level(logging.ERROR):
        assert await store.transact(take(at(5), 10)) == ["good"]
        assert await store.transact(take(at(5), 1)) == ["good"]  # it does not take the others' places either
    assert caplog.text.count(f"Row {bad.tracking_id} of consent") == 1  # said once, not every second
    assert SECRET not in caplog.text
    edit("UPDATE consent SET told_status = 'NotStaged' WHERE tracking_id = ?", bad.tracking_id)
    assert await store.transact(take(at(5 + 3_600), 10)) == ["good", "bad"]  # mended, it is due again


async def test_a_damaged_consent_of_a_group_does_not_stop_the_others(store: SqlStore, edit: Edit) -> None:
    wanted = Asking(siblings_wanted_at=at(0))
    bad, good = (a_consent(name, base_consent_id=name, asking=wanted) for name in ("bad", "good"))
    sibling = a_consent("sibling", base_consent_id="good")
    await save(store, bad, good, sibling, decision=a_decision(Status.AUTHORIZED))
    edit("UPDATE consent SET told_status = ? WHERE tracking_id = ?", SECRET, bad.tracking_id)

    def revoked(now: datetime) -> Callable[[Transaction], dict[str, int]]:
        def script(transaction: Transaction) -> dict[str, int]:
            found = transaction.lock_revoked(now, 10, [DEMOBANK])
            return {one.consent_id: len(found.siblings[one.tracking_id]) for one in found.revoked}

        return script

    assert await store.transact(revoked(at(5))) == {"good": 1}
    edit("UPDATE consent SET told_status = 'NotStaged' WHERE tracking_id = ?", bad.tracking_id)
    assert await store.transact(revoked(at(9))) == {"good": 1}
    assert await store.transact(revoked(at(5 + 3_600))) == {"good": 1, "bad": 0}  # mended, it is wanted again


async def test_a_due_time_that_cannot_be_read_is_an_error_too(store: SqlStore, edit: Edit) -> None:
    consent = a_consent()
    await save(store, consent, ask=at(0))
    edit("UPDATE consent SET next_ask_at = '2026-03-02T06:1'")
    with pytest.raises(InconsistentRowError) as caught:
        await store.next_ask_at(consent.tracking_id)
    named(caught, "consent", consent.tracking_id)


@pytest.mark.parametrize("column", ["status", "terms", "received_at", "verdict", "channel"])
async def test_a_report_that_cannot_be_read_is_named(store: SqlStore, edit: Edit, column: str) -> None:
    consent, other = a_consent(), a_consent("other")
    await record(store, stored(a_report(1), consent), stored(a_report(2), other))
    edit(f"UPDATE report SET {column} = ? WHERE digest = ?", SECRET, digest(1))
    with pytest.raises(InconsistentRowError) as caught:
        await store.reports_of(consent.tracking_id)
    named(caught, "report", digest(1))
    assert len(await store.reports_of(other.tracking_id)) == 1


async def test_a_waiting_report_that_cannot_be_read_is_named(store: SqlStore, edit: Edit) -> None:
    await record(store, stored(a_report(1)))
    edit("UPDATE report SET status_date_time = ?", SECRET)
    with pytest.raises(InconsistentRowError) as caught:
        await store.transact(lambda t: t.waiting_reports([(DEMOBANK, a_consent().consent_id)]))
    named(caught, "report", digest(1))


@pytest.mark.parametrize("column", ["status", "status_date_time"])
async def test_a_claim_that_cannot_be_read_names_its_consent(store: SqlStore, edit: Edit, column: str) -> None:
    consent = a_consent()
    await record(store, stored(a_report(1), consent))
    edit(f"UPDATE report SET {column} = ?", SECRET)
    with pytest.raises(InconsistentRowError) as caught:
        await store.transact(lambda t: t.known_claims([consent.tracking_id]))
    named(caught, "report", consent.tracking_id)


async def test_a_damaged_inbox_item_does_not_stop_the_others(
    store: SqlStore, edit: Edit, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = an_item(0), an_item(1)
    await store.admit(first)
    await store.admit(second)
    edit("UPDATE inbox SET received_at = ? WHERE id = ?", SECRET, first.id)
    assert await store.claim_inbox(at(5), 10, 0) == [second]
    assert f"Row {first.id} of inbox" in caplog.text
    assert SECRET not in caplog.text
    edit("UPDATE inbox SET due_at = '2026-03-02T05' WHERE id = ?", first.id)
    assert await store.inbox_depth() == (2, None)  # the door stays open


async def test_an_entry_that_cannot_be_read_is_named(store: SqlStore, edit: Edit) -> None:
    consent = a_consent()
    await save(store, consent, decision=a_decision())
    entries = await append(store, *(draft_about(consent) for _ in range(3)))
    edit("UPDATE entry SET leaf = ? WHERE sequence = 2", SECRET.encode())
    for call in (store.entries_after(0, 10), store.entries_of(consent.tracking_id), store.entries_at([2, 3])):
        with pytest.raises(InconsistentRowError) as caught:
            await call
        named(caught, "entry", 2)
    assert await store.entries_after(2, 10) == entries[2:]


async def test_a_damaged_subscription_does_not_silence_the_others(
    store: SqlStore, edit: Edit, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = a_subscription(), a_subscription()
    for subscription in (bad, good):
        await store.add_subscription(subscription)
        await store.save_progress(Progress(subscription=subscription, park=(parked(1),)))
    edit("UPDATE subscription SET entry_filter = ? WHERE id = ?", SECRET, bad.id)
    assert await store.subscriptions() == [good]
    assert f"Row {bad.id} of subscription" in caplog.text
    with pytest.raises(InconsistentRowError) as caught:
        await store.get_subscription(bad.id)
    named(caught, "subscription", bad.id)
    edit("UPDATE parked SET next_attempt_at = ? WHERE subscription_id = ?", SECRET, bad.id)
    with pytest.raises(InconsistentRowError) as caught:
        await store.parked(bad.id)
    named(caught, "parked", 1)
    assert await store.parked(good.id) == [parked(1)]


async def test_a_journal_head_that_cannot_be_read_stops_the_journal_and_nothing_is_lost(
    store: SqlStore, edit: Edit
) -> None:
    consent = a_consent()
    await save(store, consent)
    await append(store, draft_about(consent))
    edit("UPDATE journal SET recorded_at = ?", SECRET)
    with pytest.raises(InconsistentRowError) as caught:
        await append(store, draft_about(consent))
    named(caught, "journal", 1)
    assert await store.head() == 1
