"""`tracker consents timeline`: a story that reads well, and the API's shape for programs."""

import json
from datetime import timedelta

import pytest

from tests.cli.histories import CONSENT, DEMOBANK, START, a_whole_life, tell
from tracker.cli.timeline import print_timeline
from tracker.usecases.timeline import TimelineItem
from tracker.web.api.shapes.consents import TimelineItemOut, TimelineOut

NAME = f"demobank/{CONSENT}"


@pytest.fixture(scope="module")
def lived(template_database, key_folder, tmp_path_factory):
    """A database in which one consent has lived and ended."""
    import shutil

    database = shutil.copy(template_database, tmp_path_factory.mktemp("lived") / "tracker.db")
    tell(database, key_folder, a_whole_life)
    return database


@pytest.fixture
def life(folder, lived):
    import shutil

    shutil.copy(lived, folder / "tracker.db")
    return folder


def test_the_story_is_told_by_day_in_the_holders_order(run, life):
    lines = run("consents", "timeline", NAME).lines
    assert lines == [
        "2026-03-02 (UTC)",
        "  06:10:00  registered                                                   #1",
        "  06:15:00  NotStaged → AwaitingAuthorization    poll, 4 s later         #2",
        "  06:30:00  AwaitingAuthorization → Authorized   inferred",
        "            nobody told us: what came next implies it",
        "  06:30:00  Authorized → Suspended               webhook, 2 s later      #3",
        "  08:10:00  Suspended → Authorized               webhook, at once        #4",
        "2026-03-05 (UTC)",
        "  08:30:00  Authorized → Suspended               webhook, 2 h later      #6",
        "            learnt late: something younger was known already",
        "  08:40:00  Suspended → Authorized               webhook, 20 min later   #5",
        "2026-03-06 (UTC)",
        "  07:00:05  Authorized → AwaitingAuthorization   webhook, 5 s later      #7",
        "  07:00:05  irregular report                     webhook, 5 s later      #8",
        "            in doubt: cannot_follow",
        "  07:10:00  AwaitingAuthorization → Authorized   poll, 22 h later        #9",
        "            learnt late: something younger was known already",
        "2026-08-31 (UTC)",
        "  20:00:00  Authorized → Expired                 our clock, 1 s later    #10",
        "            the holder had not said so",
        "  20:00:00  Authorized → Expired                 poll, 2 min later       #12",
    ]


def test_it_fits_into_80_columns(run, life):
    assert max(map(len, run("consents", "timeline", NAME).lines)) <= 80


def test_json_is_the_shape_of_the_api(run, life, key_folder):
    async def read(bench):
        seen = await bench.consulting.get(DEMOBANK, CONSENT)
        items = await bench.timelines.of(seen.consent)
        return TimelineOut(items=tuple(map(TimelineItemOut.of, items))).model_dump(mode="json", by_alias=True)

    done = run("consents", "timeline", NAME, "--json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out) == tell(life / "tracker.db", key_folder, read)


def test_colours_are_for_terminals_only(run, life, monkeypatch):
    assert "\x1b" not in run("consents", "timeline", NAME).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32mAuthorized" in run("consents", "timeline", NAME).out


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-30, "at once"),
        (0.9, "at once"),
        (1, "1 s later"),
        (119, "119 s later"),
        (120, "2 min later"),
        (7199, "120 min later"),
        (7200, "2 h later"),
        (172_800, "2 d later"),
        (90 * 86_400, "90 d later"),
    ],
)
def test_how_much_later_is_told_in_a_fitting_unit(capsys, seconds, text):
    learned = START + timedelta(seconds=seconds)
    print_timeline([TimelineItem(type="x.y", status_date_time=START, learned_at=learned, channel="poll")])
    assert capsys.readouterr().out.endswith(f"poll, {text}\n")


def test_a_correction_and_words_of_others_are_told(capsys):
    print_timeline(
        [
            TimelineItem(type="consent.\x1b[2J", learned_at=START, channel="\x1b", reason="a,b\x1b", corrected=True),
            TimelineItem(type="consent.drift_found", learned_at=START, sequence=7),
            TimelineItem(type="consent.authorization_overdue", learned_at=START, reason="no_callback"),
            TimelineItem(type="payment.status_changed", learned_at=START, reason="failed"),
        ]
    )
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a correction: it ended earlier than was thought" in out
    assert "in doubt: a, b\\x1b" in out
    assert "drift found" in out
    assert "nobody finished authorizing" in out
    assert [line.strip() for line in out.splitlines()][-3::2] == ["no callback", "failed"]


def test_nothing_is_said_in_words(capsys):
    print_timeline([])
    assert capsys.readouterr().out == "Nothing happened yet.\n"
