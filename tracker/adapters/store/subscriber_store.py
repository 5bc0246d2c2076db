"""A part of the store: those who poll, and what subscribers must do."""

from functools import partial

from tracker.adapters.store import pulls
from tracker.adapters.store.database import Database
from tracker.domain.pull import Window
from tracker.ports import Pulled


class SubscriberStore:
    """The part of `ports.Store` that is about them."""

    _database: Database

    async def pull_window(self, subscription_id: str) -> Window | None:
        """What a subscriber that polls has open."""
        return await self._database.glance(partial(pulls.window_of, subscription_id=subscription_id))

    async def save_pull(self, pulled: Pulled) -> bool | None:
        """Write what came of a poll."""
        return await self._database.write(lambda connection: (pulls.save(connection, pulled), None))
