"""What is done with a provider's ledger, each in one transaction: scripts for `ports.Store.transact`."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from tracker.domain.allowance import Allowance, Room
from tracker.domain.changed import changed
from tracker.ports import Ledger, Provider, Transaction

T = TypeVar("T")

BUSY: Final = "More is asked of the holder now than it may be asked."

Claim = Callable[[Room, Transaction], Sequence[T]]
"""Takes questions in hand, no more than there is room for; runs in a transaction, perhaps more than once."""


def room_in(provider: Provider, ledger: Ledger) -> Room:
    """What may be asked of a provider now, its breaker considered."""
    room = ledger.allowance.room(provider.limits, ledger.at)
    most = ledger.breaker.room(ledger.at)
    return room if most is None else Room(min(room.urgent, most), min(room.ordinary, most))


def why_not(provider: Provider, ledger: Ledger) -> str:
    """Why there is no turn, for whoever cannot wait for one."""
    if ledger.allowance.is_held(ledger.at):
        return "The holder asked to be left alone for a while."
    if ledger.breaker.wait(ledger.at):
        return "The holder fails again and again; it is asked one question at a time."
    if provider.daily_requests and ledger.allowance.used_on(ledger.at) >= provider.daily_requests:
        return "The holder was asked all that it may be asked in a day."
    return BUSY


def _opened(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction
) -> tuple[Ledger, Ledger]:
    """Hold a ledger; give it as it is written, and as it is with what we have not written down yet."""
    written = transaction.providers.lock_ledger(provider.id, now)
    return written, changed(
        written,
        allowance=written.allowance.settled(provider.limits, written.at),
        breaker=written.breaker.settled(written.at).heard(outcomes, written.at),
    )


def _close(provider: Provider, written: Ledger, ledger: Ledger, transaction: Transaction) -> Ledger:
    if ledger != written:
        transaction.providers.save_ledger(provider.id, ledger)
    return ledger


def _take(ledger: Ledger, allowance: Allowance, questions: int) -> Ledger:
    breaker = ledger.breaker.let_through(ledger.at) if questions else ledger.breaker
    return changed(ledger, allowance=allowance, breaker=breaker)


def spend(
    provider: Provider,
    now: datetime | None,
    outcomes: Sequence[bool],
    most: int,
    claim: Claim[T],
    transaction: Transaction,
) -> tuple[Sequence[T], Ledger]:
    """Let the schedule take questions in hand; give them, and the ledger as it is then.

    Raises:
        ValueError: It took more than there was room for; nothing is kept.
    """
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at = provider.limits, ledger.at
    room, tried = ledger.allowance.for_schedule(limits, at), ledger.breaker.room(at)
    bound = most if tried is None else min(most, tried)
    room = Room(min(room.urgent, bound), min(room.ordinary, bound))
    taken: Sequence[T] = claim(room, transaction) if room.urgent else ()
    if len(taken) > room.urgent:
        raise ValueError("More was taken in hand than there was room for.")
    allowance = ledger.allowance.take(len(taken), limits, at)
    if tried != 0 and not allowance.is_held(at):
        # Who got nothing wants more, as far as we know: or those who wait would have all of it for good.
        allowance = allowance.wanted(at, limits, more=len(taken) == room.urgent < most)
    return taken, _close(provider, written, _take(ledger, allowance, len(taken)), transaction)


def take_turns(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], waiting: int, transaction: Transaction
) -> tuple[int, float, Ledger]:
    """Take turns for those who wait here; or none, and say for how long there will be none."""
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at, allowance = provider.limits, ledger.at, ledger.allowance
    tried = ledger.breaker.room(at)
    room = allowance.for_turns(limits, at)
    turns = min(waiting, room if tried is None else min(room, tried))
    if turns:
        allowance = allowance.take_turns(turns, limits, at)
        wait = timedelta()
    else:
        if tried != 0 and not allowance.is_held(at):
            allowance = allowance.awaited(waiting, at, limits)
        wait = max(allowance.wait(limits, at), ledger.breaker.wait(at))
    ledger = _close(provider, written, _take(ledger, allowance, turns), transaction)
    return turns, wait.total_seconds(), ledger


def take_first(
    provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction
) -> tuple[bool, float, Ledger]:
    """Take room for one question, whoever waits; or none, and say for how long there will be none."""
    written, ledger = _opened(provider, now, outcomes, transaction)
    limits, at, allowance = provider.limits, ledger.at, ledger.allowance
    is_free = room_in(provider, ledger).urgent > 0
    wait = timedelta()
    if is_free:
        allowance = allowance.take(1, limits, at)
    else:
        wait = max(allowance.wait(limits, at), ledger.breaker.wait(at))
        if ledger.breaker.room(at) != 0 and not allowance.is_held(at):
            allowance = allowance.awaited(
                max(1, allowance.waiting), at, limits
            )  # so that the schedule leaves the next one
    ledger = _close(provider, written, _take(ledger, allowance, int(is_free)), transaction)
    return is_free, wait.total_seconds(), ledger


def fold(provider: Provider, now: datetime | None, outcomes: Sequence[bool], transaction: Transaction) -> Ledger:
    """Write down what came of questions."""
    written, ledger = _opened(provider, now, outcomes, transaction)
    return _close(provider, written, ledger, transaction)


def hold(provider: Provider, now: datetime | None, seconds: float, transaction: Transaction) -> None:
    """Leave the provider alone for so long."""
    written, ledger = _opened(provider, now, (), transaction)
    held = changed(ledger, allowance=ledger.allowance.held(seconds, ledger.at))
    _close(provider, written, held, transaction)
