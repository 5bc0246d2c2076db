"""The hot statements, as PostgreSQL runs them among 20,000 consents: by index, also once it has one plan for all values."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Connection, event, text

from tests.contract.facts import START, at
from tests.postgres import PostgresServer, query
from tests.thin_consents import CONSENT, ENTRY, IDENTITY, PROVIDERS, REPORT, ThinConsents, copy_into
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.postgres import PostgresDatabase
from tracker.adapters.store.store import SqlStore
from tracker.domain.condition import Condition
from tracker.domain.consent import ConsentId, ProviderId, Status, TrackingId
from tracker.domain.schedule import Pace, tempo
from tracker.ports import AskLine, ConsentQuery

COUNT = 20_000
MORE_THAN_UNTIL_ONE_PLAN_FOR_ALL = 8
THIN = ThinConsents(START)
BANK = ProviderId(PROVIDERS[0])
FAR: datetime = START + timedelta(days=1000)


@pytest.fixture(scope="module")
def crowded(postgres: PostgresServer, template_postgres: str) -> Iterator[str]:
    """A database with many consents."""
    url = postgres.create(template=template_postgres)

    async def load() -> None:
        await copy_into(url, "consent", CONSENT, THIN.consents(0, COUNT))
        await copy_into(url, "identity", IDENTITY, THIN.identities(0, COUNT))
        await copy_into(url, "report", REPORT, THIN.reports(0, COUNT))
        await copy_into(url, "entry", ENTRY, THIN.entries(0, COUNT))

    asyncio.run(load())
    query(url, f"UPDATE journal SET next_sequence = {COUNT + 1}")
    query(
        url,
        "INSERT INTO consent_key (provider, consent_id, tracking_id, sealed_with, key)"
        " SELECT provider, consent_id, tracking_id, '', '' FROM consent",
    )
    query(url, "ANALYZE")
    yield url
    postgres.drop(url)


@pytest_asyncio.fixture
async def database(crowded: str) -> AsyncIterator[PostgresDatabase]:
    """One connection to it."""
    opened = PostgresDatabase(crowded, connections=1)
    yield opened
    await opened.close()


@pytest.fixture
def sent(database: PostgresDatabase) -> Iterator[dict[str, Any]]:
    """Every statement that is sent to the database, and what it was last sent with."""
    seen: dict[str, Any] = {}

    def note(_c: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE")) and "advisory" not in statement:
            seen[statement] = parameters[0] if many else parameters

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def plans(connection: Connection, sent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plan of each statement, as it is run by now: for all values, if PostgreSQL has come to that, else for these."""
    for statement, parameters in list(sent.items()):
        told = text("SELECT name, generic_plans, parameter_types FROM pg_prepared_statements WHERE statement = :s")
        kept = connection.execute(told, {"s": statement}).one()
        if kept.generic_plans:
            nothing = f"({', '.join('NULL' for _ in kept.parameter_types)})" if kept.parameter_types else ""
            connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
            found = connection.exec_driver_sql(f'EXPLAIN (FORMAT JSON) EXECUTE "{kept.name}"{nothing}').scalar()
            connection.exec_driver_sql("RESET plan_cache_mode")
        else:
            found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar()
        yield found[0]["Plan"] if isinstance(found, list) else json.loads(found)[0]["Plan"]


def read_in_full(plan: dict[str, Any]) -> list[str]:
    """The tables with many rows that a plan goes through."""
    mine = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    below = [name for part in plan.get("Plans", ()) for name in read_in_full(part)]
    return [name for name in mine + below if re.match(r"consent|identity|report_|entry_before", name)]


def someone(number: int) -> tuple[ProviderId, ConsentId]:
    return ProviderId(THIN.provider(number)), ConsentId(THIN.consent_id(number))


def _known(**narrowed: Any) -> ConsentQuery:
    """As the API asks."""
    return ConsentQuery(providers=frozenset({*map(ProviderId, PROVIDERS), ProviderId("bank-f")}), **narrowed)


