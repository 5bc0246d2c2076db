"""The calls that `benchmarks.growth` times, and what their statements do."""

import json
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Column, Connection, event, select, text

from benchmarks.ingest import quantile
from tests.contract.facts import an_item
from tests.thin_consents import PROVIDERS, ThinConsents
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import consent, inbox
from tracker.domain.consent import ConsentId, ProviderId, Status, TrackingId
from tracker.ports import AskLine, ConsentQuery

Call = Callable[[], Awaitable[Any]]
_LARGEST = ProviderId(PROVIDERS[0])
_SMALLEST = PROVIDERS[-1]
_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)
_SLOW_SECONDS = 20.0
_FEWEST = 8  # more than it takes until PostgreSQL may choose one plan for all values


class Calls:
    """Calls of a store on a database with thin consents."""

    def __init__(self, store: SqlStore, database: Any, thin: ThinConsents, size: int, entries: int) -> None:
        self._store = store
        self._database = database
        self._thin = thin
        self._size = size
        self._entries = entries
        self._chance = Random(size)
        self._statements: list[tuple[str, Any]] = []

    async def run(self, count: int) -> dict[str, Any]:
        """Make each call so often, and tell what it took."""
        self._listen()
        found: dict[str, Any] = {}
        for name, call in {**await self._due_work(), **self._look_ups(), **self._lists(), **self._all_about()}.items():
            found[name] = await self._timed(call, count)
        found |= await self._inbox(count)
        return found

    # ------------------------------------------------------------------------------------------ the calls

    async def _due_work(self) -> dict[str, Call]:
        calls: dict[str, Call] = {}
        for due in (0, 1, 100, 1000):
            now = await self._when(due, consent.c.next_ask_at, provider=_LARGEST)
            calls[f"due questions, {due} due"] = self._asks(now, max(due, 100), AskLine.ORDINARY)
            now = await self._when(due, consent.c.next_tick_at)
            calls[f"due ticks, {due} due"] = self._ticks(now, max(due, 100))
        for due in (0, 100):
            now = await self._when(due, consent.c.urgent_ask_at, provider=_LARGEST)
            calls[f"due urgent questions, {due} due"] = self._asks(now, 100, AskLine.URGENT)
            now = await self._when(due, consent.c.queued_ask_at, provider=_LARGEST)
            calls[f"due queued questions, {due} due"] = self._asks(now, 100, AskLine.QUEUED)
        early = self._thin.now - _DAY
        calls["survey, nothing due"] = lambda: self._store.survey(early, PROVIDERS)
        calls["survey, 1 % due"] = lambda: self._store.survey(self._thin.now, PROVIDERS)
        return calls

    async def _when(self, due: int, column: Column[Any], provider: str | None = None) -> datetime:
        """The time at which so many are due."""
        query = select(column).where(column.is_not(None)).order_by(column).offset(max(0, due - 1)).limit(1)
        if provider is not None:
            query = query.where(consent.c.provider == provider)
        found = await self._database.read(lambda connection: connection.execute(query).scalar())
        when = found or self._thin.now + 365 * _DAY
        return when if due else when - _SECOND

    def _asks(self, now: datetime, limit: int, line: AskLine) -> Call:
        return lambda: self._store.transact(lambda t: len(t.lock_due_asks(_LARGEST, now, limit, line)))

    def _ticks(self, now: datetime, limit: int) -> Call:
        return lambda: self._store.transact(lambda t: len(t.lock_due_ticks(now, limit)))

    def _look_ups(self) -> dict[str, Call]:
        def named() -> tuple[ProviderId, ConsentId]:
            n = self._any()
            return ProviderId(self._thin.provider(n)), ConsentId(self._thin.consent_id(n))

        return {
            "status look-up by name": lambda: self._store.find_consent(named()),
            "status look-up, no such name": lambda: self._store.find_consent((_LARGEST, ConsentId("none"))),
            "look-up by key": lambda: self._store.get_consent(self._key(self._any())),
        }

    def _lists(self) -> dict[str, Call]:
        now, known = self._thin.now, frozenset(map(ProviderId, PROVIDERS))

        def search(**narrowed: Any) -> Call:
            return lambda: self._store.search(ConsentQuery(providers=known, **narrowed), now)

        def page(**narrowed: Any) -> Call:
            """Each time another one."""

            def call() -> Awaitable[Any]:
                return search(after=self._key(self._any(within=0.9)), **narrowed)()

            return call

        def of_a_user() -> Awaitable[Any]:
            return search(user_ref=f"customer-{self._any() // 3}")()

        return {
            "list, first page": search(),
            "list, a page in the middle": page(),
            "list, one user": of_a_user,
            "list, a provider with 1 %": page(provider=_SMALLEST),
            "list, a provider with none": search(provider="bank-f"),
            "list, a kind": page(kind="single-instant-payment"),
            "list, Authorized": page(effective_status=Status.AUTHORIZED),
            "list, Expired": page(effective_status=Status.EXPIRED),
            "list, Suspended (0.1 %)": page(effective_status=Status.SUSPENDED),
            "list, Unknown (none)": search(effective_status=Status.UNKNOWN),
            "list, Suspended at a provider with 1 %": search(status=Status.SUSPENDED, provider=_SMALLEST),
            "list, Authorized and expiring within a week": page(
                effective_status=Status.AUTHORIZED, expiring_before=now + 7 * _DAY
            ),
            "list, Authorized and expired (none)": search(
                effective_status=Status.AUTHORIZED, expiring_before=now - _DAY
            ),
            "list, changed since a day": page(updated_since=now - _DAY),
            "list, changed since now (none)": search(updated_since=now + _DAY),
        }

    def _all_about(self) -> dict[str, Call]:
        def key() -> TrackingId:
            return self._key(self._chance.randrange(self._entries))

        def some(of: Callable[[int], str]) -> list[str]:
            return [of(self._chance.randrange(self._entries)) for _ in range(50)]

        return {
            "journal, 100 entries": lambda: self._store.entries_after(self._chance.randrange(self._entries), 100),
            "journal, head": self._store.head,
            "entries of a consent": lambda: self._store.entries_of(key()),
            "reports of a consent": lambda: self._store.reports_of(key()),
            "which of 50 digests are known": lambda: self._store.transact(
                lambda t: t.known_digests(some(self._thin.digest))
            ),
            "claims about 50 consents": lambda: self._store.transact(
                lambda t: t.known_claims([TrackingId(each) for each in some(self._thin.tracking_id)])
            ),
            "hold 50 consents by name": lambda: self._store.transact(
                lambda t: t.lock_named([(_LARGEST, ConsentId(each)) for each in some(self._thin.consent_id)])
            ),
        }

    async def _inbox(self, count: int) -> dict[str, Any]:
        empty = await self._timed(lambda: self._store.claim_inbox(self._thin.now, 50, 30.0), count)
        for _ in range(20 * 50):
            await self._store.admit(an_item(received_at=self._thin.now, body=b"x" * 4600))
        full = await self._timed(lambda: self._store.claim_inbox(self._thin.now + _SECOND, 50, 30.0), 20)
        await self._database.write(lambda connection: (connection.execute(inbox.delete()), None))
        return {"inbox, empty": empty, "inbox, 50 of 1,000": full}

    def _any(self, within: float = 1.0) -> int:
        return self._chance.randrange(max(1, int(self._size * within)))

    def _key(self, number: int) -> TrackingId:
        return TrackingId(self._thin.tracking_id(number))

    # ------------------------------------------------------------------------------------------ the measuring

    async def _timed(self, call: Call, count: int) -> dict[str, Any]:
        took: list[float] = []
        begin = time.perf_counter()
        while len(took) < count and time.perf_counter() - begin < _SLOW_SECONDS * (1 if len(took) >= _FEWEST else 2):
            self._statements.clear()
            start = time.perf_counter()
            answer = await call()
            took.append((time.perf_counter() - start) * 1e3)
        statements, ordered = list(self._statements), sorted(took)
        return {
            "p50_ms": round(quantile(ordered, 0.5), 2),
            "p99_ms": round(quantile(ordered, 0.99), 2),
            "calls": len(took),
            "found": answer if isinstance(answer, int) else len(answer) if isinstance(answer, list | set | dict) else 1,
            **await self._database.read(lambda connection: self._explained(connection, statements)),
        }

    def _listen(self) -> None:
        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:  # noqa: FBT001
            if statement.startswith(("SELECT", "UPDATE")):
                self._statements.append((statement, parameters[0] if many else parameters))

        engines = ("_engine",) if hasattr(self._database, "_engine") else ("_write_engine", "_read_engine")
        for engine in (getattr(self._database, name) for name in engines):
            event.listen(getattr(engine, "sync_engine", engine), "before_cursor_execute", note)

    def _explained(self, connection: Connection, statements: list[tuple[str, Any]]) -> dict[str, Any]:
        if connection.dialect.name == "sqlite":
            steps = [
                row.detail
                for statement, parameters in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            ]
            return {"steps": sorted(set(steps))}
        told = text("SELECT statement, generic_plans, custom_plans FROM pg_prepared_statements")
        plans = {row.statement: (row.generic_plans, row.custom_plans) for row in connection.execute(told)}
        blocks, nodes = 0, set()
        for statement, parameters in statements:
            if "pg_advisory" in statement:
                continue
            asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            answer = connection.exec_driver_sql(asked, parameters).scalar()
            plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
            blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            nodes |= set(_nodes(plan))
        return {
            "blocks": blocks,
            "nodes": sorted(nodes),
            "generic_plans": sum(plans.get(statement, (0, 0))[0] for statement, _ in statements),
            "custom_plans": sum(plans.get(statement, (0, 0))[1] for statement, _ in statements),
        }


def _nodes(plan: dict[str, Any]) -> list[str]:
    """What a plan reads, and how; the partitions of a table as one."""
    where = plan.get("Index Name") or plan.get("Relation Name")
    mine = [f"{plan['Node Type']} {where.rstrip('0123456789')}"] if where else []
    mine += [plan["Node Type"]] if plan["Node Type"] in {"Sort", "Incremental Sort", "Hash Join", "Merge Join"} else []
    return mine + [node for below in plan.get("Plans", ()) for node in _nodes(below)]
