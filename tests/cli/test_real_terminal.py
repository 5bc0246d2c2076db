"""What is listed, at a real terminal of some width: in colours there, without when they are not wanted, plain in a pipe."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests import tokens
from tests.cli.conftest import CONFIGURATION, PROGRAM
from tests.cli.histories import CONSENT, DEMOBANK, a_whole_life, tell
from tests.usecases.bench import data, event

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "consents list",
    f"consents show {DEMOBANK}/{CONSENT}",
    f"consents timeline {DEMOBANK}/{CONSENT}",
    "quarantine list",
    "subscriptions list",
)
COLOURED = {"quarantine list": False}  # it has no statuses
STYLE = re.compile(r"\x1b\[[\d;]*m")
WORD = re.compile(r"[\w./:*-]{4,}")
ALL = """
import sys
from tracker.cli import main
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as end:
        assert not end.code, command
    print("=== end")
"""
COLOUR = re.compile(r"\x1b\[(?:[\d;]*;)?[39]\d(?:;[\d;]*)?m")


async def story(bench):
    await a_whole_life(bench)
    for n in range(5):
        await bench.register(f"c{n}")
    await bench.deliver(event(data(), iss="https://evil.example"))


@pytest.fixture(scope="module")
def place(tmp_path_factory, template_database, key_folder):
    """A working directory with everything in it that can be listed."""
    folder = tmp_path_factory.mktemp("listed")
    shutil.copytree(key_folder, folder / "keys")
    shutil.copy(template_database, folder / "tracker.db")
    (folder / "tracker.toml").write_text(CONFIGURATION.format(client=tokens.CLIENT_ID, issuer=tokens.ISSUER))
    tell(folder / "tracker.db", key_folder, story)
    add = "subscriptions add https://crm.example/hooks --type consent.* --to Revoked"
    subprocess.run((*PROGRAM, *add.split()), cwd=folder, check=True, capture_output=True)
    return folder


def show(place, columns=None, **environment):
    """What each command shows at a terminal, or in a pipe where there is no width; one process, to be quick."""
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environment}
    arguments = (sys.executable, "-c", ALL, *COMMANDS)
    if columns is None:
        shown = subprocess.run(arguments, cwd=place, env=kept, capture_output=True, text=True, check=True).stdout
    else:
        shown = _at_a_terminal(columns, arguments, cwd=place, env={**kept, "TERM": "xterm-256color"})
    parts = shown.split("=== end\n")
    assert parts.pop() == ""
    return dict(zip(COMMANDS, parts, strict=True))


def _at_a_terminal(columns, arguments, **options):
    end, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with (
        subprocess.Popen(arguments, stdin=other, stdout=other, stderr=subprocess.DEVNULL, **options) as done,
        os.fdopen(end, "rb", buffering=0) as screen,
    ):
        os.close(other)
        shown = b"".join(_pieces(screen))
    assert done.returncode == 0
    return shown.decode().replace("\r\n", "\n")


def _pieces(screen):
    while True:
        try:
            piece = screen.read(4096)
        except OSError:  # how Linux says that the other side is gone
            return
        if not piece:
            return
        yield piece


def test_lists_fit_their_terminal_in_colours_and_are_plain_elsewhere(place):
    piped = show(place)
    assert "\x1b" not in "".join(piped.values())
    for columns in (80, 200):
        for command, shown in show(place, columns).items():
            assert bool(COLOUR.search(shown)) == COLOURED.get(command, True), command
            plain = STYLE.sub("", shown)
            assert "\x1b" not in plain
            assert max(map(len, plain.splitlines())) <= columns
            fits = max(map(len, piped[command].splitlines())) <= columns
            assert (plain == piped[command]) == fits
            assert set(WORD.findall(plain)) <= set(WORD.findall(piped[command]))
    unwanted = show(place, 80, NO_COLOR="1").values()
    assert not COLOUR.search("".join(unwanted))
    assert STYLE.search("".join(unwanted))  # bold is no colour
