"""Several processes' worth of stores on one database: nothing has a gap, nothing waits for ever, nothing is done by halves."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from tests.contract.facts import (
    CONSENT_1,
    START,
    a_consent,
    a_decision,
    a_quarantined,
    a_report,
    a_subscription,
    an_item,
    append,
    at,
    draft_about,
    name_of,
    save,
    sequences,
    stored,
)
from tests.postgres import query
from tracker.adapters.store.at_hand import keyed
from tracker.adapters.store.failures import NotStorableError
from tracker.adapters.store.safe import Safe
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.transaction import SqlTransaction
from tracker.domain.consent import Status
from tracker.domain.tracked import Asking, TrackedConsent
from tracker.ports import Transaction

Open = Callable[..., SqlStore]


async def until_somebody_waits(url: str) -> None:
    """Until a transaction waits for another one's lock."""
    async with asyncio.timeout(30):
        while not await asyncio.to_thread(query, url, "SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass


async def test_they_race_for_the_head_without_a_gap_and_in_the_order_of_commits(url: str, open_store: Open) -> None:
    stores, consents = [open_store() for _ in range(3)], [a_consent(f"consent-{n}") for n in range(4)]
    await save(stores[0], *consents)
    told = await asyncio.gather(
        *(append(stores[n % 3], draft_about(consents[n % 4]), draft_about(consents[(n + 1) % 4])) for n in range(60))
    )
    assert sorted(sequences(entry for entries in told for entry in entries)) == list(range(1, 121))
    for consent in consents:
        entries = await stores[1].entries_of(consent.tracking_id)
        assert [entry.previous for entry in entries] == [None, *sequences(entries)[:-1]]
    stamps = [entry.recorded_at for entry in await stores[2].entries_after(0, 200)]
    assert stamps == sorted(stamps)


async def test_registration_races_with_an_early_event_and_neither_misses_the_other(url: str, open_store: Open) -> None:
    """While a name that nobody has yet is held, whoever wants to register it waits, and then finds what was kept for it."""
    keeper, registrar = open_store(), open_store()
    report, holding, going_on = stored(a_report(), CONSENT_1), asyncio.Event(), asyncio.Event()
    database = keeper._database.beneath

    async def keep() -> None:
        async with database._engine.begin() as connection:  # a script cannot wait in the middle; this can

            def begin(plain: Any) -> None:
                transaction = SqlTransaction(plain, "batch-1")
                assert transaction.lock_named([CONSENT_1]) == {}
                transaction.add_report(report, None)
                transaction.finish()

            await connection.run_sync(keyed(Safe(), begin))
            holding.set()
            await going_on.wait()

    keeping = asyncio.create_task(keep())
    await holding.wait()
    found: list[Any] = []

    def register(transaction: Transaction) -> None:
        assert transaction.lock_named([CONSENT_1]) == {}
        found.append(transaction.waiting_reports([CONSENT_1]))

    registering = asyncio.create_task(registrar.transact(register))
    await until_somebody_waits(url)
    assert not found
    going_on.set()
    await asyncio.gather(keeping, registering)
    assert [waiting.report.digest for waiting in found[0][CONSENT_1]] == [report.report.digest]


async def test_due_work_that_another_holds_is_skipped_and_not_waited_for(open_store: Open) -> None:
    one, other = open_store(), open_store()
    consents = [a_consent(f"consent-{n}") for n in range(6)]
    await save(one, *consents, ask=START, tick=START)
    taken: list[list[TrackedConsent]] = []

    async with one._database.beneath._engine.begin() as connection:

        def hold(plain: Any) -> None:
            taken.append(SqlTransaction(plain, "batch-1").lock_due_asks(consents[0].provider, at(1), 4))

        await connection.run_sync(keyed(Safe(), hold))
        for line in (
            lambda t: t.lock_due_asks(consents[0].provider, at(1), 10),
            lambda t: t.lock_due_ticks(at(1), 10),
        ):
            taken.append(await other.transact(line))
    mine, asks, ticks = ({consent.tracking_id for consent in found} for found in taken)
    assert len(mine) == 4
    assert asks == ticks == {consent.tracking_id for consent in consents} - mine


async def test_two_who_deadlock_are_both_served(open_store: Open) -> None:
    """It should not happen, locks being taken in one order. If it does, PostgreSQL stops one, and that one begins again."""
    stores, consents = [open_store(), open_store()], [a_consent("consent-1"), a_consent("consent-2")]
    await save(stores[0], *consents)
    runs: list[int] = []

    def crosswise(first: TrackedConsent, second: TrackedConsent) -> Callable[[Transaction], None]:
        def script(transaction: Transaction) -> None:
            runs.append(1)
            transaction.lock_tracked([first.tracking_id])
            if len(runs) <= 2:  # so that both have one before they want the other
                transaction._connection.execute(text("SELECT pg_sleep(0.2)"))  # type: ignore[attr-defined]
            transaction.lock_tracked([second.tracking_id])
            transaction.append([draft_about(first)], START)

        return script

    await asyncio.gather(stores[0].transact(crosswise(*consents)), stores[1].transact(crosswise(*reversed(consents))))
    assert len(runs) > 2  # on a busy machine they may cross again, without being made to
    assert sequences(await stores[0].entries_after(0, 10)) == [1, 2]


async def test_two_who_put_the_same_report_in_begin_again_and_find_it_known(url: str, open_store: Open) -> None:
    """Events about no consent hold no name: two workers may have the same one in hand."""
    stores = [open_store(), open_store()]
    report = stored(a_report(), CONSENT_1)
    seen: list[set[str]] = []

    def script(transaction: Transaction) -> None:
        known = transaction.known_digests([report.report.digest])
        seen.append(known)
        if not known:
            transaction.add_report(report, None)

    holding = stores[0]._database.beneath._engine
    async with holding.begin() as connection:

        def hold(plain: Any) -> None:
            transaction = SqlTransaction(plain, "batch-1")
            script(transaction)
            transaction.finish()

        await connection.run_sync(keyed(Safe(), hold))
        other = asyncio.create_task(stores[1].transact(script))
        await until_somebody_waits(url)
    await other
    assert seen == [set(), set(), {report.report.digest}]


async def test_what_can_never_be_stored_is_told_so(open_store: Open) -> None:
    store, twice = open_store(), a_subscription()
    await store.add_subscription(twice)
    for impossible in (store.add_subscription(twice), store.admit(an_item(interaction_id="a" * 129))):
        with pytest.raises(NotStorableError):
            await impossible
    # The driver shows what it cannot even send.
    with pytest.raises(
        NotStorableError, match=r"^The database could not do it: invalid input for query argument \$\d+\.$"
    ):
        await store.admit(an_item(interaction_id="Ahmed \ud800"))


async def test_a_write_whose_caller_has_gone_is_done_all_the_same(url: str, open_store: Open) -> None:
    store, consent = open_store(), a_consent()
    await save(store, consent)
    other = open_store()
    async with other._database.beneath._engine.begin() as connection:
        await connection.exec_driver_sql("SELECT * FROM journal FOR UPDATE")
        writing = asyncio.create_task(append(store, draft_about(consent)))
        await until_somebody_waits(url)
        writing.cancel()
        await asyncio.wait({writing})
        assert writing.cancelled()
    await store.close()
    assert await other.head() == 1


async def test_one_of_several_opens_an_event_of_the_quarantine_again(open_store: Open) -> None:
    """Every worker looks once a minute for what lacked a key, all at the same minute."""
    stores, events = [open_store() for _ in range(3)], [a_quarantined() for _ in range(40)]
    await stores[0].transact(lambda transaction: [transaction.quarantine(event) for event in events])
    ids = [event.id for event in events]
    released = await asyncio.gather(*(store.transact(lambda t: t.release(ids, START)) for store in stores * 3))
    assert sorted(one for some in released for one in some) == sorted(ids)
    assert len(await stores[0].claim_inbox(START, 100, 0)) == 40


async def test_siblings_are_held_in_the_order_in_which_recordings_hold_consents(open_store: Open) -> None:
    """One group is revoked, recorded and asked about by all at once, and nobody has to begin again."""
    stores = [open_store() for _ in range(3)]
    group = [
        a_consent(f"consent-{n}", base_consent_id="root", asking=Asking(siblings_wanted_at=START)) for n in range(8)
    ]
    await save(stores[0], *group, decision=a_decision(Status.AUTHORIZED))
    runs: list[int] = []

    def held(transaction: Transaction) -> None:
        runs.append(1)
        found = transaction.lock_revoked(START, 3, [group[0].provider])
        for one in found.revoked:
            transaction.save(one, a_decision(Status.AUTHORIZED), next_ask_at=START, next_tick_at=None)

    def recorded(transaction: Transaction) -> None:
        runs.append(1)
        names = [name_of(consent) for consent in reversed(group)]
        for consent in transaction.lock_named(names).values():
            transaction.save(consent, a_decision(Status.AUTHORIZED), next_ask_at=START, next_tick_at=None)
        transaction.append([draft_about(group[0])], START)

    scripts = [held, recorded] * 15
    await asyncio.gather(*(stores[n % 3].transact(script) for n, script in enumerate(scripts)))
    assert len(runs) == len(scripts)
