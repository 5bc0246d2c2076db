"""Checkpoints and proofs verified by an implementation that is not ours: the packages behind Go's checksum database."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.checkpointing import a_signer, checkpointing
from tests.clocks import ManualClock
from tests.contract.facts import a_consent, append, draft_about, save
from tracker.adapters.clock import SystemIds
from tracker.adapters.store.sqlite import SqliteDatabase
from tracker.adapters.store.store import SqlStore
from tracker.journal.note import NoteSignature
from tracker.usecases.proofs import Proofs

SOURCE = Path(__file__).parent / "notes" / "main.go"
GO_PATH = Path("/usr/share/gocode")  # where Debian's golang-golang-x-mod-dev puts it


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built."""
    go = shutil.which("go")
    if go is None or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("go and golang.org/x/mod are not installed: apt-get install golang-go golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    environment = {
        **os.environ,
        "GOPATH": str(GO_PATH),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOCACHE": str(folder / "cache"),
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
    }
    command = [go, "build", "-o", str(folder / "verifier"), str(SOURCE)]
    subprocess.run(command, check=True, env=environment, cwd=folder, timeout=110)
    return folder / "verifier"


def _answer(verifier: Path, question: dict[str, Any]) -> list[str]:
    done = subprocess.run([verifier], input=json.dumps(question), capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.split() if done.returncode == 0 else [done.stderr]


def _text(data: bytes) -> str:
    return b64encode(data).decode()


async def test_go_verifies_checkpoints_and_proofs_and_refuses_changed_ones(verifier: Path, database: Path) -> None:
    store = SqlStore(SqliteDatabase(database), SystemIds())
    made, proofs, consent = (
        checkpointing(store, ManualClock(), a_signer(), a_signer("next")),
        Proofs(store),
        a_consent(),
    )
    await save(store, consent)
    entries = await append(store, *(draft_about(consent) for _ in range(200)))
    older = await made.require_head()
    entries += await append(store, *(draft_about(consent) for _ in range(340)))
    newest = await made.require_head()
    size = newest.size
    inclusions = await proofs.inclusions([1, 200, 256, 257, 540], size)
    proven: list[dict[str, Any]] = [
        {"index": n - 1, "leaf": _text(entries[n - 1].leaf_bytes), "hashes": [_text(one) for one in path]}
        for n, path in inclusions.items()
    ]
    for first in (1, 200, 256, size):
        root, path = await proofs.root(first), await proofs.consistency(first, size)
        proven.append({"index": -1, "from": first, "root": _text(root), "hashes": [_text(one) for one in path]})
    await store.close()
    keys = [a_signer().vkey, a_signer("next").vkey]
    shorts = ["+".join(key.split("+", 2)[:2]) for key in keys]
    question = {"note": newest.note, "vkeys": keys, "proofs": proven}
    assert _answer(verifier, question) == shorts
    for key, short in zip(keys, shorts, strict=True):
        assert _answer(verifier, question | {"vkeys": [key]}) == [short]
    seen = NoteSignature("w.example", b"hash", bytes(72))  # a witness's line, which Go's `note` knows nothing of
    assert _answer(verifier, question | {"note": f"{newest.note}{seen.line()}\n"}) == shorts
    assert _answer(verifier, {"note": older.note, "vkeys": keys, "proofs": []}) == shorts
    stranger = a_signer("stranger").vkey
    assert "no verifiable signatures" in _answer(verifier, question | {"vkeys": [stranger]})[0]
    assert "invalid signature" in _answer(verifier, question | {"note": str(newest.note).replace("540", "541")})[0]
    for wrong in range(len(proven)):
        changed = json.loads(json.dumps(proven))
        if not changed[wrong]["hashes"]:  # of the whole tree there is nothing to prove, but its root
            changed[wrong]["root"] = _text(bytes(32))
        else:
            changed[wrong]["hashes"][-1] = _text(bytes(32))
        assert "proof" in _answer(verifier, question | {"proofs": changed})[0]
