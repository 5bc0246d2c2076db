"""A part of the store: those who poll, and what subscribers must do."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from tracker.adapters.store import completions, pulls
from tracker.adapters.store.database import Database
from tracker.domain.completion import Work
from tracker.domain.errors import InconsistentRowError
from tracker.domain.pull import Window
from tracker.domain.subscription import Subscription
from tracker.ports import Pulled, WorkKey, WorkQuery


class SubscriberStore:
    """The part of `ports.Store` that is about them."""

    _database: Database

    async def pull_window(self, subscription_id: str) -> Window | None:
        """What a subscriber that polls has open."""
        return await self._database.glance(partial(pulls.window_of, subscription_id=subscription_id))

    async def save_pull(self, pulled: Pulled) -> bool | None:
        """Write what came of a poll."""
        return await self._database.write(lambda connection: (pulls.save(connection, pulled), None))

    async def requiring_completion(self) -> list[Subscription]:
        """The subscriptions that ask for reports; their secrets as they are stored."""
        return await self._database.read(completions.requiring)

    async def completion_watch(self, subscription_id: str) -> int | None:
        """How far the journal was looked at for work that one asks for."""
        return await self._database.read(partial(completions.watched, subscription_id=subscription_id))

    async def save_completion_watch(
        self, subscription: Subscription, before: int | None, upto: int, due: Sequence[Work]
    ) -> bool:
        """Write what is due and how far was looked."""
        return await self._database.write(
            lambda connection: (completions.save_watch(connection, subscription, before, upto, due), None)
        )

    async def overdue_work(
        self, now: datetime, limit: int, providers: Collection[str], behind: int = 0
    ) -> tuple[list[Work], list[InconsistentRowError]]:
        """What is overdue and was not told, and what is wrong with what cannot be read."""
        found = partial(completions.overdue, now=now, limit=limit, providers=providers, behind=behind)
        return await self._database.read(found)

    async def work_of(self, subscription_id: str, wanted: WorkQuery) -> list[Work]:
        """A page of a subscriber's work."""
        return await self._database.read(partial(completions.listed, subscription_id=subscription_id, wanted=wanted))

    async def find_work(self, key: WorkKey) -> Work | None:
        """One piece of work."""
        return await self._database.read(partial(completions.find, key=key))

    async def find_work_of_entry(self, subscription_id: str, entry_id: str, work: str) -> Work | None:
        """One piece of work, by the entry's id."""
        return await self._database.read(
            partial(completions.find_by_entry, subscription_id=subscription_id, entry_id=entry_id, word=work)
        )