CALLS: dict[str, Callable[[SqlStore, int], Any]] = {
    "due questions": lambda s, n: s.transact(lambda t: t.lock_due_asks(BANK, at(-n), 100)),
    "due urgent questions": lambda s, n: s.transact(lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.URGENT)),
    "due doubtful questions": lambda s, n: s.transact(lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.DOUBTFUL)),
    "due suspected questions": lambda s, n: s.transact(lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.SUSPECTED)),
    "due questions to a quiet provider": lambda s, n: s.transact(
        lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.ORDINARY, tempo(Pace(), Condition(quiet=True)))
    ),
    "due questions for a short budget": lambda s, n: s.transact(
        lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.ORDINARY, tempo(Pace(), Condition(stretch=3)))
    ),
    "siblings of the revoked": lambda s, n: s.transact(lambda t: t.lock_revoked(at(n), 20, [BANK])),
    "events whose key is there": lambda s, n: s.lacked_keys("bank-a", ["k", f"k{n}"], 200, ""),
    "due queued questions": lambda s, n: s.transact(lambda t: t.lock_due_asks(BANK, at(-n), 100, AskLine.QUEUED)),
    "due revocations": lambda s, n: s.transact(lambda t: t.lock_due_revocations(BANK, at(n), 100)),
    "due ticks": lambda s, n: s.transact(lambda t: t.lock_due_ticks(at(n), 100)),
    "due ticks of some": lambda s, n: s.transact(lambda t: t.lock_due_ticks(at(n), 100, [BANK, ProviderId("bank-e")])),
    "due notices": lambda s, n: s.transact(lambda t: t.lock_due_notices(at(n), 100)),
    "due notices of some": lambda s, n: s.transact(lambda t: t.lock_due_notices(at(n), 100, [BANK])),
    "held chain": lambda s, n: s.transact(lambda t: t.lock_chain(someone(n), [TrackingId(THIN.tracking_id(n))])),
    "roots": lambda s, n: s.transact(lambda t: t.named_as_roots([someone(n), someone(n + 9)])),
    "chain": lambda s, n: s.chain(someone(n), 100),
    "reports of each": lambda s, n: s.reports_of_each([TrackingId(THIN.tracking_id(m)) for m in (n, n + 9)]),
    "survey": lambda s, n: s.survey(at(n), PROVIDERS),
    "lags": lambda s, _: s.lags(),
    "lag": lambda s, n: s.lags(f"subscription {n}"),
    "first since": lambda s, n: s.replays.first_since(at(n)),
    "replays to run": lambda s, _: s.replays.to_run(),
    "next replay": lambda s, n: s.replays.next_of(f"subscription {n}"),
    "by name": lambda s, n: s.find_consent(someone(n)),
    "by key": lambda s, n: s.get_consent(TrackingId(THIN.tracking_id(n))),
    "held by name": lambda s, n: s.transact(lambda t: t.lock_named([someone(n), someone(n + 9)])),
    "known digests": lambda s, n: s.transact(lambda t: t.known_digests([THIN.digest(n), "another"])),
    "known claims": lambda s, n: s.transact(lambda t: t.known_claims([TrackingId(THIN.tracking_id(n))])),
    "waiting reports": lambda s, n: s.transact(lambda t: t.waiting_reports([someone(n)])),
    "a repeat": lambda s, n: s.transact(lambda t: t.count_repeat(THIN.digest(n))),
    "reports": lambda s, n: s.reports_of(TrackingId(THIN.tracking_id(n))),
    "entries": lambda s, n: s.entries_of(TrackingId(THIN.tracking_id(n))),
    "journal": lambda s, n: s.entries_after(n, 100),
    "journal up to": lambda s, n: s.entries_after(n, 100, up_to=n + 50),
    "journal at": lambda s, n: s.entries_at([n, n + 5]),
    "list": lambda s, n: s.search(ConsentQuery(after=THIN.tracking_id(n), limit=100), START),
    "list of a user": lambda s, n: s.search(ConsentQuery(user_ref=f"customer-{n}"), START),
    "list of few": lambda s, n: s.search(ConsentQuery(effective_status=Status.SUSPENDED), at(n)),
    "list of a new provider": lambda s, n: s.search(_known(provider="bank-f"), at(n)),
    "list of all providers": lambda s, n: s.search(_known(after=THIN.tracking_id(n)), at(n)),
    "list of what ends soon": lambda s, n: s.search(
        _known(effective_status=Status.AUTHORIZED, expiring_before=at(n + 60)), at(n)
    ),
    "list of none": lambda s, n: s.search(ConsentQuery(status=Status.UNKNOWN), at(n)),
    "list of no changes": lambda s, n: s.search(ConsentQuery(updated_since=FAR + timedelta(n)), at(n)),
}


