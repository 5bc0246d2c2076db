"""Replaying a consent's entries as they were recorded: what they said of it, one after the other. Pure; judges nothing."""

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from tracker.domain.belief import Belief
from tracker.domain.consent import Status
from tracker.domain.lifecycle import Telling
from tracker.domain.overlay import Deed, Overlay
from tracker.journal.entry import Entry, parse_rfc3339
from tracker.ports import StoredReport
from tracker.usecases.back_then import overlay_after, overlay_at

REGISTERED: Final = "consent.registered"
_JUDGED: Final = frozenset({REGISTERED, *Telling, *Deed})
_MOVES: Final = frozenset({Telling.STATUS_CHANGED, Telling.STATUS_CONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A consent, by what was recorded of it up to an instant.

    Attributes:
        entries: All of these entries, in sequence.
        status: The holder's word.
        since: Since when, by the holder's clock.
        told: The effective status that the last entry told.
        told_by: The entry that moved the holder's word last; None: it had said nothing.
        learned_at: When that was written down.
        in_doubt: Whether something stood against using it until the holder had answered.
        reasons: Codes of what that was, as far as entries name them.
        expiration_date_time: When it was to end by itself.
        revoked_by: Who revoked it.
        overlay: What we ourselves had put over the holder's word.
        is_complete: Whether what the entries do not tell of doubts and expiries was kept from its registration on. Of a
            consent that an older version registered it was not: these two are then no more than what entries tell.
    """

    entries: Sequence[Entry]
    status: Status = Status.NOT_STAGED
    since: datetime | None = None
    told: Status = Status.NOT_STAGED
    told_by: Entry | None = None
    learned_at: datetime | None = None
    in_doubt: bool = False
    reasons: tuple[str, ...] = ()
    expiration_date_time: datetime | None = None
    revoked_by: str | None = None
    overlay: Overlay
    is_complete: bool = False


def replayed(entries: Sequence[Entry], beliefs: Sequence[Belief], today: Overlay, instant: datetime) -> Replayed:
    """Replay a consent.

    Args:
        entries: Those that were recorded up to an instant, in sequence; at least one.
        beliefs: What was kept beside them up to then, in the order of writing.
        today: What stands against using it now: what became of a request since is told of it with the state of then.
        instant: Our clock's; `today`'s overlay is taken back to it.
    """
    known = Replayed(entries=entries, overlay=overlay_at(today, entries, instant))
    then = Overlay()
    for one in _in_order(entries, beliefs):
        if isinstance(one, Belief):
            known = replace(
                known,
                status=one.status,
                in_doubt=one.in_doubt,
                reasons=known.reasons if one.in_doubt else (),
                expiration_date_time=one.expiration_date_time,
                is_complete=known.is_complete or one.after is None,
            )
        elif one.type in _JUDGED:
            then = overlay_after(then, today, one)
            known = _after(known, one, then)
    return known


def _in_order(entries: Sequence[Entry], beliefs: Sequence[Belief]) -> Iterator[Entry | Belief]:
    """Each belief behind the entries of the transaction that wrote both; none whose entries are not all there."""
    place = {entry.sequence: number for number, entry in enumerate(entries, start=1)}
    placed: dict[int, list[Belief]] = {}
    for belief in beliefs:
        before = 0 if belief.after is None else place.get(belief.after)
        if before is not None:
            placed.setdefault(before + belief.entries, []).append(belief)
    yield from placed.get(0, ())
    for number, entry in enumerate(entries, start=1):
        yield entry
        yield from placed.get(number, ())


def _after(known: Replayed, entry: Entry, overlay: Overlay) -> Replayed:
    data = entry.data
    told = known.told if data["to"] is None else Status(data["to"])
    since = _time(data["status_date_time"])
    is_by_clock = bool(data["inferred"]) and told is Status.EXPIRED
    now = replace(known, told=told)
    if is_by_clock:
        if entry.type == Telling.EXPIRY_INFERRED:
            now = replace(now, expiration_date_time=since)
    elif entry.type in _MOVES and data["confirmed"] and (told, since) != (known.status, known.since):
        now = replace(
            now, status=told, since=since, told_by=entry, learned_at=entry.recorded_at, revoked_by=data["revoked_by"]
        )
    elif entry.type == Telling.TERMS_CHANGED and data["confirmed"]:
        now = replace(now, since=since)
    in_doubt = known.in_doubt
    if told is Status.AUTHORIZED and not overlay.paused and not overlay.revoking:
        in_doubt = not data["usable"]
    elif entry.type == Telling.IRREGULAR:
        in_doubt = True
    reasons = known.reasons
    if entry.type == Telling.IRREGULAR and data["reason"] is not None:
        reasons = tuple(sorted({*reasons, *data["reason"].split(",")}))
    return replace(now, in_doubt=in_doubt, reasons=reasons if in_doubt else ())


@dataclass(frozen=True, slots=True)
class HeldSince:
    """A status from a time of the holder's on, and the entry that told it."""

    status: Status
    since: datetime
    entry: Entry


def holders_word_at(
    entries: Sequence[Entry], instant: datetime, late: Mapping[int, Status] = MappingProxyType({})
) -> HeldSince | None:
    """The holder's word for an instant of the past, as these entries tell it; None: they tell of nothing so early.

    An entry that moves the status to one with an earlier date takes back what was told of later dates. What was learnt late
    and moved nothing says its date alone: its status is not in the entry. What is dated ahead speaks from when it was recorded.

    Args:
        entries: In sequence.
        instant: Of when.
        late: The statuses of which entries say no more than that they were learnt late, by sequence; see `learned_late`.
    """
    told: list[HeldSince] = []
    for entry in entries:
        data, since = entry.data, _time(entry.data["status_date_time"])
        if entry.sequence in late and since is not None:
            insort(told, HeldSince(late[entry.sequence], since, entry), key=lambda one: one.since)
            continue
        if entry.type not in _MOVES or not data["confirmed"] or since is None or data["to"] is None:
            continue
        while told and told[-1].since > since:
            told.pop()
        told.append(HeldSince(Status(data["to"]), since, entry))
    return next((one for one in reversed(told) if min(one.since, one.entry.recorded_at) <= instant), None)


def learned_late(entries: Sequence[Entry], reports: Iterable[StoredReport]) -> dict[int, Status]:
    """Of what was learnt late and moved nothing: the status that it told, by the sequence of its entry.

    Args:
        entries: What is known.
        reports: All of the consent that are on record; those of which no entry tells do not count.
    """
    said = [one for one in reports if one.report.channel.is_holders_word]
    found: dict[int, Status] = {}
    for entry in entries:
        if entry.type != Telling.STATUS_LEARNED_LATE:
            continue
        tokens = {proof["jws_sha256"] for proof in entry.data["evidence"]}
        since = _time(entry.data["status_date_time"])
        by_then = (one for one in said if one.report.recorded_at <= entry.recorded_at)
        theirs = [one for one in by_then if one.report.status_date_time == since and one.jws_sha256 in tokens]
        if theirs:
            found[entry.sequence] = theirs[0].report.status
    return found


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_rfc3339(text)
