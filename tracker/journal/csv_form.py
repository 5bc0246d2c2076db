"""Entries as CSV that a spreadsheet can open without running what a stranger wrote, and a program can read without a loss.

A spreadsheet takes a cell for a formula that begins with `=`, `+`, `-` or `@`, some also behind blanks or after a tab. Ids, words
of holders and personal values come from others. So a text that begins in such a way has an apostrophe put before it, and
so has one that is empty or begins with an apostrophe: who takes one apostrophe away from each cell that begins with one has
what was there, and an empty cell is what was not there.

Spec: RFC 4180 (CSV); OWASP, "CSV Injection".
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from tracker.journal.columns import COLUMNS, cells
from tracker.journal.export import Proofs, Row

CSV_NAME: Final = "entries.csv"

_DANGEROUS: Final = re.compile(r"'|[\s\x00-\x20\ufeff\u200b]*[=+\-@\t\r\n＝＋－＠﹦﹢﹣﹫]|\Z")
_QUOTED: Final = re.compile(r'[",;|\s]')
_END: Final = "\r\n"

HEAD: Final = (",".join(COLUMNS) + _END).encode()
"""The first line."""


def csv_lines(rows: Sequence[Row], _proofs: Proofs | None = None) -> list[bytes]:
    """Write entries, a line each.

    Raises:
        NotCanonicalError: Its private value has no canonical form.
    """
    return [(",".join(map(cell, cells(row))) + _END).encode() for row in rows]


def cell(value: Any) -> str:
    """Write one cell."""
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    text: str = f"'{value}" if _DANGEROUS.match(value) else value
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def value_of(text: str) -> str | None:
    """Read a cell's text back, once CSV's own quotation marks are gone."""
    if not text:
        return None
    return text.removeprefix("'")
