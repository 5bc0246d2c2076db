"""Values that say something about a person stand under a key for each consent, and are gone when that key is."""

import asyncio
import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.contract.facts import (
    CONSENT_1,
    DEMOBANK,
    OTHERBANK,
    START,
    NewDatabase,
    a_consent,
    a_decision,
    a_payment,
    a_report,
    an_evidence,
    an_other_event,
    append,
    draft_about,
    name_of,
    record,
    save,
    some_authorizers,
    stored,
)
from tracker.adapters.secret_keys import NO_KEYS, SecretKeys
from tracker.adapters.store.at_hand import with_their_keys
from tracker.adapters.store.evidence import to_jws
from tracker.adapters.store.key_tables import consent_key
from tracker.adapters.store.safe import LockedKeyError
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import evidence
from tracker.domain.consent import ConsentId
from tracker.domain.errors import InconsistentRowError
from tracker.domain.journey import Journey
from tracker.domain.tracked import TrackedConsent
from tracker.ports import ConsentQuery, Transaction

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
PERSONAL = "Zoe-Personal"
TABLES = ("consent", "report", "other_event", "payment", "evidence", "entry")


def one_with_everything(**changes: Any) -> TrackedConsent:
    journey = Journey(returned_at=START, error_description=f"said {PERSONAL}")
    facts: dict[str, Any] = {"terms": {"Name": PERSONAL}, "user_ref": PERSONAL, "journey": journey}
    return a_consent(**facts | {"authorizers": some_authorizers()} | changes)


async def fill(store: SqlStore, kept: TrackedConsent) -> None:
    """Put something about a person wherever it can be."""
    name = name_of(kept)
    token = an_evidence(token=replace(an_evidence().token, jws=f"h.{PERSONAL}.s".encode()))
    other = an_evidence(2, token=replace(an_evidence().token, jws=f"h.{PERSONAL}2.s".encode()))
    await save(store, kept)

    def script(transaction: Transaction) -> None:
        transaction.lock_named([name])
        transaction.add_report(stored(a_report(), kept, terms={"Name": PERSONAL}, jws_sha256=token.jws_sha256), token)
        transaction.add_other_event(
            an_other_event(2, provider=name[0], consent_id=name[1], data={"Name": PERSONAL}), other
        )
        transaction.save_payment(a_payment(about=name, transaction_id=PERSONAL, amount=PERSONAL, currency="AED"))

    await store.transact(script)
    await append(store, draft_about(kept, private={"user_ref": PERSONAL}, private_salt=b"s" * 32))


async def content(store: SqlStore, *tables: str) -> str:
    """Everything that stands in some tables, as text."""

    def read(connection: Any) -> str:
        found = [list(connection.execute(text(f"SELECT * FROM {table}"))) for table in tables or TABLES]
        return "".join(
            str(bytes(value) if isinstance(value, memoryview) else value)
            for some in found
            for row in some
            for value in row
        )

    return await store._database.read(read)


async def tokens(store: SqlStore) -> list[bytes | None]:
    def read(connection: Any) -> list[bytes | None]:
        found = with_their_keys(connection.execute(select(evidence).order_by(evidence.c.jws_sha256)))
        return [to_jws(row) for row in found]

    return await store._database.read(read)


async def execute(store: SqlStore, statement: str, **values: Any) -> None:
    await store._write(lambda connection: connection.execute(text(statement), values))


async def destroy(store: SqlStore, kept: TrackedConsent) -> bool:
    def script(transaction: Transaction) -> bool:
        transaction.lock_tracked([kept.tracking_id])
        return transaction.destroy_key(kept.tracking_id)

    return await store.transact(script)


@pytest.mark.parametrize("ring", [NO_KEYS, SecretKeys(NEW)], ids=["no ring", "ring"])
async def test_nothing_about_a_person_stands_in_any_row_and_all_of_it_is_read(
    store: SqlStore, ring: SecretKeys
) -> None:
    store.vault.use_keys(ring)
    kept = one_with_everything()
    await fill(store, kept)
    assert PERSONAL not in await content(store)
    assert await store.find_consent(name_of(kept)) == await store.get_consent(kept.tracking_id)
    assert await store.get_consent(kept.tracking_id) == replace(kept, last_sequence=1)
    assert [one.terms for one in await store.reports_of(kept.tracking_id)] == [{"Name": PERSONAL}]
    (paid,) = await store.payments_of(name_of(kept), 9)
    assert (paid.transaction_id, paid.amount, paid.currency) == (PERSONAL, PERSONAL, "AED")
    (entry,) = await store.entries_of(kept.tracking_id)
    assert (entry.private, entry.private_salt) == ({"user_ref": PERSONAL}, b"s" * 32)
    assert {*await tokens(store)} == {f"h.{PERSONAL}.s".encode(), f"h.{PERSONAL}2.s".encode()}
    assert (await content(store, "consent_key")).count("new") == (2 if ring is not NO_KEYS else 0)


