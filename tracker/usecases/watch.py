"""Watch over the providers: a reading of the journal that counts how we learnt of moves, and notices those that were missed.

It is a standing reading of its own, like a subscription's: its place, what was counted and what is waited for are written in
one transaction. So nobody who records waits for it, nothing is counted twice or not at all, whoever dies when, and whichever
process goes on, goes on where the last one was.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from tracker.domain.consent import Channel, ProviderId, Status
from tracker.domain.errors import InconsistentRowError
from tracker.domain.hearing import Hearing, Quiet
from tracker.domain.lags import Lags
from tracker.journal.entry import Draft, Entry
from tracker.ports import HEALTH_READING, Provider, Store, Told, Transaction
from tracker.usecases.drift import drift, is_move, moved_at, moved_one, mover
from tracker.usecases.recording import Office, Recording
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

WENT_QUIET: Final = "provider.quiet"
HEARD_AGAIN: Final = "provider.heard"
_HEARD = "heard"
_AT_ONCE = 64  # whoever wants to write meanwhile waits for as many: acknowledgements too
_STRETCH_EVERY_SECONDS = 300.0
_LONGEST_STRETCH = 24.0
_UNSTRETCHED = 1.0
_FOR_THE_SCHEDULE = 0.8
"""The part of what is left of a day's budget that base intervals may count on."""
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """A provider that has gone quiet, or may have, or is heard again."""

    provider: ProviderId
    was: Quiet | None
    hearing: Hearing

    @property
    def was_alarming(self) -> bool:
        """Whether it was known before that its events do not come."""
        return self.was is not None and self.was.is_alarming


@dataclass(frozen=True, slots=True)
class _Page:
    """What came of a page of the journal: the last sequence in it, 0 if there was nothing new; who turned; if that was told."""

    read_up_to: int
    turns: list[_Turn]
    has_told: bool


class Watch:
    """Watches over the providers."""

    def __init__(self, store: Store, office: Office, journal_bell: Bell, *, grace: timedelta) -> None:
        """Begin.

        Args:
            store: Where everything is.
            office: What recording needs.
            journal_bell: Rings when something was told.
            grace: So long an event may still come about a move that a poll found.
        """
        self._store = store
        self._office = office
        self._journal_bell = journal_bell
        self._grace = grace
        self._read_up_to = -1
        self._stretched_at: float | None = None

    async def run_once(self) -> int:
        """Read what is new, decide what was waited for, and see that budgets last; say how many entries were told."""
        await self._read()
        told = await self._decide()
        await self._stretch()
        return told

    # ------------------------------------------------------------------------------------------ reading

    async def _read(self) -> None:
        head = await self._store.head()
        while self._read_up_to < head:
            page = await self._store.transact(partial(_read, self._office, self._grace))
            if page is None:
                return  # another process is at it
            _tell_of(page.turns)
            if page.has_told:
                self._journal_bell.ring()
            self._read_up_to = page.read_up_to or head

    async def _decide(self) -> int:
        total = 0
        while True:
            try:
                count, entries, turns = await self._store.transact(partial(_decide, self._office, _AT_ONCE))
            except InconsistentRowError:  # of one consent; it must not stand in the way of the others
                count, entries, turns = await self._decide_one()
            _tell_of(turns)
            total += len(entries)
            if entries:
                self._journal_bell.ring()
            if not count:
                return total

    async def _decide_one(self) -> tuple[int, list[Entry], list[_Turn]]:
        """Decide of the move that was waited for longest; of a consent whose row is damaged nothing is told."""
        try:
            return await self._store.transact(partial(_decide, self._office, 1))
        except InconsistentRowError as error:
            _log.error("%s Whether an event told of its move is not looked into.", error)
            return await self._store.transact(partial(_give_up, self._office)), [], []

    # ------------------------------------------------------------------------------------------ asking

    async def _stretch(self) -> None:
        """Have base intervals stretch where what is left of the day's budget is too little for them."""
        now, monotonic = self._office.clock.now(), self._office.clock.monotonic()
        if self._stretched_at is not None and monotonic - self._stretched_at < _STRETCH_EVERY_SECONDS:
            return
        self._stretched_at = monotonic
        facts = await self._store.provider_facts([provider.id for provider in self._office.providers], now, now)
        for provider in self._office.providers:
            found, stretch = facts[provider.id], _UNSTRETCHED
            if provider.daily_requests:
                wanted = await self._store.scheduled(provider.id) / self._office.pace.authorized.total_seconds()
                stretch = stretch_for(provider, found.ledger.allowance.used_on(now), wanted, now)
            if stretch != found.health.stretch:  # of one that had a day's budget before, too
                await self._store.set_stretch(provider.id, stretch)


def stretch_for(provider: Provider, used: int, wanted_per_second: float, now: datetime) -> float:
    """By how much base intervals must be longer, so that a day's budget lasts to the day's end; in steps of a twentieth.

    Args:
        provider: Whose budget it is.
        used: How much of it is used.
        wanted_per_second: How many questions a second the base intervals would make.
        now: In the day.
    """
    passed = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
    left = max(1.0, (provider.daily_requests - used) * _FOR_THE_SCHEDULE)
    needed = wanted_per_second * max(60.0, _DAY_SECONDS - passed) / left
    return round(min(_LONGEST_STRETCH, max(1.0, needed)) * 20) / 20


