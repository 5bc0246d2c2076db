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
    logging.getLogger("tracker").setLevel(logging.NOTSET)


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


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl",
        "eyJhbGciOiJQUzI1NiJ9",
        "eyJhbGciOiJSU0EifQ.a_-b.c-_d.e.f",
        "Bearer abc.def+ghi/jkl==",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "trk_radhg6cniqdat5a4_mJBh2DDLyYh_OYHwACTF5029",
        "AE070331234567890123456",
        "AE07 0331 2345 6789 0123 456",
    ],
)
def test_what_looks_like_a_secret_is_masked_wherever_it_comes_from(form, capsys, secret):
    logs.set_up("info", form)
    log = logging.getLogger("tracker.x")
    log.info("quoting '%s'", secret, extra={"reason": secret})
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("failed")
    err = capsys.readouterr().err
    assert secret.removeprefix("Bearer ") not in err
    assert "quoting '" in err
    assert err.count("(masked)") >= 2


@pytest.mark.parametrize(
    "harmless",
    [
        "0198f1c2-7d4e-7aaa-8bbb-0123456789ab",
        "consent.status_changed",
        "4f1bDqyLJgVQwS6lLr2oJ1a0cZ0pQm6mCDr6VYg9W1o",
        "UNIQUE constraint failed: consent.tracking_id",
        "https://auth1.demobank.apihub.openfinance.ae",
    ],
)
def test_what_is_none_is_not(harmless):
    assert logs.masked(harmless) == harmless


def test_libraries_are_heard_from_warnings_on(form, capsys):
    logs.set_up("debug", form)
    library = logging.getLogger("sqlalchemy.engine.Engine")
    library.info("Row ('Mariam',)")
    library.warning("something is wrong")
    logging.getLogger("tracker.x").debug("ours")
    err = capsys.readouterr().err
    assert "Mariam" not in err
    assert "something is wrong" in err
    assert "ours" in err
