"""Subscriptions and the keys of our API's callers."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.contract.facts import a_consent, a_subscription, append, at, digest, draft_about, parked, save
from tracker.adapters.store.store import SqlStore
from tracker.domain.errors import StorageError
from tracker.domain.subscription import EntryFilter, SubscriptionState
from tracker.journal.entry import Draft
from tracker.ports import ApiKey, Progress, Telling


async def test_subscriptions_are_read_in_order_of_id(store: SqlStore) -> None:
    made = [a_subscription() for _ in range(3)]
    for subscription in reversed(made):
        await store.add_subscription(subscription)
    assert await store.subscriptions() == made
    assert await store.get_subscription(made[1].id) == made[1]
    with pytest.raises(StorageError):
        await store.add_subscription(made[1])


async def test_a_proof_is_a_part_of_the_terms_that_progress_leaves_alone(store: SqlStore) -> None:
    made = a_subscription(state=SubscriptionState.PENDING, challenge="c" * 64)
    await store.add_subscription(made)
    assert await store.get_subscription(made.id) == made
    assert await store.change_subscription(
        replace(made, state=SubscriptionState.ACTIVE, challenge=None), 1, is_anew=True
    )
    assert await store.save_progress(Progress(subscription=replace(made, failures=1)))  # by the terms of before
    found = await store.get_subscription(made.id)
    assert found == replace(made, state=SubscriptionState.ACTIVE, challenge=None, version=2)


async def test_progress_is_written_all_in_one(store: SqlStore) -> None:
    before = a_subscription(entry_filter=EntryFilter(types=("consent.*",)))
    await store.add_subscription(before)
    consent = a_consent()
    await save(store, consent)
    await append(store, *(draft_about(consent) for _ in range(10)))
    after = replace(before, cursor=9, state=SubscriptionState.FAILING, failures=2, last_error="503")
    waits = [parked(7, attempts=1, last_error="refused"), parked(3), parked(5)]
    assert await store.save_progress(Progress(subscription=after, park=tuple(waits)))
    assert await store.get_subscription(before.id) == after
    assert await store.parked(before.id) == [waits[1], waits[2], waits[0]]

    again = replace(waits[0], attempts=2, next_attempt_at=at(90), last_error="again")
    later = Progress(subscription=replace(after, cursor=10), park=(again,), settled=(3, 99), given_up=(waits[2],))
    assert await store.save_progress(later)
    assert await store.parked(before.id) == [again]
    assert await store.save_progress(later)  # the same once more, after an answer that was lost
    assert await store.parked(before.id) == [again]


async def test_what_was_not_told_is_listed_page_by_page(store: SqlStore) -> None:
    mine, other = a_subscription(), a_subscription()
    consent = a_consent()
    await save(store, consent)
    await append(store, *(draft_about(consent) for _ in range(10)))
    lost = parked(4, attempts=6, last_error="gone", next_attempt_at=at(60))
    for one in (mine, other):
        await store.add_subscription(one)
        park = (parked(7, attempts=1, last_error="refused", next_attempt_at=at(30)), parked(2), lost)
        assert await store.save_progress(Progress(subscription=replace(one, cursor=9), park=park))
    assert await store.save_progress(Progress(subscription=replace(mine, cursor=9), given_up=(lost,)))

    async def listed(after: int, limit: int) -> list[tuple[int, int, str | None, bool]]:
        found = await store.undelivered(mine.id, after, limit)
        assert all((one.next_attempt_at is None) is (one.given_up_at is not None) for one in found)
        return [(one.sequence, one.attempts, one.last_error, one.given_up_at == at(60)) for one in found]

    everything = [(2, 0, None, False), (4, 6, "gone", True), (7, 1, "refused", False)]
    assert await listed(0, 10) == everything
    assert [await listed(after, 1) for after in (0, 2, 4, 7)] == [[one] for one in everything] + [[]]
    assert await listed(2, 2) == everything[1:]
    assert await store.undelivered("none", 0, 10) == []


async def test_the_survey_tells_which_are_paused(store: SqlStore) -> None:
    for one in (a_subscription(cursor=1), a_subscription(cursor=0, paused_at=at(5))):
        await store.add_subscription(one)
    found = (await store.survey(at(9), [])).subscriptions
    assert [(standing.cursor, standing.is_paused) for standing in found] == [(0, True), (1, False)]


async def test_progress_never_changes_what_was_fixed_when_a_subscription_was_made(store: SqlStore) -> None:
    made = a_subscription()
    await store.add_subscription(made)
    assert await store.save_progress(Progress(subscription=replace(made, secret="whsec_other", created_at=at(99))))
    assert await store.get_subscription(made.id) == made


async def test_subscriptions_keep_their_parked_entries_apart(store: SqlStore) -> None:
    one, other = a_subscription(), a_subscription()
    for subscription in (one, other):
        await store.add_subscription(subscription)
        await store.save_progress(Progress(subscription=subscription, park=(parked(1), parked(2))))
    await store.save_progress(Progress(subscription=one, settled=(1,), given_up=(parked(2),)))
    assert await store.parked(one.id) == []
    assert await store.parked(other.id) == [parked(1), parked(2)]


async def test_a_deleted_subscription_takes_what_was_parked_with_it(store: SqlStore) -> None:
    one, other = a_subscription(), a_subscription()
    for subscription in (one, other):
        await store.add_subscription(subscription)
        await store.save_progress(Progress(subscription=subscription, park=(parked(1),), given_up=(parked(2),)))
    assert await store.delete_subscription(one.id) is True
    assert await store.delete_subscription(one.id) is False
    assert await store.subscriptions() == [other]
    assert await store.parked(one.id) == []
    assert await store.parked(other.id) == [parked(1)]


async def test_the_progress_of_a_deleted_subscription_is_not_written(store: SqlStore) -> None:
    gone = a_subscription()
    await store.add_subscription(gone)
    await store.delete_subscription(gone.id)
    assert await store.save_progress(Progress(subscription=gone, park=(parked(1),), given_up=(parked(2),))) is False
    assert await store.get_subscription(gone.id) is None
    assert await store.parked(gone.id) == []


def a_key(key_id: str) -> ApiKey:
    return ApiKey(
        id=key_id, name="back office", secret_sha256=digest(key_id), scopes=frozenset({"read"}), created_at=at(0)
    )


async def test_api_keys_are_read_in_order_of_id(store: SqlStore) -> None:
    for key_id in ("b", "c", "a"):
        await store.add_api_key(a_key(key_id))
    assert [key.id for key in await store.api_keys()] == ["a", "b", "c"]
    with pytest.raises(StorageError):
        await store.add_api_key(a_key("b"))


async def test_a_key_is_revoked_once_and_for_good(store: SqlStore) -> None:
    await store.add_api_key(a_key("a"))
    await store.add_api_key(a_key("b"))
    assert await store.revoke_api_key("a", at(1)) is True
    await store.revoke_api_key("a", at(2))
    assert await store.get_api_key("a") == replace(a_key("a"), revoked_at=at(1))
    assert await store.get_api_key("b") == a_key("b")
    assert await store.revoke_api_key("nobody", at(3)) is False


def told_of(subscription_id: str) -> Draft:
    states = {"from_status": "active", "to_status": "failing"}
    return Draft(id=str(uuid4()), type="subscription.failing", subscription_id=subscription_id, **states)


async def test_what_became_of_the_endpoint_is_told_with_it(store: SqlStore) -> None:
    mine, other, consent = a_subscription(), a_subscription(), a_consent()
    for one in (mine, other):
        await store.add_subscription(one)
    await save(store, consent)
    await append(store, draft_about(consent))
    for one in (mine, other, mine):
        failing = replace(one, state=SubscriptionState.FAILING)
        progress = Progress(subscription=failing, telling=Telling((told_of(one.id), told_of(one.id)), at(5)))
        assert await store.save_progress(progress)
    entries = await store.entries_after(1, 10)
    assert [entry.previous for entry in entries] == [None, 2, None, 4, 3, 6]
    assert [entry.subject.partition("/")[2] for entry in entries] == [
        i for i in (mine.id, other.id, mine.id) for _ in "12"
    ]
    assert await store.head() == 7
    await append(store, draft_about(consent))
    assert (await store.entries_after(7, 10))[0].previous == 1


async def test_what_was_found_out_by_old_terms_is_not_told(store: SqlStore) -> None:
    before = a_subscription()
    await store.add_subscription(before)
    assert await store.change_subscription(replace(before, url="https://other.example/"), before.version)
    failing = replace(before, state=SubscriptionState.FAILING)
    assert await store.save_progress(Progress(subscription=failing, telling=Telling((told_of(before.id),), at(5))))
    assert await store.head() == 0
    await store.delete_subscription(before.id)
    assert not await store.save_progress(Progress(subscription=failing, telling=Telling((told_of(before.id),), at(5))))
    assert await store.head() == 0
