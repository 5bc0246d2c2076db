"""Handing entries out to a subscriber that polls, and taking its answers.

What is handed out is written first, in one row of the subscription, and whoever writes names the turn that he read: of two
polls at one time, here or in two processes, one sees what the other did. So whoever dies between two lines has lost nothing,
and handed out nothing out of order: what was written and not answered for is handed out again when its time is over.

Spec: RFC 8936.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from tracker.domain.errors import (
    InvalidRequestError,
    SigningKeyMissingError,
    SubscriptionNotFoundError,
    SubscriptionNotPolledError,
)
from tracker.domain.pull import Handout, OpenEntry, PollFormat, PollTerms, Window
from tracker.domain.subscription import EntryFilter, Parked, Subscription
from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery, EventSigner, Pulled, Store
from tracker.usecases.feed import Feed
from tracker.usecases.security_event import security_event
from tracker.usecases.trail import Trail

_log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 100
"""So many entries an answer has at most."""
WAIT_SECONDS: Final = 25.0
"""So long a poll waits for something to hand out."""
_PAGE = 128
_SCANNED_AT_MOST = 5000
_WRITE_AFTER = 256
"""Over unwanted entries it is written down so often how far was looked."""
_LOOK_AGAIN_SECONDS = 1.0
"""What another poll gave back, or kept for too long, is seen so soon."""
_IGNORED = "Handed out again and again, and never acknowledged while others were."
_GONE = "No longer in the journal."


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRequest:
    """What a subscriber asks for, and what it answers.

    Attributes:
        limit: At most so many entries; 0: it only answers.
        waits: Whether it waits for something to hand out.
        acknowledged: Ids of entries that it has taken.
        refused: Ids of entries that it will not take, and why, for people.
        is_gone: Whether it has hung up meanwhile.
    """

    limit: int = MOST_AT_ONCE
    waits: bool = False
    acknowledged: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    is_gone: Callable[[], bool] = lambda: False

    @property
    def without_answers(self) -> "PollRequest":
        """The same for who looks again."""
        return replace(self, acknowledged=(), refused={})


@dataclass(frozen=True, slots=True)
class HandedOut:
    """What a poll is answered with.

    Attributes:
        subscription: Whose it is.
        entries: In sequence.
        has_more: Whether another poll would have more at once.
        sign: Makes signed tokens of them; None: they are told as they are.
    """

    subscription: Subscription
    entries: Sequence[Entry]
    has_more: bool
    sign: EventSigner | None = None

    def told(self, entry: Entry) -> bytes:
        """One of them, as JSON: the entry as it was hashed, or a string that is its signed token."""
        if self.sign is None:
            return entry.told(with_private=self.subscription.include_private)
        return f'"{self.sign(security_event(entry, self.subscription))}"'.encode()


@dataclass(frozen=True, slots=True)
class _Look:
    """What a turn found.

    Attributes:
        has_room: Whether what is new could be handed out.
        is_end: Whether the journal was read to its end.
    """

    handed: HandedOut
    after: Window
    has_room: bool
    is_end: bool


class Polling:
    """Answers polls."""

    def __init__(
        self, store: Store, clock: Clock, feed: Feed, trail: Trail | None = None, sign: EventSigner | None = None
    ) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            clock: Our clock.
            feed: By which is waited; closed, it lets go of those who poll, too.
            trail: Follows entries.
            sign: Signs Security Event Tokens; None: nobody can have any.
        """
        self._store = store
        self._clock = clock
        self._feed = feed
        self._trail = trail or Trail()
        self._sign = sign
        # Polls of one subscription come one after the other here, so that only those of other processes get in the way.
        self._alone: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def sign_with(self, sign: EventSigner | None) -> None:
        """Sign with another key from now on."""
        self._sign = sign

    def require(self, terms: PollTerms) -> None:
        """Go on if entries can be handed out by these terms.

        Raises:
            InvalidRequestError: They ask for signed tokens, and there is no key.
        """
        if terms.format is PollFormat.SET and self._sign is None:
            raise InvalidRequestError("format goes with a key: set signing_key in [notifications].")

    async def poll(
        self, subscription_id: str, request: PollRequest, check: Callable[[Subscription], None]
    ) -> HandedOut:
        """Take answers and hand out what is there; if nothing is, and it is wanted, wait for it.

        Args:
            subscription_id: Which one.
            request: What is wanted.
            check: Raises if this caller must not.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            SubscriptionNotPolledError: It has a URL.
            SigningKeyMissingError: It is to have signed tokens, and the key is gone.
            StorageError: The database is away; what was handed out and does not arrive is handed out again.
        """
        look = await self._turn(subscription_id, request, check)
        again = request.without_answers
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS * (request.waits and request.limit > 0)
        while not look.handed.entries:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or self._feed.is_closed:
                break
            if look.is_end:
                await self._wait(look, left)
            if request.is_gone():
                break
            look = await self._turn(subscription_id, again, check)
        return look.handed

    async def _wait(self, look: _Look, left: float) -> None:
        """Wait until there may be something."""
        seconds = min(left, _LOOK_AGAIN_SECONDS) if look.after.open else left
        if look.has_room:
            wanted = look.handed.subscription.entry_filter
            await self._feed.await_page(look.after.scanned, 1, wanted, seconds)
        else:
            await self._feed.rest(min(seconds, _LOOK_AGAIN_SECONDS))

    async def _turn(self, subscription_id: str, request: PollRequest, check: Callable[[Subscription], None]) -> _Look:
        lock = self._alone.setdefault(subscription_id, asyncio.Lock())
        async with lock:
            while True:
                subscription = await self._polled(subscription_id)
                check(subscription)
                before = await self._store.pull_window(subscription_id) or Window(scanned=subscription.cursor)
                look = await self._try(subscription, before, request)
                if look is not None:
                    return look

    async def _polled(self, subscription_id: str) -> Subscription:
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        return subscription

    async def _try(self, subscription: Subscription, before: Window, request: PollRequest) -> _Look | None:
        """One look, written; None: another poll was quicker."""
        if not subscription.is_polled:
            raise SubscriptionNotPolledError
        is_signed = subscription.polling.format is PollFormat.SET
        if is_signed and self._sign is None:
            raise SigningKeyMissingError
        now = self._clock.now()
        handout = Handout(before, now, subscription.polling.visibility)
        handout.settle(request.acknowledged, request.refused)
        is_end = True
        entries: dict[int, Entry] = {}
        missing: list[OpenEntry] = []
        if subscription.paused_at is None:
            acknowledged_at = now if handout.acknowledged else subscription.last_delivered_at
            handout.hand_out_again(request.limit, acknowledged_at)
            entries, missing = await self._read_again(handout, subscription.entry_filter)
            is_end = await self._read_on(handout, subscription.entry_filter, entries)
        lost = [
            *(_lost(one, now, request.refused[one.entry_id]) for one in handout.refused),
            *(_lost(one, now, _IGNORED) for one in handout.ignored),
            *(_lost(one, now, _GONE) for one in missing),
        ]
        if handout.has_changes or handout.scanned - before.scanned >= _WRITE_AFTER:
            pulled = Pulled(
                subscription_id=subscription.id,
                window=handout.after,
                acknowledged_at=now if handout.acknowledged else None,
                given_up=tuple(lost),
            )
            is_written = await self._store.save_pull(pulled)
            if is_written is None:
                raise SubscriptionNotFoundError
            if not is_written:
                return None
            self._tell(subscription.id, handout, lost)
        chosen = [entries[one.sequence] for one in handout.chosen]
        handed = HandedOut(subscription, chosen, handout.has_more or not is_end, self._sign if is_signed else None)
        has_room = handout.has_room and subscription.paused_at is None
        return _Look(handed, handout.after, has_room, is_end)

    async def _read_again(self, handout: Handout, wanted: EntryFilter) -> tuple[dict[int, Entry], list[OpenEntry]]:
        """Read what is handed out again. What is not wanted any more is settled, and what is not there any more is lost."""
        entries = await self._store.entries_at([one.sequence for one in handout.chosen]) if handout.chosen else {}
        missing = [one for one in handout.chosen if one.sequence not in entries]
        unwanted = {sequence for sequence, entry in entries.items() if not _is_wanted(wanted, entry)}
        handout.drop(unwanted | {one.sequence for one in missing})
        return entries, missing

    async def _read_on(self, handout: Handout, wanted: EntryFilter, entries: dict[int, Entry]) -> bool:
        """Read the journal on while there is a place for what comes; whether its end was reached, or no place is left."""
        looked_at = 0
        while looked_at < _SCANNED_AT_MOST:
            page = await self._store.entries_after(handout.scanned, _PAGE)
            for entry in page:
                if not _is_wanted(wanted, entry):
                    handout.skip(entry.sequence)
                elif handout.take(_open(entry)):
                    entries[entry.sequence] = entry
                else:
                    return True
            looked_at += len(page)
            if len(page) < _PAGE:
                return True
        return False

    def _tell(self, subscription_id: str, handout: Handout, lost: Sequence[Parked]) -> None:
        for one in handout.acknowledged:
            self._trail.told(subscription_id, one.entry_id, Delivery(status=None))
        for gone in lost:
            _log.warning("Subscription %s will not get entry %d: %s", subscription_id, gone.sequence, gone.last_error)


def _is_wanted(wanted: EntryFilter, entry: Entry) -> bool:
    return wanted.passes(entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status)


def _open(entry: Entry) -> OpenEntry:
    return OpenEntry(sequence=entry.sequence, entry_id=entry.id, tracking_id=entry.lane)


def _lost(one: OpenEntry, now: datetime, why: str) -> Parked:
    return Parked(
        sequence=one.sequence,
        tracking_id=one.tracking_id,
        attempts=one.ignored + 1,
        next_attempt_at=now,
        last_error=why,
    )
