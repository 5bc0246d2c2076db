"""One line of an export after the other, checked against itself and against the lines before it.

For each entry, in this order; the first that fails is what is told:

1. the line is JSON without double meanings, with the members of an export line;
2. it has the next sequence: nothing is missing, nothing changed places; or it declares itself what is lost before it (see `gap`);
   in a filter it has a later one, in the range;
3. its leaf hash is the hash of what the entry says;
4. the entry has exactly the members of a leaf, each of its form;
5. it is of this journal, is not older than the entry before, and names the consent's entry before;
6. it is among what was chosen, and in a filter its proof leads to the root;
7. its private value, where it is shown, gives the digest in the leaf;
8. the line is written the one way in which exports are written, so that no byte in it is without meaning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tracker.journal import tree
from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.entry import Entry
from tracker.journal.export import MAX_LINE_BYTES, export_line, row_of
from tracker.journal.gap import GAP_TYPE, Gap, fill, gap_of
from tracker.journal.instant import parse_rfc3339
from tracker.journal.leaf import HOLDERS_CHANNELS, Form, form_fault, is_hex_sha256, is_sequence, is_text, leaf_fault
from tracker.journal.manifest import BrokenExportError
from tracker.journal.private import SALT_BYTES, from_base64url, private_digest
from tracker.journal.selection import Part
from tracker.journal.stretch import before, begun
from tracker.journal.strict import AmbiguousJsonError, loads

_MOST_STEPS: Final = 64
"""A proof has a step for each time that the leaves can be halved."""

_LINE: Final[dict[str, Form]] = {
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


_PROVED: Final[dict[str, Form]] = {
    **_LINE,
    "proof": lambda value: isinstance(value, list) and len(value) <= _MOST_STEPS and all(map(is_hex_sha256, value)),
}


class _Line(NamedTuple):
    entry: Entry
    proof: tuple[bytes, ...] | None


class Examination:
    """Follows a journal, or a part of one, from its first entry on.

    The memory that it takes grows with the number of consents (about 250 bytes each), not of entries.

    Attributes:
        part: What it is of.
        tally: What the entries so far rest on.
        count: How many they are.
        position: The sequence of the last of them; the one before the part if there was none.
        frontier: The tree up to the last of them; empty for a filter, whose entries are proved one by one.
        gaps: What is lost, as the entries behind it declare; in a filter these may be left out.
        unseen: Of so many leaves from the first on nothing is known but the hashes.
        watched: Sizes of the tree at which its root is wanted.
        roots: These roots, as far as they were reached.
    """

    def __init__(
        self,
        part: Part,
        *,
        root: bytes = b"",
        left: Sequence[bytes] = (),
        watched: frozenset[int] = frozenset(),
    ) -> None:
        """Stand before the first entry.

        Args:
            part: What is to come.
            root: Of the tree over the journal, as the part says; of a whole journal it is computed.
            left: What lies before a contiguous part in it; nothing before a whole journal.
            watched: Sizes of the tree at which its root is wanted.

        Raises:
            BrokenExportError: The hashes beside it are not as many as there are.
        """
        self.part = part
        self._root = root
        self._is_filter = part.selection.is_filter
        self._forms = _PROVED if self._is_filter else _LINE
        self._last_time = ""
        self._last_of: dict[str, int] = {}
        self.position = part.first - 1
        self.tally = Tally()
        self.count = 0
        self.gaps: list[Gap] = []
        self.unseen = 0
        self.watched = watched
        self.roots: dict[int, bytes] = {}
        self.frontier = tree.Frontier()
        if not self._is_filter:
            try:
                self.frontier = begun(part.first, left)
            except ValueError as error:
                raise BrokenExportError("left has not a hash for each complete subtree before the part") from error
            for earlier in before(part.first, left):
                self.look(earlier)
            self.look(self.frontier)
        elif part.tree_size in watched:
            self.roots[part.tree_size] = root

    @property
    def tree_size(self) -> int:
        """Over how many entries the tree is: of a whole journal, over those that there were."""
        return self.frontier.size if self.part.is_whole else self.part.tree_size

    @property
    def root(self) -> bytes:
        """The root of that tree: of a whole journal the entries', of a part what it is tied to."""
        return self.frontier.root() if self.part.is_whole else self._root

    def pass_over(self, hashes: Iterable[bytes]) -> None:
        """Take leaves of which there is no more than the hashes; only before the first entry of a whole journal."""
        for leaf_hash in hashes:
            self.frontier.append(leaf_hash)
            self.unseen += 1
            self.position += 1
            self.look(self.frontier)

    def take(self, line: bytes) -> Entry:
        """Check the next line, given with its line feed, and give the entry in it.

        Raises:
            BrokenExportError: It is not what it should be.
        """
        name = f"line {self.count + 1}" if self._is_filter else f"entry {self.position + 1}"
        try:
            entry, proof = self._read(line)
            if self._is_filter:
                name = f"entry {entry.sequence}"
            self._check_place(entry)
            self._check_choice(entry, proof)
            _check_private(entry)
            _check_writing(entry, proof, line)
        except NotCanonicalError as error:
            raise BrokenExportError(f"{name}: has no canonical form. {error}") from error
        except (AmbiguousJsonError, BrokenExportError) as error:
            raise BrokenExportError(f"{name}: {error}") from error
        self._last_time = entry.leaf["time"]
        self._last_of[entry.subject] = entry.sequence
        self._grow(entry)
        self._count(entry)
        return entry

    def _grow(self, entry: Entry) -> None:
        gap = gap_of(entry.leaf)
        if gap is not None:
            self.gaps.append(gap)
        if not self._is_filter:
            if gap is not None:
                fill(self.frontier, gap.last - self.position)
            self.frontier.append(entry.leaf_hash)
            self.look(self.frontier)
        self.position = entry.sequence
        self.count += 1

    def look(self, reached: tree.Frontier) -> None:
        """Keep the root of a tree that was reached, if it is wanted."""
        if reached.size in self.watched:
            self.roots[reached.size] = reached.root()

    def _read(self, line: bytes) -> _Line:
        if len(line) > MAX_LINE_BYTES:
            raise BrokenExportError(f"the line is longer than {MAX_LINE_BYTES} bytes")
        members = loads(line)
        fault = form_fault(members, self._forms, "the line")
        if fault is not None:
            raise BrokenExportError(fault)
        leaf = members["entry"]
        sequence = self._sequence_of(leaf)
        leaf_bytes = canonical(leaf)
        leaf_hash = tree.leaf_hash(leaf_bytes)
        if leaf_hash.hex() != members["leaf_hash"]:
            raise BrokenExportError("what it says is not what its leaf_hash was made of")
        fault = leaf_fault(leaf)
        if fault is not None:
            raise BrokenExportError(fault)
        entry = Entry(
            sequence=sequence,
            recorded_at=parse_rfc3339(leaf["time"]),
            leaf=leaf,
            leaf_bytes=leaf_bytes,
            leaf_hash=leaf_hash,
            private=members["private"],
            private_salt=_salt(members["private_salt"]),
        )
        return _Line(entry, tuple(map(bytes.fromhex, members["proof"])) if self._is_filter else None)

    def _sequence_of(self, leaf: Mapping[str, Any]) -> int:
        told, following = leaf.get("sequence"), self.position + 1
        gap = gap_of(leaf)
        if gap is None and leaf.get("type") == GAP_TYPE:
            raise BrokenExportError("it declares a gap that is none")
        if not self._is_filter:
            if gap is not None:
                return self._behind(gap)
            if told != f"{following:020d}":
                raise BrokenExportError(
                    f"it is missing, or not in its place: here stands one with the sequence {_shown(told)}"
                )
            return following
        sequence = int(told) if isinstance(told, str) and is_sequence(told) else 0
        if not following <= sequence <= self.part.last:
            raise BrokenExportError(f"it is not in its place: its sequence is {_shown(told)}")
        return sequence

    def _behind(self, gap: Gap) -> int:
        """The sequence of what declares a gap, if nothing else is missing; of a part's first entry it may lie before the part."""
        following = self.position + 1
        begins_here = gap.first == following or (self.count == 0 and gap.first < following <= gap.last + 1)
        if not begins_here:
            raise BrokenExportError(
                f"it declares entries {gap.first} to {gap.last} as lost, and {following} is missing"
            )
        return gap.last + 1

    def _check_place(self, entry: Entry) -> None:
        if entry.source != self.part.source:
            raise BrokenExportError("it is of another journal")
        if entry.leaf["time"] < self._last_time:
            raise BrokenExportError(f"its time is before that of entry {self.position}")
        last, named = self._last_of.get(entry.subject), entry.previous
        if last is None and named is not None and (named < self.part.first or named <= self.unseen):
            return  # it lies before what is here
        if named != last:
            raise BrokenExportError(
                f"it names {named or 'none'} as its consent's entry before, and that is {last or 'none'}"
            )

    def _check_choice(self, entry: Entry, proof: tuple[bytes, ...] | None) -> None:
        fault = self.part.selection.fault(entry.leaf)
        if fault is not None:
            raise BrokenExportError(fault)
        if proof is None:
            return
        if not tree.is_included(entry.leaf_hash, entry.sequence - 1, self.part.tree_size, proof, self._root):
            raise BrokenExportError("its proof does not lead to the root")

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


def _check_private(entry: Entry) -> None:
    if (entry.private is None) != (entry.private_salt is None):
        raise BrokenExportError("a private value and its salt are shown together or not at all")
    if entry.private is None or entry.private_salt is None:
        return
    if private_digest(entry.private, entry.private_salt) != entry.data["private_digest"]:
        raise BrokenExportError("its private value is not what the digest in the entry was made of")


def _check_writing(entry: Entry, proof: tuple[bytes, ...] | None, line: bytes) -> None:
    if export_line(row_of(entry), proof) != line:
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
