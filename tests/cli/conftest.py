"""The program as its users run it: in a folder of its own, with a configuration, keys and a database."""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import tokens
from tracker.adapters.key_files import make_checkpoint_key, make_jwks, write_private
from tracker.adapters.secret_keys import make_secret_keys
from tracker.cli import main

CONFIGURATION = """\
[[client]]
client_id = "{client}"
profile = "uae-v2.1"
signing_jwks = "keys/signing.jwks.json"
encryption_jwks = "keys/encryption.jwks.json"
[[provider]]
id = "demobank"
profile = "uae-v2.1"
client_id = "{client}"
issuer = "{issuer}"
resource_url = "{issuer}"
[notifications]
secrets_key = "keys/secrets.jwks.json"
ownership_challenge = false
[audit]
checkpoint_key = "keys/checkpoint.jwk.json"
"""


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def says(self) -> str:
        """The one sentence of a refusal: nothing printed, no traceback, one line with an end."""
        assert self.out == "", self
        assert re.fullmatch(r"tracker: [^\n]+[.]\n", self.err), self
        return self.err.removeprefix("tracker: ").rstrip("\n")

    @property
    def lines(self) -> list[str]:
        assert self.err == "", self
        return self.out.splitlines()


Run = Callable[..., Done]


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys are costly: made once, copied."""
    folder = tmp_path_factory.mktemp("made") / "keys"
    folder.mkdir()
    write_private(folder / "signing.jwks.json", make_jwks("signing"))
    write_private(folder / "encryption.jwks.json", make_jwks("encryption"))
    write_private(folder / "checkpoint.jwk.json", make_checkpoint_key())
    write_private(folder / "secrets.jwks.json", make_secret_keys())
    return folder


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and nothing of ours in the environment."""
    for name in [name for name in os.environ if name.startswith("TRACKER_")]:
        monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def port(bare: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory: Callable[[], int]) -> int:
    """Where the service would listen: nobody does, whatever else goes on on this machine."""
    free = unused_tcp_port_factory()
    monkeypatch.setenv("TRACKER_HTTP__PORT", str(free))
    return free


@pytest.fixture
def folder(bare: Path, key_folder: Path) -> Path:
    """A working directory with a configuration and keys; no database yet."""
    shutil.copytree(key_folder, bare / "keys")
    (bare / "tracker.toml").write_text(CONFIGURATION.format(client=tokens.CLIENT_ID, issuer=tokens.ISSUER))
    return bare


@pytest.fixture
def filled(folder: Path, template_database: Path) -> Path:
    """The same with an empty database of the newest schema."""
    shutil.copy(template_database, folder / "tracker.db")
    return folder


@pytest.fixture
def run(bare: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run a command in this process; what it sets up of logging, which is the process's, is taken back."""
    root, ours = logging.getLogger(), logging.getLogger("tracker")
    handlers, levels = root.handlers[:], (root.level, ours.level)

    def run_one(*arguments: str | Path) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Done(int(end.value.code or 0), printed.out, printed.err)

    yield run_one
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that what is printed goes to a terminal of some width, which shows no colours."""

    def pretend(width: int) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("LINES", "25")

    return pretend


PROGRAM = (sys.executable, "-m", "tracker")


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulated hub in a process of its own; SIGTERM ends it with 0."""
    with subprocess.Popen(
        (*PROGRAM, "sandbox", "hub", "--port", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path_factory.mktemp("hub"),
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        url = process.stdout.readline().rstrip().rpartition(" ")[2]
        try:
            yield url
        finally:
            process.terminate()
            status = process.wait(20)
            errors = process.stderr.read()
    assert (status, errors) == (0, "")
