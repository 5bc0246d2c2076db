"""What proves the journal, over the API: keys, checkpoints, proofs, cosignatures."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.checkpointing import ORIGIN, a_signer
from tests.tokens import ed_key
from tests.web.site import Site, open_site
from tracker.adapters.checkpoint_signer import is_signed
from tracker.journal import tree
from tracker.journal.checkpoint import parse_note, parse_vkey, vkey
from tracker.journal.note import COSIGNATURE, NoteSignature, cosigned

WITNESS = vkey("w.example", ed_key("w").public_key().public_bytes_raw(), COSIGNATURE)
CHECKPOINT = "/v1/audit/checkpoint"
TEXT = {"Accept": "text/plain"}


@pytest.fixture
async def site(database: Path, keys: Path) -> AsyncIterator[Site]:
    async with open_site(database, keys, audit={"origin": ORIGIN, "witnesses": [WITNESS]}) as opened:
        opened.tracker.auditing.checkpoints.sign_with([a_signer()])
        yield opened


async def _register(site: Site, count: int) -> None:
    for n in range(count):
        await site.register(f"c-{await site.tracker.store.head()}-{n}")


async def test_a_checkpoint_is_made_on_demand_and_shown(site: Site) -> None:
    assert (await site.get(CHECKPOINT)).problem == "checkpoint_not_found"
    await _register(site, 3)
    made = await site.call("POST", CHECKPOINT)
    assert (made.status, made.json["size"], made.json["timestamp"]) == (200, 3, None)
    key = parse_vkey(a_signer().vkey)
    assert made.json["signatures"] == [{"name": ORIGIN, "key_hash": key.key_hash.hex()}]
    assert (await site.get(CHECKPOINT)).json == made.json
    await _register(site, 1)
    assert (await site.call("POST", CHECKPOINT, headers=TEXT)).body.startswith(f"{ORIGIN}\n4\n".encode())
    older = await site.get(f"{CHECKPOINT}?size=3", headers=TEXT)
    assert (older.headers["Content-Type"], older.body.decode()) == ("text/plain; charset=utf-8", made.json["note"])
    assert older.headers["Cache-Control"] == "no-store"
    note = parse_note(older.body.decode())
    assert is_signed(key.public_key, note.signatures[0].signature, note.text.encode())
    assert (await site.get(f"{CHECKPOINT}?size=2")).problem == "checkpoint_not_found"


async def test_nothing_is_signed_without_a_key_or_of_a_changed_journal(site: Site) -> None:
    await _register(site, 3)
    site.tracker.auditing.checkpoints.sign_with([])
    assert (await site.call("POST", CHECKPOINT)).problem == "not_signed"
    site.tracker.auditing.checkpoints.sign_with([a_signer()])
    assert (await site.call("POST", CHECKPOINT)).status == 200
    await _register(site, 1)
    site.execute("UPDATE checkpoint SET root = zeroblob(32)")
    said = await site.call("POST", CHECKPOINT)
    assert (said.status, said.problem) == (500, "journal_forked")
    assert 'tracker_checkpoints_total{outcome="refused"} 1.0' in (await site.call_bare("GET", "/metrics")).body.decode()


async def test_nothing_is_signed_while_nobody_can_read_what_was_published(
    database: Path, keys: Path, tmp_path: Path
) -> None:
    place = tmp_path / "checkpoint"
    async with open_site(database, keys, audit={"origin": ORIGIN, "publish_to": str(place)}) as site:
        site.tracker.auditing.checkpoints.sign_with([a_signer()])
        place.mkdir()
        consent = await site.register()
        for method, path in (("POST", CHECKPOINT), ("GET", f"/v1/consents/demobank/{consent['consent_id']}/evidence")):
            answer = await site.call(method, path)
            assert (answer.status, answer.problem) == (503, "not_ready")
        place.rmdir()
        assert (await site.call("POST", CHECKPOINT)).status == 200
        assert place.read_text().startswith(ORIGIN)


async def test_keys_come_and_go_and_are_all_told(site: Site) -> None:
    (only,) = (await site.get("/v1/audit/key")).json["keys"]
    assert (only["vkey"], only["state"], only["since"]) == (a_signer().vkey, "active", None)
    await _register(site, 1)
    await site.call("POST", CHECKPOINT)
    site.tracker.auditing.checkpoints.sign_with([a_signer("next")])
    await _register(site, 1)
    await site.call("POST", CHECKPOINT)
    told = (await site.get("/v1/audit/key")).json
    assert told["origin"] == ORIGIN
    assert [(one["vkey"], one["state"], one["first_size"], one["last_size"]) for one in told["keys"]] == [
        (a_signer("next").vkey, "active", 2, 2),
        (a_signer().vkey, "retired", 1, 1),
    ]


async def test_an_entry_is_proven_to_be_in_the_journal(site: Site) -> None:
    await _register(site, 5)
    made = (await site.call("POST", CHECKPOINT)).json
    await _register(site, 2)
    entries = await site.tracker.store.entries_after(0, 10)
    for n in (1, 5):
        proof = (await site.get(f"/v1/audit/proof?sequence={n}")).json
        assert (proof["kind"], proof["size"], proof["root"]) == ("inclusion", 5, made["root_hash"])
        assert (proof["index"], proof["leaf_hash"]) == (n - 1, entries[n - 1].leaf_hash.hex())
        hashes = [bytes.fromhex(one) for one in proof["hashes"]]
        assert tree.is_included(entries[n - 1].leaf_hash, n - 1, 5, hashes, bytes.fromhex(proof["root"]))
    later = (await site.get("/v1/audit/proof?sequence=7&size=7")).json
    assert later["root"] == tree.root([one.leaf_hash for one in entries]).hex()
    last = (await site.get("/v1/audit/proof")).json
    assert last["index"] == 4
    for wrong in ("?sequence=6", "?sequence=0", "?sequence=1&from_size=1", "?sequence=1&size=8", "?from_size=6"):
        assert (await site.get(f"/v1/audit/proof{wrong}")).problem == "invalid_request"


async def test_a_journal_is_proven_to_go_on_from_an_older_one(site: Site) -> None:
    await _register(site, 6)
    leaves = [one.leaf_hash for one in await site.tracker.store.entries_after(0, 10)]
    for older in range(7):
        proof = (await site.get(f"/v1/audit/proof?from_size={older}")).json  # no checkpoint: all that there are
        assert (proof["kind"], proof["from_size"], proof["size"]) == ("consistency", older, 6)
        roots = bytes.fromhex(proof["from_root"]), bytes.fromhex(proof["root"])
        assert roots == (tree.root(leaves[:older]), tree.root(leaves))
        assert tree.is_consistent(older, roots[0], 6, roots[1], [bytes.fromhex(one) for one in proof["hashes"]])


async def test_the_tree_itself_is_shown(site: Site) -> None:
    await _register(site, 3)
    await site.call("POST", CHECKPOINT)
    told = (await site.get("/v1/audit/tile?level=0&position=0")).json
    assert told["hashes"] == [one.leaf_hash.hex() for one in await site.tracker.store.entries_after(0, 10)]
    for wrong in ("level=0&position=1", "level=1&position=0", "level=63&position=0", "level=x"):
        assert (await site.get(f"/v1/audit/tile?{wrong}")).problem == "invalid_request"


async def test_what_a_witness_says_is_kept_and_shown(site: Site) -> None:
    await _register(site, 2)
    made = (await site.call("POST", CHECKPOINT)).json
    note, witness = parse_note(made["note"]), parse_vkey(WITNESS)
    time = 1_772_450_000
    signed = time.to_bytes(8) + ed_key("w").sign(cosigned(note.text, time))
    line = NoteSignature(witness.name, witness.key_hash, signed).line()

    async def say(text: Any) -> Any:
        return await site.call("POST", f"{CHECKPOINT}/cosignatures", json={"note": text})

    for refused, why in (
        (made["note"], "cosignature_refused"),
        (f"{made['note']}{line[:-8]}AAAAAAA=\n", "cosignature_refused"),
        ("no note", "invalid_request"),
        (f"not\na checkpoint\n\n{line}\n", "invalid_request"),
        (7, "invalid_request"),
        (f"{ORIGIN}\n9\n{b64encode(bytes(32)).decode()}\n\n{line}\n", "checkpoint_not_found"),
        (f"{ORIGIN}\n{2**63}\n{b64encode(bytes(32)).decode()}\n\n{line}\n", "checkpoint_not_found"),
    ):
        assert (await say(refused)).problem == why
    kept = await say(f"{note.text}\n{line}\n")
    assert (kept.status, kept.json["note"]) == (200, f"{made['note']}{line}\n")
    assert [one["name"] for one in kept.json["signatures"]] == [ORIGIN, "w.example"]
    assert (await site.get(CHECKPOINT)).json == kept.json


@pytest.mark.parametrize("scopes", [("read", "write"), ("read",)])
async def test_proofs_are_for_those_who_audit(site: Site, scopes: tuple[str, ...]) -> None:
    key = await site.add_key(*scopes)
    for method, path in (("GET", "key"), ("GET", "checkpoint"), ("POST", "checkpoint"), ("GET", "proof?from_size=0")):
        assert (await site.call(method, f"/v1/audit/{path}", key=key)).problem == "forbidden"
