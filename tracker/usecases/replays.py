"""Replays: who asks to have a subscriber told again, checked before it is believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tracker.domain.errors import (
    InvalidRequestError,
    NotResendableError,
    ReplayNotFoundError,
    SubscriptionNotFoundError,
    TooManyReplaysError,
)
from tracker.domain.replay import FASTEST, MOST_OPEN, MOST_SEQUENCES, USUAL_RATE, NotTaken, Replay, Selection, Wanted
from tracker.domain.subscription import Subscription
from tracker.ports import Clock, Ids, ReplayBook, Store
from tracker.usecases.wake import Bell

_ONE_OF: Final = "Say one thing to resend: sequence, sequences, failed, missing, from_sequence or from_time."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """What somebody asks for: one of the first five.

    Attributes:
        sequences: These entries.
        since: The dead letters given up from here on, and before `until`.
        is_missing: All dead letters.
        from_sequence: Everything from this entry on, up to `to_sequence`.
        from_time: Everything that was recorded from here on, up to `to_sequence`.
        until: None: up to now.
        to_sequence: None, or beyond where the subscription is: up to there.
        per_second: How many posts a second at most.
    """

    sequences: tuple[int, ...] | None = None
    since: datetime | None = None
    is_missing: bool = False
    from_sequence: int | None = None
    from_time: datetime | None = None
    until: datetime | None = None
    to_sequence: int | None = None
    per_second: int = USUAL_RATE


class Replays:
    """Asking for replays, looking at them, cancelling them."""

    def __init__(self, *, store: Store, book: ReplayBook, clock: Clock, ids: Ids, changed: Bell) -> None:
        """Take what there is to work with.

        Args:
            store: The database.
            book: The replays in it.
            clock: Our clock.
            ids: For the replays' ids, which give their order.
            changed: Rung when one came or was cancelled.
        """
        self._store = store
        self._book = book
        self._clock = clock
        self._ids = ids
        self._changed = changed

    async def ask(self, subscription_id: str, request: ReplayRequest) -> Replay:
        """Have a subscriber told again, or after all, what it has gone past. It waits for others of its subscription.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            NotResendableError: Nothing is posted to it.
            InvalidRequestError: What is asked for cannot be.
            TooManyReplaysError: Enough of this subscription wait.
        """
        subscription = await self._require(subscription_id)
        if not subscription.url:
            raise NotResendableError
        if not 1 <= request.per_second <= FASTEST:
            raise InvalidRequestError(f"per_second is from 1 to {FASTEST}.")
        selection = await self._selection(subscription, request)
        replay = Replay(
            id=self._ids.ordered(),
            subscription_id=subscription_id,
            selection=selection,
            per_second=request.per_second,
            position=selection.first - 1,
            total=await self._total(subscription_id, selection),
            created_at=self._clock.now(),
        )
        if not await self._book.add(replay):
            raise TooManyReplaysError(f"{MOST_OPEN} jobs of this subscription wait: cancel one, or let one end.")
        self._changed.ring()
        return replay

    async def listed(self, subscription_id: str) -> list[Replay]:
        """Those of a subscription that are kept, the last asked for first.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
        """
        await self._require(subscription_id)
        return await self._book.listed(subscription_id)

    async def get(self, subscription_id: str, replay_id: str) -> Replay:
        """One of them.

        Raises:
            SubscriptionNotFoundError: There is no subscription of this id.
            ReplayNotFoundError: It has no replay of this id.
        """
        found = await self._book.get(subscription_id, replay_id)
        if found is None:
            await self._require(subscription_id)
            raise ReplayNotFoundError
        return found

    async def not_taken(self, replay: Replay) -> Sequence[NotTaken]:
        """What has failed in one, as far as it is kept."""
        return await self._book.not_taken(replay.id) if replay.failed else ()

    async def cancel(self, subscription_id: str, replay_id: str) -> Replay:
        """Have one end; one that is over stays as it is. What is under way may still arrive.

        Raises:
            SubscriptionNotFoundError: There is no subscription of this id.
            ReplayNotFoundError: It has no replay of this id.
        """
        await self._book.cancel(subscription_id, replay_id, self._clock.now())
        self._changed.ring()
        return await self.get(subscription_id, replay_id)

    async def _require(self, subscription_id: str) -> Subscription:
        subscription = await self._store.get_subscription(subscription_id)
        if subscription is None:
            raise SubscriptionNotFoundError
        return subscription

    async def _total(self, subscription_id: str, selection: Selection) -> int:
        if selection.is_of_dead_letters:
            return await self._book.count_given_up(subscription_id, selection)
        if selection.wanted is Wanted.RANGE:
            return max(0, selection.last - selection.first + 1)
        return len(selection.sequences)

    async def _selection(self, subscription: Subscription, request: ReplayRequest) -> Selection:
        chosen = (
            request.sequences is not None,
            request.since is not None,
            request.is_missing,
            request.from_sequence is not None,
            request.from_time is not None,
        )
        if sum(chosen) != 1:
            raise InvalidRequestError(_ONE_OF)
        if request.to_sequence is not None and request.from_sequence is None and request.from_time is None:
            raise InvalidRequestError("to_sequence goes with from_sequence or from_time.")
        if request.sequences is not None:
            return _named(request.sequences, subscription.cursor)
        if request.is_missing:
            return Selection(wanted=Wanted.MISSING, last=subscription.cursor)
        if request.since is not None:
            now = self._clock.now()
            until = now if request.until is None else min(request.until, now)
            if request.until is not None and request.until <= request.since:
                raise InvalidRequestError("failed.until lies after failed.since.")
            return Selection(wanted=Wanted.FAILED, last=subscription.cursor, since=request.since, until=until)
        return await self._range(subscription, request)

    async def _range(self, subscription: Subscription, request: ReplayRequest) -> Selection:
        cursor = subscription.cursor
        last = cursor if request.to_sequence is None else min(request.to_sequence, cursor)
        if request.from_time is not None:
            return Selection(wanted=Wanted.RANGE, first=await self._book.first_since(request.from_time), last=last)
        first = request.from_sequence or 0
        if not 1 <= first <= cursor:
            raise InvalidRequestError(f"from_sequence is from 1 to {cursor}: what comes after that is told anyway.")
        if request.to_sequence is not None and request.to_sequence < first:
            raise InvalidRequestError("to_sequence is not before from_sequence.")
        return Selection(wanted=Wanted.RANGE, first=first, last=last)


def _named(sequences: Sequence[int], cursor: int) -> Selection:
    named = tuple(sorted(set(sequences)))
    if not 1 <= len(named) <= MOST_SEQUENCES:
        raise InvalidRequestError(f"sequences names 1 to {MOST_SEQUENCES} entries.")
    if named[0] < 1 or named[-1] > cursor:
        raise InvalidRequestError(f"A sequence to resend is from 1 to {cursor}: what comes after that is told anyway.")
    return Selection(wanted=Wanted.SEQUENCES, sequences=named, first=named[0], last=named[-1])
