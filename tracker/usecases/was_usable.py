"""Was a consent usable at an instant, and did we have reason to think so?

Two answers side by side. By all that we know today: the reports on record, judged of that instant. By what we believed then:
the entries as recorded up to it, on whose word that rested, and how old the holder's last word for it was. And what came in
later that speaks of that instant or of one before it: why the two may differ.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from tracker.domain.errors import ConsentNotFoundError
from tracker.domain.lifecycle import Telling
from tracker.journal.entry import Entry, parse_rfc3339
from tracker.ports import Store
from tracker.usecases.believed import Believing
from tracker.usecases.consult import ConsentView, Consulting, UsableReason, reason_of
from tracker.usecases.replayed import REGISTERED

_ABOUT_STATUS: Final = frozenset(Telling)


class Hindsight(StrEnum):
    """How the two answers go together."""

    USABLE = "usable_and_believed"
    """It was usable, and we had reason to think so."""
    WRONGLY_BELIEVED = "not_usable_but_believed"
    """It was not, but nobody had told us."""
    UNBELIEVED = "usable_but_not_believed"
    """It was, but we could not know, or were ourselves in doubt."""
    NOT_USABLE = "not_usable_and_not_believed"
    """It was not, and we knew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether it was usable, by one measure.

    Attributes:
        usable: Whether it was.
        reason: `OK`, or why not; `UNKNOWN_CONSENT` where it was not tracked.
        seen: What else was so; None where it was not tracked.
    """

    usable: bool
    reason: UsableReason
    seen: ConsentView | None

    @classmethod
    def of(cls, seen: ConsentView) -> "Standing":
        """What a view says of use."""
        reason = reason_of(seen)
        return cls(usable=reason is UsableReason.OK, reason=reason, seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class WasUsable:
    """The answer.

    Attributes:
        at: Of which instant.
        consent: The consent as it is today.
        today: By all that we know today.
        then: By what we believed at that instant.
        word: The entry on which the status of then rests; None: the holder had said nothing.
        confirmed_at: The latest instant for which the holder had vouched by then; None: none is on record any more.
        learned_since: Entries that were recorded later and speak of that instant or of an earlier one, in sequence.
    """

    at: datetime
    consent: ConsentView
    today: Standing
    then: Standing
    word: Entry | None
    confirmed_at: datetime | None
    learned_since: tuple[Entry, ...]

    @property
    def hindsight(self) -> Hindsight:
        """How the two answers go together."""
        if self.today.usable:
            return Hindsight.USABLE if self.then.usable else Hindsight.UNBELIEVED
        return Hindsight.WRONGLY_BELIEVED if self.then.usable else Hindsight.NOT_USABLE

    @property
    def age_seconds(self) -> float | None:
        """How long ago the holder had vouched for it then."""
        return None if self.confirmed_at is None else max(0.0, (self.at - self.confirmed_at).total_seconds())


class WasUsableAnswers:
    """Answers for one consent and one instant."""

    def __init__(self, store: Store, consulting: Consulting, believing: Believing) -> None:
        self._store = store
        self._consulting = consulting
        self._believing = believing

    async def of(self, found: ConsentView, instant: datetime) -> WasUsable:
        """Say whether a consent was usable at an instant, and whether we thought so.

        Raises:
            InvalidRequestError: The instant has not come.
        """
        today = await self._consulting.as_of(found, instant)
        try:
            then = Standing.of(await self._believing.known_at(found, instant))
        except ConsentNotFoundError:
            then = Standing(usable=False, reason=UsableReason.UNKNOWN_CONSENT, seen=None)
        entries = await self._store.entries_of(found.consent.tracking_id)
        return WasUsable(
            at=instant,
            consent=found,
            today=Standing.of(today),
            then=then,
            word=_word(entries, instant),
            confirmed_at=None if then.seen is None else then.seen.consent.confirmed_at,
            learned_since=tuple(entry for entry in entries if _is_news_of(entry, instant)),
        )


def _word(entries: list[Entry], instant: datetime) -> Entry | None:
    """The last entry by then that moved the status, whoever's word it was."""
    moving = (Telling.STATUS_CHANGED, Telling.STATUS_CONFIRMED)
    told = [entry for entry in entries if entry.recorded_at <= instant and entry.type in moving]
    return told[-1] if told else None


def _is_news_of(entry: Entry, instant: datetime) -> bool:
    """Whether an entry was recorded after an instant and says something of it, or of the time before it."""
    since = entry.data["status_date_time"]
    if entry.recorded_at <= instant or entry.type == REGISTERED or since is None:
        return False
    return entry.type in _ABOUT_STATUS and parse_rfc3339(since) <= instant
