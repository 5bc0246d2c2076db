"""One line of an export after the other, checked against itself and against the lines before it.

For each entry, in this order; the first that fails is what is told:

1. the line is JSON without double meanings, with the members of an export line;
2. it has the next sequence: nothing is missing, nothing changed places; or it declares itself what is lost before it (see `gap`);
3. its leaf hash is the hash of what the entry says;
4. the entry has exactly the members of a leaf, each of its form;
5. it is of this journal, is not older than the entry before, and names the consent's entry before;
6. its private value, where it is shown, gives the digest in the leaf;
7. the line is written the one way in which exports are written, so that no byte in it is without meaning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracker.journal import tree
from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.entry import Entry
from tracker.journal.export import MAX_LINE_BYTES, export_line
from tracker.journal.gap import GAP_TYPE, Gap, fill, gap_of
from tracker.journal.instant import parse_rfc3339
from tracker.journal.leaf import HOLDERS_CHANNELS, form_fault, is_hex_sha256, is_text, leaf_fault
from tracker.journal.manifest import BrokenExportError
from tracker.journal.private import SALT_BYTES, from_base64url, private_digest
from tracker.journal.strict import AmbiguousJsonError, loads

_LINE: Final = {
    "entry": lambda value: isinstance(value, dict),
    "leaf_hash": is_hex_sha256,
    "private": lambda value: value is None or isinstance(value, dict),
    "private_salt": lambda value: value is None or is_text(value),
}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the entries rest on, counted.

    Attributes:
        signed: A token that the holder signed, named by its hash.
        unsigned: The holder's answer without a signature.
        own: Our own clock, record or application.
        withheld: Entries whose private value is not shown: it was left out, or destroyed.
    """

    signed: int = 0
    unsigned: int = 0
    own: int = 0
    withheld: int = 0