@pytest.mark.parametrize("name", CALLS)
async def test_it_goes_through_no_table_however_often_it_is_asked(
    name: str, database: PostgresDatabase, sent: dict[str, Any]
) -> None:
    store = SqlStore(database, SystemIds())
    for number in range(MORE_THAN_UNTIL_ONE_PLAN_FOR_ALL):
        await CALLS[name](store, number)
    found = await database.read(lambda connection: list(plans(connection, sent)))
    assert found
    assert [full for plan in found for full in read_in_full(plan)] == []


async def test_a_change_of_condition_is_read_from_the_index_and_written_nowhere(
    database: PostgresDatabase, sent: dict[str, Any]
) -> None:
    """A quiet provider's consents are due three quarters of an interval earlier: another bound of the same index."""
    store = SqlStore(database, SystemIds())
    for condition in (Condition(), Condition(quiet=True), Condition(stretch=2)):
        its = tempo(Pace(), condition)
        await store.transact(lambda t, its=its: t.lock_due_asks(BANK, START, 100, AskLine.ORDINARY, its))
    steady = {statement: values for statement, values in sent.items() if "steady_ask_at <=" in statement}
    assert [statement for statement in sent if statement.startswith("UPDATE")] == []
    (plan,) = await database.read(lambda connection: list(plans(connection, steady)))
    assert "ix_consent_steady_ask_at" in str(plan)
    assert "Sort" not in str(plan)
    assert "steady_ask_at" in str(plan["Plans"])


async def test_pages_are_read_in_their_order_and_not_sorted(database: PostgresDatabase, sent: dict[str, Any]) -> None:
    store = SqlStore(database, SystemIds())
    for narrowed in (
        {},
        {"provider": PROVIDERS[0]},
        {"status": Status.AUTHORIZED},
        {"effective_status": Status.REVOKED},
    ):
        await store.search(_known(after=THIN.tracking_id(7), **narrowed), START)
    found = await database.read(lambda connection: list(plans(connection, sent)))
    assert [plan for plan in found if "Sort" in str(plan)] == []


async def test_what_ends_soon_is_found_by_its_end(database: PostgresDatabase, sent: dict[str, Any]) -> None:
    store = SqlStore(database, SystemIds())
    for number in range(MORE_THAN_UNTIL_ONE_PLAN_FOR_ALL):
        await CALLS["list of what ends soon"](store, number)
    found = await database.read(lambda connection: list(plans(connection, sent)))
    assert [plan for plan in found if "ix_consent_status_expiration_date_time" not in str(plan)] == []


async def test_lists_of_much_do_not_make_one_of_nothing_read_everything(
    database: PostgresDatabase, sent: dict[str, Any]
) -> None:
    """Where much has changed the order of keys is the way; where nothing has, it would be one through all consents."""
    store = SqlStore(database, SystemIds())
    for number in range(MORE_THAN_UNTIL_ONE_PLAN_FOR_ALL):
        await store.search(ConsentQuery(updated_since=at(-number) - timedelta(days=3)), START)
    assert "ix_consent_updated_at" not in str(await database.read(lambda connection: list(plans(connection, sent))))
    await store.search(ConsentQuery(updated_since=FAR), START)
    assert "ix_consent_updated_at" in str(await database.read(lambda connection: list(plans(connection, sent))))