async def test_a_destroyed_key_takes_all_of_one_consent_and_nothing_of_another(store: SqlStore) -> None:
    kept, other = one_with_everything(), a_consent("consent-2", user_ref="someone", terms={"a": 1})
    await fill(store, kept)
    await save(store, other)
    assert await destroy(store, kept)
    found = await store.get_consent(kept.tracking_id)
    assert found == replace(kept, terms=None, user_ref=None, journey=Journey(), authorizers=None, last_sequence=1)
    assert [one.terms for one in await store.reports_of(kept.tracking_id)] == [{}]
    (paid,) = await store.payments_of(name_of(kept), 9)
    assert (paid.transaction_id, paid.amount, paid.currency) == (None, None, None)
    (entry,) = await store.entries_after(0, 9)
    assert (entry.private, entry.private_salt) == (None, None)
    assert await tokens(store) == [None, None]
    assert await store.search(ConsentQuery(user_ref=PERSONAL), START) == []
    assert await store.search(ConsentQuery(user_ref="someone"), START) == [other]
    assert not await destroy(store, kept)


async def test_a_key_that_another_process_destroyed_is_used_by_nobody(new_database: NewDatabase) -> None:
    opened = new_database()
    one, other = opened(), opened()
    try:
        kept = one_with_everything()
        await fill(one, kept)
        assert (await other.entries_of(kept.tracking_id))[0].private is not None  # and it is remembered
        assert await destroy(one, kept)
        found = await other.get_consent(kept.tracking_id)
        assert found is not None
        assert (found.terms, found.user_ref) == (None, None)
        assert (await other.entries_of(kept.tracking_id))[0].private is None
    finally:
        for store in (one, other):
            await store.close()


async def test_what_is_learnt_after_that_stands_under_a_new_key_and_opens_nothing_old(store: SqlStore) -> None:
    kept = one_with_everything()
    await fill(store, kept)
    await destroy(store, kept)
    await record(store, stored(a_report(7), kept, terms={"Name": "new"}))
    assert {one.terms.get("Name") for one in await store.reports_of(kept.tracking_id)} == {None, "new"}
    found = await store.get_consent(kept.tracking_id)
    assert found is not None
    assert found.terms is None
    assert (await store.entries_of(kept.tracking_id))[0].private is None


async def test_a_report_that_waits_has_a_key_that_becomes_its_consents(store: SqlStore) -> None:
    await record(store, stored(a_report(), CONSENT_1, terms={"Name": PERSONAL}), evidence=an_evidence())
    assert PERSONAL not in await content(store)
    kept = one_with_everything()

    def register(transaction: Transaction) -> list[Any]:
        transaction.lock_named([CONSENT_1])
        waiting = transaction.waiting_reports([CONSENT_1])[CONSENT_1]
        transaction.save(kept, a_decision(), next_ask_at=None, next_tick_at=None)
        transaction.add_report(replace(waiting[0], tracking_id=kept.tracking_id), None)
        return waiting

    (waited,) = await store.transact(register)
    assert waited.terms == {"Name": PERSONAL}
    assert await destroy(store, kept)
    assert [one.terms for one in await store.reports_of(kept.tracking_id)] == [{}]
    assert await tokens(store) == [None]
    assert CONSENT_1[1] not in await content(store, "consent_key")


async def test_two_providers_with_the_same_consent_id_have_two_keys(store: SqlStore) -> None:
    mine, other = a_consent(user_ref="a"), a_consent(provider=OTHERBANK, user_ref="b")
    await save(store, mine, other)
    await destroy(store, mine)
    found = await store.get_consent(other.tracking_id)
    assert found == other


async def test_what_is_copied_from_another_row_is_refused(store: SqlStore) -> None:
    kept, other = one_with_everything(), a_consent("consent-2", user_ref="someone")
    await save(store, kept, other)
    theirs = "(SELECT sealed FROM consent WHERE tracking_id = :other)"
    await execute(
        store,
        f"UPDATE consent SET sealed = {theirs} WHERE tracking_id = :mine",
        mine=kept.tracking_id,
        other=other.tracking_id,
    )
    found = await store.get_consent(kept.tracking_id)
    assert found is not None
    assert found.user_ref is None  # of another key: as if it were destroyed
    await record(store, stored(a_report(1), kept), stored(a_report(2), kept))
    await execute(store, "UPDATE report SET sealed = (SELECT sealed FROM report ORDER BY digest LIMIT 1)")
    with pytest.raises(InconsistentRowError, match="does not fit"):
        await store.reports_of(kept.tracking_id)


