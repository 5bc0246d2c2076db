"""Drafts, entries and exports for the tests of the journal: valid by default, a test says only what matters to it."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracker.journal.checkpoint import Checkpoint, assemble, note_text, vkey
from tracker.journal.entry import Draft, Entry, Evidence, seal
from tracker.journal.export import EntryWriter, publish, row_of
from tracker.journal.folder import ExportFolder
from tracker.journal.gap import GAP_HASH, gap_of
from tracker.journal.selection import Part, whole
from tracker.journal.stretch import Around
from tracker.journal.tiles import covering
from tracker.journal.tree import inclusion_proof, root
from tracker.journal.verify import Answer, Verdict

JOURNAL_ID = "0198f1c2-0000-7000-8000-000000000001"
SOURCE = f"urn:uuid:{JOURNAL_ID}"
ORIGIN = "demo.example/journal"
START = datetime(2026, 3, 2, 11, 13, 21, tzinfo=UTC)


def uuid(number: int) -> str:
    return str(UUID(int=(8 << 76) | (8 << 60) | number))


def a_token(number: int = 1) -> Evidence:
    return Evidence(
        channel="webhook",
        signed=True,
        jws_sha256=hashlib.sha256(b"jws %d" % number).hexdigest(),
        jwe_sha256=hashlib.sha256(b"jwe %d" % number).hexdigest(),
        kid="hub-key-1",
        jwk_thumbprint="NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    )


def a_draft(**changes: Any) -> Draft:
    facts: dict[str, Any] = {
        "id": uuid(1),
        "type": "consent.status_changed",
        "provider": "demobank",
        "tracking_id": uuid(100),
        "consent_id": "5b0e7c1a-consent",
        "kind": "account-access",
        "from_status": "Authorized",
        "to_status": "Revoked",
        "status_date_time": START - timedelta(seconds=2),
        "received_at": START - timedelta(seconds=1),
        "channel": "webhook",
        "confirmed": True,
        "revoked_by": "LFI.InitiatedByUser",
        "usable": False,
        "evidence": (a_token(),),
    }
    return Draft(**facts | changes)


def sealed(drafts: Iterable[Draft], source: str = SOURCE) -> list[Entry]:
    """Give drafts their places, one second apart."""
    entries: list[Entry] = []
    last_of: dict[str, int] = {}
    for sequence, draft in enumerate(drafts, start=1):
        previous = last_of.get(draft.lane)
        recorded_at = START + timedelta(seconds=sequence)
        entries.append(seal(draft, sequence=sequence, previous=previous, recorded_at=recorded_at, source=source))
        last_of[draft.lane] = sequence
    return entries


def some_drafts(count: int) -> list[Draft]:
    """A journal of several consents: registered by us, told by the holder, expired by our clock."""
    return [_nth_draft(number) for number in range(count)]


def _nth_draft(number: int) -> Draft:
    facts: dict[str, Any] = {"id": uuid(number), "tracking_id": uuid(100 + number % 3)}
    if number < 3:
        private = {"user_ref": f"customer-{number}", "terms": {"Amount": 12.5, "Purpose": "Haushalt für Zoë"}}
        facts |= {"type": "consent.registered", "channel": None, "evidence": (), "received_at": None}
        facts |= {"private": private, "private_salt": bytes([number]) * 32}
    elif number % 5 == 3:
        facts |= {"channel": "poll", "evidence": (Evidence(channel="poll", signed=False),)}
    elif number % 5 == 4:
        facts |= {"channel": "clock", "evidence": (), "type": "consent.expiry_inferred", "confirmed": False}
    else:
        facts |= {"evidence": (a_token(number),)}
    return a_draft(**facts)


COUNT = 12
ENTRIES = sealed(some_drafts(COUNT))
ROOT = root(entry.leaf_hash for entry in ENTRIES)


class Signer:
    """A checkpoint key, as an adapter would hold it."""

    def __init__(self, name: str = ORIGIN) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.name = name
        self.public_key = self._key.public_key().public_bytes_raw()
        self.vkey = vkey(name, self.public_key)
        self.short = "+".join(self.vkey.split("+", 2)[:2])

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def note(self, checkpoint: Checkpoint) -> str:
        text = note_text(checkpoint)
        return assemble(text, self.name, self.public_key, self.sign(text.encode()))


def leaves_of(entries: Iterable[Entry]) -> list[bytes]:
    """The leaves of the tree over them, with those of declared gaps."""
    leaves: list[bytes] = []
    for entry in entries:
        gap = gap_of(entry.leaf)
        leaves += [GAP_HASH] * (0 if gap is None else gap.count) + [entry.leaf_hash]
    return leaves


def export(folder: Path, entries: Sequence[Entry], signer: Signer | None = None) -> Path:
    """Write a whole export."""
    return export_part(folder, entries, whole(JOURNAL_ID, entries[-1].sequence if entries else 0), signer)


def export_part(folder: Path, entries: Sequence[Entry], part: Part, signer: Signer | None = None) -> Path:
    """Write a part of a journal that has these entries."""
    leaves = leaves_of(entries)
    tree_root, place = root(leaves), ExportFolder(folder, part.members())
    beside = Around(subtrees(leaves, 0, part.first - 1), subtrees(leaves, part.last, part.tree_size))
    around, proofs = (None, {}) if part.selection.is_filter else (beside, None)
    chosen = [row_of(entry) for entry in entries if part.first <= entry.sequence <= part.last]
    if proofs is not None:
        chosen = [row for row in chosen if part.selection.fault(json.loads(row[1])) is None]
        proofs = {row[0]: inclusion_proof(leaves, row[0] - 1) for row in chosen}
    with EntryWriter(place, part, left=beside.left if around else ()) as writer:
        writer.add(chosen, proofs)
        writer.finish()
        note = None if signer is None else signer.note(Checkpoint(ORIGIN, part.tree_size, tree_root))
        publish(place, part, writer.count, root=tree_root, around=around, note=note)
    return folder


def subtrees(leaves: Sequence[bytes], first: int, end: int) -> tuple[bytes, ...]:
    """The roots of the complete subtrees over some leaves, from the definition."""
    return tuple(
        root(leaves[node.position << node.height : (node.position + 1) << node.height]) for node in covering(first, end)
    )


def read_lines(folder: Path) -> list[bytes]:
    return gzip.decompress((folder / "entries.jsonl.gz").read_bytes()).splitlines(keepends=True)


def write_lines(folder: Path, lines: Iterable[bytes], **manifest: Any) -> None:
    """Put other lines into an export, as somebody would who also mends the manifest's word about the file."""
    packed = gzip.compress(b"".join(lines), mtime=0)
    (folder / "entries.jsonl.gz").write_bytes(packed)
    file = {"name": "entries.jsonl.gz", "bytes": len(packed), "sha256": hashlib.sha256(packed).hexdigest()}
    change_manifest(folder, file=file, **manifest)


def change_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    members = json.loads(path.read_bytes()) | changes
    path.write_bytes(json.dumps(members, indent=2, ensure_ascii=False).encode())


def change_line(folder: Path, index: int, change: Callable[[dict[str, Any]], None], *, rehash: bool = False) -> None:
    """Change one line as JSON, and write it the way exports are written."""
    lines = read_lines(folder)
    line = json.loads(lines[index])
    change(line)
    if rehash:
        leaf = json.dumps(line["entry"], sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        line["leaf_hash"] = hashlib.sha256(b"\x00" + leaf).hexdigest()
    lines[index] = json.dumps(line, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    write_lines(folder, lines)


def refused(verdict: Verdict, *words: str) -> None:
    """Require that a folder is called broken, for the reason given."""
    assert not verdict.accepted
    assert verdict.intact.answer is Answer.NO
    assert verdict.intact.sentence.startswith("no: ")
    assert verdict.by_whom.answer is Answer.UNKNOWN
    assert verdict.holders_word.answer is Answer.UNKNOWN
    for word in words:
        assert word in verdict.intact.sentence
    assert verdict.intact.sentence.isprintable()
