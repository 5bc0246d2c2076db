"""Consents by the million, put into a database past all our code: thin, but with the mix that a company's database has.

Everything follows from the number of a consent, so that a load can go on where another one ended. Times are spread around one
`now`: of the consents that can be asked about one in a hundred is due, the others within a day.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg

from tests.journal.drafts import SOURCE, a_draft
from tracker.adapters.store.rows.consent import summary_to_json
from tracker.domain.consent import Channel, Status
from tracker.domain.report import Report
from tracker.domain.standing import Summary
from tracker.journal.entry import seal

PROVIDERS: Final = ("bank-a", "bank-b", "bank-c", "bank-d", "bank-e")
_SHARES: Final = (50, 25, 15, 9, 1)
_STATUSES: Final = (
    ("Authorized", 55.0),
    ("Expired", 18.0),
    ("Revoked", 12.0),
    ("Consumed", 9.0),
    ("Rejected", 4.9),
    ("AwaitingAuthorization", 1.0),
    ("Suspended", 0.1),
)
_OPEN: Final = frozenset({"Authorized", "AwaitingAuthorization", "Suspended"})
_STEADY: Final = frozenset({"Authorized", "Suspended"})
_DUE: Final = 0.01
_URGENT: Final = 0.001
_QUEUED: Final = 0.01
_CHUNK: Final = 50_000

CONSENT: Final = (
    *("tracking_id", "provider", "consent_id", "profile", "client_id", "kind", "registered_at", "registered_expiry"),
    *("summary", "status", "status_date_time", "expiration_date_time", "told_status", "told_confirmed", "told_usable"),
    *("judged_at", "paused", "revoking", "failures", "learned_at", "confirmed_at", "confirmed_by", "user_ref"),
    *("permissions", "last_sequence", "version", "updated_at", "next_ask_at", "next_tick_at", "urgent_ask_at"),
    *("queued_ask_at", "steady_ask_at", "imported"),
)
IDENTITY: Final = ("provider", "kind", "value", "tracking_id")
REPORT: Final = (
    *("digest", "tracking_id", "provider", "consent_id", "channel", "status", "status_date_time", "received_at"),
    *("recorded_at", "asks", "vouched_at", "terms", "zone_assumed", "verdict", "repeats"),
)
ENTRY: Final = ("sequence", "id", "tracking_id", "recorded_at", "leaf", "leaf_hash")

Row = tuple[Any, ...]


class ThinConsents:
    """A company's consents as of `now`, by their numbers from 0 on."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def provider(self, number: int) -> str:
        """Whose it is."""
        place = number * 37 % 100
        for provider, share in zip(PROVIDERS, _SHARES, strict=True):
            place -= share
            if place < 0:
                return provider
        raise AssertionError

    def consent_id(self, number: int) -> str:
        """What its holder calls it."""
        name = sha256(b"consent %d" % number).hexdigest()
        return f"{name[:8]}-{name[8:12]}-4{name[13:16]}-a{name[17:20]}-{name[20:32]}"

    def tracking_id(self, number: int) -> str:
        """What we call it: in the order of registration, 2 ms apart."""
        made, noise = 1_735_689_600_000 + 2 * number, sha256(b"key %d" % number).hexdigest()
        return f"{made >> 16:08x}-{made & 0xFFFF:04x}-7{noise[:3]}-8{noise[3:6]}-{noise[6:18]}"

    def digest(self, number: int) -> str:
        """The digest of the report about it."""
        return sha256(b"report %d" % number).hexdigest()

    def consents(self, first: int, count: int) -> Iterator[Row]:
        """Rows of `consent`."""
        return (self._consent(number) for number in range(first, first + count))

    def identities(self, first: int, count: int) -> Iterator[Row]:
        """Rows of `identity`."""
        for n in range(first, first + count):
            yield self.provider(n), "consent_id", self.consent_id(n), self.tracking_id(n)

    def reports(self, first: int, count: int) -> Iterator[Row]:
        """Rows of `report`, one about each consent."""
        for n in range(first, first + count):
            yield (
                *(self.digest(n), self.tracking_id(n), self.provider(n), self.consent_id(n), "webhook", "Authorized"),
                *(self.now, self.now, self.now, 0, self.now, _TERMS, False, "Moved", 0),
            )

    def entries(self, first: int, count: int) -> Iterator[Row]:
        """Rows of `entry`, one about each consent; the hashes are not theirs."""
        template, places = self._leaf
        for n in range(first, first + count):
            key = self.tracking_id(n)
            leaf = template.replace(places[0], key).replace(places[1], str(n + 1))
            yield n + 1, self.tracking_id(n + 500_000_000), key, self.now, leaf.encode(), b"\0" * 32

    def _consent(self, number: int) -> Row:
        chance, day = Random(number).random, timedelta(days=1)
        status = self._status(chance() * 100)
        is_open = status in _OPEN
        registered_at = self.now - 180 * chance() * day
        expiry = self.now + 180 * chance() * day if is_open else registered_at + day
        due = self.now - chance() * day / 24 if chance() < _DUE else self.now + chance() * day
        lane = chance()  # few are asked for, or wait in the queue of what was imported
        urgent = due if is_open and lane < _URGENT else None
        queued = due if is_open and lane > 1 - _QUEUED else None
        changed = registered_at + chance() * (self.now - registered_at)
        provider = self.provider(number)
        return (
            *(self.tracking_id(number), provider, self.consent_id(number), "uae-v2.1", "tpp-client-001"),
            *("account-access" if number % 4 else "single-instant-payment", registered_at, expiry, _summary(status)),
            *(status, changed, expiry, status, True, status == "Authorized", changed, False, False, 0),
            *(changed, changed, "webhook", f"customer-{number // 3}", _PERMISSIONS, number + 1, 2, changed),
            *(due if is_open and queued is None else None, expiry if is_open else None, urgent, queued),
            due if status in _STEADY and queued is None else None,
            queued is not None,
        )

    def _status(self, place: float) -> str:
        for status, share in _STATUSES:
            place -= share
            if place < 0:
                return status
        return _STATUSES[0][0]

    @cached_property
    def _leaf(self) -> tuple[str, tuple[str, str]]:
        key, sequence = self.tracking_id(123_456_789_012), 987_654_321
        draft = a_draft(tracking_id=key, received_at=self.now, status_date_time=self.now)
        sealed = seal(draft, sequence=sequence, previous=None, recorded_at=self.now, source=SOURCE)
        return sealed.leaf_bytes.decode(), (key, str(sequence))