@dataclass(slots=True, kw_only=True)
class Examination:
    """Follows a journal from its first entry on.

    The memory that it takes grows with the number of consents (about 250 bytes each), not of entries.

    Attributes:
        source: The journal as a URN.
        tally: What the entries so far rest on.
        frontier: The tree over them.
        gaps: What is lost, as the entries behind it declare.
        unseen: Of so many leaves from the first on nothing is known but the hashes.
        watched: Sizes of the tree at which its root is wanted.
        roots: These roots, as far as they were reached.
    """

    source: str
    tally: Tally = field(default_factory=Tally)
    frontier: tree.Frontier = field(default_factory=tree.Frontier)
    gaps: list[Gap] = field(default_factory=list)
    unseen: int = 0
    watched: frozenset[int] = frozenset()
    roots: dict[int, bytes] = field(default_factory=dict)
    _last_time: str = ""
    _last_of: dict[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many entries there were."""
        return self.frontier.size - self.unseen - sum(gap.count for gap in self.gaps)

    def pass_over(self, hashes: Iterable[bytes]) -> None:
        """Take leaves of which there is no more than the hashes; only before the first entry."""
        for leaf_hash in hashes:
            self.frontier.append(leaf_hash)
            self.unseen += 1
            self._note_root()

    def take(self, line: bytes) -> Entry:
        """Check the next line, given with its line feed, and give the entry in it.

        Raises:
            BrokenExportError: It is not what it should be.
        """
        sequence = self.frontier.size + 1
        try:
            entry = _read(line, sequence)
            self._check_place(entry)
            _check_private(entry)
            _check_writing(entry, line)
        except NotCanonicalError as error:
            raise BrokenExportError(f"entry {sequence}: has no canonical form. {error}") from error
        except (AmbiguousJsonError, BrokenExportError) as error:
            raise BrokenExportError(f"entry {sequence}: {error}") from error
        self._last_time = entry.leaf["time"]
        self._last_of[entry.subject] = entry.sequence
        self._grow(entry)
        self._count(entry)
        return entry

    def _grow(self, entry: Entry) -> None:
        gap = gap_of(entry.leaf)
        if gap is not None:
            self.gaps.append(gap)
            fill(self.frontier, gap.count)
        self.frontier.append(entry.leaf_hash)
        self._note_root()

    def _note_root(self) -> None:
        if self.frontier.size in self.watched:
            self.roots[self.frontier.size] = self.frontier.root()

    def _check_place(self, entry: Entry) -> None:
        if entry.source != self.source:
            raise BrokenExportError("it is of another journal")
        if entry.leaf["time"] < self._last_time:
            raise BrokenExportError(f"its time is before that of entry {self.frontier.size}")
        before = self._last_of.get(entry.subject)
        is_unseen = before is None and entry.previous is not None and entry.previous <= self.unseen
        if entry.previous != before and not is_unseen:
            told = "none" if entry.previous is None else entry.previous
            raise BrokenExportError(f"it names {told} as its consent's entry before, and that is {before or 'none'}")

    def _count(self, entry: Entry) -> None:
        data = entry.data
        if data["private_digest"] is not None and entry.private is None:
            self.tally.withheld += 1
        if data["channel"] not in HOLDERS_CHANNELS:
            self.tally.own += 1
        elif any(item["signed"] and item["channel"] in HOLDERS_CHANNELS for item in data["evidence"]):
            self.tally.signed += 1
        else:
            self.tally.unsigned += 1


def _read(line: bytes, sequence: int) -> Entry:
    if len(line) > MAX_LINE_BYTES:
        raise BrokenExportError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    members = loads(line)
    fault = form_fault(members, _LINE, "the line")
    if fault is not None:
        raise BrokenExportError(fault)
    leaf = members["entry"]
    _check_sequence(leaf, sequence)
    leaf_bytes = canonical(leaf)
    leaf_hash = tree.leaf_hash(leaf_bytes)
    if leaf_hash.hex() != members["leaf_hash"]:
        raise BrokenExportError("what it says is not what its leaf_hash was made of")
    fault = leaf_fault(leaf)
    if fault is not None:
        raise BrokenExportError(fault)
    return Entry(
        sequence=int(leaf["sequence"]),
        recorded_at=parse_rfc3339(leaf["time"]),
        leaf=leaf,
        leaf_bytes=leaf_bytes,
        leaf_hash=leaf_hash,
        private=members["private"],
        private_salt=_salt(members["private_salt"]),
    )


def _check_sequence(leaf: Mapping[str, Any], sequence: int) -> None:
    told, gap = leaf.get("sequence"), gap_of(leaf)
    if gap is not None:
        if gap.first != sequence:
            raise BrokenExportError(f"it declares entries {gap.first} to {gap.last} as lost, and {sequence} is missing")
        return
    if leaf.get("type") == GAP_TYPE:
        raise BrokenExportError("it declares a gap that is none")
    if told != f"{sequence:020d}":
        raise BrokenExportError(f"it is missing, or not in its place: here stands one with the sequence {_shown(told)}")


def _check_private(entry: Entry) -> None:
    if (entry.private is None) != (entry.private_salt is None):
        raise BrokenExportError("a private value and its salt are shown together or not at all")
    if entry.private is None or entry.private_salt is None:
        return
    if private_digest(entry.private, entry.private_salt) != entry.data["private_digest"]:
        raise BrokenExportError("its private value is not what the digest in the entry was made of")


def _check_writing(entry: Entry, line: bytes) -> None:
    if export_line(entry) != line:
        raise BrokenExportError("the line is not written as exports are written")


def _salt(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        salt = from_base64url(text)
    except ValueError as error:
        raise BrokenExportError("private_salt is not base64url") from error
    if len(salt) != SALT_BYTES:
        raise BrokenExportError(f"private_salt is not {SALT_BYTES} bytes long")
    return salt


def _shown(value: Any) -> str:
    """Show what a stranger wrote, so that it cannot move the cursor or fill the screen."""
    return f"{value[:40]!a}" if isinstance(value, str) else f"of type {type(value).__name__}"
