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
    logging.getLogger("tracker.x").warning("a name: %s", "\x1b[2J\nforged line")
    err = capsys.readouterr().err
    assert "\x1b" not in err
    if form == "json":
        assert json.loads(err)["message"] == "a name: \x1b[2J\nforged line"
    else:
        assert "a name: \\x1b[2J" in err


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
