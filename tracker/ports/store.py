"""The store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from tracker.domain.completion import Work
from tracker.domain.consent import ProviderId, TrackingId
from tracker.domain.errors import InconsistentRowError
from tracker.domain.payment import Payment
from tracker.domain.pull import Window
from tracker.domain.schedule import Tempo
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports.access import AccessesOf
from tracker.ports.completion import WorkKey, WorkQuery
from tracker.ports.exports import ExportStore
from tracker.ports.lags import Lag
from tracker.ports.providers import Health, ProviderFacts, Signs
from tracker.ports.pull import Pulled
from tracker.ports.records import (
    EVERYTHING_ASIDE,
    ApiKey,
    ConsentQuery,
    Held,
    InboxItem,
    LackedKey,
    Name,
    PaymentKey,
    Progress,
    Quarantined,
    QuarantineFilter,
    StoredReport,
    Undelivered,
    Watched,
)
from tracker.ports.survey import Survey
from tracker.ports.transaction import AS_IT_IS, Transaction
from tracker.ports.tree import TreeStore

T = TypeVar("T")


class Inbox(Protocol):
    """What the door needs of the store. Every method raises `StorageError` when it is away."""

    async def admit(self, item: InboxItem) -> None:
        """Keep an event before it is answered for; many callers share one flush."""

    async def inbox_depth(self) -> tuple[int, datetime | None]:
        """How many items wait, and since when the most overdue one should have been opened."""


class Store(Inbox, AccessesOf, TreeStore, ExportStore, Protocol):
    """The database. Every method raises `StorageError` when it is away."""

    async def transact(self, script: Callable[[Transaction], T]) -> T:
        """Run a script in one transaction and give its answer after the commit. Nothing is kept if it raises."""

    # inbox

    async def claim_inbox(self, now: datetime, limit: int, seconds: float) -> list[InboxItem]:
        """Give what is due to be opened and nobody else is at, in order of arrival, and lease it for so long.

        The lease runs by the database's clock, and spares others the work: what came of an event is recorded by whoever takes
        it out of the inbox, however many have opened it. 0 seconds lease nothing, where nobody else can be at it.
        If more is due than the limit, a quarter of it is what came last, and the rest is shared among the lanes: so that what one
        provider sends holds up nobody else's.
        If nothing is, then what a clock that was since stepped back has timed for later than anything ever waits.
        """

    async def postpone(self, ids: Collection[str], until: datetime) -> None:
        """Put off opening some items, and count the attempt."""

    async def hasten(self, ids: Collection[str], now: datetime) -> None:
        """Make items due at once that were put off."""

    async def quarantined(
        self, limit: int, before: str | None = None, only: QuarantineFilter = EVERYTHING_ASIDE
    ) -> list[Quarantined]:
        """Read the quarantine, the last received first; `before` is an id."""

    async def get_quarantined(self, event_id: str) -> Quarantined | None:
        """One event of the quarantine."""

    async def quarantined_ids(self, limit: int, after: str, only: QuarantineFilter) -> list[str]:
        """Ids of events in the quarantine, the first received first; `after` is an id or empty."""

    async def lacked_keys(self, provider: str, kids: Collection[str], limit: int, after: str) -> list[LackedKey]:
        """Events in the quarantine that lacked one of these keys of a provider, the first received first; `after` is an id."""

    # consents

    async def find_consent(self, name: Name) -> TrackedConsent | None:
        """Look a consent up by what the world calls it."""

    async def get_consent(self, tracking_id: TrackingId) -> TrackedConsent | None:
        """Look a consent up by our key."""

    async def find_watched(self, name: Name) -> Watched | None:
        """Look a consent up by what the world calls it, and when it is due to be asked about."""

    async def get_watched(self, tracking_id: TrackingId) -> Watched | None:
        """Look a consent up by our key, and when it is due to be asked about."""

    async def search(self, query: ConsentQuery, now: datetime) -> list[TrackedConsent]:
        """Search, in order of tracking id."""

    async def chain(self, root: Name, limit: int) -> list[TrackedConsent]:
        """The root of a chain of renewals, if it is tracked, and those that name it, the last registered first."""

    async def reports_of_each(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, list[StoredReport]]:
        """What `reports_of` gives, of several consents; those without any are left out."""

    async def reports_of(self, tracking_id: TrackingId) -> list[StoredReport]:
        """All reports on record about a consent, in the order of recording; those of one transaction by their receipt."""

    async def entries_of(self, tracking_id: TrackingId) -> list[Entry]:
        """All entries about a consent, in sequence."""

    async def next_ask_at(self, tracking_id: TrackingId, tempo: Tempo = AS_IT_IS) -> datetime | None:
        """When the consent is due to be asked about, in whichever line."""

    async def payments_of(self, name: Name, limit: int, after: str = "") -> list[Payment]:
        """Payments under a consent, in order of their ids; `after` is one of these."""

    async def get_payment(self, key: PaymentKey) -> Payment | None:
        """One payment."""

    # journal

    async def journal_id(self) -> str:
        """The UUID of this journal."""

    async def head(self) -> int:
        """The sequence of the last entry; 0 before the first."""

    async def entries_after(self, sequence: int, limit: int, up_to: int | None = None) -> list[Entry]:
        """Read the journal in sequence."""

    async def entries_at(self, sequences: Collection[int]) -> dict[int, Entry]:
        """Read some entries."""

    # subscriptions

    async def add_subscription(self, subscription: Subscription) -> None:
        """Keep a new subscription."""

    async def subscriptions(self) -> list[Subscription]:
        """All of them, in order of id."""

    async def get_subscription(self, subscription_id: str) -> Subscription | None:
        """One of them."""

    async def delete_subscription(self, subscription_id: str) -> bool:
        """Forget one; False if there was none."""

    async def parked(self, subscription_id: str) -> list[Parked]:
        """What a subscription has parked, in sequence."""

    async def change_subscription(self, changed: Subscription, at_version: int, *, is_anew: bool = False) -> bool:
        """Write the terms of one, and raise its version; False if it is gone or at another version.

        Its state too, if its endpoint begins anew. Else that stays, and the cursor in any case: whoever tells it may have
        come further meanwhile.
        """

    async def undelivered(self, subscription_id: str, after: int, limit: int) -> list[Undelivered]:
        """What a subscription was not told behind a sequence, in sequence: parked and given up."""

    async def lags(self, only: str | None = None) -> dict[str, Lag]:
        """How far behind each subscription is, or one of them, by id."""

    async def save_progress(self, progress: Progress) -> bool:
        """Write how far a subscription has come, all in one; False when it is gone, or would move beyond the journal's end.

        The terms are left as they are. If they were changed since it was read, so is the state of the endpoint.

        Raises:
            LeaseLostError: Another process tells this subscriber now.
        """

    async def pull_window(self, subscription_id: str) -> Window | None:
        """What a subscriber that polls was handed and has not answered for; None before its first poll."""

    async def save_pull(self, pulled: Pulled) -> bool | None:
        """Write what came of a poll, all in one: False if another poll was quicker, None if the subscription is gone."""

    # what subscribers must do

    async def requiring_completion(self) -> list[Subscription]:
        """The subscriptions that ask for reports; their secrets cannot be used."""

    async def completion_watch(self, subscription_id: str) -> int | None:
        """How far the journal was looked at for work that one asks for; None: not yet."""

    async def save_completion_watch(
        self, subscription: Subscription, before: int | None, upto: int, due: Sequence[Work]
    ) -> bool:
        """Write what is due and how far was looked, all in one; what is there stays.

        False, and nothing is written, if it was not looked as far as `before` any more, or the subscription is of another
        version, or gone.
        """

    async def overdue_work(
        self, now: datetime, limit: int, providers: Collection[str], behind: int = 0
    ) -> tuple[list[Work], list[InconsistentRowError]]:
        """What is overdue and was not told, the longest overdue first; of these providers.

        Args:
            now: By this clock.
            limit: At most so many rows.
            providers: Of these.
            behind: So many rows are passed over.

        Returns:
            What could be read, and what is wrong with the rows that could not; together they are as many as there were rows.
        """

    async def work_of(self, subscription_id: str, wanted: WorkQuery) -> list[Work]:
        """A page of a subscriber's work."""

    async def find_work(self, key: WorkKey) -> Work | None:
        """One piece of work."""

    async def find_work_of_entry(self, subscription_id: str, entry_id: str, work: str) -> Work | None:
        """One piece of work, by the entry's id."""

    # leases

    async def hold_leases(self, holder: str, names: Collection[str], seconds: float) -> dict[str, Held]:
        """Take or renew those leases that nobody else holds, for so long by the database's clock; give what is held now."""

    async def release_leases(self, holder: str, names: Collection[str]) -> None:
        """Let others have them at once."""

    async def held_leases(self) -> set[str]:
        """The names of all leases that are held now, by anybody."""

    # how things stand

    async def survey(self, now: datetime, providers: Collection[str]) -> Survey:
        """Count what waits where; due questions for these providers only."""

    # the providers themselves

    async def provider_facts(
        self, providers: Collection[ProviderId], now: datetime | None, since: datetime
    ) -> dict[ProviderId, ProviderFacts]:
        """All that is known of these providers, by this clock or the database's; moves that we learnt of since then."""

    async def provider_health(self) -> dict[ProviderId, Health]:
        """How the providers are doing of which anything is known."""

    async def note_signs(self, signs: Mapping[ProviderId, Signs]) -> None:
        """Keep signs of life; each instant only ever moves on."""

    async def scheduled(self, provider: ProviderId) -> int:
        """How many of a provider's consents will be asked about by the schedule."""

    async def set_stretch(self, provider: ProviderId, stretch: float) -> None:
        """Keep by how much a provider's base intervals are longer."""

    # keys of our API's callers

    async def add_api_key(self, key: ApiKey) -> None:
        """Keep a new key's hash."""

    async def api_keys(self) -> list[ApiKey]:
        """All of them, in order of id."""

    async def get_api_key(self, key_id: str) -> ApiKey | None:
        """One of them."""

    async def revoke_api_key(self, key_id: str, at: datetime) -> bool:
        """Revoke one; False if there is none."""
