"""What an older version wrote is sealed in the background: in batches, whoever dies in between, and nothing is lost or missed."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.adapters.store.sealed_before import as_before
from tests.contract.facts import (
    START,
    NewDatabase,
    a_consent,
    a_decision,
    a_report,
    an_evidence,
    name_of,
    record,
    save,
    stored,
)
from tests.contract.test_consent_keys import PERSONAL, content, destroy, fill, one_with_everything, tokens
from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.store.at_hand import keyed
from tracker.adapters.store.store import SqlStore
from tracker.domain.tracked import TrackedConsent
from tracker.ports import ConsentQuery, Transaction
from tracker.usecases.sealing import Sealing


async def older(store: SqlStore) -> TrackedConsent:
    """A store as an older version left it: a consent with everything, another, and a token that nothing rests on."""
    kept = one_with_everything()
    await fill(store, kept)
    await save(store, a_consent("consent-2", terms={"n": 2}))
    stray = an_evidence(9, token=replace(an_evidence().token, jws=f"h.{PERSONAL}9.s".encode()))

    def script(transaction: Transaction) -> None:
        transaction.add_report(stored(a_report(9), name_of(kept), jws_sha256=None), stray)

    await store.transact(script)
    await store._write(as_before)
    assert (await content(store)).count(PERSONAL) > 9
    return replace(kept, last_sequence=1)


async def all_of_it(store: SqlStore, kept: TrackedConsent) -> list[Any]:
    return [
        await store.get_consent(kept.tracking_id),
        await store.reports_of(kept.tracking_id),
        await store.payments_of(name_of(kept), 9),
        await store.entries_of(kept.tracking_id),
        await tokens(store),
        {one.consent_id for one in await store.search(ConsentQuery(user_ref=PERSONAL), START)},
    ]


@pytest.mark.parametrize("limit", [1, 100])
async def test_older_rows_are_read_as_they_are_and_sealed_step_by_step(store: SqlStore, limit: int) -> None:
    kept = await older(store)
    before = await all_of_it(store, kept)
    assert before[0] == kept
    standing = await store.sealing.standing()
    expected = {"consent": 2, "report": 2, "other_event": 1, "payment": 1, "evidence": 3, "entry": 1}
    assert (standing.keys, standing.plain_rows) == (0, expected)
    sealing = Sealing(store.sealing)
    while await sealing.run_once():
        assert await all_of_it(store, kept) == before  # at every step between
    assert sealing.sealed == 10
    assert PERSONAL not in await content(store)
    assert await store.sealing.is_done()
    assert (await store.sealing.standing()).plain_rows == {}
    assert await store.sealing.step(9) is None
    assert await destroy(store, kept)
    found = await store.get_consent(kept.tracking_id)
    assert found is not None
    assert (found.terms, (await store.entries_of(kept.tracking_id))[0].private) == (None, None)


async def test_what_changes_meanwhile_is_sealed_by_whoever_writes_it(store: SqlStore) -> None:
    kept = await older(store)

    def script(transaction: Transaction) -> None:
        (found,) = transaction.lock_tracked([kept.tracking_id]).values()
        changed = replace(found, terms={"Name": f"{PERSONAL}!"}, version=2)
        transaction.save(changed, a_decision(), next_ask_at=None, next_tick_at=None)

    await store.transact(script)
    assert PERSONAL not in await content(store, "consent")
    while await store.sealing.step(1) is not None:
        pass
    assert await store.get_consent(kept.tracking_id) == replace(kept, terms={"Name": f"{PERSONAL}!"}, version=2)


async def test_a_row_that_an_older_version_writes_behind_us_is_sealed_when_told_to_begin_anew(store: SqlStore) -> None:
    kept = await older(store)
    while await store.sealing.step(50) is not None:
        pass
    late = a_consent("consent-3", terms={"Name": PERSONAL})
    await save(store, late)

    def unseal(connection: Any) -> None:
        statement = 'UPDATE consent SET sealed = NULL, terms = \'{"Name": "Zoe-Personal"}\' WHERE tracking_id = :id'
        connection.exec_driver_sql(statement.replace(":id", f"'{late.tracking_id}'"))

    await store._write(unseal)
    assert await store.sealing.step(50) is None
    await store.sealing.begin_anew()
    assert (await store.sealing.standing()).plain_rows == {"consent": 1}
    while await store.sealing.step(50) is not None:
        pass
    assert PERSONAL not in await content(store)
    assert await store.get_consent(late.tracking_id) == late
    assert await store.get_consent(kept.tracking_id) == kept


async def test_a_step_that_is_cut_short_leaves_everything_as_it_was(store: SqlStore) -> None:
    kept = await older(store)
    before = await content(store, *("consent", "report", "evidence", "entry", "consent_key", "sealing"))

    def dies(connection: Any) -> None:
        from tracker.adapters.store import sealing

        assert keyed(store.vault.safe, lambda c: sealing.seal_some(c, store.vault.safe, 9))(connection) is not None
        raise LookupError

    with pytest.raises(LookupError):
        await store._write(dies)
    assert await content(store, *("consent", "report", "evidence", "entry", "consent_key", "sealing")) == before
    assert await store.get_consent(kept.tracking_id) == kept


async def test_a_race_of_several_who_seal_and_record_loses_nothing(new_database: NewDatabase) -> None:
    opened = new_database()
    stores = [opened() for _ in range(3)]
    try:
        made = [one_with_everything(consent_id=f"c-{n}") for n in range(12)]
        await save(stores[0], *made)
        for n, kept in enumerate(made):
            await record(stores[0], stored(a_report(n), kept, terms={"Name": PERSONAL}), evidence=an_evidence(n))
        await stores[0]._write(as_before)
        for store in stores:
            store.vault.use_keys(SecretKeys({"new": b"n" * 32}))

        async def seal(store: SqlStore) -> None:
            while not await store.sealing.is_done():
                await store.sealing.step(3)

        async def hear() -> None:
            for n, kept in enumerate(made):

                def script(transaction: Transaction, kept: TrackedConsent = kept, n: int = n) -> None:
                    (found,) = transaction.lock_named([name_of(kept)]).values()
                    transaction.save(replace(found, version=2), a_decision(), next_ask_at=None, next_tick_at=None)
                    transaction.add_report(stored(a_report(100 + n), kept, terms={"n": n}), an_evidence(100 + n))

                await stores[2].transact(script)

        await asyncio.gather(seal(stores[0]), seal(stores[1]), hear())
        assert PERSONAL not in await content(stores[0])
        for n, kept in enumerate(made):
            assert await stores[1].get_consent(kept.tracking_id) == replace(kept, version=2)
            terms = [one.terms for one in await stores[1].reports_of(kept.tracking_id)]
            assert sorted(map(str, terms)) == sorted(map(str, [{"Name": PERSONAL}, {"n": n}]))
        assert None not in await tokens(stores[0])
    finally:
        for store in stores:
            await store.close()