async def test_a_user_is_found_by_a_keyed_hash_that_stays_when_the_ring_is_replaced(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(OLD))
    mine = [a_consent(f"c-{n}", user_ref="customer-42") for n in range(2)]
    await save(store, *mine, a_consent("c-9", user_ref="customer-9"))
    unkeyed = hashlib.sha256(b"customer-42").digest(), hmac.digest(b"", b"customer-42", "sha256")
    hashes = await store._database.read(
        lambda c: [bytes(one) for one in c.execute(text("SELECT user_ref_hash FROM consent")).scalars()]
    )
    assert len(set(hashes)) == 2
    assert not {*unkeyed} & {*hashes}
    store.vault.use_keys(SecretKeys(NEW | OLD))
    while await store.sealing.step(2) is not None:
        pass
    store.vault.use_keys(SecretKeys(NEW))
    assert {c.consent_id for c in await store.search(ConsentQuery(user_ref="customer-42"), START)} == {"c-0", "c-1"}
    assert await store.search(ConsentQuery(user_ref="nobody"), START) == []


async def test_nobody_is_found_where_nobody_was_ever_named(store: SqlStore) -> None:
    await save(store, a_consent())
    assert await store.search(ConsentQuery(user_ref="customer-42"), START) == []


async def test_keys_of_the_ring_are_replaced_one_after_the_other(store: SqlStore) -> None:
    kept = one_with_everything()
    await fill(store, kept)
    standing = await store.sealing.standing()
    assert (standing.keys, standing.bare_keys) == (2, 2)  # that of the consent, and that of the hashes
    for ring, bare, old in ((OLD, 2, 0), (NEW | OLD, 0, 2)):
        store.vault.use_keys(SecretKeys(ring))
        standing = await store.sealing.standing()
        assert (standing.bare_keys, standing.old_keys, standing.locked_keys) == (bare, old, {})
        while await store.sealing.step(1) is not None:
            pass
        assert await store.sealing.is_done()
    store.vault.use_keys(SecretKeys(NEW))
    assert await store.get_consent(kept.tracking_id) == replace(kept, last_sequence=1)
    assert (await store.sealing.missing_keys(["new"]), await store.sealing.missing_keys(["x"])) == ([], ["new"])


async def test_without_a_key_of_the_ring_nothing_is_read_and_nothing_is_lost(store: SqlStore) -> None:
    store.vault.use_keys(SecretKeys(OLD))
    kept = one_with_everything()
    await fill(store, kept)
    store.vault.use_keys(SecretKeys(NEW))
    assert (await store.sealing.standing()).locked_keys == {"old": 2}
    for reading in (
        store.get_consent(kept.tracking_id),
        store.entries_after(0, 9),
        store.transact(lambda transaction: transaction.lock_tracked([kept.tracking_id])),
    ):
        with pytest.raises(LockedKeyError, match="the key 'old', which at_rest_keys does not hold"):
            await reading
    assert await store.sealing.step(9) is not None  # they stop nothing else
    store.vault.use_keys(SecretKeys(NEW | OLD))
    assert await store.get_consent(kept.tracking_id) == replace(kept, last_sequence=1)


async def test_a_consent_whose_values_stay_is_not_sealed_again(store: SqlStore) -> None:
    kept = one_with_everything()
    await save(store, kept)

    async def sealed() -> str:
        return await content(store, "consent")

    def script(transaction: Transaction) -> None:
        (found,) = transaction.lock_tracked([kept.tracking_id]).values()
        transaction.save(replace(found, version=2), a_decision(), next_ask_at=None, next_tick_at=None)

    def blob(row: str) -> str:
        return row[row.index("b'") : row.rindex("'")]

    before = blob(await sealed())
    await store.transact(script)
    assert blob(await sealed()) == before
    assert await store.get_consent(kept.tracking_id) == replace(kept, version=2)


async def test_a_race_of_destroying_and_recording_leaves_nothing_readable_of_before(new_database: NewDatabase) -> None:
    opened = new_database()
    stores = [opened() for _ in range(2)]
    try:
        for n in range(6):
            kept = one_with_everything(consent_id=ConsentId(f"c-{n}"))
            await save(stores[0], kept)
            await append(stores[0], draft_about(kept, private={"user_ref": PERSONAL}, private_salt=b"s" * 32))

            def hear(transaction: Transaction, kept: TrackedConsent = kept, n: int = n) -> None:
                transaction.lock_named([name_of(kept)])
                transaction.add_report(stored(a_report(n), kept, terms={"n": n}), None)

            await asyncio.gather(destroy(stores[0], kept), stores[1].transact(hear))
            (entry,) = await stores[1].entries_of(kept.tracking_id)
            assert entry.private is None
            (report,) = await stores[1].reports_of(kept.tracking_id)
            assert report.terms in ({"n": n}, {})
    finally:
        for store in stores:
            await store.close()


async def test_a_race_of_two_who_make_the_same_key_makes_one(new_database: NewDatabase) -> None:
    opened = new_database()
    stores = [opened() for _ in range(3)]
    try:
        heard = [stored(a_report(n), (DEMOBANK, ConsentId("unknown")), terms={"n": n}) for n in range(9)]
        await asyncio.gather(*(record(stores[n % 3], one) for n, one in enumerate(heard)))
        count = await stores[0]._database.read(lambda c: len(c.execute(select(consent_key)).all()))
        assert count == 1
    finally:
        for store in stores:
            await store.close()
