"""The end of consents, on every database: what ties them, what goes, and what else happens at that moment."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.contract.facts import (
    START,
    NewDatabase,
    a_consent,
    a_decision,
    a_payment,
    a_quarantined,
    a_report,
    a_subscription,
    an_evidence,
    an_other_event,
    at,
    draft_about,
    parked,
    record,
    save,
    stored,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.completion import Work
from tracker.domain.consent import Channel, Status
from tracker.domain.replay import Replay, Selection, Wanted
from tracker.domain.retention import Ties
from tracker.domain.subscription import SubscriptionState
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Confirmation, Progress, Transaction
from tracker.ports.retention import Gone, Hold

GONE = a_consent("gone", terms={"name": "Zoë"})
STAYS = a_consent("stays", terms={"name": "Ana"})


async def whole(store: SqlStore) -> tuple[TrackedConsent, TrackedConsent]:
    """Two consents with something of everything."""

    def script(transaction: Transaction) -> None:
        for n, consent in enumerate((GONE, STAYS)):
            about = consent.name
            transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
            transaction.add_report(stored(a_report(n), consent, jws_sha256=an_evidence(n).jws_sha256), an_evidence(n))
            event = replace(an_other_event(n), consent_id=consent.consent_id, jws_sha256=an_evidence(n + 10).jws_sha256)
            transaction.add_other_event(event, an_evidence(n + 10))
            transaction.save_payment(a_payment(f"payment-{n}", about, jws_sha256=an_evidence(n + 10).jws_sha256))
            aside = a_quarantined(provider=consent.provider, consent_id=consent.consent_id, verified=True)
            transaction.quarantine(aside)
            transaction.add_confirmation(
                Confirmation(
                    tracking_id=consent.tracking_id,
                    vouched_at=START,
                    recorded_at=START,
                    channel=Channel.POLL,
                    status=Status.AUTHORIZED,
                )
            )
        drafts = [draft_about(one, private={"user_ref": "u"}, private_salt=b"s" * 32) for one in (GONE, STAYS) * 2]
        transaction.append(drafts, START)

    await store.transact(script)
    gone, stays = await store.get_consent(GONE.tracking_id), await store.get_consent(STAYS.tracking_id)
    assert gone is not None
    assert stays is not None
    return gone, stays


async def dispose(store: SqlStore, consent: TrackedConsent) -> Gone:
    def script(transaction: Transaction) -> Gone:
        held = transaction.lock_named([consent.name])[consent.name]
        counted = transaction.disposals.count(held)
        gone = transaction.disposals.dispose(held, START)
        assert gone == counted
        transaction.append([draft_about(held, type="consent.disposed")], START)
        return gone

    return await store.transact(script)


async def ties(store: SqlStore, consent: TrackedConsent) -> Ties:
    return await store.transact(lambda t: t.disposals.ties(consent))


async def test_all_of_one_goes_and_nothing_of_another(store: SqlStore) -> None:
    gone, stays = await whole(store)
    assert await dispose(store, gone) == Gone(values=2, reports=1, tokens=2, payments=1, others=1, rest=2)
    assert await store.get_consent(gone.tracking_id) is None
    assert await store.find_consent(gone.name) is None
    assert await store.reports_of(gone.tracking_id) == await store.payments_of(gone.name, 9) == []
    assert [entry.private for entry in await store.entries_of(gone.tracking_id)] == [None, None, None]
    assert (await store.retention.held_about(gone)).tables == {}
    tombstone = await store.retention.tombstone(gone.name)
    assert tombstone is not None
    assert tombstone == await store.retention.tombstone_of(gone.tracking_id)
    assert await store.retention.tombstone(stays.name) is None
    assert await store.get_consent(stays.tracking_id) == stays
    assert [entry.private for entry in await store.entries_of(stays.tracking_id)] == [{"user_ref": "u"}] * 2
    left = (await store.retention.held_about(stays)).tables
    assert {name: len(rows) for name, rows in left.items()} == {"other_event": 1, "evidence": 2, "confirmation": 1}
    again = await dispose(store, stays)
    assert again.tokens == 2


async def test_what_ties_a_consent_is_found(store: SqlStore) -> None:
    kept, _ = await whole(store)
    assert kept.last_sequence == 3
    nothing = Ties(paid_at=START)
    assert replace(await ties(store, kept), paid_at=START) == nothing
    hold = Hold(id="h", tracking_id=kept.tracking_id, reason="x", placed_by="y", placed_at=START)
    await store.transact(lambda t: t.disposals.place_hold(hold))
    assert (await ties(store, kept)).holds == 1
    await store.transact(lambda t: t.disposals.lift_hold(hold))
    behind = a_subscription(cursor=2)
    await store.add_subscription(behind)
    assert (await ties(store, kept)).is_owed
    await store.save_progress(Progress(subscription=replace(behind, state=SubscriptionState.DISABLED)))
    assert not (await ties(store, kept)).is_owed
    told = a_subscription(cursor=4)
    await store.add_subscription(told)
    assert not (await ties(store, kept)).is_owed
    await store.save_progress(Progress(subscription=told, park=(parked(1, tracking_id=kept.tracking_id),)))
    assert (await ties(store, kept)).is_owed
    await store.save_progress(Progress(subscription=told, settled=(1,)))
    again = Replay(
        id="r",
        subscription_id=told.id,
        selection=Selection(wanted=Wanted.RANGE, last=3),
        total=3,
        created_at=START,
    )
    assert await store.replays.add(again)
    assert (await ties(store, kept)).is_owed
    await store.replays.cancel(told.id, "r", START)
    assert not (await ties(store, kept)).is_owed


async def test_work_that_is_due_ties_it_until_it_was_told_that_it_is_late(store: SqlStore) -> None:
    kept, _ = await whole(store)
    told = a_subscription(cursor=4)
    await store.add_subscription(told)
    work = Work(
        subscription_id=told.id,
        sequence=1,
        work="data_deleted",
        entry_id="e",
        tracking_id=kept.tracking_id,
        provider=kept.provider,
        due_at=at(5),
    )
    assert await store.save_completion_watch(told, None, 2, [])
    assert (await ties(store, kept)).has_work_due  # nobody has looked so far yet
    assert await store.save_completion_watch(told, 2, 4, [work])
    assert (await ties(store, kept)).has_work_due
    await store.transact(lambda t: t.completions.mark_overdue([(told.id, 1, "data_deleted")], at(6)))
    assert not (await ties(store, kept)).has_work_due
    await store.transact(
        lambda t: t.completions.report((told.id, 1, "data_deleted"), "https://x.example", at(7), at(8))
    )
    assert (await ties(store, kept)).reported_at == at(8)
    assert (await dispose(store, kept)).rest == 3


async def test_the_scan_goes_page_by_page_through_what_is_over_and_old(store: SqlStore) -> None:
    over = [await save(store, a_consent(f"c-{n}")) for n in range(5)]
    del over
    found, last = await store.retention.over_after("", 3, START)
    assert len(found) == 3
    assert last == found[-1].tracking_id
    more, end = await store.retention.over_after(last, 3, START)
    assert (len(more), end) == (2, None)
    assert await store.retention.over_after("", 9, START - timedelta(days=1)) == ([], None)


async def test_in_a_race_with_a_report_either_is_first_and_neither_is_lost(new_database: NewDatabase) -> None:
    """Whoever comes second waits for the name, and sees what the first has done."""
    opened = new_database()
    one, other = opened(), opened()
    try:
        gone, _ = await whole(one)

        def hear(transaction: Transaction) -> str:
            held = transaction.lock_named([gone.name])
            if gone.name not in held:
                return "after" if gone.name in transaction.disposals.tombstones([gone.name]) else "lost"
            transaction.add_report(stored(a_report(99), gone), None)
            return "before"

        heard, _ = await asyncio.gather(other.transact(hear), dispose(one, gone))
        assert heard in {"after", "before"}
        assert await one.reports_of(gone.tracking_id) == []
    finally:
        await one.close()
        await other.close()


async def test_reports_that_nobody_waits_for_and_what_was_put_aside_go_by_their_age(store: SqlStore) -> None:
    early = stored(a_report(1), STAYS, tracking_id=None, jws_sha256=an_evidence(1).jws_sha256)
    await record(store, early, evidence=an_evidence(1))
    await store.transact(lambda t: t.quarantine(a_quarantined(verified=True)))
    assert await store.retention.forget_before(START, START, 9) == 0
    later = START + timedelta(days=1)
    assert await store.retention.forget_before(later, later, 9) == 2
    assert await store.quarantined(9) == []
    assert await store.transact(lambda t: t.known_digests([early.report.digest])) == set()
