"""Reckoning up: what was answered and told, against what stands in the database and in the journal."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.e2e.ledger import Key, Ledger
from tests.e2e.service import Service
from tests.postgres import query
from tracker.journal.verify import verify_export

Rows = Callable[[str], list[Any]]


def rows_of(place: Path | str) -> Rows:
    """How to ask a database: a file, or the URL of one on a server."""
    if isinstance(place, str):
        return lambda statement: query(place, statement)

    def ask(statement: str) -> list[Any]:
        connection = sqlite3.connect(place, timeout=10)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    return ask


@dataclass
class LeaseWatch:
    """Who was seen to hold which lease under which number.

    Attributes:
        holders: By name and epoch.
        fell_back: Names whose epoch was seen to fall, or cursors.
    """

    holders: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    fell_back: list[str] = field(default_factory=list)
    _last: dict[str, int] = field(default_factory=dict)

    def look(self, rows: Rows) -> None:
        """Look once; more looks see more."""
        for name, holder, epoch in rows("SELECT name, holder, epoch FROM lease"):
            self.holders[name, epoch].add(holder)
            self._rises(f"epoch of {name}", epoch)
        for name, cursor in rows("SELECT id, cursor FROM subscription"):
            self._rises(f"cursor of {name}", cursor)

    def _rises(self, name: str, value: int) -> None:
        if value < self._last.get(name, value):
            self.fell_back.append(name)
        self._last[name] = value

    def held_by_two(self) -> list[tuple[str, int]]:
        return [key for key, holders in self.holders.items() if len(holders) > 1]


@dataclass
class Reckoning:
    """What was found.

    Attributes:
        faults: What should not be, each with how often; empty is what is hoped for.
        figures: How much there was of what.
    """

    faults: dict[str, Any]
    figures: dict[str, int]


async def reckon(ledger: Ledger, rows: Rows, watch: LeaseWatch, api: Service, folder: Path) -> Reckoning:
    """Compare everything. The processes may have been stopped."""
    reports = rows("SELECT consent_id, status_date_time, status, digest, tracking_id FROM report")
    on_record = Counter[Key]((consent, _time(at)) for consent, at, *_ in reports)
    stands = dict(rows("SELECT consent_id, status FROM consent"))
    entries = rows("SELECT sequence, id FROM entry ORDER BY sequence")
    ids = {entry_id: sequence for sequence, entry_id in entries}
    told = Counter(entry["id"] for entry in ledger.told)
    await api.run("journal", "export", "--out", str(folder))
    verdict = verify_export(folder, [], allow_unanchored=True)
    faults: dict[str, Any] = {
        "acknowledged_and_lost": sorted(map(str, ledger.acknowledged - on_record.keys())),
        "recorded_twice": [str(key) for key, times in on_record.items() if times > 1],
        "recorded_and_never_sent": sorted(map(str, on_record.keys() - ledger.sent)),
        "registered_and_lost": sorted(ledger.registered - stands.keys()),
        "still_waiting_for_its_consent": [row[0] for row in reports if row[4] is None],
        "wrong_status": _wrong(reports, stands),
        "in_inbox": rows("SELECT count(*) FROM inbox")[0][0],
        "in_quarantine": rows("SELECT count(*) FROM quarantine")[0][0],
        "gaps_in_the_journal": [a for a, b in pairwise([0, *(row[0] for row in entries)]) if b != a + 1],
        "journal_not_intact": "" if verdict.accepted else str(verdict.lines()),
        "never_told": sorted(sequence for entry_id, sequence in ids.items() if entry_id not in told),
        "told_and_not_in_the_journal": sorted(told.keys() - ids.keys()),
        "out_of_order": _out_of_order(ledger.told),
        "leases_held_by_two": watch.held_by_two(),
        "fell_back": watch.fell_back,
        "not_answered_for": {status: n for status, n in ledger.answers.items() if status not in {0, 202, 503}},
    }
    figures = {
        "sent": len(ledger.sent),
        "acknowledged": len(ledger.acknowledged),
        "recorded": len(on_record),
        "registered": len(ledger.registered),
        "entries": len(entries),
        "told": len(told),
        "told_again": sum(told.values()) - len(told),
        "answered_503": ledger.answers[503],
        "not_answered": ledger.answers[0],
    }
    return Reckoning({name: found for name, found in faults.items() if found}, figures)


def _time(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _wrong(reports: list[Any], stands: dict[str, str]) -> list[str]:
    """The latest word counts, whatever came in between."""
    latest: dict[str, tuple[datetime, str]] = {}
    for consent, at, status, *_ in reports:
        latest[consent] = max(latest.get(consent, (datetime.min.replace(tzinfo=UTC), "")), (_time(at), status))
    return [
        f"{name}: {stands.get(name)}, not {status}"
        for name, (_, status) in latest.items()
        if stands.get(name) != status
    ]


def _out_of_order(told: list[dict[str, Any]]) -> list[str]:
    """Consents whose entries did not come in sequence, the first time each."""
    heard: dict[str, list[int]] = defaultdict(list)
    for entry in told:
        heard[entry["subject"]].append(int(entry["sequence"]))
    first = {subject: list(dict.fromkeys(sequences)) for subject, sequences in heard.items()}
    return [subject for subject, sequences in first.items() if sequences != sorted(sequences)]
