"""What evidence packs are made of: tokens and keys as they were kept, and what came of telling entries."""

from dataclasses import replace
from datetime import timedelta

from tests.contract.facts import (
    DEMOBANK,
    OTHERBANK,
    START,
    a_consent,
    a_decision,
    a_report,
    a_subscription,
    an_evidence,
    digest,
    draft_about,
    parked,
    stored,
)
from tracker.adapters.store.store import SqlStore
from tracker.domain.completion import Work
from tracker.domain.consent import ConsentId
from tracker.ports import Evidence, KeyOrigin, Progress, Transaction, Untold, Verification

DONE = Verification(
    at=START, alg="PS256", issuer="https://bank.example", audience=("tpp", "other"), checks=("signature", "iss")
)
ORIGIN = KeyOrigin(fetched_at=START - timedelta(hours=1), x5c=("MIIA",), tls_chain=("0" * 64, "1" * 64))


def noted(number: int, origin: KeyOrigin = ORIGIN) -> Evidence:
    proof = an_evidence(number)
    return replace(proof, token=replace(proof.token, origin=origin, verification=DONE))


async def keep(store: SqlStore, *proofs: Evidence) -> None:
    consent = a_consent(ConsentId(proofs[0].jws_sha256[:32]))

    def script(transaction: Transaction) -> None:
        transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
        for proof in proofs:
            transaction.add_report(stored(a_report(f"{proof.jws_sha256} {proof.received_at}"), consent), proof)
        transaction.append([draft_about(consent)], START)

    await store.transact(script)


async def test_tokens_come_back_as_they_were_kept(store: SqlStore) -> None:
    old, new = an_evidence(1), replace(noted(2), received_at=START - timedelta(seconds=1))
    await keep(store, old, new)
    first, second = await store.evidence.tokens([old.jws_sha256, new.jws_sha256, digest("none")])
    assert (first.jws_sha256, first.jws, first.verification) == (new.jws_sha256, new.token.jws, DONE)
    assert (first.key_fetched_at, first.received_at, first.jwe_sha256) == (
        ORIGIN.fetched_at,
        new.received_at,
        new.jwe_sha256,
    )
    assert (second.jws_sha256, second.verification, second.key_fetched_at) == (old.jws_sha256, None, None)
    assert await store.evidence.tokens([]) == []


async def test_more_tokens_are_read_than_one_statement_takes(store: SqlStore) -> None:
    await keep(store, *(an_evidence(number) for number in range(1200)))
    names = [an_evidence(number).jws_sha256 for number in range(1200)]
    assert {token.jws_sha256 for token in await store.evidence.tokens(names)} == set(names)


async def test_a_key_keeps_what_vouched_for_it_first(store: SqlStore) -> None:
    await keep(store, noted(1), noted(2, KeyOrigin(fetched_at=START)))
    later = noted(3, KeyOrigin(fetched_at=START + timedelta(days=1)))
    await keep(store, later)
    thumbprint = later.token.jwk_thumbprint
    (key,) = await store.evidence.keys(DEMOBANK, [thumbprint, "another"])
    assert (key.origin, key.jwk, key.jwks_uri, key.first_seen_at) == (
        ORIGIN,
        later.token.jwk,
        later.token.jwks_uri,
        later.received_at,
    )
    assert await store.evidence.keys(OTHERBANK, [thumbprint]) == []
    (token,) = await store.evidence.tokens([later.jws_sha256])
    assert token.key_fetched_at == START + timedelta(days=1)


async def test_what_came_of_telling_entries(store: SqlStore) -> None:
    one, other = a_subscription(), a_subscription()
    consent = a_consent()

    def script(transaction: Transaction) -> None:
        transaction.save(consent, a_decision(), next_ask_at=None, next_tick_at=None)
        transaction.append([draft_about(consent) for _ in range(4)], START)

    await store.transact(script)
    for subscription in (one, other):
        await store.add_subscription(subscription)
    waits, lost, elsewhere = parked(1), parked(2), parked(4)
    await store.save_progress(Progress(subscription=one, park=(waits, elsewhere), given_up=(lost,)))
    await store.save_progress(Progress(subscription=other, given_up=(parked(3),)))
    entry = (await store.entries_at([2]))[2]
    work = Work(
        subscription_id=one.id,
        sequence=2,
        work="data_deleted",
        entry_id=entry.id,
        tracking_id=consent.tracking_id,
        provider=consent.provider,
        due_at=START,
    )
    assert await store.save_completion_watch(one, None, 4, [work, replace(work, sequence=4)])
    found = await store.evidence.aftermath([1, 2, 3])
    assert sorted(found.untold, key=lambda each: each.sequence) == [
        Untold(subscription_id=one.id, sequence=1, attempts=waits.attempts, given_up_at=None),
        Untold(subscription_id=one.id, sequence=2, attempts=lost.attempts, given_up_at=lost.next_attempt_at),
        Untold(subscription_id=other.id, sequence=3, attempts=lost.attempts, given_up_at=lost.next_attempt_at),
    ]
    assert found.work == [work]
    assert (await store.evidence.aftermath([])).untold == []
