"""A part of the store: consents looked up and searched, and what is on record about them."""

from collections.abc import Collection
from datetime import datetime
from functools import partial

from tracker.adapters.store import payments, readings
from tracker.adapters.store.database import Database
from tracker.domain.consent import TrackingId
from tracker.domain.payment import Payment
from tracker.domain.schedule import Tempo
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import AS_IT_IS, ConsentQuery, Name, PaymentKey, StoredReport, Watched


class ConsentStore:
    """The part of `ports.Store` that is about them."""

    _database: Database

    async def find_consent(self, name: Name) -> TrackedConsent | None:
        """Look a consent up by what the world calls it."""
        return await self._database.glance(partial(readings.find_consent, name=name))

    async def get_consent(self, tracking_id: TrackingId) -> TrackedConsent | None:
        """Look a consent up by our key."""
        return await self._database.glance(partial(readings.get_consent, tracking_id=tracking_id))

    async def find_watched(self, name: Name) -> Watched | None:
        """Look a consent up by what the world calls it, and when it is asked about."""
        return await self._database.glance(partial(readings.find_watched, name=name))

    async def get_watched(self, tracking_id: TrackingId) -> Watched | None:
        """Look a consent up by our key, and when it is asked about."""
        return await self._database.glance(partial(readings.get_watched, tracking_id=tracking_id))

    async def search(self, query: ConsentQuery, now: datetime) -> list[TrackedConsent]:
        """Search, in order of tracking id."""
        return await self._database.read(partial(readings.search, query=query, now=now))

    async def chain(self, root: Name, limit: int) -> list[TrackedConsent]:
        """The root of a chain of renewals, and those that name it."""
        return await self._database.read(partial(readings.chain, root=root, limit=limit))

    async def reports_of_each(self, tracking_ids: Collection[TrackingId]) -> dict[TrackingId, list[StoredReport]]:
        """All reports on record about several consents."""
        return await self._database.read(partial(readings.reports_of_each, tracking_ids=tracking_ids))

    async def reports_of(self, tracking_id: TrackingId) -> list[StoredReport]:
        """All reports on record about a consent."""
        return await self._database.read(partial(readings.reports_of, tracking_id=tracking_id))

    async def entries_of(self, tracking_id: TrackingId) -> list[Entry]:
        """All entries about a consent."""
        return await self._database.read(partial(readings.entries_of, tracking_id=tracking_id))

    async def next_ask_at(self, tracking_id: TrackingId, tempo: Tempo = AS_IT_IS) -> datetime | None:
        """When the consent is due to be asked about, in whichever line."""
        return await self._database.read(partial(readings.next_ask_at, tracking_id=tracking_id, tempo=tempo))

    async def payments_of(self, name: Name, limit: int, after: str = "") -> list[Payment]:
        """Payments under a consent, in order of their ids."""
        return list(await self._database.read(partial(payments.listed, name=name, limit=limit, after=after)))

    async def get_payment(self, key: PaymentKey) -> Payment | None:
        """One payment."""
        return await self._database.read(partial(payments.get, key=key))
