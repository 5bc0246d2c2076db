"""What the service's log says, and what it leaves out."""

import json
import logging

import pytest
from aiohttp.http_exceptions import BadStatusLine

from tracker.cli import logs


@pytest.fixture(params=["text", "json"])
def form(request):
    root, theirs = logging.getLogger(), logging.getLogger("aiohttp.server")
    handlers, level, filters = root.handlers[:], root.level, theirs.filters[:]
    yield request.param
    root.handlers[:], theirs.filters[:] = handlers, filters
    root.setLevel(level)


def test_control_characters_of_others_are_shown_and_not_obeyed(form, capsys):
    logs.set_up("info", form)
    logging.getLogger("tracker.x").warning("a name: %s", "\x1b[2J\x9b2J\u202e\nforged line")
    err = capsys.readouterr().err
    assert not {"\x1b", "\x9b", "\u202e"} & set(err)
    assert err.count("\n") == 1
    if form == "json":
        assert json.loads(err)["message"] == "a name: \x1b[2J\x9b2J\u202e\nforged line"
    else:
        assert "a name: \\x1b[2J\\x9b2J\\u202e\\nforged line" in err


def test_lines_of_a_traceback_do_not_look_like_lines_of_the_log(form, capsys):
    logs.set_up("info", form)
    try:
        raise RuntimeError("it said:\n12:00:00 WARNING tracker  forged line")
    except RuntimeError:
        logging.getLogger("tracker.x").exception("Opening failed")
    first, *others = capsys.readouterr().err.splitlines()
    assert "Opening failed" in first
    assert (others == []) if form == "json" else all(line.startswith("    ") for line in others)


def test_what_is_not_http_fills_no_log(form, capsys):
    logs.set_up("info", form)
    server = logging.getLogger("aiohttp.server")
    for error in (BadStatusLine("rubbish"), RuntimeError("ours")):
        try:
            raise error
        except Exception:
            server.exception("Error handling request")
    err = capsys.readouterr().err
    assert "rubbish" not in err
    assert "RuntimeError" in err
