"""Cover: from when to when the consents of a chain were authorized, by their holder's clock, with its gaps and overlaps.

Spans begin with their first instant and end before their last. One without an end goes on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tracker.domain.consent import Status
from tracker.domain.report import Claim


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A time from `since` up to and without `until`; None: without an end."""

    since: datetime
    until: datetime | None = None

    def has(self, instant: datetime) -> bool:
        """Whether an instant lies in it."""
        return self.since <= instant and (self.until is None or instant < self.until)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A time in which several are authorized, always the same ones.

    Attributes:
        span: The time.
        names: Who, in the order of their names.
    """

    span: Span
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What a chain covers.

    Attributes:
        spans: The times in which at least one is authorized, as long as can be, in their order.
        gaps: The times between these.
        overlaps: The times in which more than one is.
    """

    spans: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()
    overlaps: tuple[Overlap, ...] = ()


def authorized_spans(moves: Iterable[Claim], ends_at: datetime | None) -> tuple[Span, ...]:
    """The times in which one consent was authorized.

    Args:
        moves: Every move in the holder's order.
        ends_at: When it ended or will end by itself, whatever was said of later times; None: no end is known.
    """
    found: list[Span] = []
    since: datetime | None = None
    for status, at in moves:
        if status is Status.AUTHORIZED:
            since = at if since is None else since
        elif since is not None:
            found.append(Span(since, at))
            since = None
    if since is not None:
        found.append(Span(since, None))
    cut = (Span(span.since, _earlier(span.until, ends_at)) for span in found)
    return tuple(span for span in cut if span.until is None or span.since < span.until)


def cover_of(authorized: Mapping[str, Sequence[Span]]) -> Cover:
    """Lay the times of several consents, by their names, over each other."""
    changes: dict[datetime, tuple[list[str], list[str]]] = {}
    for name, spans in authorized.items():
        for span in spans:
            changes.setdefault(span.since, ([], []))[0].append(name)
            if span.until is not None:
                changes.setdefault(span.until, ([], []))[1].append(name)
    covered: list[Span] = []
    overlaps: list[Overlap] = []
    held: set[str] = set()
    began = last = None
    for instant in [*sorted(changes), None]:
        if last is not None and len(held) > 1:
            _add(overlaps, Overlap(Span(last, instant), tuple(sorted(held))))
        if instant is not None:
            begin, end = changes[instant]
            held = (held - set(end)) | set(begin)
        if began is None and held:
            began = instant
        elif began is not None and (not held or instant is None):
            covered.append(Span(began, instant))
            began = None
        last = instant
    gaps = tuple(Span(one.until, other.since) for one, other in pairwise(covered) if one.until is not None)
    return Cover(spans=tuple(covered), gaps=gaps, overlaps=tuple(overlaps))


def _add(overlaps: list[Overlap], new: Overlap) -> None:
    """Add an overlap; one that only goes on with the same consents is none of its own."""
    last = overlaps[-1] if overlaps else None
    if last is not None and last.names == new.names and last.span.until == new.span.since:
        overlaps[-1] = Overlap(Span(last.span.since, new.span.until), new.names)
    else:
        overlaps.append(new)


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((t for t in (one, other) if t is not None), default=None)
