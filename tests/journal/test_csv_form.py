"""Cells of CSV: nothing in them is a formula, and nothing of them is lost."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.journal.csv_form import cell, value_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def read(written: str) -> str:
    ((_, found),) = csv.reader(io.StringIO(f"x,{written}\r\n", newline=""))
    return found


@given(TEXTS)
@example("=1+1")
@example("'")
@example("''=1")
@example("")
@example(" \t =1")
@example('="a";"b"')
@example("\r\n")
def test_what_was_there_comes_back(text: str) -> None:
    assert value_of(read(cell(text))) == text


@given(st.text(" \t\n\r\x00\ufeff\xa0", max_size=5), st.sampled_from("=+-@\t\r＝＋－＠"), TEXTS)
def test_nothing_begins_as_a_formula_does(blanks: str, sign: str, text: str) -> None:
    assert read(cell(blanks + sign + text)).startswith("'")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        ("", "'"),
        (True, "true"),
        (False, "false"),
        (42, "42"),
        ("demobank", "demobank"),
        ("a,b", '"a,b"'),
        ('say "yes"', '"say ""yes"""'),
        ("a;b", '"a;b"'),  # where a comma does not part cells, this must not either
        ("=SUM(A1)", "'=SUM(A1)"),
        ("-1", "'-1"),
        ("2026-03-02T11:13:21.000000Z", "2026-03-02T11:13:21.000000Z"),
    ],
)
def test_cells(value: object, written: str) -> None:
    assert cell(value) == written
    assert value_of(read(written)) == (
        None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
