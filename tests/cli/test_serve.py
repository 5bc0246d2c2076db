"""Which loop the service runs on; that it serves on each, tests/app/test_doors.py shows."""

import sys

import pytest
import uvloop

from tracker.cli.serve import _loop_factory


def test_it_runs_on_uvloop_where_that_is_installed() -> None:
    assert _loop_factory() is uvloop.new_event_loop


def test_it_runs_on_asyncio_where_uvloop_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert _loop_factory() is None
