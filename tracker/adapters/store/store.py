"""The store: `ports.Store` on any database that can run a piece of work in a transaction."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, update

from tracker.adapters.store import (
    aside,
    claims,
    exports,
    lags,
    leases,
    partitions,
    payments,
    provider_readings,
    readings,
    replays,
    rows,
    subscriptions,
    surveys,
)
from tracker.adapters.store.database import Database as Database  # noqa: PLC0414 - it is known from here
from tracker.adapters.store.export_store import SqlExportStore
from tracker.adapters.store.gathering import Gathering
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.subscriber_store import SubscriberStore
from tracker.adapters.store.tables import api_key, batch, inbox
from tracker.adapters.store.transaction import SqlTransaction
from tracker.adapters.store.tree_store import SqlTreeStore
from tracker.adapters.store.vault import Sealing, Vault
from tracker.domain.consent import ProviderId, TrackingId
from tracker.domain.payment import Payment
from tracker.domain.schedule import Tempo
from tracker.domain.subscription import Parked, Subscription
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry
from tracker.ports import (
    AS_IT_IS,
    EVERYTHING_ASIDE,
    ApiKey,
    ConsentQuery,
    Health,
    Held,
    Ids,
    InboxItem,
    LackedKey,
    Lag,
    Name,
    PaymentKey,
    Progress,
    ProviderFacts,
    Quarantined,
    QuarantineFilter,
    Signs,
    StoredReport,
    Survey,
    Transaction,
    Undelivered,
    Watched,
)

T = TypeVar("T")

_CONFIRMATIONS_KEPT = timedelta(days=400)
_BATCHES_KEPT = timedelta(days=1)
_MOVES_KEPT = timedelta(days=8)


class SqlStore(SubscriberStore, SqlTreeStore, SqlExportStore):
    """Implements `ports.Store`."""

    def __init__(self, database: Database, ids: Ids, vault: Vault | None = None) -> None:
        """Take what there is to work with.

        Args:
            database: Where everything is.
            ids: For batches.
            vault: Encrypts what is secret of subscriptions; None: nothing is encrypted.
        """
        self.vault = vault or Vault()
        self._database = database
        self._ids = ids
        self.replays = replays.SqlReplays(database)
        self.exports = exports.SqlExports(database)
        self._admitted = Gathering(self._admit_all)
        self._fresh = claims.FreshBodies()

    async def close(self) -> None:
        """Finish what waits, and close."""
        await self._admitted.close()
        await self._database.close()

    async def transact(self, script: Callable[[Transaction], T]) -> T:
        """Run a script in one transaction and give its answer after the commit."""

        def work(connection: Connection) -> tuple[T, str | None]:
            batch_id = self._ids.ordered()
            transaction = SqlTransaction(connection, batch_id)
            answer = script(transaction)
            transaction.finish()
            return answer, batch_id if transaction.appended else None

        return await self._database.write(work)

    async def _write(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        return await self._database.write(lambda connection: (work(connection), None), urgent=urgent)

    # ------------------------------------------------------------------------------------------ inbox

    async def admit(self, item: InboxItem) -> None:
        """Keep an event before it is answered for."""
        self._fresh.keep(item)
        try:
            await self._admitted.add(rows.inbox_values(item))
        except BaseException:  # it may not be there: nobody is to take it for kept
            self._fresh.forget((item.id,))
            raise

    async def _admit_all(self, items: Sequence[rows.Values]) -> None:
        await self._write(lambda connection: insert_rows(connection, inbox, items), urgent=True)

    async def claim_inbox(self, now: datetime, limit: int, seconds: float) -> list[InboxItem]:
        """Give what is due to be opened and nobody is at, and lease it."""
        claim = partial(claims.claim_inbox, now=now, limit=limit, seconds=seconds, fresh=self._fresh)
        found = await (self._write(claim) if seconds > 0 else self._database.read(claim))
        self._fresh.forget([item.id for item in found])
        return found

    async def postpone(self, ids: Collection[str], until: datetime) -> None:
        """Put off opening some items, and count the attempt."""
        statement = update(inbox).where(inbox.c.id.in_(sorted(ids))).values(due_at=until, attempts=inbox.c.attempts + 1)
        statement = statement.values(leased_until=None)
        await self._write(lambda connection: connection.execute(statement))

    async def hasten(self, ids: Collection[str], now: datetime) -> None:
        """Make items due at once that were put off."""
        statement = update(inbox).where(inbox.c.id.in_(sorted(ids)), inbox.c.due_at > now).values(due_at=now)
        await self._write(lambda connection: connection.execute(statement))

    async def inbox_depth(self) -> tuple[int, datetime | None]:
        """How many items wait, and since when the oldest does."""
        return await self._database.read(readings.inbox_depth)

    async def quarantined(
        self, limit: int, before: str | None = None, only: QuarantineFilter = EVERYTHING_ASIDE
    ) -> list[Quarantined]:
        """Read the quarantine."""
        return await self._database.read(partial(aside.listed, limit=limit, before=before, only=only))

    async def get_quarantined(self, event_id: str) -> Quarantined | None:
        """One event of the quarantine."""
        return await self._database.read(partial(aside.get, event_id=event_id))

    async def quarantined_ids(self, limit: int, after: str, only: QuarantineFilter) -> list[str]:
        """Ids of events in the quarantine."""
        return await self._database.read(partial(aside.listed_ids, limit=limit, after=after, only=only))

    async def lacked_keys(self, provider: str, kids: Collection[str], limit: int, after: str) -> list[LackedKey]:
        """Events in the quarantine that lacked one of these keys."""
        look = partial(aside.lacking, provider=provider, kids=kids, limit=limit, after=after)
        return await self._database.read(look) if kids else []

    # ------------------------------------------------------------------------------------------ consents

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

    # ------------------------------------------------------------------------------------------ journal

    async def journal_id(self) -> str:
        """The UUID of this journal."""
        return await self._database.read(readings.journal_id)

    async def head(self) -> int:
        """The sequence of the last entry."""
        return await self._database.read(readings.head)

    async def entries_after(self, sequence: int, limit: int, up_to: int | None = None) -> list[Entry]:
        """Read the journal in sequence."""
        return await self._database.read(partial(readings.entries_after, sequence=sequence, limit=limit, up_to=up_to))

    async def entries_at(self, sequences: Collection[int]) -> dict[int, Entry]:
        """Read some entries."""
        return await self._database.read(partial(readings.entries_at, sequences=sequences))

    # ------------------------------------------------------------------------------------------ subscriptions

    async def add_subscription(self, new: Subscription) -> None:
        """Keep a new subscription."""
        await self._write(partial(subscriptions.add, new=self.vault.sealed(new)))

    async def subscriptions(self) -> list[Subscription]:
        """All of them."""
        return [self.vault.opened(one) for one in await self._database.read(subscriptions.listed)]

    async def get_subscription(self, subscription_id: str) -> Subscription | None:
        """One of them."""
        found = await self._database.read(partial(subscriptions.get, subscription_id=subscription_id))
        return None if found is None else self.vault.opened(found)

    async def change_subscription(self, changed: Subscription, at_version: int, *, is_anew: bool = False) -> bool:
        """Write the terms of one, its state if its endpoint begins anew, and raise its version."""
        sealed = self.vault.sealed(changed)
        change = partial(subscriptions.change, changed=sealed, at_version=at_version, is_anew=is_anew)
        return await self._write(change)

    async def delete_subscription(self, subscription_id: str) -> bool:
        """Forget one."""
        return await self._write(partial(subscriptions.remove, subscription_id=subscription_id))

    async def parked(self, subscription_id: str) -> list[Parked]:
        """What a subscription has parked."""
        return await self._database.read(partial(subscriptions.parked_of, subscription_id=subscription_id))

    async def undelivered(self, subscription_id: str, after: int, limit: int) -> list[Undelivered]:
        """What a subscription was not told."""
        found = partial(subscriptions.undelivered, subscription_id=subscription_id, after=after, limit=limit)
        return await self._database.read(found)

    async def lags(self, only: str | None = None) -> dict[str, Lag]:
        """How far behind each subscription is."""
        return await self._database.read(partial(lags.lags, only=only))

    async def save_progress(self, progress: Progress) -> bool:
        """Write how far a subscription has come, all in one."""
        save = partial(subscriptions.save_progress, progress=progress, batch_id=self._ids.ordered())
        return await self._database.write(save)

    async def secrets_standing(self) -> Counter[Sealing]:
        """How many subscriptions have secrets that stand how."""
        return Counter([self.vault.standing(one) for one in await self._database.read(subscriptions.listed)])

    async def seal_again(self) -> Counter[Sealing]:
        """Encrypt anew what does not stand as it would be written today; how it stood before. Any number may do it at once."""
        stood: Counter[Sealing] = Counter()
        for stored in await self._database.read(subscriptions.listed):
            standing = self.vault.standing(stored)
            stood[standing] += 1
            if standing is Sealing.OLD:
                sealed = self.vault.sealed(self.vault.opened(stored))
                await self._write(partial(subscriptions.write_secrets, sealed=sealed))
        return stood

    # ------------------------------------------------------------------------------------------ leases

    async def hold_leases(self, holder: str, names: Collection[str], seconds: float) -> dict[str, Held]:
        """Take or renew those leases that nobody else holds."""
        return await self._write(partial(leases.hold, holder=holder, names=names, seconds=seconds))

    async def release_leases(self, holder: str, names: Collection[str]) -> None:
        """Let others have them at once."""
        await self._write(partial(leases.let_go, holder=holder, names=names))

    async def held_leases(self) -> set[str]:
        """The names of all leases that are held now."""
        return await self._database.read(leases.held)

    # ------------------------------------------------------------------------------------------ how things stand

    async def survey(self, now: datetime, providers: Collection[str]) -> Survey:
        """Count what waits where."""
        return await self._database.read(partial(surveys.survey, now=now, providers=providers))

    # ------------------------------------------------------------------------------------------ the providers

    async def provider_facts(
        self, providers: Collection[ProviderId], now: datetime | None, since: datetime
    ) -> dict[ProviderId, ProviderFacts]:
        """All that is known of these providers."""
        facts = partial(provider_readings.facts, providers=providers, now=now, since=since)
        return await self._database.read(facts)

    async def provider_health(self) -> dict[ProviderId, Health]:
        """How the providers are doing of which anything is known."""
        return await self._database.read(provider_readings.health)

    async def note_signs(self, signs: Mapping[ProviderId, Signs]) -> None:
        """Keep signs of life."""
        await self._write(partial(provider_readings.note_signs, signs=signs))

    async def scheduled(self, provider: ProviderId) -> int:
        """How many of a provider's consents will be asked about by the schedule."""
        return await self._database.read(partial(provider_readings.scheduled, provider=provider))

    async def set_stretch(self, provider: ProviderId, stretch: float) -> None:
        """Keep by how much a provider's base intervals are longer."""
        await self._write(partial(provider_readings.set_stretch, provider=provider, stretch=stretch))

    # ------------------------------------------------------------------------------------------ keys of our callers

    async def add_api_key(self, key: ApiKey) -> None:
        """Keep a new key's hash."""
        values = rows.api_key_values(key)
        await self._write(lambda connection: connection.execute(insert(api_key), values))

    async def api_keys(self) -> list[ApiKey]:
        """All of them."""
        return await self._database.read(readings.api_keys)

    async def get_api_key(self, key_id: str) -> ApiKey | None:
        """One of them."""
        return await self._database.glance(partial(readings.get_api_key, key_id=key_id))

    async def revoke_api_key(self, key_id: str, at: datetime) -> bool:
        """Revoke one."""
        statement = update(api_key).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None)).values(revoked_at=at)
        return await self._write(lambda connection: connection.execute(statement).rowcount > 0)

    # ------------------------------------------------------------------------------------------ housekeeping

    async def trim(self, now: datetime) -> None:
        """Forget old confirmations and marks of batches, and make room for what comes."""
        old = now - _CONFIRMATIONS_KEPT

        def work(connection: Connection) -> None:
            partitions.delete_old(connection, old)
            leases.forget_the_dead(connection)
            replays.forget_old(connection, now)
            provider_readings.forget_moves(connection, now - _MOVES_KEPT)
            connection.execute(delete(batch).where(batch.c.recorded_at < now - _BATCHES_KEPT))

        await self._write(work)
        while await self._write(partial(partitions.make_next, now=now)):
            pass
        while await self._write(partial(partitions.drop_old, before=old)):
            pass
