"""Completion, asked of real shells at a terminal: a line is begun, Tab is pressed, and the shell says what the line became."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tracker.domain.consent import Status
from tracker.profiles import PROFILES

BEGUN = {
    "con": "consents",
    "consents tim": "timeline",
    "consents list --hold": "--holder-status",
    "consents list --holder-status Aut": "Authorized",
    "consents list --provider dem": "demobank",
}
START = {
    "bash": ("bash", "--noprofile", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
SOURCE = {
    "bash": 'eval "$(tracker --show-completion bash)"',
    "zsh": 'autoload -Uz compinit; compinit -u -D; bindkey -e; eval "$(tracker --show-completion zsh)"',
}
PATIENCE_SECONDS = 30


def present(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")


@pytest.fixture
def around(folder, tmp_path):
    """An environment in which `tracker` is a program, and home is empty."""
    place = tmp_path / "bin"
    place.mkdir()
    program = place / "tracker"
    program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    root = Path(__file__).parents[2]
    return {
        "PATH": f"{place}:{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


class Terminal:
    """A shell at a terminal."""

    def __init__(self, shell, environment):
        self.end, other = pty.openpty()
        self.process = subprocess.Popen(
            START[shell], stdin=other, stdout=other, stderr=other, env=environment, start_new_session=True
        )
        os.close(other)
        self.shown = ""

    def type(self, text):
        os.write(self.end, text.encode())

    def until(self, pattern):
        """Read on until it shows something; forget what came up to there."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (found := re.search(pattern, self.shown)) is None:
            ready, _, _ = select.select([self.end], [], [], max(0, until - time.monotonic()))
            assert ready, self.shown
            self.shown += os.read(self.end, 4096).decode(errors="replace")
        self.shown = self.shown[found.end() :]
        return found

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.end)


@pytest.mark.skipif(sys.platform == "win32", reason="has no terminals of this kind")
@pytest.mark.parametrize("shell", START)
def test_a_shell_completes_what_was_begun(around, shell):
    present(shell)
    terminal = Terminal(shell, around)
    try:
        terminal.type(f"{SOURCE[shell]}; printf '<%s>' read''y\r")
        terminal.until("<ready>")
        became = {}
        for number, begun in enumerate(BEGUN):
            # To the line's start, to have it printed and not run.
            terminal.type(f"tracker {begun}\t\x01printf '<%s>' d''one{number} \r")
            words = terminal.until(rf"<done{number}>((<[^<>]*>)+)")[1]
            became[begun] = words.removesuffix(">").rpartition("<")[2]
    finally:
        terminal.close()
    assert became == BEGUN


def test_fish_completes_what_was_begun(around):
    present("fish")
    script = "tracker --show-completion fish | source\n" + "".join(
        f"echo (complete --do-complete 'tracker {begun}')\n" for begun in BEGUN
    )
    done = subprocess.run(("fish", "--no-config"), input=script, env=around, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == list(BEGUN.values())


def complete(around, line):
    """Ask as the script of bash asks."""
    words = ["tracker", *line.split(" ")]
    asked = {"_TRACKER_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run("tracker", env=around | asked, capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("consents list --status ", list(Status)),
        ("consents list --effective-status A", ["AwaitingAuthorization", "Authorized"]),
        ("consents list --kind ", sorted(kind for profile in PROFILES.values() for kind in profile.kinds)),
        ("quarantine list --provider ", ["demobank"]),
        ("subscriptions add --provider x", []),
        ("subscriptions add --to Exp", ["Expired"]),
        ("subscriptions add --kind pay", ["payment"]),
        ("--show-completion ", ["bash", "zsh", "fish"]),
        ("consents show ", []),
    ],
)
def test_all_values_are_offered_and_none_that_cannot_be(around, line, found):
    assert complete(around, line) == found


def test_a_configuration_that_cannot_be_read_offers_no_provider_and_says_nothing(around, folder):
    assert complete(around, "consents list --provider ") == ["demobank"]
    (folder / "tracker.toml").write_text("[[provider]]\nid = 5")
    assert complete(around, "consents list --provider ") == []
    (folder / "tracker.toml").unlink()
    assert complete(around, "consents list --provider ") == []


def test_it_is_added_to_a_start_up_file(around, tmp_path):
    (tmp_path / ".bashrc").write_text("# mine\n")
    done = subprocess.run(
        ("tracker", "--install-completion", "bash"), env=around, capture_output=True, text=True, check=True
    )
    assert (done.stderr, "bash completion installed in" in done.stdout) == ("", True)
    first, *_, last = (tmp_path / ".bashrc").read_text().splitlines()
    assert (first, Path(last.split("'")[1]).read_text().startswith("_tracker_completion()")) == ("# mine", True)


@pytest.mark.parametrize("shell", ["tcsh", "", "Bash"])
def test_a_shell_that_is_not_known_is_refused(run, shell):
    done = run("--show-completion", shell)
    assert done.status == 2
    assert "'bash', 'zsh', 'fish'" in done.says
