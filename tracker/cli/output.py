"""What commands print: JSON for programs, tables and lines for people."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

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


def console() -> Console:
    """Standard output; colours only on a terminal, and no breaking of long ids where it is none."""
    made = Console(highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(highlight=False, width=200, no_color=True)


def print_json(value: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """Print one JSON value."""
    if isinstance(value, BaseModel):
        print(value.model_dump_json(indent=2, by_alias=True))
        return
    plain = value if isinstance(value, dict) else [json.loads(item.model_dump_json(by_alias=True)) for item in value]
    print(json.dumps(plain, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str) -> None:
    """Print a table, or a sentence when there is nothing in it."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table if table.row_count else empty)


def status_text(status: str | None) -> str:
    """A status, coloured."""
    if status is None:
        return "–"
    style = STYLES.get(status)
    return f"[{style}]{status}[/{style}]" if style else status


def time_text(time: datetime | None) -> str:
    """A time, UTC, to the second."""
    return "–" if time is None else time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
