"""One transaction, as its script sees it: reads at once, keeps writes together, and takes the journal's head last of all."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, update

from tracker.adapters.store import appending, aside, evidence, lookups, payments, rows
from tracker.adapters.store.completions import SqlCompletionBook
from tracker.adapters.store.differences import hold_names
from tracker.adapters.store.due import Due
from tracker.adapters.store.many import insert_rows, texts, update_rows
from tracker.adapters.store.provider_book import SqlProviderBook
from tracker.adapters.store.tables import (
    confirmation,
    consent,
    identity,
    other_event,
    report,
)
from tracker.domain.consent import ConsentId, ProviderId, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.payment import Payment
from tracker.domain.report import Claim
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.ports import (
    AS_IT_IS,
    AskLine,
    Confirmation,
    Evidence,
    Name,
    OtherEvent,
    PaymentKey,
    Quarantined,
    RevokedGroups,
    StoredReport,
)

_CONSENT_ID = "consent_id"


def _by_provider(names: Collection[tuple[ProviderId, str]]) -> Iterable[tuple[ProviderId, set[str]]]:
    """Names, as equality with a provider and a list of ids: no index of SQLite serves lists of pairs."""
    ids: dict[ProviderId, set[str]] = defaultdict(set)
    for provider, consent_id in names:
        ids[provider].add(consent_id)
    return ((provider, ids[provider]) for provider in sorted(ids))


class SqlTransaction:
    """Implements `ports.Transaction` on a SQLAlchemy connection inside a transaction."""

    def __init__(self, connection: Connection, batch_id: str) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._batch_id = batch_id
        self._held: dict[TrackingId, int | None] = {}  # consents in the table that are held, and their last sequence
        self._new: dict[TrackingId, rows.Values] = {}
        self._changed: dict[TrackingId, rows.Values] = {}
        self._reports: list[rows.Values] = []
        self._filed: list[rows.Values] = []
        self._evidence: dict[str, Evidence] = {}
        self._other_events: list[rows.Values] = []
        self._confirmations: list[rows.Values] = []
        self._repeats: dict[str, int] = defaultdict(int)
        self._quarantined: list[rows.Values] = []
        self._waiting: set[str] = set()
        self._payments: dict[PaymentKey, Payment] = {}
        self.appended = False

    @property
    def providers(self) -> SqlProviderBook:
        """What is known of the providers themselves."""
        return SqlProviderBook(self._connection)

    @property
    def completions(self) -> SqlCompletionBook:
        """What subscribers must do."""
        return SqlCompletionBook(self._connection)

    # ------------------------------------------------------------------------------------------ locks and reads

    def lock_named(self, names: Collection[Name]) -> dict[Name, TrackedConsent]:
        """Hold these names until the end, registered or not, and give the consents that have them."""
        found: dict[Name, TrackedConsent] = {}
        hold_names(self._connection, names)
        query = lookups.consents_by_name(self._dialect)
        for provider, ids in _by_provider(names):
            for kept in self._hold(query, {"provider": provider, "ids": texts(self._dialect, ids)}):
                found[kept.provider, kept.consent_id] = kept
        return found

    def lock_tracked(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, TrackedConsent]:
        """Hold these consents until the end."""
        query = lookups.consents_by_key(self._dialect)
        return {c.tracking_id: c for c in self._hold(query, {"ids": texts(self._dialect, set(tracking_ids))})}

    def lock_due_asks(
        self,
        provider: ProviderId,
        now: datetime,
        limit: int,
        line: AskLine = AskLine.ORDINARY,
        tempo: Tempo = AS_IT_IS,
    ) -> list[TrackedConsent]:
        """Hold a provider's consents that are due to be asked about, those of one line, skipping leased ones."""
        return self._held_now(Due(self._connection, now).asks(provider, limit, line, tempo))

    def lock_due_revocations(self, provider: ProviderId, now: datetime, limit: int) -> list[TrackedConsent]:
        """Hold a provider's consents about whose revocation something is to be done."""
        return self._held_now(Due(self._connection, now).revocations(provider, limit))

    def lock_due_ticks(
        self, now: datetime, limit: int, providers: Collection[ProviderId] | None = None
    ) -> list[TrackedConsent]:
        """Hold consents about which the clock has something to tell; of these providers, or of all."""
        return self._held_now(Due(self._connection, now).ticks(limit, providers))

    def lock_due_notices(
        self, now: datetime, limit: int, providers: Collection[ProviderId] | None = None
    ) -> list[TrackedConsent]:
        """Hold consents of which something is to be told before it comes; of these providers, or of all."""
        return self._held_now(Due(self._connection, now).notices(limit, providers))

    def lock_chain(self, root: Name, also: Collection[TrackingId] = ()) -> list[TrackedConsent]:
        """Hold the consents of a chain of renewals that have not ended, and these."""
        provider, consent_id = root
        named = {"provider": provider, "root": consent_id, "ids": texts(self._dialect, set(also))}
        found = self._connection.execute(lookups.chain(self._dialect), named)
        return self._held_now(rows.sorted_out(found, rows.to_consent)[0])

    def named_as_roots(self, names: Collection[Name]) -> set[Name]:
        """Which of these names other consents have for the root of their chain."""
        found: set[Name] = set()
        query = lookups.roots(self._dialect)
        for provider, ids in _by_provider(names):
            named = {"provider": provider, "ids": texts(self._dialect, ids)}
            found |= {(provider, ConsentId(root)) for root in self._connection.execute(query, named).scalars()}
        return found

    def lock_revoked(self, now: datetime, limit: int, providers: Collection[ProviderId]) -> RevokedGroups:
        """Hold consents whose siblings are to be asked about, and these siblings, all in one order."""
        due = Due(self._connection, now)
        groups = due.revoked(limit, providers)
        if not groups:
            return RevokedGroups([], {})
        keys = {*groups, *(one for group in groups.values() for one in group)}
        held = {one.tracking_id: one for one in self._held_now(due.readable(keys))}
        revoked = [held[key] for key in groups if key in held and held[key].asking.siblings_wanted_at is not None]
        siblings = {
            one.tracking_id: [held[key] for key in groups[one.tracking_id] if key in held and key != one.tracking_id]
            for one in revoked
        }
        return RevokedGroups(revoked, siblings)

    def _hold(self, query: Select[Any], named: rows.Values) -> list[TrackedConsent]:
        return self._held_now([rows.to_consent(row) for row in self._connection.execute(query, named)])

    def _held_now(self, found: list[TrackedConsent]) -> list[TrackedConsent]:
        self._held |= {c.tracking_id: c.last_sequence for c in found}
        return found

    def known_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these reports and other events are on record."""
        if not digests:
            return set()
        named = {"digests": texts(self._dialect, set(digests))}
        return set(self._connection.execute(lookups.known_digests(self._dialect), named).scalars())

    def known_claims(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, set[Claim]]:
        """The claims on record for each consent."""
        claims: dict[TrackingId, set[Claim]] = defaultdict(set)
        if tracking_ids:
            named = {"ids": texts(self._dialect, set(tracking_ids))}
            for row in self._connection.execute(lookups.known_claims(self._dialect), named):
                tracking_id, claim = rows.to_claim(row)
                claims[tracking_id].add(claim)
        return claims

    def waiting_reports(self, names: Collection[Name]) -> dict[Name, list[StoredReport]]:
        """Reports that came before their consent was registered, in the order of receipt."""
        found: dict[Name, list[StoredReport]] = defaultdict(list)
        query = lookups.waiting_reports(self._dialect)
        for provider, ids in _by_provider(names):
            named = {"provider": provider, "ids": texts(self._dialect, ids)}
            for row in self._connection.execute(query, named):
                stored = rows.to_report(row)
                self._waiting.add(stored.report.digest)
                found[stored.provider, stored.consent_id].append(stored)
        return found

    def lock_payments(self, keys: Collection[PaymentKey]) -> dict[PaymentKey, Payment]:
        """Hold those of these payments that are on record until the end."""
        query = lookups.payments_by_key(self._dialect)
        return {one.key: one for one in self._read_payments(query, keys)}

    def payments_under(self, names: Collection[Name]) -> dict[Name, list[Payment]]:
        """The payments on record under consents that are held by these names."""
        found: dict[Name, list[Payment]] = defaultdict(list)
        for one in self._read_payments(lookups.payments_under(self._dialect), names):
            found[one.provider, one.consent_id].append(one)
        return found

    def _read_payments(self, query: Select[Any], keys: Collection[tuple[ProviderId, str]]) -> Iterable[Payment]:
        for provider, ids in _by_provider(keys):
            named = {"provider": provider, "ids": texts(self._dialect, ids)}
            for row in self._connection.execute(query, named):
                yield rows.to_payment(row)

    # ------------------------------------------------------------------------------------------ writes, kept together

    def save(
        self,
        kept: TrackedConsent,
        decision: Decision,
        *,
        next_ask_at: datetime | None,
        next_tick_at: datetime | None,
        urgent_ask_at: datetime | None = None,
        queued_ask_at: datetime | None = None,
        next_notice_at: datetime | None = None,
        steady_ask_at: datetime | None = None,
    ) -> None:
        """Insert or update a consent that is held."""
        values = rows.consent_values(
            kept,
            decision,
            next_ask_at=next_ask_at,
            next_tick_at=next_tick_at,
            urgent_ask_at=urgent_ask_at,
            queued_ask_at=queued_ask_at,
            next_notice_at=next_notice_at,
            steady_ask_at=steady_ask_at,
        )
        to = self._changed if kept.tracking_id in self._held else self._new
        to[kept.tracking_id] = values

    def add_report(self, stored: StoredReport, proof: Evidence | None) -> None:
        """Put a report on record, and its token; or file one that was waiting."""
        values = rows.report_values(stored)
        if stored.report.digest in self._waiting:
            self._filed.append({f"new_{name}": value for name, value in values.items()})
            return
        self._reports.append(values | {"repeats": 0})
        if proof is not None:
            self._evidence[proof.jws_sha256] = proof

    def add_other_event(self, event: OtherEvent, proof: Evidence) -> None:
        """Put another verified event on record."""
        self._other_events.append(rows.other_event_values(event))
        self._evidence[proof.jws_sha256] = proof

    def save_payment(self, payment: Payment) -> None:
        """Insert or update a payment."""
        self._payments[payment.key] = payment

    def count_repeat(self, digest: str) -> None:
        """Note that a report came again."""
        self._repeats[digest] += 1

    def add_confirmation(self, vouched: Confirmation) -> None:
        """Append to the confirmation log."""
        self._confirmations.append(
            {
                "tracking_id": vouched.tracking_id,
                "vouched_at": vouched.vouched_at,
                "recorded_at": vouched.recorded_at,
                "channel": vouched.channel.value,
                "status": vouched.status.value,
            }
        )

    def quarantine(self, event: Quarantined) -> None:
        """Put an event aside; the oldest never-verified ones make room."""
        self._quarantined.append(rows.quarantine_values(event))

    def release_claimed(self, names: Collection[Name], most_each: int, now: datetime) -> list[str]:
        """Take events that claim to be about these consents out of the quarantine and back into the inbox."""
        ids = [one for name in sorted(names) for one in aside.claiming(self._connection, name, most_each)]
        return aside.release(self._connection, ids, now) if ids else []

    def release(self, ids: Collection[str], now: datetime) -> list[str]:
        """Take events out of the quarantine and back into the inbox."""
        return aside.release(self._connection, set(ids), now)

    def take_from_inbox(self, ids: Collection[str]) -> set[str]:
        """Take items out of the inbox, and give those that were there."""
        if not ids:
            return set()
        # Held in one order first: a delete takes them as it finds them, and two of those might wait crosswise.
        wanted = {"ids": texts(self._dialect, set(ids))}
        held = set(self._connection.execute(lookups.inbox_items(self._dialect), wanted).scalars())
        if held:
            self._connection.execute(lookups.drop_inbox(self._dialect), {"ids": texts(self._dialect, held)})
        return held

    def append(self, drafts: Sequence[Draft], now: datetime) -> list[Entry]:
        """Take the head, seal the drafts in order, append them."""
        if self.appended:
            raise ValueError("A transaction appends once.")
        self._write()
        if not drafts:
            return []
        self.appended = True
        sealed = appending.append(self._connection, self._batch_id, drafts, now, self._held)
        moved = {one.tracking_id: one.sequence for one in sealed if one.tracking_id is not None}
        last = [{"tracking_id": key, "last_sequence": sequence} for key, sequence in moved.items()]
        update_rows(self._connection, consent, "tracking_id", last)
        return sealed

    def finish(self) -> None:
        """Write what was kept, if the script appended nothing."""
        self._write()

    # ------------------------------------------------------------------------------------------ the writing

    def _write(self) -> None:
        self._write_consents()
        self._write_reports()
        self._write_quarantine()
        payments.write(self._connection, self._payments.values())
        self._payments.clear()
        self._insert(confirmation, self._confirmations)

    def _insert(self, table: Any, values: list[rows.Values]) -> None:
        insert_rows(self._connection, table, values)
        values.clear()

    def _write_consents(self) -> None:
        if self._new:
            new = [values | {"tracking_id": key, "last_sequence": None} for key, values in self._new.items()]
            insert_rows(self._connection, consent, new)
            names = [
                {"provider": v["provider"], "kind": _CONSENT_ID, "value": v["consent_id"], "tracking_id": key}
                for key, v in self._new.items()
            ]
            insert_rows(self._connection, identity, names)
            self._held |= dict.fromkeys(self._new)
            self._new.clear()
        if self._changed:
            changed = [values | {"tracking_id": key} for key, values in self._changed.items()]
            update_rows(self._connection, consent, "tracking_id", changed)
            self._changed.clear()

    def _write_reports(self) -> None:
        if self._evidence:
            evidence.write(self._connection, self._evidence.values())
            self._evidence.clear()
        self._insert(report, self._reports)
        self._insert(other_event, self._other_events)
        if self._filed:
            filed = ("tracking_id", "asks", "recorded_at", "verdict")
            self._connection.execute(
                update(report)
                .where(report.c.digest == bindparam("new_digest"))
                .values({name: bindparam(f"new_{name}") for name in filed}),
                self._filed,
            )
            self._filed.clear()
        if self._repeats:
            counted = [{"key": digest, "times": times} for digest, times in self._repeats.items()]
            for table in (report, other_event):
                self._connection.execute(
                    update(table)
                    .where(table.c.digest == bindparam("key"))
                    .values(repeats=table.c.repeats + bindparam("times")),
                    counted,
                )
            self._repeats.clear()

    def _write_quarantine(self) -> None:
        if not self._quarantined:
            return
        aside.put_aside(self._connection, self._quarantined)
        self._quarantined.clear()
