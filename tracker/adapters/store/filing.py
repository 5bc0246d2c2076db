"""What one transaction puts on record of what was heard: reports, other events, the tokens that they rest on."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, bindparam, update

from tracker.adapters.store import evidence, rows
from tracker.adapters.store.at_hand import KeysAtHand
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.sealed import OTHER_EVENT, REPORT, hide_token
from tracker.adapters.store.tables import other_event, report
from tracker.ports import Evidence, OtherEvent, StoredReport


class Filing:
    """Keeps it together until it is written.

    Attributes:
        waiting: Digests of reports that were read and waited for their consent: these are filed, not put in.
    """

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self._reports: list[rows.Values] = []
        self._filed: list[rows.Values] = []
        self._evidence: dict[str, tuple[rows.Values, Evidence]] = {}
        self._other_events: list[rows.Values] = []
        self._repeats: dict[str, int] = defaultdict(int)

    def add_report(self, stored: StoredReport, proof: Evidence | None) -> None:
        """A report, and its token; or one that was waiting."""
        values = rows.report_values(stored)
        if stored.report.digest in self.waiting:
            self._filed.append({f"new_{name}": value for name, value in values.items()})
            return
        self._reports.append(values | {"repeats": 0})
        if proof is not None:
            self._evidence[proof.jws_sha256] = evidence.token_values(proof, stored.consent_id), proof

    def add_other_event(self, event: OtherEvent, proof: Evidence) -> None:
        """Another verified event."""
        self._other_events.append(rows.other_event_values(event))
        self._evidence[proof.jws_sha256] = evidence.token_values(proof, event.consent_id), proof

    def count_repeat(self, digest: str) -> None:
        """A report came again."""
        self._repeats[digest] += 1

    def to_be_sealed(self) -> list[rows.Values]:
        """The rows for which there must be keys."""
        return [*self._reports, *self._other_events, *(token for token, _ in self._evidence.values())]

    def hide(self, keys: KeysAtHand) -> None:
        """Seal what is to be sealed; the keys were made."""
        for values in self._reports:
            REPORT.hide(keys, values)
        for values in self._other_events:
            OTHER_EVENT.hide(keys, values)
        for values, _ in self._evidence.values():
            hide_token(keys, values)

    def write(self, connection: Connection) -> None:
        """Write it down."""
        if self._evidence:
            tokens, proofs = zip(*reversed(self._evidence.values()), strict=True)
            evidence.write(connection, tokens, proofs)
            self._evidence.clear()
        self._insert(connection, report, self._reports)
        self._insert(connection, other_event, self._other_events)
        if self._filed:
            filed = ("tracking_id", "asks", "recorded_at", "verdict")
            connection.execute(
                update(report)
                .where(report.c.digest == bindparam("new_digest"))
                .values({name: bindparam(f"new_{name}") for name in filed}),
                self._filed,
            )
            self._filed.clear()
        if self._repeats:
            counted = [{"key": digest, "times": times} for digest, times in self._repeats.items()]
            for table in (report, other_event):
                connection.execute(
                    update(table)
                    .where(table.c.digest == bindparam("key"))
                    .values(repeats=table.c.repeats + bindparam("times")),
                    counted,
                )
            self._repeats.clear()

    @staticmethod
    def _insert(connection: Connection, table: Any, values: list[rows.Values]) -> None:
        insert_rows(connection, table, values)
        values.clear()