def _read(office: Office, grace: timedelta, transaction: Transaction) -> _Page | None:
    """Read a page; None if another process is at it."""
    book = transaction.providers
    entries = book.read_on(HEALTH_READING, _AT_ONCE)
    if entries is None:
        return None
    moves = [entry for entry in entries if is_move(entry)]
    began = book.registered_at({moved_one(move) for move in moves})
    # Of what was before we began to track it, nobody had to tell us.
    moves = [move for move in moves if moved_at(move) >= began.get(moved_one(move), move.recorded_at)]
    lags: dict[tuple[str, Told, datetime], list[float]] = defaultdict(list)
    for move in moves:
        lags[mover(move), Told(move.data["channel"]), _hour(move.recorded_at)].append(_lag(move))
    book.count_moves({key: Lags.of(found) for key, found in lags.items()})
    polled = [move for move in moves if move.data["channel"] == Channel.POLL.value]
    book.await_events({move.sequence: move.recorded_at + grace for move in polled})
    told = [move for move in moves if move.data["channel"] == Channel.WEBHOOK.value]
    turns = _hear(office, {}, told, transaction)
    alarms = transaction.append(_alarms(office, turns), office.clock.now())
    return _Page(entries[-1].sequence if entries else 0, turns, has_told=bool(alarms))


def _give_up(office: Office, transaction: Transaction) -> int:
    book = transaction.providers
    found = [] if book.read_on(HEALTH_READING, 0) is None else book.overdue(office.clock.now(), 1)
    book.settle([entry.sequence for entry in found])
    return len(found)


def _decide(office: Office, most: int, transaction: Transaction) -> tuple[int, list[Entry], list[_Turn]]:
    """Decide of moves that polls found whether an event came."""
    book = transaction.providers
    if book.read_on(HEALTH_READING, 0) is None:  # one process at a time
        return 0, [], []
    found = book.overdue(office.clock.now(), most)
    if not found:
        return 0, [], []
    held = transaction.lock_tracked({moved_one(entry) for entry in found})
    known = {key: consent for key, consent in held.items() if office.providers.get(consent.provider) is not None}
    recording = Recording(transaction, office, known.values())
    told: list[Entry] = []
    missed: dict[int, Entry] = {}
    for entry in found:
        key = moved_one(entry)
        if book.is_told(key, Status(entry.data["to"]), moved_at(entry)):
            told.append(entry)
        elif key in known:
            missed[entry.sequence] = entry
            recording.tell(drift(recording.told_by_now(key), entry, office.ids))
    book.settle([entry.sequence for entry in found])
    lags: dict[tuple[str, Told, datetime], list[float]] = defaultdict(list)
    for entry in missed.values():
        lags[mover(entry), Told.MISSED, _hour(recording.now)].append(_lag(entry))
    book.count_moves({key: Lags.of(each) for key, each in lags.items()})
    turns = _hear(office, missed, [*told, *missed.values()], transaction)
    for alarm in _alarms(office, turns):
        recording.tell(alarm)
    return len(found), recording.finish(), turns


def _hear(office: Office, missed: dict[int, Entry], decided: Sequence[Entry], transaction: Transaction) -> list[_Turn]:
    """Note for each provider which moves were told and which were missed, in their order; give those that turned."""
    by_provider: dict[ProviderId, list[Entry]] = defaultdict(list)
    for entry in sorted(decided, key=lambda entry: entry.sequence):
        by_provider[mover(entry)].append(entry)
    now, turns = office.clock.now(), []
    for provider in sorted(by_provider):
        health = transaction.providers.lock_health(provider)
        hearing, heard_at = health.hearing, health.signs.last_event_at
        for entry in by_provider[provider]:
            was = hearing.quiet
            if entry.sequence in missed:
                hearing = hearing.missed(now, moved_at=moved_at(entry), heard_at=heard_at)
            else:
                hearing = hearing.told(now)
            if hearing.quiet is not was:
                turns.append(_Turn(provider, was, hearing))
        transaction.providers.save_hearing(provider, hearing)
    return turns


def _alarms(office: Office, turns: Sequence[_Turn]) -> list[Draft]:
    """Tell who has gone quiet, and who is heard again; of a mere fear nothing."""
    return [
        Draft(
            id=office.ids.ordered(),
            type=WENT_QUIET if turn.hearing.is_alarming else HEARD_AGAIN,
            provider=turn.provider,
            from_status=_word(turn.was),
            to_status=_word(turn.hearing.quiet),
            status_date_time=turn.hearing.quiet_since,
            channel=Channel.CLOCK.value,
        )
        for turn in turns
        if turn.was_alarming is not turn.hearing.is_alarming
    ]


def _word(quiet: Quiet | None) -> str:
    return quiet.value if quiet is not None and quiet.is_alarming else _HEARD


def _tell_of(turns: Sequence[_Turn]) -> None:
    """Say it once: this is after the commit, and no other process gets to decide the same."""
    for turn in turns:
        provider, quiet, known = turn.provider, turn.hearing.quiet, {"provider": turn.provider}
        if quiet is None and turn.was is Quiet.UNSURE:
            _log.info("%s is heard: no more than one event was lost", provider, extra=known)
        elif quiet is None:
            _log.info("%s is heard again", provider, extra=known)
        elif quiet is Quiet.UNSURE:
            _log.info("%s may have gone quiet: no event told of a move, and none came since", provider, extra=known)
        else:
            _log.warning(
                "%s has gone quiet (%s): polls find moves of which its events should have told",
                provider,
                quiet.value,
                extra=known,
            )


def _lag(entry: Entry) -> float:
    """From the holder's time of a move until we knew it."""
    return (entry.recorded_at - moved_at(entry)).total_seconds()


def _hour(time: datetime) -> datetime:
    return time.replace(minute=0, second=0, microsecond=0)
