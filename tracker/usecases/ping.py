"""A test ping: something signed and posted as entries are, that is none."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracker.domain.errors import SubscriptionNotFoundError, SubscriptionPolledError
from tracker.journal.instant import rfc3339
from tracker.ports import Clock, Delivery, Ids, Sender, Store
from tracker.usecases.sparing import Sparing

TYPE: Final = "subscription.test"
"""No entry is of this type, and a ping has no `sequence`: nobody can take it for one."""


@dataclass(frozen=True, slots=True)
class Pong:
    """What came of a ping.

    Attributes:
        id: What it was sent under.
        delivery: What the endpoint said.
        seconds: How long that took.
    """

    id: str
    delivery: Delivery
    seconds: float


class Pings:
    """Sends pings."""

    def __init__(self, store: Store, sender: Sender, clock: Clock, ids: Ids, sparing: Sparing | None = None) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._ids = ids
        self._sparing = sparing or Sparing(clock)

    async def ping(self, subscription_id: str) -> Pong:
        """Post a ping to a subscriber, whatever the subscription's state, and change nothing by what comes of it.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            SubscriptionPolledError: There is nowhere to post it to.
            RateLimitedError: There were enough lately.
        """
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        if subscription.is_polled:
            raise SubscriptionPolledError
        self._sparing.spend(subscription_id)
        now, ping_id = self._clock.now(), self._ids.ordered()
        body = ping_body(subscription_id, ping_id, f"urn:uuid:{await self._store.journal_id()}", now)
        began = self._clock.monotonic()
        delivery = await self._sender.send(subscription, ping_id, body, now)
        return Pong(ping_id, delivery, self._clock.monotonic() - began)


def ping_body(subscription_id: str, ping_id: str, source: str, now: datetime) -> bytes:
    """What is posted.

    Args:
        subscription_id: To whom.
        ping_id: Under which id.
        source: The journal as a URN.
        now: When that is.
    """
    told = {
        "specversion": "1.0",
        "id": ping_id,
        "source": source,
        "type": TYPE,
        "subject": subscription_id,
        "time": rfc3339(now),
        "datacontenttype": "application/json",
        "data": {"subscription_id": subscription_id},
    }
    return json.dumps(told).encode()
