"""The path of a new operator is walked as its document tells it, and every answer in it is given."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests import tokens
from tests.cli.conftest import Run
from tests.reader import ROOT, SERVICES, Reader, reading

DOCUMENT = (ROOT / "docs" / "first-hour.md").read_text("utf-8")
STEPS = re.findall(
    r"^```sh\n(.*?)^```$(?:\s+^```text\n(.*?)^```$)?",
    DOCUMENT.partition("\n## Wrong turns")[0],
    re.MULTILINE | re.DOTALL,
)
WRONG_TURNS = re.findall(r"^\| `(.+)` \| (.+) \| (.+) \|$", DOCUMENT.partition("\n## Wrong turns")[2], re.MULTILINE)

needs_a_shell = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="The document's commands need bash and curl"
)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody with a third party's keys, as other programs left them."""
    with reading(tmp_path / "empty") as reader:
        keys = reader.folder / "keys"
        keys.mkdir()
        private = rsa.generate_private_key(65537, 2048)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (keys / "signing.key").write_bytes(pem)
        (keys / "signing.key").chmod(0o600)
        encryption = tokens.private_jwk(tokens.rsa_key("ours"), kid="tpp-enc-2026", use="enc", alg="RSA-OAEP-256")
        (keys / "encryption.jwks.json").write_text(json.dumps({"keys": [encryption]}))
        (keys / "encryption.jwks.json").chmod(0o644)
        yield reader


def pattern(words: str) -> str:
    """What is written, as a regular expression: `…` is anything, and how wide a gap is does not matter."""
    written = re.sub(r"\s*…\s*", "…", " ".join(words.split()))
    return re.escape(written).replace("…", ".*")


def missing(shown: str, said: str) -> list[str]:
    """Which of the lines shown were not said, in their order."""
    lines = iter(" ".join(line.split()) for line in said.splitlines())
    return [line for line in shown.splitlines() if not any(re.fullmatch(pattern(line), one) for one in lines)]


def typed(reader: Reader, run: Run, block: str) -> tuple[int, str]:
    """Run a block; `tracker check` at its end in this process, which spares a second each time."""
    commands, is_checked, _ = block.partition("tracker check\n")
    done = reader.run(commands)
    if not is_checked:
        return done.returncode, done.stdout
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    checked = run("check")
    return checked.status, done.stdout + checked.out


@needs_a_shell
def test_the_path_leads_where_the_document_says(reader: Reader, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reader.folder)
    for block, shown in STEPS:
        if block.startswith(SERVICES):
            reader.begin(block)
            continue
        answers, deadline = reader.here(shown), time.monotonic() + 20
        status, said = typed(reader, run, block)
        while block.startswith("tracker consents timeline") and missing(answers, said):
            assert time.monotonic() < deadline, said
            status, said = typed(reader, run, block)
        assert missing(answers, said) == [], f"{block}\n{said}"
        assert (status != 0) == ("FAIL" in shown), f"{block}\n{said}"


def test_it_ends_with_an_event_on_record() -> None:
    assert sum(block.startswith(SERVICES) for block, _ in STEPS) == len(SERVICES)
    assert sum("tracker check" in block and "next  " in shown for block, shown in STEPS) == 10
    assert "webhook" in STEPS[-2][1]
    assert len(WRONG_TURNS) == 10


@needs_a_shell
@pytest.mark.usefixtures("port")
@pytest.mark.parametrize(("command", "words", "step"), WRONG_TURNS, ids=[turn[1][:30] for turn in WRONG_TURNS])
def test_a_wrong_turn_is_told_as_the_document_says(
    run: Run, filled: Path, hub: str, command: str, words: str, step: str
) -> None:
    file = filled / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.ISSUER, hub))
    assert run("sandbox", "register", "--hub", hub).status == 0

    def here(text: str) -> str:
        return text.replace(":9000", hub[hub.rindex(":") :])

    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", here(command)], check=True, env=os.environ | {"PATH": path}, capture_output=True)
    *_, found, step_found = [line for line in run("check").lines if re.match("FAIL|warn|next", line)]
    assert re.search(pattern(here(words)), found.replace("`", ""))
    assert re.fullmatch(rf"next {{2}}{pattern(step)}.*", step_found.replace("`", ""))
