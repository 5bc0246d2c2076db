"""`tracker demo`: it plays to the end wherever it is started, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM


@pytest.fixture
def hostile(bare, tmp_path):
    """An environment that means other things by our names, and a place for temporary files with a space in its name."""
    (bare / "tracker.toml").write_text("[[[ not ours")
    place = tmp_path / "temporary files 100%"
    place.mkdir()
    return os.environ | {
        "TMPDIR": str(place),
        "TRACKER_CONFIG": str(tmp_path / "nowhere.toml"),
        "TRACKER_HTTP__PORT": "1",
        "TRACKER_NONSENSE": "1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }


def left_behind(environment):
    return list(Path(environment["TMPDIR"]).iterdir())


def children(group):
    """The processes of a group that are still there."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(fields[2]) == group and fields[0] != "Z":
            found.append(entry.name)
    return found


def test_it_plays_once_and_leaves_nothing_behind(bare, hostile):
    process = subprocess.Popen(
        (*PROGRAM, "demo", "--once"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=hostile,
        start_new_session=True,
    )
    out, errors = process.communicate(timeout=110)
    assert (process.returncode, errors) == (0, ""), out
    assert out.endswith("\nAll 16 steps held.\n")
    assert "\x1b" not in out
    assert re.findall(r"^ ?(\d+)\. ", out, re.MULTILINE) == [str(n) for n in range(1, 17)]
    assert [line for line in out.splitlines() if len(line) > 100] == []
    assert left_behind(hostile) == []
    assert children(process.pid) == []
    assert [path.name for path in bare.iterdir()] == ["tracker.toml"]


@pytest.mark.parametrize(("options", "sign", "status"), [((), "SIGTERM", 0), (("--once",), "SIGINT", 1)])
def test_a_signal_ends_it_and_it_cleans_up(hostile, options, sign, status):
    with subprocess.Popen(
        (*PROGRAM, "demo", *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=hostile
    ) as process:
        for line in process.stdout:
            if line.startswith(" 1. "):
                break
        process.send_signal(signal.Signals[sign])
        out, errors = process.communicate(timeout=30)
    # A demo that was to check every step, and was not let, has not succeeded.
    assert (process.returncode, errors) == (status, ""), out
    assert out.endswith("Interrupted: not all steps were played.\n")
    assert left_behind(hostile) == []


def test_a_reader_that_goes_away_ends_it(hostile):
    with subprocess.Popen(
        (*PROGRAM, "demo"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=hostile
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        status = process.wait(60)
    assert (status, errors) == (1, "")
    assert left_behind(hostile) == []


@pytest.fixture
def short_story(tmp_path):
    """The program with a story of two steps, the second one at will: what surrounds the story need not wait for it."""

    def written(last):
        file = tmp_path / "short.py"
        file.write_text(
            "from tracker.cli import demo_story, main\n"
            "async def fail(stage): raise OSError('the [/] disk\\x1b is full')\n"
            "async def hold(stage): pass\n"
            f"demo_story.STORY = (*demo_story.STORY[:1], ('A last step', {last}))\n"
            "main()\n"
        )
        return (PROGRAM[0], str(file))

    return written


def test_it_goes_on_until_it_is_stopped_and_says_where_to_look(hostile, short_story):
    with subprocess.Popen(
        (*short_story("hold"), "demo"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=hostile
    ) as process:
        said = ""
        for line in process.stdout:
            said += line
            if "revoked_by" in line:
                break
        docs = re.search(r"API, to read +(http\S+/docs)", said)[1]
        key = re.search(r"API key +(trk_\S+)", said)[1]
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(docs, timeout=10) as answer:
            assert answer.status == 200
        consent = re.search(r'Bearer \$KEY" (http\S+/savings-coach)$', said, re.MULTILINE)[1]
        request = urllib.request.Request(consent, headers={"Authorization": f"Bearer {key}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            assert answer.status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert left_behind(hostile) == []


def test_a_step_that_fails_is_named(hostile, short_story):
    done = subprocess.run(
        (*short_story("fail"), "demo", "--once"), capture_output=True, text=True, check=False, env=hostile
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.endswith("FAILED at step 2, A last step: OSError: the [/] disk\\x1b is full\n")
    assert left_behind(hostile) == []
