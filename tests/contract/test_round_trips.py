"""Whatever is put in comes out the same: every member, microseconds, any instant in any zone, any text, any JSON."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.contract import strategies as any_of
from tests.contract.facts import (
    a_consent,
    a_report,
    an_evidence,
    an_item,
    an_other_event,
    append,
    at,
    name_of,
    record,
    save,
    stored,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.decision import Decision
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, from_leaf_bytes
from tracker.ports import ApiKey, InboxItem, Progress, StoredReport, Transaction

T = TypeVar("T", bound=Callable[..., Any])


def some_examples(test: T) -> T:
    """One store serves all examples of a test: every example brings ids of its own."""
    return settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))(test)


@some_examples
@given(consent=any_of.consents, decision=any_of.decisions, ask=any_of.maybe_times, tick=any_of.maybe_times)
async def test_a_consent(
    store: SqlStore, consent: TrackedConsent, decision: Decision, ask: datetime | None, tick: datetime | None
) -> None:
    await save(store, consent, decision=decision, ask=ask, tick=tick)
    assert await store.get_consent(consent.tracking_id) == consent
    assert await store.find_consent(name_of(consent)) == consent
    assert await store.next_ask_at(consent.tracking_id) == ask


@some_examples
@given(before=any_of.consents, after=any_of.consents)
async def test_a_consent_that_changed_in_everything(
    store: SqlStore, before: TrackedConsent, after: TrackedConsent
) -> None:
    after = replace(after, tracking_id=before.tracking_id, provider=before.provider, consent_id=before.consent_id)
    await save(store, before)
    await save(store, after)
    assert await store.get_consent(before.tracking_id) == after


@some_examples
@given(report=any_of.stored_reports, evidence=st.none() | any_of.evidences)
async def test_a_report(store: SqlStore, report: StoredReport, evidence: Any) -> None:
    assert report.tracking_id is not None
    await record(store, report, evidence=evidence)
    assert await store.reports_of(report.tracking_id) == [report]


@some_examples
@given(items=st.lists(any_of.items, min_size=1, max_size=4))
async def test_inbox_items(store: SqlStore, items: list[InboxItem]) -> None:
    for item in items:
        await store.admit(item)
    waiting = await store.claim_inbox(datetime.max.replace(tzinfo=UTC), 1000, 0)
    assert sorted(waiting, key=lambda i: i.id) == sorted(items, key=lambda i: i.id)
    await store.transact(lambda transaction: transaction.take_from_inbox([item.id for item in items]))


@some_examples
@given(subscription=any_of.subscriptions)
async def test_a_subscription(store: SqlStore, subscription: Subscription) -> None:
    await store.add_subscription(subscription)
    assert await store.get_subscription(subscription.id) == subscription


@some_examples
@given(
    subscription=any_of.subscriptions, later=any_of.subscriptions, parked=st.lists(any_of.parked_entries, max_size=3)
)
async def test_the_progress_of_a_subscription(
    store: SqlStore, subscription: Subscription, later: Subscription, parked: list[Parked]
) -> None:
    assume(len({waiting.sequence for waiting in parked}) == len(parked))
    later = replace(
        later, id=subscription.id, cursor=min(later.cursor, subscription.cursor)
    )  # the journal ends before any of it
    await store.add_subscription(subscription)
    assert await store.save_progress(Progress(subscription=later, park=tuple(parked)))
    place = {"cursor", "last_delivered_at"}
    endpoint = {"state", "failing_since", "failures", "next_attempt_at", "last_error", "announced"}
    known = place | endpoint if later.version == subscription.version else place
    expected = replace(subscription, **{name: getattr(later, name) for name in known})
    assert await store.get_subscription(subscription.id) == expected
    assert await store.parked(subscription.id) == sorted(parked, key=lambda waiting: waiting.sequence)


@some_examples
@given(subscription=any_of.subscriptions, later=any_of.subscriptions)
async def test_changed_terms_of_a_subscription(
    store: SqlStore, subscription: Subscription, later: Subscription
) -> None:
    await store.add_subscription(subscription)
    later = replace(later, id=subscription.id, created_at=subscription.created_at)
    assert not await store.change_subscription(later, subscription.version + 1)
    assert await store.get_subscription(subscription.id) == subscription
    place = {"cursor", "last_delivered_at", "announced"}
    endpoint = {"state", "failing_since", "failures", "next_attempt_at", "last_error"}
    for more, is_anew in enumerate((False, True)):
        at_version = subscription.version + more
        assert await store.change_subscription(later, at_version, is_anew=is_anew)
        kept = {name: getattr(subscription, name) for name in (place if is_anew else place | endpoint)}
        assert await store.get_subscription(subscription.id) == replace(later, **kept, version=at_version + 1)


@some_examples
@given(key=any_of.api_keys)
async def test_an_api_key(store: SqlStore, key: ApiKey) -> None:
    await store.add_api_key(key)
    assert await store.get_api_key(key.id) == key
    assert key in await store.api_keys()


@some_examples
@given(drafts=st.lists(any_of.drafts(), min_size=1, max_size=3), now=any_of.times)
async def test_entries(store: SqlStore, drafts: list[Draft], now: datetime) -> None:
    before = await store.head()
    entries = await append(store, *drafts, now=now)
    assert await store.entries_after(before, 100) == entries
    for draft, entry in zip(drafts, entries, strict=True):
        assert entry.id == draft.id
        assert (entry.private, entry.private_salt) == (draft.private, draft.private_salt)
        again = from_leaf_bytes(entry.leaf_bytes, private=entry.private, private_salt=entry.private_salt)
        assert (again.leaf, again.leaf_hash, again.recorded_at) == (entry.leaf, entry.leaf_hash, entry.recorded_at)


@pytest.mark.parametrize("hours", [-12, 0, 4, 14])
async def test_a_time_comes_back_as_the_same_instant_in_utc(store: SqlStore, hours: int) -> None:
    given_at = datetime(2026, 3, 2, 15, 13, 19, 123_456, timezone(timedelta(hours=hours)))
    consent = a_consent(registered_at=given_at, terms={"at": given_at.isoformat()})
    await save(store, consent)
    found = await store.get_consent(consent.tracking_id)
    assert found is not None
    assert found.registered_at == given_at
    assert found.registered_at.microsecond == 123_456
    assert found.registered_at.utcoffset() == timedelta(0)


async def test_a_time_without_a_zone_is_refused_and_nothing_is_kept(store: SqlStore) -> None:
    consent = a_consent(registered_at=at(0).replace(tzinfo=None))
    with pytest.raises(Exception, match="cannot be stored"):
        await save(store, consent)
    assert await store.get_consent(consent.tracking_id) is None
    with pytest.raises(Exception, match="cannot be stored"):
        await store.admit(an_item(received_at=at(0).replace(tzinfo=None)))
    assert await store.inbox_depth() == (0, None)


async def test_nothing_is_found_in_an_empty_store(store: SqlStore) -> None:
    nobody = a_consent()
    assert await store.find_consent(name_of(nobody)) is None
    assert await store.get_consent(nobody.tracking_id) is None
    assert await store.next_ask_at(nobody.tracking_id) is None
    assert await store.reports_of(nobody.tracking_id) == []
    assert await store.entries_of(nobody.tracking_id) == []
    assert await store.get_subscription("none") is None
    assert await store.subscriptions() == []
    assert await store.parked("none") == []
    assert await store.get_api_key("none") is None
    assert await store.api_keys() == []
    assert await store.quarantined(10) == []
    assert await store.claim_inbox(at(0), 10, 0) == []
    assert await store.head() == 0


async def test_what_was_written_is_there_after_opening_again(new_database: Any) -> None:
    open_store = new_database()
    first = open_store()
    consent, item = a_consent(), an_item()
    journal_id = await first.journal_id()

    def script(transaction: Transaction) -> None:
        transaction.save(
            consent,
            Decision(status=consent.told.status, since=None, expiration_date_time=None),
            next_ask_at=None,
            next_tick_at=None,
        )
        transaction.add_report(stored(a_report(), consent), an_evidence())
        transaction.add_other_event(an_other_event(), an_evidence())

    await first.transact(script)
    await first.admit(item)
    await first.close()
    second = open_store()
    assert await second.get_consent(consent.tracking_id) == consent
    assert await second.claim_inbox(at(0), 10, 0) == [item]
    assert len(await second.reports_of(consent.tracking_id)) == 1
    assert await second.journal_id() == journal_id
    await second.close()
