"""One transaction of the store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final, Protocol

from tracker.domain.consent import ProviderId, TrackingId
from tracker.domain.decision import Decision
from tracker.domain.payment import Payment
from tracker.domain.report import Claim
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Draft, Entry
from tracker.ports.completion import CompletionBook
from tracker.ports.past import BeliefBook
from tracker.ports.providers import ProviderBook
from tracker.ports.records import Confirmation, Evidence, Name, OtherEvent, PaymentKey, Quarantined, StoredReport
from tracker.ports.retention import DisposalBook


class AskLine(Enum):
    """The lines in which consents wait to be asked about."""

    DOUBTFUL = auto()
    """In doubt, and not usable until the holder has answered; the longest overdue first."""
    URGENT = auto()
    """Something else hangs on the answer; the longest overdue first."""
    SUSPECTED = auto()
    """Something that was not verified spoke of it; the longest suspected first. It may stand in another line too."""
    ORDINARY = auto()
    """By the schedule, and not urgent; the longest overdue first, by what the condition of the provider makes of it. Last of all
    what a clock that was since stepped back has timed for later than anything ever waits."""
    QUEUED = auto()
    """Imported and never heard of. First what will end, the soonest first; then what has no known end; then what has ended,
    the latest first: it cannot be used any more."""


AS_IT_IS: Final = Tempo()
"""No condition moves what is scheduled."""


@dataclass(frozen=True, slots=True)
class RevokedGroups:
    """Consents that their holder revoked, and others of their base groups.

    Attributes:
        revoked: Those whose siblings are wanted.
        siblings: For each of them, by its key: the open consents of its group, a bounded number.
    """

    revoked: list[TrackedConsent]
    siblings: dict[TrackingId, list[TrackedConsent]]


class Transaction(Protocol):
    """One transaction, as its script sees it. Synchronous: scripts run where the database is.

    Rows that cannot be read do not stop the others: `lock_due_…` leave them out, log them and put them off.

    Order: one `lock_…` first, then `take_from_inbox`, then everything else, `append` last of all: it takes the journal's head,
    which nobody may hold while waiting for anything. A script may be run again from the start; it must have no effect but
    through this.
    """

    @property
    def providers(self) -> ProviderBook:
        """What is known of the providers themselves."""

    @property
    def completions(self) -> CompletionBook:
        """What subscribers must do."""

    @property
    def beliefs(self) -> BeliefBook:
        """What readers were told, where the entries do not tell it."""

    @property
    def disposals(self) -> DisposalBook:
        """The end of consents."""

    def lock_named(self, names: Collection[Name]) -> dict[Name, TrackedConsent]:
        """Hold these names until the end, registered or not, and give the consents that have them."""

    def lock_tracked(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, TrackedConsent]:
        """Hold these consents until the end."""

    def lock_due_asks(
        self,
        provider: ProviderId,
        now: datetime,
        limit: int,
        line: AskLine = AskLine.ORDINARY,
        tempo: Tempo = AS_IT_IS,
    ) -> list[TrackedConsent]:
        """Hold a provider's consents that are due to be asked about, skipping leased ones: those of one line, in its order.

        No consent is in two lines at one time, but for those suspected.
        """

    def lock_revoked(self, now: datetime, limit: int, providers: Collection[ProviderId]) -> RevokedGroups:
        """Hold consents whose siblings are to be asked about, and these siblings, all in one order."""

    def lock_due_revocations(self, provider: ProviderId, now: datetime, limit: int) -> list[TrackedConsent]:
        """Hold a provider's consents about whose revocation something is to be done; the longest overdue first."""

    def lock_due_ticks(
        self, now: datetime, limit: int, providers: Collection[ProviderId] | None = None
    ) -> list[TrackedConsent]:
        """Hold consents about which the clock has something to tell; of these providers, or of all."""

    def lock_due_notices(
        self, now: datetime, limit: int, providers: Collection[ProviderId] | None = None
    ) -> list[TrackedConsent]:
        """Hold consents of which something is to be told before it comes; of these providers, or of all."""

    def lock_chain(self, root: Name, also: Collection[TrackingId] = ()) -> list[TrackedConsent]:
        """Hold the consents of a chain of renewals that have not ended, its root in any case, and these; in order of key.

        Those that cannot be read are left out.
        """

    def named_as_roots(self, names: Collection[Name]) -> set[Name]:
        """Which of these names other consents have for the root of their chain."""

    def known_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these reports and other events are on record."""

    def known_claims(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, set[Claim]]:
        """The holders' claims on record for each consent."""

    def waiting_reports(self, names: Collection[Name]) -> dict[Name, list[StoredReport]]:
        """Reports that came before their consent was registered, in the order of receipt."""

    def lock_payments(self, keys: Collection[PaymentKey]) -> dict[PaymentKey, Payment]:
        """Hold those of these payments that are on record until the end. After the consents."""

    def payments_under(self, names: Collection[Name]) -> dict[Name, list[Payment]]:
        """The payments on record under consents, registered or not, that are held by these names; in order of their ids."""

    def save_payment(self, payment: Payment) -> None:
        """Insert or update a payment; one that is there already under another consent stays as it is."""

    def save(
        self,
        consent: TrackedConsent,
        decision: Decision,
        *,
        next_ask_at: datetime | None,
        next_tick_at: datetime | None,
        urgent_ask_at: datetime | None = None,
        queued_ask_at: datetime | None = None,
        next_notice_at: datetime | None = None,
        steady_ask_at: datetime | None = None,
    ) -> None:
        """Insert or update a consent that is held, and make what was decided of it searchable.

        When it is due in which line: `urgent_ask_at` among the doubtful and the urgent ones, `queued_ask_at` among the queued
        ones, the other two in the line of ordinary ones: `next_ask_at` as it is, `steady_ask_at` as the condition of the
        provider makes it. `queued_ask_at` comes alone.

        `last_sequence` is not written: only `append` does that.
        """

    def destroy_key(self, tracking_id: TrackingId) -> bool:
        """Destroy the key of a consent that is held; False if there was none.

        From then on nobody can read what stands under it: user reference, terms and authorizers of the consent, the terms of its
        reports, the tokens, the private values of its entries, what is private of its payments and other events. They read as
        if they were not there. After the commit the key is nowhere in a SQLite file and its log.
        """

    def add_report(self, report: StoredReport, evidence: Evidence | None) -> None:
        """Put a report on record, and its token; its digest must be new, or that of a waiting report that is now filed."""

    def add_other_event(self, event: OtherEvent, evidence: Evidence) -> None:
        """Put another verified event on record; its digest must be new."""

    def count_repeat(self, digest: str) -> None:
        """Note that a report came again."""

    def add_confirmation(self, confirmation: Confirmation) -> None:
        """Append to the confirmation log."""

    def quarantine(self, event: Quarantined) -> None:
        """Put an event aside; the oldest never-verified ones make room."""

    def release_claimed(self, names: Collection[Name], most_each: int, now: datetime) -> list[str]:
        """Do as `release` does with events that claim to be about these consents, the last received of each; give their ids."""

    def release(self, ids: Collection[str], now: datetime) -> list[str]:
        """Take events out of the quarantine and back into the inbox, due now, else as they came; give those that were there.

        Their time of receipt stays, and they are counted as retried once more.
        """

    def take_from_inbox(self, ids: Collection[str]) -> set[str]:
        """Take items out of the inbox, and give those that were there: what came of them belongs into this transaction.

        What is not given has been recorded by another, and must not be recorded again.
        """

    def append(self, drafts: Sequence[Draft], now: datetime) -> list[Entry]:
        """Take the head, seal the drafts in order, append them. Last of all, at most once."""
