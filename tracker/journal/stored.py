"""Entries as the database holds them, checked row by row as an export's lines are; nothing in a row is taken on trust.

A row says more than a line: its columns repeat what the leaf says, so that entries can be looked up by it. They are held against
the leaf too, and the leaves against the stored tree, tile by tile.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.entry import Entry
from tracker.journal.examine import Examination
from tracker.journal.gap import GAP_HASH, gap_of
from tracker.journal.manifest import BrokenExportError
from tracker.journal.private import base64url
from tracker.journal.tiles import FULL_BYTES, WIDTH, Tile, edge, grown
from tracker.journal.tree import HASH_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """One row, every column as it is.

    Attributes:
        sequence: The key by which it is found.
        id: As the leaf should say.
        lane: Whose order it keeps; see `draft.lane_of`.
        recorded_at: As the leaf should say; None where what is stored is no time.
        leaf: Bytes.
        leaf_hash: Bytes.
        private: JSON, opened; None where there is none, or its key is no more.
        private_salt: Bytes, or None, likewise.
        fault: What is wrong with what could not even be read; empty: all could.
        private_fault: What is wrong with a private value that could not be opened although its key is there.
    """

    sequence: int
    id: str
    lane: str
    recorded_at: datetime | None
    leaf: bytes
    leaf_hash: bytes
    private: Any
    private_salt: bytes | None
    fault: str = ""
    private_fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredHead:
    """The journal's one row, and what it should agree with.

    Attributes:
        journal_id: UUID.
        last: The sequence that it gave last.
        recorded_at: When that was; None in a new journal.
        highest: The highest sequence of any row; 0: there is none.
        detached: The last sequence whose entry was taken out of the table with all before it; 0: none was.
    """

    journal_id: str
    last: int
    recorded_at: datetime | None
    highest: int
    detached: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNote:
    """A stored checkpoint, every column as it is.

    Attributes:
        size: The key by which it is found: how many entries it is over.
        root: The root over them.
        note: Signed; None where it is not yet.
        is_signed: Whether it is said to be.
    """

    size: int
    root: bytes
    note: str | None
    is_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A key that is said to have signed stored checkpoints.

    Attributes:
        vkey: The key, as `name+hash+base64`.
        first_size: The first that it signed.
        last_size: The last one.
    """

    vkey: str
    first_size: int
    last_size: int


def take_row(examination: Examination, row: StoredRow) -> Entry:
    """Check the next row.

    Raises:
        BrokenExportError: It is not what it should be; the message names the entry.
    """
    expected = examination.frontier.size + 1
    if row.fault:
        raise BrokenExportError(f"entry {row.sequence}: {row.fault}")
    entry = examination.take(_line(row, expected))
    columns = {
        "sequence": (row.sequence, entry.sequence),
        "id": (row.id, entry.id),
        "tracking_id": (row.lane, entry.lane),
        "recorded_at": (row.recorded_at, entry.recorded_at),
    }
    for name, (held, told) in columns.items():
        if held != told:
            raise BrokenExportError(f"entry {entry.sequence}: the column {name} is not what the entry says")
    if row.private_fault:
        raise BrokenExportError(f"entry {entry.sequence}: {row.private_fault}")
    return entry


def _line(row: StoredRow, expected: int) -> bytes:
    try:
        private = canonical(row.private)
    except NotCanonicalError as error:
        raise BrokenExportError(f"entry {expected}: its private value has no canonical form. {error}") from error
    salt = b"null" if row.private_salt is None else b'"' + base64url(row.private_salt).encode() + b'"'
    return b'{"entry":%b,"leaf_hash":"%b","private":%b,"private_salt":%b}\n' % (
        row.leaf,
        row.leaf_hash.hex().encode(),
        private,
        salt,
    )


def check_head(head: StoredHead, examination: Examination, last: Entry | None) -> None:
    """Hold the journal's head against the entries up to it.

    Raises:
        BrokenExportError: It is of more entries, or fewer, or of an earlier time.
    """
    reached = examination.frontier.size
    if reached < head.last:
        raise BrokenExportError(
            f"entry {reached + 1} is missing: the journal's head says that {head.last} were written"
        )
    if head.highest > head.last:
        raise BrokenExportError(
            f"entry {head.last + 1} is beyond the journal's head, which would give its number to another"
        )
    if last is not None and (head.recorded_at is None or head.recorded_at < last.recorded_at):
        raise BrokenExportError(f"the journal's head is of a time before that of entry {last.sequence}")


@dataclass(slots=True)
class TreeCheck:
    """Builds the tree again beside the stored one, from the entries' own hashes, and compares tile by tile.

    Attributes:
        size: How far the stored tree reaches; what is beyond is not in it yet.
        reached: How far was built.
    """

    size: int
    reached: int = 0
    _edge: dict[Tile, bytes] = field(default_factory=dict)

    def grow(self, hashes: Iterable[bytes]) -> dict[Tile, bytes]:
        """Add leaf hashes, and give the tiles that should be stored: those that are full now, and at the end the others too."""
        leaves = list(islice(hashes, self.size - self.reached))
        changed = grown(self.reached, self._edge, leaves)
        self.reached += len(leaves)
        at_edge = edge(self.reached)
        self._edge = {tile: changed.get(tile, self._edge.get(tile, b"")) for tile in at_edge}
        done = {tile: hashes for tile, hashes in changed.items() if tile not in self._edge}
        return done | (self._edge if self.reached == self.size else {})


def leaves_of(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The leaf hashes of entries, and what stands in the tree for those that they declare as lost."""
    for entry in entries:
        gap = gap_of(entry.leaf)
        if gap is not None:
            for _ in range(gap.count):
                yield GAP_HASH
        yield entry.leaf_hash


def check_tiles(wanted: Mapping[Tile, bytes], stored: Mapping[Tile, bytes]) -> None:
    """Hold stored tiles against what they should be, the first entries first.

    Raises:
        BrokenExportError: One differs; the message names the first entry whose hash is another, if it is about one.
    """
    for tile in sorted(wanted):
        held, made = stored.get(tile), wanted[tile]
        if held is None:
            raise BrokenExportError(f"tile {tile.position} of level {tile.level} of the stored tree is missing")
        if held[: len(made)] == made and len(held) <= FULL_BYTES:  # it may have grown since the tree was looked at
            continue
        if tile.level == 0:
            first = next(at for at in range(0, len(made), HASH_BYTES) if held[at : at + HASH_BYTES] != _hash(made, at))
            sequence = tile.position * WIDTH + first // HASH_BYTES + 1
            raise BrokenExportError(f"entry {sequence}: the stored tree does not have its hash")
        raise BrokenExportError(
            f"tile {tile.position} of level {tile.level} of the stored tree is not over the entries"
        )


def _hash(tile: bytes, at: int) -> bytes:
    return tile[at : at + HASH_BYTES]
