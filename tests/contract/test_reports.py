"""Reports on record: known, waiting for their consent, counted, in order. And what stands beside them."""

import asyncio

import pytest

from tests.contract.facts import (
    CONSENT_1,
    DEMOBANK,
    OTHERBANK,
    a_consent,
    a_decision,
    a_report,
    an_evidence,
    an_other_event,
    at,
    digest,
    name_of,
    record,
    stored,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Channel, ConsentId, Status
from tracker.domain.errors import StorageError
from tracker.domain.lifecycle import Verdict
from tracker.ports import Confirmation, Name, StoredReport, Transaction


async def waiting(store: SqlStore, *names: Name) -> dict[Name, list[StoredReport]]:
    return await store.transact(lambda transaction: dict(transaction.waiting_reports(names)))


async def known(store: SqlStore, *digests: str) -> set[str]:
    return await store.transact(lambda transaction: transaction.known_digests(digests))


async def test_digests_of_reports_and_of_other_events_are_known(store: SqlStore) -> None:
    await record(store, stored(a_report(1)))
    other = an_other_event(2)
    await store.transact(lambda transaction: transaction.add_other_event(other, an_evidence()))
    assert await known(store, digest(1), other.digest, digest(3)) == {digest(1), other.digest}
    assert await known(store) == set()


async def test_more_digests_are_looked_up_than_one_statement_takes(store: SqlStore) -> None:
    reports = [stored(a_report(number)) for number in range(900)]
    await record(store, *reports)
    digests = [digest(number) for number in range(1_500)]
    assert await known(store, *digests) == set(digests[:900])


async def test_a_digest_is_recorded_once(store: SqlStore) -> None:
    await record(store, stored(a_report(1)))
    with pytest.raises(StorageError) as caught:
        await record(store, stored(a_report(2)), stored(a_report(1)))
    assert caught.value.retryable is False
    assert await known(store, digest(1), digest(2)) == {digest(1)}


async def test_one_token_may_stand_behind_two_reports(store: SqlStore) -> None:
    for number in (1, 2):
        await record(store, stored(a_report(number)), evidence=an_evidence())
    assert len(await known(store, digest(1), digest(2))) == 2


async def test_claims_are_those_of_each_consent(store: SqlStore) -> None:
    one, two, silent = a_consent("one"), a_consent("two"), a_consent("silent")
    await record(
        store,
        stored(a_report(1, Status.AUTHORIZED, 1.5), one),
        stored(a_report(2, Status.AUTHORIZED, 1.5), one),
        stored(a_report(3, Status.REVOKED, 2), one),
        stored(a_report(4, Status.SUSPENDED, 3), two),
        stored(a_report(5), name_of(silent)),
    )
    keys = [one.tracking_id, two.tracking_id, silent.tracking_id]
    claims = await store.transact(lambda transaction: dict(transaction.known_claims(keys)))
    assert {key: found for key, found in claims.items() if found} == {
        one.tracking_id: {(Status.AUTHORIZED, at(1.5)), (Status.REVOKED, at(2))},
        two.tracking_id: {(Status.SUSPENDED, at(3))},
    }


async def test_reports_wait_for_their_consent_in_the_order_of_receipt(store: SqlStore) -> None:
    name, other_name = (DEMOBANK, ConsentId("early")), (OTHERBANK, ConsentId("early"))
    late, early = stored(a_report(1, since=5), name), stored(a_report(2, since=3), name)
    theirs, known_one = stored(a_report(3), other_name), stored(a_report(4, since=1), a_consent("early"))
    await record(store, late, theirs, known_one, early)
    assert await waiting(store, name) == {name: [early, late]}
    assert await waiting(store, name, other_name) == {name: [early, late], other_name: [theirs]}
    assert await waiting(store, (DEMOBANK, ConsentId("nobody"))) == {}


async def test_a_waiting_report_is_filed_once_its_consent_is_registered(store: SqlStore) -> None:
    consent = a_consent("early")
    name = name_of(consent)
    await record(store, stored(a_report(1), name), evidence=an_evidence())
    filed = stored(a_report(1, recorded_at=at(60), asks=3), consent, verdict=Verdict.MOVED)

    def register(transaction: Transaction) -> None:
        assert transaction.lock_named([name]) == {}
        assert [w.report.digest for w in transaction.waiting_reports([name])[name]] == [digest(1)]
        transaction.add_report(filed, None)

    await store.transact(register)
    assert await store.reports_of(consent.tracking_id) == [filed]
    assert await waiting(store, name) == {}
    assert await known(store, digest(1)) == {digest(1)}


async def test_reports_are_read_in_the_order_of_recording(store: SqlStore) -> None:
    """Of those that were recorded in one transaction, in the order of receipt: so they were judged."""
    consent, other = a_consent(), a_consent("other")
    expected = [
        stored(a_report(1, since=50, recorded_at=at(60)), consent),
        stored(a_report(2, since=2, recorded_at=at(61), asks=1), consent),
        stored(a_report(3, since=4, recorded_at=at(61), asks=1), consent),
        stored(a_report(4, since=3, recorded_at=at(61), asks=2), consent),
        stored(a_report(5, since=1, recorded_at=at(62)), consent),
    ]
    shuffled = [expected[i] for i in (4, 2, 0, 3, 1)]
    await record(store, *shuffled, stored(a_report(9), other))
    assert await store.reports_of(consent.tracking_id) == expected


async def test_repeats_and_confirmations_leave_reports_as_they_are(store: SqlStore) -> None:
    consent = a_consent()
    report, other = stored(a_report(), consent), an_other_event()
    confirmed = Confirmation(
        tracking_id=consent.tracking_id,
        vouched_at=at(1),
        recorded_at=at(2),
        channel=Channel.POLL,
        status=Status.AUTHORIZED,
    )

    def script(transaction: Transaction) -> None:
        transaction.add_report(report, None)
        transaction.add_other_event(other, an_evidence())
        for repeated in (digest(1), digest(1), other.digest, digest("never recorded")):
            transaction.count_repeat(repeated)
        transaction.add_confirmation(confirmed)
        transaction.add_confirmation(confirmed)

    await store.transact(script)
    assert await store.reports_of(consent.tracking_id) == [report]
    assert await known(store, digest("never recorded")) == set()


async def test_a_registration_and_an_event_that_race_never_miss_each_other(store: SqlStore) -> None:
    """Whichever comes first, the report ends up with the consent."""
    consent = a_consent()

    def register(transaction: Transaction) -> None:
        transaction.lock_named([CONSENT_1])
        for early in transaction.waiting_reports([CONSENT_1]).get(CONSENT_1, []):
            transaction.add_report(stored(early.report, consent), None)
        transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)

    def hear(transaction: Transaction) -> None:
        held = transaction.lock_named([CONSENT_1])
        transaction.add_report(stored(a_report(), held.get(CONSENT_1, CONSENT_1)), None)

    await asyncio.gather(store.transact(hear), store.transact(register))
    assert [r.report.digest for r in await store.reports_of(consent.tracking_id)] == [digest(1)]


async def test_what_our_own_application_said_is_no_claim_of_the_holders(store: SqlStore) -> None:
    consent = a_consent()
    for number, channel in enumerate(Channel):
        await record(store, stored(a_report(number, since=number, channel=channel), consent))
    claims = await store.transact(lambda transaction: dict(transaction.known_claims([consent.tracking_id])))
    assert claims == {consent.tracking_id: {(Status.AUTHORIZED, at(n)) for n in (0, 1)}}  # webhook, poll
