"""The store: `ports.Store` on any database that can run a piece of work in a transaction."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, delete, insert, update

from tracker.adapters.store import (
    aside,
    checkpoints,
    claims,
    exports,
    lags,
    leases,
    partitions,
    past,
    provider_readings,
    readings,
    replays,
    rows,
    subscriptions,
    surveys,
)
from tracker.adapters.store.accesses import AccessStore, SqlAccesses
from tracker.adapters.store.audited import SqlAudited
from tracker.adapters.store.consent_store import ConsentStore
from tracker.adapters.store.database import Database as Database  # noqa: PLC0414 - it is known from here
from tracker.adapters.store.evidence import SqlEvidence
from tracker.adapters.store.export_store import SqlExportStore
from tracker.adapters.store.gathering import Gathering
from tracker.adapters.store.keyed import KeyedDatabase
from tracker.adapters.store.many import insert_rows
from tracker.adapters.store.restored import SqlRestored
from tracker.adapters.store.retention import SqlRetention
from tracker.adapters.store.sealing_book import SqlSealing
from tracker.adapters.store.subscriber_store import SubscriberStore
from tracker.adapters.store.tables import api_key, batch, inbox
from tracker.adapters.store.transaction import SqlTransaction
from tracker.adapters.store.tree_store import SqlTreeStore
from tracker.adapters.store.vault import Sealing, Vault
from tracker.domain.consent import ProviderId
from tracker.domain.subscription import Parked, Subscription
from tracker.journal.entry import Entry
from tracker.ports import (
    EVERYTHING_ASIDE,
    ApiKey,
    Health,
    Held,
    Ids,
    InboxItem,
    LackedKey,
    Lag,
    Progress,
    ProviderFacts,
    Quarantined,
    QuarantineFilter,
    Signs,
    Survey,
    Transaction,
    Undelivered,
)

T = TypeVar("T")

_CONFIRMATIONS_KEPT = timedelta(days=400)
_BATCHES_KEPT = timedelta(days=1)
_MOVES_KEPT = timedelta(days=8)


class SqlStore(AccessStore, ConsentStore, SubscriberStore, SqlTreeStore, SqlExportStore):
    """Implements `ports.Store`."""

    def __init__(self, database: Database, ids: Ids, vault: Vault | None = None) -> None:
        """Take what there is to work with.

        Args:
            database: Where everything is.
            ids: For batches.
            vault: Encrypts what is secret of subscriptions; None: nothing is encrypted.
        """
        self.vault = vault or Vault()
        self._database = KeyedDatabase(database, self.vault.safe)
        self._ids = ids
        self.replays = replays.SqlReplays(self._database)
        self.accesses = SqlAccesses(self._database)
        self.past = past.SqlPast(self._database)
        self.audited = SqlAudited(self._database)
        self.restored = SqlRestored(self._database, ids)
        self.checkpoints = checkpoints.SqlCheckpoints(self._database)
        self.sealing = SqlSealing(self._database, self.vault.safe)
        self.retention = SqlRetention(self._database)
        self.evidence = SqlEvidence(self._database)
        self.exports = exports.SqlExports(self._database)
        self._admitted = Gathering(self._admit_all)
        self._fresh = claims.FreshBodies()

    async def close(self) -> None:
        """Finish what waits, and close."""
        await self._admitted.close()
        await self.accesses.close()
        await self._database.close()

    async def transact(self, script: Callable[[Transaction], T]) -> T:
        """Run a script in one transaction and give its answer after the commit."""

        def work(connection: Connection) -> tuple[tuple[T, bool], str | None]:
            batch_id = self._ids.ordered()
            transaction = SqlTransaction(connection, batch_id)
            answer = script(transaction)
            transaction.finish()
            return (answer, transaction.has_destroyed), batch_id if transaction.appended else None

        answer, has_destroyed = await self._database.write(work)
        if has_destroyed:
            await self._database.scrub()  # if somebody reads what was, housekeeping does it later
        return answer

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
        await self._database.scrub()  # somebody may have read, or died, when a key was destroyed
