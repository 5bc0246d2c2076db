"""What others wrote is shown to the letter and never obeyed; nothing that a person needs is cut."""

import json

import pytest
from rich.text import Text

from tracker.cli.output import print_json, print_line, print_table, printable, status_text

HOSTILE = {
    "\x1b[2J": "\\x1b[2J",
    "a\rb\nc\td": "a\\rb\\nc\\td",
    "\x7f\x9b31m": "\\x7f\\x9b31m",
    "\u202egnp.exe": "\\u202egnp.exe",
    "\ud800": "\\ud800",
    "\U000e0041": "\\U000e0041",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=ascii)
def test_control_characters_are_written_out(text, shown, capsys):
    assert printable(text) == shown
    print_line(text)
    print_table(("a",), [(text,)], empty="")
    assert capsys.readouterr().out == f"{shown}\na\n{shown}\n"
    assert status_text(text).plain == shown


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "urn:bank:intent", ":smile:", "\\[b]", "مريم", "日本", "é"])
def test_nothing_is_taken_for_markup(text, capsys):
    print_line(text)
    print_table(("a",), [(text,)], empty="")
    assert capsys.readouterr().out == f"{text}\na\n{text}\n"


def test_json_is_the_same_value_with_control_characters_escaped(capsys):
    value = {"a": [*HOSTILE, "مريم", None, 1]}
    print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert all(c.isprintable() or c == "\n" for c in out)
    assert "مريم" in out


ROWS = [("demobank/" + "x" * 128, "account-access", Text("Authorized", "green")), ("b/1", "–", Text(""))]


def test_what_is_piped_is_a_table_however_wide_with_nothing_behind_the_lines(capsys):
    print_table(("consent", "kind", "status"), ROWS, empty="")
    assert capsys.readouterr().out.splitlines() == [
        "consent" + " " * 132 + "kind            status",
        "demobank/" + "x" * 128 + "  account-access  Authorized",
        "b/1" + " " * 136 + "–",
    ]


def test_on_a_narrow_terminal_a_row_becomes_lines(terminal, capsys):
    terminal(40)
    print_table(("consent", "kind", "status"), ROWS, empty="")
    assert capsys.readouterr().out.splitlines() == [
        "demobank/" + "x" * 128,
        "    kind account-access",
        "    status Authorized",
        "b/1",
    ]
    terminal(46)
    print_table(("consent", "kind", "status"), ROWS, empty="")
    assert "    kind account-access  status Authorized" in capsys.readouterr().out.splitlines()


def test_a_terminal_wide_enough_gets_a_table(terminal, capsys):
    terminal(7)
    print_table(("a", "b"), [("123", "45")], empty="")
    assert capsys.readouterr().out == "a    b\n123  45\n"
    terminal(6)
    print_table(("a", "b"), [("123", "45")], empty="")
    assert capsys.readouterr().out == "123\n    b 45\n"


def test_nothing_is_said_in_words(capsys):
    print_table(("a",), [], empty="There are none.")
    assert capsys.readouterr().out == "There are none.\n"
