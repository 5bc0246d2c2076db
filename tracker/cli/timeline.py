"""A consent's story for people: day by day, what happened, how and when we learnt of it, and what is odd about it."""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import TYPE_CHECKING

from rich.text import Text

from tracker.cli.output import console, print_line, printable, status_text, time_text

if TYPE_CHECKING:
    from tracker.usecases.timeline import TimelineItem

_WHAT_WIDTH = 35  # AwaitingAuthorization → Authorized is the longest move
_HOW_WIDTH = 22
_INDENT = 12

_TITLES = {
    "consent.registered": "registered",
    "consent.status_learned_late": "an old report",
    "consent.irregular": "irregular report",
    "consent.expiring": "a deadline comes",
    "consent.overlap_found": "still authorized beside its renewal",
    "consent.authorization_overdue": "nobody finished authorizing",
    "payment.status_changed": "a payment's status",
    "consent.hold_placed": "a legal hold was placed",
    "consent.hold_lifted": "a legal hold was lifted",
    "consent.erasure_scheduled": "erasure was asked for",
    "subscription.completion_overdue": "a subscriber's work is overdue",
    "subscription.completed": "a subscriber's work is done",
}
_WITHOUT_DOUBT = frozenset(
    {
        "consent.authorization_overdue",
        "consent.revocation_requested",
        "consent.erasure_scheduled",
        "payment.status_changed",
        "subscription.completion_overdue",
        "subscription.completed",
    }
)  # their reasons say how, not what is wrong
_SAME_STATUS = {
    "consent.status_confirmed": ", confirmed",
    "consent.terms_changed": ", restated",  # with another date, expiry or other terms
}

_AHEAD = frozenset({"consent.expiring", "consent.overlap_found", "subscription.completion_overdue"})
"""They are about another time than that of a move."""


def print_timeline(items: "Iterable[TimelineItem]", *, both_times: bool = False) -> None:
    """Print a story. It fits into 80 columns.

    Args:
        items: Its lines.
        both_times: Whether each says when it was so by the holder's clock, and when we wrote it down by ours.
    """
    lines = list(_lines(items, both_times=both_times))
    if lines:
        console().print(Text("\n").join(lines), soft_wrap=True)
    else:
        print_line("Nothing happened yet.")


def _lines(items: "Iterable[TimelineItem]", *, both_times: bool) -> Iterator[Text]:
    day = ""
    for item in items:
        time = item.sorts_at.astimezone(UTC)
        if day != f"{time:%Y-%m-%d}":
            day = f"{time:%Y-%m-%d}"
            yield Text(f"{day} (UTC)", "bold")
        what, how = what_text(item.type, item.from_status, item.to_status), _how(item)
        entry = "" if item.sequence is None else f"#{item.sequence}"
        line = Text.assemble(
            f"  {time:%H:%M:%S}  ",
            what,
            " " * (_WHAT_WIDTH - what.cell_len + 2),
            f"{how:<{_HOW_WIDTH}}  ",
            (entry, "dim"),
        )
        line.rstrip()
        yield line
        if both_times:
            theirs, ours = time_text(item.status_date_time), time_text(item.learned_at)
            yield Text(f"{'':{_INDENT}}so since {theirs}, written down {ours}", "dim")
        for note in _notes(item):
            yield Text(" " * _INDENT + note, "dim")


def what_text(entry_type: str, from_status: str | None, to_status: str | None) -> Text:
    """Say in a few words what an entry tells."""
    if from_status is not None and to_status is not None and from_status != to_status:
        return Text.assemble(f"{printable(from_status)} → ", status_text(to_status))
    if entry_type in _SAME_STATUS:
        return Text.assemble(status_text(to_status), _SAME_STATUS[entry_type])
    known = _TITLES.get(entry_type)
    return Text(known or printable(entry_type.partition(".")[2].replace("_", " ")))


def _how(item: "TimelineItem") -> str:
    if item.channel is None:
        return "inferred" if item.inferred else ""
    if item.type in _AHEAD:
        return "our clock"
    return f"{'our clock' if item.channel == 'clock' else printable(item.channel)}{_after(item)}"


def _notes(item: "TimelineItem") -> Iterator[str]:
    if item.inferred:
        by_clock = item.channel == "clock"
        yield "the holder had not said so" if by_clock else "nobody told us: what came next implies it"
    if item.late:
        yield "learnt late: something younger was known already"
    if item.corrected:
        yield "a correction: it ended earlier than was thought"
    if item.type == "consent.expiring":
        yield f"{printable((item.reason or '').replace('_', ' '))}: {time_text(item.status_date_time)}"
    elif item.type == "consent.overlap_found":
        yield f"since {time_text(item.status_date_time)}; it wants to be revoked"
    elif item.type == "consent.revocation_failed":
        yield f"the holder says: {printable((item.reason or '').replace(',', ', '))}"
    elif item.reason is not None:
        codes = printable(item.reason.replace(",", ", "))
        yield codes.replace("_", " ") if item.type in _WITHOUT_DOUBT else f"in doubt: {codes}"


def _after(item: "TimelineItem") -> str:
    """How long after it happened we learnt of it."""
    if item.learned_at is None or item.status_date_time is None:
        return ""
    seconds = (item.learned_at - item.status_date_time).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        if seconds >= 2 * size or (unit == "s" and seconds >= 1):
            return f", {seconds / size:.0f} {unit} later"
    return ", at once"
