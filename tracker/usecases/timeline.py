"""One consent's story: every move in the holder's order, and everything else the journal tells of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.consent import Status
from tracker.domain.lifecycle import Telling, holders_moves
from tracker.domain.moves import Rules
from tracker.domain.report import Report
from tracker.domain.standing import settles
from tracker.domain.tracked import TrackedConsent
from tracker.journal.entry import Entry, parse_rfc3339
from tracker.ports import Store, StoredReport
from tracker.usecases.providers import Providers

_REGISTERED = "consent.registered"
# A move back to what was told already is told as a new date of the same status.
_MOVING = frozenset({Telling.STATUS_CHANGED, Telling.STATUS_CONFIRMED, Telling.TERMS_CHANGED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineItem:
    """One line of the story.

    Attributes:
        type: As the journal calls it; `consent.status_changed` for every move.
        from_status: The status before; None for what is no move.
        to_status: The status after.
        status_date_time: The holder's time.
        learned_at: When we recorded it.
        received_at: When we heard it.
        channel: How.
        late: We knew something younger already.
        inferred: Nobody told us: it follows from a gap, or from the clock.
        corrected: It takes an end back for another one.
        confirmed: Whether it is the holder's own word.
        reason: Codes of what was wrong.
        sequence: The journal entry that tells it.
        is_move: A move of the holder's, by all that we know today; and not what an entry told at its time.
    """

    type: str
    from_status: str | None = None
    to_status: str | None = None
    status_date_time: datetime | None = None
    learned_at: datetime | None = None
    received_at: datetime | None = None
    channel: str | None = None
    late: bool = False
    inferred: bool = False
    corrected: bool = False
    confirmed: bool = True
    reason: str | None = None
    sequence: int | None = None

    is_move: bool = False

    @property
    def sorts_at(self) -> datetime:
        """Where it belongs: the holder's moves and an expiry at the holder's time; all else when we learnt it."""
        theirs = self.is_move or self.type == Telling.EXPIRY_INFERRED
        time = (self.status_date_time if theirs else None) or self.learned_at
        if time is None:
            raise ValueError("Every line of a timeline has a time.")
        return time


class Timelines:
    """Tells consents' stories."""

    def __init__(self, store: Store, providers: Providers) -> None:
        self._store = store
        self._providers = providers

    async def of(self, consent: TrackedConsent, known_at: datetime | None = None) -> list[TimelineItem]:
        """The story of a consent, in the holder's order: the whole of it, or as it could be told at an instant."""
        rules = self._providers.kind_of(consent).rules
        reports = await self._store.reports_of(consent.tracking_id)
        entries = await self._store.entries_of(consent.tracking_id)
        if known_at is not None:
            reports = [stored for stored in reports if stored.report.recorded_at <= known_at]
            entries = [entry for entry in entries if entry.recorded_at <= known_at]
        return timeline(reports, entries, rules)


def timeline(reports: Sequence[StoredReport], entries: Sequence[Entry], rules: Rules) -> list[TimelineItem]:
    """Put moves and other entries into one order."""
    moves, told = _moves(reports, entries, rules)
    others = [_of_entry(entry) for entry in entries if entry.sequence not in told]
    placed = [(_second(item), item.type != _REGISTERED, item.sequence or 0, item) for item in others]
    # Moves follow each other, whenever they were learnt; what else was told in that second is where its sequence puts it.
    second, place = None, 0
    for move in moves:
        place = max(place if _second(move) == second else 0, move.sequence or 0)
        second = _second(move)
        placed.append((second, True, place, move))
    return [item for *_, item in sorted(placed, key=lambda placement: placement[:3])]


def _second(item: TimelineItem) -> datetime:
    """Holders cut their times to whole seconds; ours are cut too, or a registration would follow what it came before."""
    return item.sorts_at.replace(microsecond=0)


def _moves(
    reports: Sequence[StoredReport], entries: Sequence[Entry], rules: Rules
) -> tuple[list[TimelineItem], set[int]]:
    """The holder's moves, and the entries that tell them."""
    said = [stored.report for stored in reports if stored.report.channel.is_holders_word]
    first = {report.claim: report for report in reversed(said)}
    moves: list[TimelineItem] = []
    told: set[int] = set()
    last = Status.NOT_STAGED
    for (status, time), inferred in holders_moves(undenied(said, rules), rules):
        report = first.get((status, time))
        entry = _telling(entries, status, time, told)
        if entry is not None:
            told.add(entry.sequence)
        data: Mapping[str, Any] = {} if entry is None else entry.leaf["data"]
        moves.append(
            TimelineItem(
                type=Telling.STATUS_CHANGED.value,
                from_status=last.value,
                to_status=status.value,
                status_date_time=time,
                learned_at=report.recorded_at if report else None,
                received_at=report.received_at if report else None,
                channel=report.channel.value if report else None,
                late=bool(data.get("late", False)),
                inferred=inferred,
                corrected=bool(data.get("corrected", False)),
                confirmed=not inferred,
                sequence=entry.sequence if entry else None,
                is_move=True,
            )
        )
        last = status
    # The clock's own move is told by `expiry_inferred`; its twin would say it twice.
    told |= {e.sequence for e in entries if e.type == Telling.STATUS_CHANGED and e.leaf["data"]["inferred"]}
    return moves, told


def undenied(said: Sequence[Report], rules: Rules) -> list[Report]:
    """The reports, without moves of which the holder, asked later, knew nothing."""
    polls = [report for report in said if report.is_poll]
    return [
        report
        for report in said
        if rules.is_end(report.status)
        or not any(poll.status_date_time < report.status_date_time and settles(poll, report, rules) for poll in polls)
    ]


def _telling(entries: Iterable[Entry], status: Status, time: datetime, told: set[int]) -> Entry | None:
    """The entry by which a move was first told."""
    for entry in entries:
        data = entry.leaf["data"]
        if entry.sequence in told or data["inferred"] or _time(data["status_date_time"]) != time:
            continue
        moved = entry.type in _MOVING and data["to"] == status.value
        if moved or entry.type == Telling.STATUS_LEARNED_LATE:
            return entry
    return None


def _of_entry(entry: Entry) -> TimelineItem:
    data = entry.leaf["data"]
    return TimelineItem(
        type=entry.type,
        from_status=data["from"],
        to_status=data["to"],
        status_date_time=_time(data["status_date_time"]),
        learned_at=entry.recorded_at,
        received_at=_time(data["received_at"]),
        channel=data["channel"],
        late=data["late"],
        inferred=data["inferred"],
        corrected=data["corrected"],
        confirmed=data["confirmed"],
        reason=data["reason"],
        sequence=entry.sequence,
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_rfc3339(text)
