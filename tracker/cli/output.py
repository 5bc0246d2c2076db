"""What commands print: JSON for programs, tables and lines for people.

Much of it was written by others: ids, users' references, what holders and subscribers answered. It is shown to the letter,
with control characters written out; none of it is taken for markup, and none is obeyed by a terminal.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from pydantic import BaseModel

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

STYLES = {
    "Authorized": "green",
    "AwaitingAuthorization": "yellow",
    "Suspended": "yellow",
    "NotStaged": "dim",
    "Revoked": "red",
    "Rejected": "red",
    "Expired": "red",
    "Consumed": "blue",
}
"""How statuses look on a terminal."""

_GAP = "  "
_NOTHING = {"", "–"}
_NOT_PLAIN = re.compile(r"[^\n\x20-\x7e]")


def console(*, stderr: bool = False) -> Console:
    """Where lines for people go; colours only on a terminal."""
    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


def printable(text: str) -> str:
    """Write control characters out, those that turn the direction of text too: nobody's id moves a cursor."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_line(text: str | Text) -> None:
    """Print one line; a terminal may wrap it, but no id in it is ever broken by us."""
    console().print(_cell(text), soft_wrap=True)


def print_json(value: "BaseModel | dict[str, Any]") -> None:
    """Print one JSON value, with control characters escaped."""
    if isinstance(value, dict):
        text = json.dumps(value, indent=2, ensure_ascii=False)
    else:
        text = value.model_dump_json(indent=2, by_alias=True)
    print(_NOT_PLAIN.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, empty: str) -> None:
    """Print a table, or a sentence when there is nothing in it.

    Where a terminal is too narrow for it, each row becomes a few lines: its first cell, then the others with their headings.
    """
    table = [[_cell(cell) for cell in row] for row in rows]
    if not table:
        print_line(empty)
        return
    screen = console()
    widths = [max(len(heading), *(row[n].cell_len for row in table)) for n, heading in enumerate(headings)]
    fits = sum(widths) + len(_GAP) * (len(widths) - 1) <= screen.width
    if fits or not screen.is_terminal:
        lines = [_aligned([Text(heading, "bold") for heading in headings], widths)]
        lines += [_aligned(row, widths) for row in table]
    else:
        lines = [line for row in table for line in _card(headings, row, screen.width)]
    screen.print(Text("\n").join(lines), soft_wrap=True)


def _aligned(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text(_GAP).join(
        Text.assemble(cell, " " * (width - cell.cell_len)) for cell, width in zip(cells, widths, strict=True)
    )
    line.rstrip()
    return line


def _card(headings: Sequence[str], row: Sequence[Text], width: int) -> list[Text]:
    first = row[0].copy()
    first.stylize("bold")
    lines = [first]
    for heading, cell in zip(headings[1:], row[1:], strict=True):
        if cell.plain in _NOTHING:
            continue
        part = Text.assemble((f"{heading} ", "dim"), cell)
        if len(lines) > 1 and lines[-1].cell_len + len(_GAP) + part.cell_len <= width:
            lines[-1] = Text.assemble(lines[-1], _GAP, part)
        else:
            lines.append(Text.assemble("    ", part))
    return lines


def status_text(status: str | None) -> Text:
    """A status, coloured."""
    return Text("–") if status is None else Text(printable(status), STYLES.get(status, ""))


def time_text(time: datetime | None) -> str:
    """A time, UTC, to the second."""
    return "–" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def age_text(seconds: float) -> str:
    """How long something is ago, in its two largest units."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (left, "s"))
    first = next((place for place, (count, _) in enumerate(parts) if count), None)
    return "–" if first is None else " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def _cell(text: str | Text) -> Text:
    return Text(printable(text)) if isinstance(text, str) else text
