"""One replay at work.

It takes a window out of what was chosen, posts it in the order of each consent, a few at once, and writes down how far it came
at least every second. A crash in between means that what was told since is told again, which is never more than the window.
What is settled behind an entry that still waits is written down too: however often a replay is broken off, none of it is
told again, and the tries of what is refused go on being counted.

Its answers say nothing to the stream that tells what is new, but that the endpoint asks to be left alone (`Retry-After`): that
is written down for both. It waits for nobody but its own endpoint. A refusal is about
the entry if it means "this body", if anything passed since, or if there is nothing left to try but what was refused before and
the endpoint answers. Else it may be about the endpoint, and then no try is counted: the replay waits, ever longer, and tries two.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tracker.domain import replay as domain
from tracker.domain.errors import LeaseLostError, StorageError
from tracker.domain.replay import NotTaken, Replay, ReplayState
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.journal.entry import Entry
from tracker.ports import Clock, Delivery, Entropy, Held, ReplayBook, ReplayProgress, Sender, Store
from tracker.usecases.announcing import is_about
from tracker.usecases.chosen import Chosen, Outcome
from tracker.usecases.pace import Pace
from tracker.usecases.stream import Turn
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

WINDOW: Final = 32
"""So many entries are in hand at a time; so many may be told twice after a crash."""
MOST_AT_ONCE: Final = 4
"""So many posts are under way at a time, beside those of what is new."""
_PAGE = 256
_SAVE_AFTER_SECONDS = 1.0
_TRIED_WHILE_DOWN = 2

_THIS_BODY = frozenset({400, 409, 413, 422})
_TOO_FAST = 429
_GONE = 410
_NOBODY_HOME = frozenset({None, 502, 503, 504})


@dataclass(frozen=True, eq=False, kw_only=True)
class ReplayPorts:
    """What every replay works with.

    Attributes:
        grace_seconds: What posts under way get to finish when we stop.
        subscriptions_changed: Rung when an endpoint asked to be left alone: what is new waits for that too.
    """

    store: Store
    book: ReplayBook
    sender: Sender
    clock: Clock
    entropy: Entropy
    grace_seconds: float = 5.0
    subscriptions_changed: Bell = field(default_factory=Bell)


class Rerun:
    """One replay; nobody else writes it meanwhile, but that it may be cancelled."""

    def __init__(
        self,
        replay: Replay,
        ports: ReplayPorts,
        held: Held | None = None,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        """Go on where it stands.

        Args:
            replay: As it was read.
            ports: What there is to work with.
            held: By what right; None: no other process can be at it.
            is_ours: Whether that right lasts, as far as this process can tell.
        """
        now = ports.clock.monotonic()
        self._ports = ports
        self._held = held
        self._is_ours = is_ours
        self._replay = self._saved = replay
        self._window: deque[Chosen] = deque()
        self._is_exhausted = False
        self._pace = Pace(replay.per_second, is_used_up=replay.started_at is not None, now=now)
        self._resume_at = now + domain.left_to_wait(replay, ports.clock.now()).total_seconds()
        self._may_go_on_early = False
        self._posted_at = self._saved_at = now
        self._passed_at = float("-inf")
        self._asked_to_wait: tuple[datetime, datetime] | None = None  # and not written yet

    async def turn(self) -> Turn:
        """Do all that can be done now. It is over when the replay is, when it is somebody else's, and when nothing may be sent.

        Raises:
            StorageError: The database is away. What was told and not written will be told again.
            LeaseLostError: Another process runs it now.
        """
        while True:
            subscription = await self._ports.store.get_subscription(self._replay.subscription_id)
            if subscription is None:
                return Turn(is_over=True)
            current = await self._ports.book.get(self._replay.subscription_id, self._replay.id)
            if current is None or current.state.is_over:
                await self._save()
                return Turn(is_over=True)
            if not subscription.is_told or subscription.state is not SubscriptionState.ACTIVE:
                await self._save()
                return Turn(is_over=True)
            if not self._window and not self._is_exhausted:
                await self._fill(subscription)
                continue  # that may have taken long, and there may be a long way to go: look again whether it is to be
            if await self._let_go_of_unheard(subscription):
                continue
            if not self._window and self._is_exhausted:
                await self._end(ReplayState.DONE)
                return Turn(is_over=True)
            wait = self._left_to_wait(subscription)
            if wait > 0:
                return Turn(self._ports.clock.now() + timedelta(seconds=wait))
            if not self._is_ours():
                raise LeaseLostError
            await self._post(subscription, self._next_batch())
            if self._replay.state.is_over:
                await self._save()
                return Turn(is_over=True)

    async def leave(self) -> None:
        """Write what is still to be written; there will be no more turns here."""
        try:
            await self._save()
        except LeaseLostError:
            return  # what was told and not written is told again, by another
        except StorageError as error:
            _log.warning("The last steps of replay %s were not written: %s", self._replay.id, error)

    # ------------------------------------------------------------------------------------------ choosing

    async def _fill(self, subscription: Subscription) -> None:
        """Take the next window out of a page of what was chosen; what is not to be sent is settled by that."""
        sequences = await self._choose()
        if len(sequences) < _PAGE:
            self._is_exhausted = True
        entries = await self._ports.store.entries_at(sequences) if sequences else {}
        parked = await self._ports.book.still_told(self._replay.subscription_id, sequences)
        wanted = 0
        for sequence in sequences:
            chosen = self._looked_at(sequence, entries.get(sequence), subscription, is_parked=sequence in parked)
            self._window.append(chosen)
            # What was settled before counts too: otherwise more and more would lie behind one that waits.
            wanted += chosen.outcome is None or chosen.is_counted
            if wanted == WINDOW and sequence != sequences[-1]:
                self._is_exhausted = False  # the rest of the page is read again
                break
        if all(chosen.outcome is not None for chosen in self._window):
            await self._save()

    async def _choose(self) -> list[int]:
        selection, after = self._replay.selection, self._replay.position
        if selection.is_of_dead_letters:
            return await self._ports.book.given_up(self._replay.subscription_id, selection, after, _PAGE)
        return list(selection.named_after(after, _PAGE))

    def _looked_at(self, sequence: int, entry: Entry | None, subscription: Subscription, *, is_parked: bool) -> Chosen:
        if sequence in self._replay.ahead:
            return Chosen(sequence, entry, outcome=Outcome.SKIPPED, is_counted=True)
        if entry is None:
            lost = "No longer in the journal."
            return Chosen(sequence, outcome=Outcome.FAILED, error=lost)
        is_wanted = _hears(subscription, entry) and not is_parked
        tries = self._replay.tries.get(sequence, 0)
        return Chosen(sequence, entry, outcome=None if is_wanted else Outcome.SKIPPED, tries=tries)

    async def _let_go_of_unheard(self, subscription: Subscription) -> bool:
        """Skip what the terms have come to forbid since it was chosen; whether that settles the window."""
        for chosen in self._window:
            if chosen.outcome is None and chosen.entry is not None and not _hears(subscription, chosen.entry):
                chosen.outcome = Outcome.SKIPPED
        if not self._window or not all(chosen.outcome is not None for chosen in self._window):
            return False
        await self._save()
        return True

    def _heads(self) -> list[Chosen]:
        """The first of each consent in the window that is not settled."""
        heads: dict[str, Chosen] = {}
        for chosen in self._window:
            if chosen.outcome is None and chosen.entry is not None:
                heads.setdefault(chosen.entry.lane, chosen)
        return list(heads.values())

    def _left_to_wait(self, subscription: Subscription) -> float:
        now, tried_at, told_at = self._ports.clock.monotonic(), self._replay.tried_at, subscription.last_delivered_at
        if self._may_go_on_early and tried_at is not None and told_at is not None and told_at > tried_at:
            self._resume_at = now  # what is new has passed: it works
        due = min((head.due_at for head in self._heads()), default=now)
        held = subscription.held_for(self._ports.clock.now()).total_seconds()
        return max(self._resume_at - now, due - now, self._pace.wait(now), held)

    def _next_batch(self) -> list[tuple[Chosen, Entry]]:
        now = self._ports.clock.monotonic()
        due = [head for head in self._heads() if head.due_at <= now]
        most = min(MOST_AT_ONCE, self._pace.room(now))
        if self._replay.failures:  # one that went wrong, and another for comparison, now this first and now that
            new = [head for head in due if head.suspected_at is None][:1]
            bad = [head for head in due if head.suspected_at is not None]
            turned = self._replay.failures % max(1, len(bad))
            bad = bad[turned:] + bad[:turned]
            due = [*new, *bad] if self._replay.failures % 2 else [*bad[:1], *new, *bad[1:]]
            most = min(most, _TRIED_WHILE_DOWN)
        return [(head, head.entry) for head in due[:most] if head.entry is not None]

    # ------------------------------------------------------------------------------------------ posting

    async def _post(self, subscription: Subscription, batch: list[tuple[Chosen, Entry]]) -> None:
        now, self._posted_at = self._ports.clock.now(), self._ports.clock.monotonic()
        self._replay = domain.begun(self._replay, now)
        if self._saved.started_at is None:
            await self._save()  # whoever goes on after us must not take the rate for unused
        flying: dict[asyncio.Future[Delivery], Chosen] = {}
        for chosen, entry in batch:
            self._pace.begin(self._ports.clock.monotonic())
            body = entry.told(with_private=subscription.include_private, redelivered=True)
            post = self._ports.sender.send(subscription, entry.id, body, now)
            flying[asyncio.ensure_future(post)] = chosen
        try:
            await asyncio.wait(flying)
        except asyncio.CancelledError:
            await asyncio.wait(flying, timeout=self._ports.grace_seconds)
            self._hear(flying, subscription)
            raise
        finally:
            await _abandon(flying)
        self._hear(flying, subscription)
        is_time = self._ports.clock.monotonic() - self._saved_at >= _SAVE_AFTER_SECONDS
        if is_time or self._replay != self._saved or all(chosen.outcome is not None for chosen in self._window):
            await self._save()

    def _hear(self, flying: dict[asyncio.Future[Delivery], Chosen], subscription: Subscription) -> None:
        """Take in the answers that are there."""
        answers = [(chosen, post.result()) for post, chosen in flying.items() if post.done() and not post.cancelled()]
        for chosen, delivery in answers:
            if delivery.delivered:
                chosen.outcome = Outcome.DONE
                self._passed_at = self._ports.clock.monotonic()
                self._replay, self._resume_at = domain.reachable(self._replay), 0.0
        refused = [(chosen, delivery) for chosen, delivery in answers if not delivery.delivered]
        end = next((delivery for _, delivery in refused if delivery.status == _GONE), None)
        if end is not None:
            now = self._ports.clock.now()
            self._replay = domain.ended(self._replay, ReplayState.STOPPED, now, error=end.error)
            return
        pauses = [delivery for _, delivery in refused if _asks_to_wait(delivery)]
        suspected = [
            delivery
            for chosen, delivery in refused
            if not _asks_to_wait(delivery) and not self._refuse(chosen, delivery, subscription)
        ]
        if pauses:
            self._put_off(max(pauses, key=lambda delivery: delivery.retry_after_seconds or 0))
        elif suspected:
            self._put_off(suspected[0])

    def _refuse(self, chosen: Chosen, delivery: Delivery, subscription: Subscription) -> bool:
        """Count a refusal as one of the entry's few tries, if that is what it is about."""
        now = self._ports.clock.monotonic()
        if not self._is_about_entry(chosen, delivery, subscription):
            chosen.suspected_at = now
            return False
        chosen.tries, chosen.suspected_at = chosen.tries + 1, now
        chosen.error, chosen.answer = delivery.error, delivery.shown_answer
        pause = domain.retry_entry(chosen.tries)
        if pause is None:
            chosen.outcome = Outcome.FAILED
        else:
            chosen.due_at = now + pause.total_seconds()
        return True

    def _is_about_entry(self, chosen: Chosen, delivery: Delivery, subscription: Subscription) -> bool:
        now, since = self._ports.clock.monotonic(), chosen.suspected_at
        if delivery.status in _THIS_BODY or self._passed_at >= (self._posted_at if since is None else since):
            return True
        if since is not None and (told_at := subscription.last_delivered_at) is not None:
            ago = (self._ports.clock.now() - told_at).total_seconds()
            if 0 <= ago < now - since:  # what is new has passed
                return True
        others = (head for head in self._heads() if head is not chosen)
        nothing_else = self._is_exhausted and all(head.tries for head in others)
        return nothing_else and (chosen.tries > 0 or delivery.status not in _NOBODY_HOME)

    def _put_off(self, delivery: Delivery) -> None:
        now, fraction = self._ports.clock.now(), self._ports.entropy.fraction()
        asked = delivery.retry_after_seconds
        self._replay = domain.put_off(self._replay, now, error=delivery.error, fraction=fraction, wait_seconds=asked)
        left = domain.left_to_wait(self._replay, now).total_seconds()
        self._resume_at = self._ports.clock.monotonic() + left
        self._may_go_on_early = asked is None
        if asked:
            self._asked_to_wait = now, now + timedelta(seconds=asked)

    # ------------------------------------------------------------------------------------------ writing down

    async def _end(self, state: ReplayState) -> None:
        now = self._ports.clock.now()
        self._replay = domain.ended(domain.begun(self._replay, now), state, now)
        await self._save()

    async def _save(self) -> None:
        """Write how far we have come, if there is anything to write."""
        window = deque(self._window)
        over = [chosen for chosen in window if chosen.outcome is not None and not chosen.is_counted]
        position = self._replay.position
        while window and window[0].outcome is not None:
            position = window.popleft().sequence
        counted = domain.settled(
            self._replay,
            position=position,
            ahead=[chosen.sequence for chosen in window if chosen.outcome is not None],
            tries={chosen.sequence: chosen.tries for chosen in window if chosen.outcome is None and chosen.tries},
            done=_sequences(over, Outcome.DONE),
            failed=_sequences(over, Outcome.FAILED),
            skipped=_sequences(over, Outcome.SKIPPED),
        )
        if counted == self._saved:
            return
        progress = ReplayProgress(
            replay=counted,
            held=self._held,
            taken=_sequences(over, Outcome.DONE),
            not_taken=tuple(self._not_taken(chosen) for chosen in over if chosen.outcome is Outcome.FAILED),
            asked_to_wait=self._asked_to_wait,
        )
        await self._ports.book.save(progress)  # that it was cancelled is seen before anything more is sent
        if self._asked_to_wait is not None:
            self._ports.subscriptions_changed.ring()
            self._asked_to_wait = None
        self._replay = self._saved = counted
        self._saved_at = self._ports.clock.monotonic()
        for chosen in over:
            chosen.is_counted = True
        self._window = window

    def _not_taken(self, chosen: Chosen) -> NotTaken:
        return NotTaken(
            sequence=chosen.sequence,
            tracking_id="" if chosen.entry is None else chosen.entry.lane,
            attempts=chosen.tries,
            last_error=chosen.error,
            answer=chosen.answer,
            failed_at=self._ports.clock.now(),
        )


def _hears(subscription: Subscription, entry: Entry) -> bool:
    return not is_about(entry, subscription) and subscription.entry_filter.passes(
        entry_type=entry.type, provider=entry.provider, kind=entry.kind, to=entry.to_status
    )


def _asks_to_wait(delivery: Delivery) -> bool:
    is_about_body = delivery.status in _THIS_BODY
    return not is_about_body and (delivery.status == _TOO_FAST or delivery.retry_after_seconds is not None)


def _sequences(settled: Iterable[Chosen], outcome: Outcome) -> tuple[int, ...]:
    return tuple(chosen.sequence for chosen in settled if chosen.outcome is outcome)


async def _abandon(flying: Iterable[asyncio.Future[Delivery]]) -> None:
    late = [post for post in flying if not post.done()]
    for post in late:
        post.cancel()
    if late:
        await asyncio.wait(late)
