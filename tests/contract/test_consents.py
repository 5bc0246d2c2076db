"""Consents: held, saved, found again, searched."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.facts import (
    DEMOBANK,
    IDS,
    OTHERBANK,
    START,
    a_consent,
    a_decision,
    append,
    at,
    draft_about,
    name_of,
    save,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import ConsentId, ProviderId, Status, TrackingId
from tracker.domain.errors import StorageError
from tracker.domain.overlay import Overlay, Revocation, RevocationState
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.ports import AskLine, ConsentQuery, Transaction


async def found(store: SqlStore, now: datetime = START, **narrowed: Any) -> list[str]:
    return [consent.consent_id for consent in await store.search(ConsentQuery(**narrowed), now)]


# ------------------------------------------------------------------------------------------ holding


async def test_names_are_held_whether_registered_or_not(store: SqlStore) -> None:
    known = a_consent()
    await save(store, known)
    names = [name_of(known), (DEMOBANK, ConsentId("nobody")), (OTHERBANK, known.consent_id)]
    held = await store.transact(lambda transaction: transaction.lock_named(names))
    assert held == {name_of(known): known}


async def test_one_name_with_two_providers_is_two_consents(store: SqlStore) -> None:
    ours, theirs = a_consent(), a_consent(provider=OTHERBANK)
    await save(store, ours, theirs)
    assert await store.find_consent(name_of(ours)) == ours
    assert await store.find_consent(name_of(theirs)) == theirs


async def test_tracked_ones_are_held_by_key(store: SqlStore) -> None:
    known = a_consent()
    await save(store, known)
    keys = [known.tracking_id, TrackingId(IDS.ordered())]
    assert await store.transact(lambda transaction: transaction.lock_tracked(keys)) == {known.tracking_id: known}


async def test_more_names_are_held_than_one_statement_takes(store: SqlStore) -> None:
    consents = [a_consent(f"consent-{number}") for number in range(1_000)]
    await save(store, *consents)
    names = [name_of(consent) for consent in consents]
    held = await store.transact(lambda transaction: transaction.lock_named(names))
    assert held == {name_of(consent): consent for consent in consents}
    keys = [consent.tracking_id for consent in consents]
    assert len(await store.transact(lambda transaction: transaction.lock_tracked(keys))) == 1_000
    assert await store.transact(lambda transaction: transaction.lock_named([])) == {}


async def test_saving_what_is_held_updates_it(store: SqlStore) -> None:
    consent = a_consent(user_ref="before")
    await save(store, consent)
    changed = a_consent(tracking_id=consent.tracking_id, user_ref="after", version=2, updated_at=at(9))
    await save(store, changed)
    assert await store.search(ConsentQuery(), at(0)) == [changed]


async def test_of_two_saves_in_one_transaction_the_last_counts(store: SqlStore) -> None:
    consent = a_consent(user_ref="first")
    changed = a_consent(tracking_id=consent.tracking_id, user_ref="second")

    def script(transaction: Transaction) -> None:
        for version in (consent, changed):
            transaction.save(version, a_decision(), next_ask_at=None, next_tick_at=None)

    await store.transact(script)
    assert await store.get_consent(consent.tracking_id) == changed


async def test_a_name_belongs_to_one_consent_for_good(store: SqlStore) -> None:
    first, second = a_consent(), a_consent()
    await save(store, first)

    def without_looking(transaction: Transaction) -> None:
        transaction.save(second, a_decision(), next_ask_at=None, next_tick_at=None)

    with pytest.raises(StorageError) as caught:
        await store.transact(without_looking)
    assert caught.value.retryable is False  # it would fail again and again
    assert await store.find_consent(name_of(first)) == first
    assert await store.get_consent(second.tracking_id) is None


async def test_saving_never_writes_the_last_sequence(store: SqlStore) -> None:
    consent = a_consent()
    await save(store, consent)
    await append(store, draft_about(consent))
    await save(store, a_consent(tracking_id=consent.tracking_id, last_sequence=77))
    again = await store.get_consent(consent.tracking_id)
    assert again is not None
    assert again.last_sequence == 1


async def test_nothing_is_kept_of_a_script_that_raises(store: SqlStore) -> None:
    consent = a_consent()

    def script(transaction: Transaction) -> None:
        transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
        transaction.append([draft_about(consent)], at(0))
        raise LookupError("poisoned")

    with pytest.raises(LookupError, match="poisoned"):
        await store.transact(script)
    assert await store.get_consent(consent.tracking_id) is None
    assert await store.find_consent(name_of(consent)) is None
    assert await store.head() == 0


# ------------------------------------------------------------------------------------------ what is due


async def test_due_asks_are_the_providers_own_the_longest_overdue_first(store: SqlStore) -> None:
    for consent_id, provider, due in (
        ("third", DEMOBANK, at(3)),
        ("first", DEMOBANK, at(1)),
        ("second", DEMOBANK, at(2)),
        ("later", DEMOBANK, at(10.000_001)),
        ("never", DEMOBANK, None),
        ("theirs", OTHERBANK, at(0)),
    ):
        await save(store, a_consent(consent_id, provider), ask=due)

    def due_at(now: datetime, limit: int) -> Any:
        return lambda transaction: [c.consent_id for c in transaction.lock_due_asks(DEMOBANK, now, limit)]

    assert await store.transact(due_at(at(10), 100)) == ["first", "second", "third"]
    assert await store.transact(due_at(at(10), 2)) == ["first", "second"]
    assert await store.transact(due_at(at(10.000_001), 100)) == ["first", "second", "third", "later"]
    assert await store.transact(due_at(at(0), 100)) == []


async def test_due_revocations_are_the_providers_own_pending_ones_that_nobody_is_at(store: SqlStore) -> None:
    def overlay(**facts: Any) -> Overlay:
        return Overlay(revocation=Revocation(**{"revoked_by": "TPP.InitiatedByUser", "requested_at": at(0), **facts}))

    for consent_id, provider, said in (
        ("second", DEMOBANK, overlay(due_at=at(2))),
        ("first", DEMOBANK, overlay(due_at=at(1), sent_at=at(0), answer="accepted", attempts=1, unanswered=0)),
        ("later", DEMOBANK, overlay(due_at=at(10.000_001))),
        ("leased", DEMOBANK, overlay(due_at=at(1), leased_until=at(60))),
        ("refused", DEMOBANK, overlay(state=RevocationState.REFUSED, last_error="Consent.BusinessRuleViolation")),
        ("none", DEMOBANK, Overlay(paused=True)),
        ("theirs", OTHERBANK, overlay(due_at=at(0))),
    ):
        await save(store, a_consent(consent_id, provider, overlay=said))

    def due_at(now: datetime, limit: int = 100) -> Any:
        def look(transaction: Transaction) -> list[str]:
            return [c.consent_id for c in transaction.lock_due_revocations(DEMOBANK, now, limit)]

        return look

    assert await store.transact(due_at(at(10))) == ["first", "second"]
    assert await store.transact(due_at(at(10), 1)) == ["first"]
    assert await store.transact(due_at(at(60))) == ["first", "second", "later", "leased"]
    assert await store.transact(due_at(at(0))) == []


async def test_due_asks_skip_what_somebody_else_is_asking_about(store: SqlStore) -> None:
    await save(store, a_consent("leased", asking=Asking(leased_until=at(60.5))), ask=at(0))
    await save(store, a_consent("free"), ask=at(1))

    def due_at(now: datetime) -> Any:
        return lambda transaction: [c.consent_id for c in transaction.lock_due_asks(DEMOBANK, now, 1)]

    assert await store.transact(due_at(at(60))) == ["free"]
    assert await store.transact(due_at(at(60.5))) == ["leased"]


async def test_due_ticks_are_those_of_all_providers(store: SqlStore) -> None:
    await save(store, a_consent("second"), tick=at(2))
    await save(store, a_consent("first", OTHERBANK, asking=Asking(leased_until=at(60))), tick=at(1))
    await save(store, a_consent("later"), tick=at(3))
    await save(store, a_consent("never"))

    def due(limit: int) -> Any:
        return lambda transaction: [c.consent_id for c in transaction.lock_due_ticks(at(2), limit)]

    assert await store.transact(due(100)) == ["first", "second"]
    assert await store.transact(due(1)) == ["first"]


async def test_due_ticks_may_be_narrowed_to_some_providers(store: SqlStore) -> None:
    for consent_id, provider, due in (
        ("ours", DEMOBANK, at(2)),
        ("theirs", OTHERBANK, at(1)),
        ("later", DEMOBANK, at(9)),
    ):
        await save(store, a_consent(consent_id, provider), tick=due)

    def due_of(*providers: ProviderId) -> Any:
        return lambda transaction: [c.consent_id for c in transaction.lock_due_ticks(at(5), 1, providers)]

    assert await store.transact(due_of(DEMOBANK)) == ["ours"]
    assert await store.transact(due_of(DEMOBANK, OTHERBANK)) == ["theirs"]
    assert await store.transact(due_of()) == []


async def test_what_was_due_may_be_saved_and_is_then_due_when_it_says(store: SqlStore) -> None:
    await save(store, a_consent(), ask=at(0), tick=at(0))

    def take(transaction: Transaction) -> int:
        due = transaction.lock_due_asks(DEMOBANK, at(1), 10)
        for consent in due:
            transaction.save(consent, a_decision(), next_ask_at=at(5), next_tick_at=None)
        return len(due)

    assert [await store.transact(take), await store.transact(take)] == [1, 0]
    assert await store.transact(lambda transaction: transaction.lock_due_ticks(at(100), 10)) == []
    (consent,) = await store.search(ConsentQuery(), at(0))
    assert await store.next_ask_at(consent.tracking_id) == at(5)


# ------------------------------------------------------------------------------------------ searching


async def test_search_narrows_by_each_of_its_members(store: SqlStore) -> None:
    await save(store, a_consent("plain"), decision=a_decision(Status.SUSPENDED))
    odd = a_consent("odd", OTHERBANK, kind="payment", user_ref="u", base_consent_id="root", updated_at=at(50))
    await save(store, odd, decision=a_decision(Status.AUTHORIZED, expiry=at(100)))
    assert await found(store) == ["plain", "odd"]
    for narrowed in (
        {"provider": OTHERBANK},
        {"kind": "payment"},
        {"status": Status.AUTHORIZED},
        {"effective_status": Status.AUTHORIZED},
        {"user_ref": "u"},
        {"base_consent_id": "root"},
        {"expiring_before": at(100.000_001)},
        {"updated_since": at(50)},
    ):
        assert await found(store, **narrowed) == ["odd"], narrowed
    assert await found(store, status=Status.SUSPENDED, provider=DEMOBANK) == ["plain"]
    for narrowed in (
        {"provider": OTHERBANK, "kind": "account-access"},
        {"provider": "nobody"},
        {"kind": "pay"},
        {"status": Status.REVOKED},
        {"user_ref": "U"},
        {"user_ref": "%"},
        {"expiring_before": at(100)},
        {"updated_since": at(50.000_001)},
    ):
        assert await found(store, **narrowed) == [], narrowed


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    status=st.sampled_from(Status),
    expiry=st.none() | st.integers(-2, 2),
    judged=st.none() | st.integers(-2, 2),
)
async def test_search_by_effective_status_agrees_with_the_domain(
    store: SqlStore, status: Status, expiry: int | None, judged: int | None
) -> None:
    """The clock counts, and never runs back behind the instant at which a consent was last judged."""
    decision = a_decision(status, expiry=None if expiry is None else at(expiry))
    consent = a_consent(IDS.random(), judged_at=None if judged is None else at(judged))
    await save(store, consent, decision=decision)
    effective = decision.effective_status(at(max(0, judged or 0)))
    for asked_for in Status:
        is_found = consent.consent_id in await found(store, effective_status=asked_for, limit=1000)
        assert is_found == (asked_for is effective), asked_for


async def test_pages_follow_one_another_whatever_is_inserted_between(store: SqlStore) -> None:
    early = [a_consent(f"early-{number}") for number in range(5)]
    await save(store, *reversed(early))
    after: str | None = None
    seen: list[TrackedConsent] = []
    for number in range(4):
        page = await store.search(ConsentQuery(after=after, limit=2), at(0))
        seen += page
        after = page[-1].tracking_id if page else after
        await save(store, a_consent(f"late-{number}"))
    assert [consent.consent_id for consent in seen] == [
        *(consent.consent_id for consent in early),
        "late-0",
        "late-1",
        "late-2",
    ]
    assert await found(store, after=seen[-1].tracking_id) == ["late-3"]
    assert await found(store, after=seen[0].tracking_id, limit=1) == ["early-1"]


async def test_each_line_has_its_order_and_no_consent_is_in_two(store: SqlStore) -> None:
    """Urgent ones by their own time, scheduled ones by theirs, imported ones by their end."""

    def a_row(name: str, ends: float | None = None) -> TrackedConsent:
        return a_consent(name, registered_expiry=None if ends is None else at(ends))

    def script(transaction: Transaction) -> None:
        for name, next_at, urgent_at in (("u2", 1, 3), ("u1", 1, 2), ("s1", 1, None), ("s2", 2, 90), ("later", 90, 90)):
            urgent = None if urgent_at is None else at(urgent_at)
            transaction.save(
                a_row(name), a_decision(), next_ask_at=at(next_at), next_tick_at=None, urgent_ask_at=urgent
            )
        for name, ends, due in (
            ("q3", None, 1),
            ("q5", 1, 1),
            ("q4", 2, 1),
            ("q2", 80, 5),
            ("q1", 60, 5),
            ("q0", 50, 90),
        ):
            transaction.save(
                a_row(name, ends), a_decision(), next_ask_at=None, next_tick_at=None, queued_ask_at=at(due)
            )

    await store.transact(script)

    async def line(which: AskLine, limit: int = 10) -> list[str]:
        return await store.transact(
            lambda transaction: [c.consent_id for c in transaction.lock_due_asks(DEMOBANK, at(10), limit, which)]
        )

    assert await line(AskLine.URGENT) == ["u1", "u2"]
    assert await line(AskLine.ORDINARY) == ["s1", "s2"]
    assert await line(AskLine.QUEUED) == ["q1", "q2", "q3", "q4", "q5"]
    assert await line(AskLine.QUEUED, 3) == ["q1", "q2", "q3"]
    assert await line(AskLine.QUEUED, 1) == ["q1"]
