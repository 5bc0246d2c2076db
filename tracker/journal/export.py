"""A journal, or a part of it, written to a folder that an auditor can keep, read with common tools and check without us.

    entries.jsonl.gz   one line for each entry, in sequence:
                       {"entry": leaf, "leaf_hash": hex, "private": … or null, "private_salt": base64url or null}
                       where entries between are left out, with the proof of each: {…, "proof": [hex, …]}
    manifest.json      what the folder holds, with size and root of the tree, and a signed checkpoint if there is one

Each line is in canonical form (RFC 8785), and the leaf in it is byte for byte what was hashed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

from tracker.journal.blocks import Blocks
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import parse_checkpoint, parse_note
from tracker.journal.folder import ExportError, ExportFolder
from tracker.journal.manifest import ENTRIES_NAME, Manifest
from tracker.journal.private import base64url
from tracker.journal.selection import Part
from tracker.journal.stretch import Around
from tracker.journal.tree import Frontier

MAX_LINE_BYTES: Final = 4 * 1_048_576
"""The largest line that is written or read. An entry has about 1 KB; what holders send is limited far below this."""

Proofs = Mapping[int, Sequence[bytes]]
"""Inclusion proofs, by sequence."""


class Row(NamedTuple):
    """What an export needs of an entry: what is stored, and the leaf unread.

    Attributes:
        sequence: Its number.
        leaf_bytes: Its canonical form.
        leaf_hash: RFC 6962 hash of these bytes.
        private: What says something about a person; None when there is nothing, or no longer.
        private_salt: What it was hashed with.
    """

    sequence: int
    leaf_bytes: bytes
    leaf_hash: bytes
    private: Mapping[str, Any] | None = None
    private_salt: bytes | None = None


class Exported(Protocol):
    """An entry, or a row of one."""

    @property
    def leaf_bytes(self) -> bytes:
        """Its canonical form."""

    @property
    def leaf_hash(self) -> bytes:
        """RFC 6962 hash of these bytes."""

    @property
    def private(self) -> Mapping[str, Any] | None:
        """What says something about a person."""

    @property
    def private_salt(self) -> bytes | None:
        """What it was hashed with."""


def export_line(entry: Exported, proof: Sequence[bytes] | None = None) -> bytes:
    """Write one entry as an export holds it, with its line feed.

    Args:
        entry: The entry.
        proof: That it is in the tree; None where the whole file shows it.

    Raises:
        NotCanonicalError: Its private value has no canonical form.
    """
    shown = b""
    if proof is not None:
        shown = b',"proof":[%b]' % b",".join([b'"%b"' % node.hex().encode() for node in proof])
    return b'{"entry":%b,"leaf_hash":"%b","private":%b,"private_salt":%b%b}\n' % (
        entry.leaf_bytes,
        entry.leaf_hash.hex().encode(),
        b"null" if entry.private is None else canonical(dict(entry.private)),
        b"null" if entry.private_salt is None else b'"' + base64url(entry.private_salt).encode() + b'"',
        shown,
    )


Line = Callable[[Exported, Sequence[bytes] | None], bytes]
"""How one entry is written."""


class EntryWriter:
    """Writes entries to one file, in constant memory. The same entries always give the same bytes, in however many goes.

    It is a context manager; left without `finish`, it leaves what is needed to go on another time. It blocks on the disk and on
    compression: an asynchronous caller hands it batches in a thread.
    """

    def __init__(
        self,
        folder: ExportFolder,
        part: Part,
        name: str = ENTRIES_NAME,
        *,
        left: Sequence[bytes] = (),
        line: Line = export_line,
        head: bytes = b"",
    ) -> None:
        """Begin, or go on.

        Args:
            folder: Where to.
            part: What is written.
            name: Of the file; one that ends in `.gz` is packed.
            left: What lies left of it in the tree; none of a filter.
            line: How an entry is written.
            head: What the file begins with.

        Raises:
            ExportError: The folder cannot be written.
        """
        self._part = part
        self._line = line
        self._mark = b'"source":"%b"' % part.source.encode()
        self._is_filter = part.selection.is_filter
        state = folder.state
        self.position: int = state.get("position", part.first - 1)
        self.count: int = state.get("count", 0)
        self._frontier = Frontier()
        if not self._is_filter:
            peaks = map(bytes.fromhex, state["peaks"]) if state else left
            self._frontier = Frontier(self.position, peaks)
        self._leaves: list[bytes] = []
        self._blocks = Blocks(folder, name, is_packed=name.endswith(".gz"))
        if head and not state:
            self._blocks.put(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.close()

    def add(self, rows: Iterable[Row], proofs: Proofs | None = None, *, up_to: int | None = None) -> None:
        """Add the next entries.

        Args:
            rows: In sequence.
            proofs: Of each of them, if they are a filter's.
            up_to: Up to here nothing else is chosen; None: up to the last of them.

        Raises:
            ExportError: One is not the next, is of another journal, is too large, or the disk is full.
            NotCanonicalError: A private value has no canonical form.
        """
        line, put, leaves = self._line, self._blocks.put, self._leaves
        for row in rows:
            self._require_next(row)
            written = line(row, None if proofs is None else proofs[row.sequence])
            if len(written) > MAX_LINE_BYTES:
                raise ExportError(f"Entry {row.sequence} is larger than {MAX_LINE_BYTES} bytes.")
            self.position = row.sequence
            self.count += 1
            leaves.append(row.leaf_hash)
            if put(written):
                self._cut()
        if up_to is not None and self._is_filter:
            self.position = max(self.position, up_to)

    def _require_next(self, row: Row) -> None:
        sequence, position = row.sequence, self.position
        if sequence <= position or sequence > self._part.last:
            raise ExportError(f"Entry {sequence} is not in its place: it came after entry {position}.")
        if sequence != position + 1 and not self._is_filter:
            raise ExportError(f"Entry {position + 1} is missing: entry {sequence} came in its place.")
        if self._mark not in row.leaf_bytes:
            raise ExportError(f"Entry {sequence} is of another journal.")

    def _cut(self) -> None:
        if not self._is_filter:
            self._frontier.extend(self._leaves)
        self._leaves.clear()
        peaks = [peak.hex() for peak in self._frontier.peaks]
        self._blocks.cut({"position": self.position, "count": self.count, "peaks": peaks})

    def finish(self) -> Frontier:
        """Write what is left; the tree up to the last entry, which is empty for a filter.

        Raises:
            ExportError: An entry is missing, or the disk is full.
        """
        if not self._is_filter and self.position != self._part.last:
            raise ExportError(f"Entry {self.position + 1} is missing.")
        self._cut()
        self._blocks.finish()
        return self._frontier


def publish(
    folder: ExportFolder, part: Part, count: int, *, root: bytes, around: Around | None, note: str | None
) -> Manifest:
    """Give an export its manifest and its name.

    Args:
        folder: With the finished file.
        part: What is in it.
        count: How many entries.
        root: Of the tree.
        around: What lies beside it; None for a filter.
        note: A signed checkpoint of that tree; None if nobody signs.

    Raises:
        ExportError: The checkpoint is of another tree, or the disk is full.
        NoteError: The checkpoint is none.
    """
    if note is not None:
        signed = parse_checkpoint(parse_note(note).text)
        if (signed.size, signed.root) != (part.tree_size, root):
            raise ExportError("The checkpoint is not of this tree.")
    manifest = Manifest(
        part=part,
        count=count,
        file=folder.finished(ENTRIES_NAME),
        root_hash=root.hex(),
        around=around,
        checkpoint=note,
    )
    folder.publish([ENTRIES_NAME], manifest.to_bytes())
    return manifest