_PERMISSIONS: Final = json.dumps(["ReadAccountsBasic", "ReadBalances", "ReadTransactionsBasic"])
_TERMS: Final = json.dumps({"ConsentId": "x", "Permissions": ["ReadAccountsBasic"]})
_summaries: dict[str, str] = {}


def _summary(status: str) -> str:
    """What is kept of one report."""
    if status not in _summaries:
        when = datetime(2026, 3, 2, tzinfo=UTC)
        report = Report(
            digest="0" * 64,
            channel=Channel.WEBHOOK,
            status=Status(status),
            status_date_time=when,
            received_at=when,
            recorded_at=when,
            asks=1,
        )
        _summaries[status] = json.dumps(summary_to_json(Summary(asks=1, standing=(report,))))
    return _summaries[status]


# ---------------------------------------------------------------------------------------------- into databases


async def copy_into(url: str, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """COPY rows into PostgreSQL, some at a time."""
    connection = await asyncpg.connect(url)
    try:
        left = iter(rows)
        while some := list(islice(left, _CHUNK)):
            await connection.copy_records_to_table(table, records=some, columns=columns, timeout=600)
    finally:
        await connection.close()


def insert_into(path: Path, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Put rows into SQLite, some in each transaction."""
    places = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"
    with closing(sqlite3.connect(path)) as connection:
        left = iter(rows)
        while some := [tuple(map(_for_sqlite, row)) for row in islice(left, _CHUNK)]:
            with connection:
                connection.executemany(statement, some)


def _for_sqlite(value: Any) -> Any:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
