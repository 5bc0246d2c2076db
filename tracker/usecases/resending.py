"""What the back office does for subscribers beside telling them: it sees how far they are, tells again, tries filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.errors import SubscriptionNotFoundError
from tracker.domain.subscription import Subscription
from tracker.ports import Clock, Lag, Store
from tracker.usecases.preview import Previews
from tracker.usecases.replaying import Replayer
from tracker.usecases.replays import Replays


@dataclass(frozen=True, slots=True)
class Followed:
    """A subscription, and how far behind it is.

    Attributes:
        subscription: As it stands.
        lag: What it has not had.
        seconds_behind: How old the first entry is that is not settled; 0 if there is none.
        at: When it was looked at.
    """

    subscription: Subscription
    lag: Lag
    seconds_behind: float
    at: datetime


class Overview:
    """Looks at subscriptions and how far behind they are."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def all(self) -> Sequence[Followed]:
        """All of them, in order of id."""
        subscriptions, lags = await self._store.subscriptions(), await self._store.lags()
        return [self._followed(one, lags.get(one.id, Lag())) for one in subscriptions]

    async def one(self, subscription_id: str) -> Followed:
        """One of them.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        lags = await self._store.lags(subscription_id)
        return self._followed(subscription, lags.get(subscription_id, Lag()))

    def _followed(self, subscription: Subscription, lag: Lag) -> Followed:
        since, now = lag.waits_since, self._clock.now()
        seconds = 0.0 if since is None else max(0.0, (now - since).total_seconds())
        return Followed(subscription, lag, seconds, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resending:
    """All of it.

    Attributes:
        overview: How far they are.
        replays: Who asks for something to be told again.
        replayer: Who tells it.
        previews: What a filter would let pass.
    """

    overview: Overview
    replays: Replays
    replayer: Replayer
    previews: Previews
