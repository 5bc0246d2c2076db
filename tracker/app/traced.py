"""Stages that are followed by wrapping what does them. Without `[tracing]` nothing of this is made, and nothing is in between."""

from datetime import datetime

from tracker.domain.consent import ConsentId
from tracker.domain.errors import ConsentApiError
from tracker.domain.subscription import Subscription
from tracker.ports import Answer, Delivery, EventCrypto, HolderApi, HolderKeys, Inbox, InboxItem, Provider, Sender
from tracker.profiles.profile import Kind
from tracker.usecases.opening import Opener, Outcome
from tracker.usecases.providers import Providers
from tracker.usecases.traces import ARRIVAL, Traces


class TracedInbox:
    """Tells how long it took until an event was kept. Implements `ports.Inbox`."""

    def __init__(self, inbox: Inbox, traces: Traces) -> None:
        self._inbox = inbox
        self._traces = traces

    async def admit(self, item: InboxItem) -> None:
        """Keep an event, and say to the request that brought it which one it is."""
        arrival = ARRIVAL.get()
        if arrival is not None:
            arrival.item = item
        began, has_failed = self._traces.begin(), True
        try:
            await self._inbox.admit(item)
            has_failed = False
        finally:
            self._traces.stored(item, began, has_failed=has_failed)

    async def inbox_depth(self) -> tuple[int, datetime | None]:
        """Count, as the inbox does."""
        return await self._inbox.inbox_depth()


class TracedOpener(Opener):
    """Tells what was found in each event."""

    def __init__(self, providers: Providers, crypto: EventCrypto, keys: HolderKeys, traces: Traces) -> None:
        super().__init__(providers, crypto, keys)
        self._traces = traces

    def open(self, item: InboxItem) -> Outcome:
        """Open one event."""
        began = self._traces.begin()
        outcome = super().open(item)
        self._traces.opened(item, outcome, began)
        return outcome


class TracedHolders:
    """Tells what became of each question. Implements `ports.HolderApi`."""

    def __init__(self, holders: HolderApi, traces: Traces) -> None:
        self._holders = holders
        self._traces = traces

    async def read_consent(self, provider: Provider, kind: Kind, consent_id: ConsentId, interaction_id: str) -> Answer:
        """Ask about one consent; raises what asking raises."""
        began, outcome = self._traces.begin(), "broken_off"
        try:
            answer = await self._holders.read_consent(provider, kind, consent_id, interaction_id)
            outcome = "answered"
        except ConsentApiError as error:
            outcome = error.code
            raise
        finally:
            self._traces.asked(interaction_id, provider.id, outcome, began)
        return answer

    async def revoke_consent(
        self, provider: Provider, kind: Kind, consent_id: ConsentId, revoked_by: str, interaction_id: str
    ) -> None:
        """Have a consent revoked. It is not followed: what is read back is."""
        await self._holders.revoke_consent(provider, kind, consent_id, revoked_by, interaction_id)


class TracedSender:
    """Tells what became of each notification, and the subscriber where it belongs. Implements `ports.Sender`."""

    def __init__(self, sender: Sender, traces: Traces) -> None:
        self._sender = sender
        self._traces = traces

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and post one body."""
        notice = self._traces.telling(entry_id, body)
        if notice is None:
            return await self._sender.send(subscription, entry_id, body, at, traceparent=traceparent)
        delivery: Delivery | None = None
        try:
            delivery = await self._sender.send(subscription, entry_id, body, at, traceparent=notice.traceparent)
        finally:
            self._traces.told(notice, subscription.id, entry_id, delivery)
        return delivery
