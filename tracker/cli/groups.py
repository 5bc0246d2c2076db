"""A chain of renewals for people: its consents, the oldest first, then what is odd about them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from tracker.cli.output import print_line, print_table, status_text, time_text

if TYPE_CHECKING:
    from tracker.domain.cover import Span
    from tracker.usecases.groups import Group, Member


def print_group(group: "Group") -> None:
    """Print a group."""
    headings = ("consent", "status", "authorized (UTC)", "until", "renews", "which is", "scope")
    rows = [row for member in group.members for row in _rows(group, member)]
    print_table(headings, rows, empty="No consents found.")
    current = group.current
    print_line(
        "None of them is authorized now."
        if current is None
        else f"Current: {current.consent.consent_id}, {'usable' if current.usable else 'not usable'}."
    )
    for line in _oddities(group):
        print_line(line)


def _rows(group: "Group", member: "Member") -> Iterator[tuple[str | Text, ...]]:
    """A row for each time in which it was authorized; the first one says who it is."""
    seen, before = member.seen, member.predecessor
    spans: tuple[Span | None, ...] = member.authorized or (None,)
    for n, span in enumerate(spans):
        times = ("–", "–") if span is None else (time_text(span.since), time_text(span.until))
        if n:
            yield ("", "", *times, "", "", "")
            continue
        mark = " *" if group.current is not None and seen.consent == group.current.consent else ""
        renews = ("–", "–") if before is None else (before.consent.consent_id, status_text(before.effective_status))
        scope = "–" if member.scope is None else member.scope.change.value
        yield (seen.consent.consent_id + mark, status_text(seen.effective_status), *times, *renews, scope)


def _oddities(group: "Group") -> Iterator[str]:
    for gap in group.cover.gaps:
        yield f"Gap: nobody was authorized from {time_text(gap.since)} until {time_text(gap.until)}."
    for overlap in group.cover.overlaps:
        until = "" if overlap.span.until is None else f" until {time_text(overlap.span.until)}"
        yield f"Overlap: {' and '.join(overlap.names)} from {time_text(overlap.span.since)}{until}."
    for member in group.members:
        yield from _changes(member)
    if not group.is_whole:
        yield f"There are more; these are the {len(group.members)} youngest."


def _changes(member: "Member") -> Iterator[str]:
    scope = member.scope
    if scope is None:
        return
    said = (
        ("may also", scope.added),
        ("may no longer", scope.removed),
        ("has higher or no more", scope.raised),
        ("has lower or new", scope.lowered),
    )
    told = [f"{verb} {', '.join(names)}" for verb, names in said if names]
    if told:
        yield f"{member.seen.consent.consent_id} {'; '.join(told)}."
