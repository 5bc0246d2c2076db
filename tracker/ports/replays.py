"""Replays in the store: what is to be told again, and how far that has come."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tracker.domain.replay import NotTaken, Replay, Selection
from tracker.ports.records import Held


def replay_lease(subscription_id: str) -> str:
    """The lease of whoever runs a subscription's replays."""
    return f"replay {subscription_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayProgress:
    """How far a replay has come.

    Attributes:
        replay: As it now is.
        held: By what right it is written; None: nobody else can be at it.
        taken: Sequences that the endpoint took since the last time: none of them is a dead letter any more.
        not_taken: Entries that failed since.
        asked_to_wait: When the endpoint asked to be left alone since, and until when; None: it did not.
    """

    replay: Replay
    held: Held | None = None
    taken: tuple[int, ...] = ()
    not_taken: tuple[NotTaken, ...] = ()
    asked_to_wait: tuple[datetime, datetime] | None = None


class ReplayBook(Protocol):
    """The database, as far as replays go. Every method raises `StorageError` when it is away."""

    async def add(self, replay: Replay) -> bool:
        """Keep a new one, and forget the oldest that are over beyond `MOST_OVER`; False if `MOST_OPEN` are open.

        Raises:
            SubscriptionNotFoundError: There is no such subscription any more.
        """

    async def listed(self, subscription_id: str) -> list[Replay]:
        """All of a subscription that are kept, the last asked for first."""

    async def get(self, subscription_id: str, replay_id: str) -> Replay | None:
        """One of them."""

    async def not_taken(self, replay_id: str) -> list[NotTaken]:
        """What has failed in one, in sequence, as far as it is kept."""

    async def cancel(self, subscription_id: str, replay_id: str, now: datetime) -> None:
        """Have one end, unless it is over."""

    async def to_run(self) -> list[str]:
        """Subscriptions that are being told and have an open replay."""

    async def next_of(self, subscription_id: str) -> Replay | None:
        """The open replay of a subscription whose turn it is."""

    async def given_up(self, subscription_id: str, selection: Selection, after: int, limit: int) -> list[int]:
        """Sequences of the dead letters that are chosen behind a sequence, in order."""

    async def count_given_up(self, subscription_id: str, selection: Selection) -> int:
        """How many dead letters are chosen."""

    async def still_told(self, subscription_id: str, sequences: Collection[int]) -> set[int]:
        """Which of these are parked: the subscription has gone on behind them, and will be told them yet."""

    async def first_since(self, time: datetime) -> int:
        """The sequence of the first entry that was recorded at this time or later; that after the last, if none was."""

    async def save(self, progress: ReplayProgress) -> bool:
        """Write how far one has come, all in one; False when it is over or gone, and what was cannot be changed by this.

        What was taken and what was not is written also when it was cancelled meanwhile: that has happened.

        Raises:
            LeaseLostError: Another process runs this subscription's replays now.
        """
