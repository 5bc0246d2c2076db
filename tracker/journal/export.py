"""A journal, or a part of it, written to a folder that an auditor can keep, read with common tools and check without us.

    entries.jsonl.gz   one line for each entry, in sequence:
                       {"entry": leaf, "leaf_hash": hex, "private": … or null, "private_salt": base64url or null}
                       where entries between are left out, with the proof of each: {…, "proof": [hex, …]}
    manifest.json      what the folder holds, with size and root of the tree, and a signed checkpoint if there is one

Each line is in canonical form (RFC 8785), and the leaf in it is byte for byte what was hashed.
"""

import json
from binascii import hexlify
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from tracker.journal.blocks import Blocks
from tracker.journal.canonical import canonical
from tracker.journal.checkpoint import parse_checkpoint, parse_note
from tracker.journal.entry import Entry
from tracker.journal.folder import ExportError, ExportFolder
from tracker.journal.gap import fill, gap_of
from tracker.journal.manifest import ENTRIES_NAME, Manifest
from tracker.journal.private import base64url
from tracker.journal.selection import Part
from tracker.journal.stretch import Around
from tracker.journal.tree import Frontier

MAX_LINE_BYTES: Final = 4 * 1_048_576
"""The largest line that is written or read. An entry has about 1 KB; what holders send is limited far below this."""

Proofs = Mapping[int, Sequence[bytes]]
"""Inclusion proofs, by sequence."""


Row = tuple[int, bytes, bytes, Mapping[str, Any] | None, bytes | None]
"""What an export needs of an entry, as a database gives it: its sequence; the canonical bytes of its leaf, unread; their RFC 6962
hash; what says something about a person, None when there is nothing or no longer; and what that was hashed with."""


def row_of(entry: Entry) -> Row:
    """The same of an entry that was read."""
    return entry.sequence, entry.leaf_bytes, entry.leaf_hash, entry.private, entry.private_salt


def export_line(row: Row, proof: Sequence[bytes] | None = None) -> bytes:
    """Write one entry as an export holds it, with its line feed.

    Args:
        row: The entry.
        proof: That it is in the tree; None where the whole file shows it.

    Raises:
        NotCanonicalError: Its private value has no canonical form.
    """
    _, leaf, leaf_hash, private, salt = row
    shown = b""
    if proof is not None:
        shown = b',"proof":[%b]' % b",".join([b'"%b"' % hexlify(node) for node in proof])
    return b'{"entry":%b,"leaf_hash":"%b","private":%b,"private_salt":%b%b}\n' % (
        leaf,
        hexlify(leaf_hash),
        b"null" if private is None else canonical(dict(private)),
        b"null" if salt is None else b'"' + base64url(salt).encode() + b'"',
        shown,
    )


def export_lines(rows: Sequence[Row], proofs: Proofs | None = None) -> list[bytes]:
    """Write several.

    Raises:
        NotCanonicalError: A private value has no canonical form.
    """
    if proofs is not None:
        return [export_line(row, proofs[row[0]]) for row in rows]
    return [
        _PLAIN % (row[1], hexlify(row[2])) if row[3] is None and row[4] is None else export_line(row) for row in rows
    ]


_PLAIN: Final = b'{"entry":%b,"leaf_hash":"%b","private":null,"private_salt":null}\n'

Lines = Callable[[Sequence[Row], Proofs | None], list[bytes]]
"""How entries are written: a line each, in order."""


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
        lines: Lines = export_lines,
        head: bytes = b"",
    ) -> None:
        """Begin, or go on.

        Args:
            folder: Where to.
            part: What is written.
            name: Of the file; one that ends in `.gz` is packed.
            left: What lies left of it in the tree; none of a filter.
            lines: How entries are written.
            head: What the file begins with.

        Raises:
            ExportError: The folder cannot be written.
        """
        self._part = part
        self._lines = lines
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
            self._blocks.put([head])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.close()

    def add(self, rows: Sequence[Row], proofs: Proofs | None = None, *, up_to: int | None = None) -> None:
        """Add the next entries.

        Args:
            rows: In sequence.
            proofs: Of each of them, if they are a filter's.
            up_to: Up to here nothing else is chosen; None: up to the last of them.

        Raises:
            ExportError: One is not the next, is of another journal, is too large, or the disk is full.
            NotCanonicalError: A private value has no canonical form.
        """
        self._require_next(rows)
        lines = self._lines(rows, proofs)
        if lines and max(map(len, lines)) > MAX_LINE_BYTES:
            large = next(row[0] for row, line in zip(rows, lines, strict=True) if len(line) > MAX_LINE_BYTES)
            raise ExportError(f"Entry {large} is larger than {MAX_LINE_BYTES} bytes.")
        taken = 0
        while taken < len(rows):
            end = taken + self._blocks.put(lines[taken:] if taken else lines)
            self._grow(rows[taken:end])
            taken = end
            if self._blocks.is_full:
                self._cut()
        if up_to is not None and self._is_filter:
            self.position = max(self.position, up_to)

    def _grow(self, rows: Sequence[Row]) -> None:
        """Note what was written. What is missing before an entry was declared as lost by it: `_require_next` has seen that."""
        if not self._is_filter and rows[-1][0] != self.position + len(rows):
            for sequence, _, leaf_hash, _, _ in rows:
                if sequence != self.position + 1:
                    self._frontier.extend(self._leaves)
                    self._leaves.clear()
                    fill(self._frontier, sequence - 1 - self.position)
                self._leaves.append(leaf_hash)
                self.position = sequence
        else:
            self._leaves += [row[2] for row in rows]
            self.position = rows[-1][0]
        self.count += len(rows)

    def _require_next(self, rows: Sequence[Row]) -> None:
        before, mark = self.position, self._mark
        is_next = [row[0] for row in rows] == list(range(before + 1, before + 1 + len(rows)))
        if is_next and before + len(rows) <= self._part.last and all([mark in row[1] for row in rows]):  # noqa: C419 - quicker
            return
        for sequence, leaf, _, _, _ in rows:
            if sequence != before + 1:
                if sequence <= before or (self._is_filter and sequence > self._part.last):
                    raise ExportError(f"Entry {sequence} is not in its place: it came after entry {before}.")
                if not self._is_filter and not self._is_behind_gap(sequence, leaf, before):
                    raise ExportError(f"Entry {before + 1} is missing: entry {sequence} came in its place.")
            if mark not in leaf:
                raise ExportError(f"Entry {sequence} is of another journal.")
            before = sequence
        if before > max(self._part.last, self.position):
            raise ExportError(f"Entry {before} is not in its place: the export ends before it.")

    def _is_behind_gap(self, sequence: int, leaf: bytes, before: int) -> bool:
        """Whether an entry declares all that is missing before it as lost; of the first, the gap may begin before the part."""
        gap = gap_of(json.loads(leaf))
        if gap is None or gap.last + 1 != sequence:
            return False
        return gap.first == before + 1 or (before == self._part.first - 1 and gap.first <= before)

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
            raise ExportError(f"Entry {self.position + 1} is missing: try `tracker journal verify --database`.")
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
