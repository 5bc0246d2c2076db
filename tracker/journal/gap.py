"""A declared gap: sequences that are lost for ever, because the journal was restored from a copy that does not know of them.

The copy ends at entry 900; a published checkpoint says 1000, and more may have been written and told after it. So that no number
is ever used twice, the journal goes on beyond all of them, with an entry of type `journal.gap` that says so itself:

    from     the first sequence that is lost                        "901"
    to       the last one, which is the entry's own less one        "11000"
    reason   backup_restored, and size and root of the checkpoint   "backup_restored,size_1000,root_42dc…"

In the tree a place stays for each of them, so that leaf index = sequence - 1 stays true. It is filled with `GAP_HASH`, the hash
of what is the leaf of no entry. Such a tree agrees with every checkpoint of 900 entries or fewer, and honestly not with the one
of 1000: what it was of cannot be shown any more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracker.journal.draft import Draft
from tracker.journal.tree import HASH_BYTES, Frontier, leaf_hash, node_hash

GAP_TYPE: Final = "journal.gap"
GAP_HASH: Final = leaf_hash(b"consent-tracker/journal-gap")
"""Stands in the tree for an entry that is lost. The text is no JSON, so no entry has this hash."""

_REASON: Final = re.compile(rf"backup_restored,size_([1-9][0-9]{{0,18}}),root_([0-9a-f]{{{2 * HASH_BYTES}}})")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is lost.

    Attributes:
        first: The first sequence that no entry has.
        last: The last one; the entry that declares it is the next.
        size: How many entries the last published checkpoint was of.
        root: Its root.
    """

    first: int
    last: int
    size: int
    root: bytes

    @property
    def count(self) -> int:
        """How many sequences are lost."""
        return self.last - self.first + 1

    def draft(self, entry_id: str, journal_id: str) -> Draft:
        """The entry that declares it, before it has its place."""
        return Draft(
            id=entry_id,
            type=GAP_TYPE,
            journal_id=journal_id,
            from_status=str(self.first),
            to_status=str(self.last),
            channel="operator",
            reason=f"backup_restored,size_{self.size},root_{self.root.hex()}",
        )


def gap_of(leaf: Mapping[str, Any]) -> Gap | None:
    """What a leaf declares as lost; None where it is about something else, or declares nothing that could be.

    The leaf may be a stranger's: only its type, sequence and data are looked at, and anything may be wrong with them.
    """
    data, sequence = leaf.get("data"), leaf.get("sequence")
    if leaf.get("type") != GAP_TYPE or not isinstance(data, dict) or not isinstance(sequence, str):
        return None
    first, last, reason = data.get("from"), data.get("to"), data.get("reason")
    texts = [text for text in (first, last) if isinstance(text, str) and _NUMBER.fullmatch(text)]
    said = _REASON.fullmatch(reason) if isinstance(reason, str) else None
    if len(texts) != 2 or said is None:  # noqa: PLR2004 - the first and the last
        return None
    gap = Gap(first=int(texts[0]), last=int(texts[1]), size=int(said[1]), root=bytes.fromhex(said[2]))
    is_before_it = sequence == f"{gap.last + 1:020d}"
    return gap if gap.first <= gap.last and gap.size <= gap.last and is_before_it else None


def fill(frontier: Frontier, count: int) -> None:
    """Add the leaves of a gap to a tree; the same subtree over and over is hashed once, so a large gap costs little."""
    subtrees = [GAP_HASH]
    while count:
        size = frontier.size
        aligned = (size & -size).bit_length() - 1 if size else count.bit_length()
        height = min(aligned, count.bit_length() - 1)
        while len(subtrees) <= height:
            subtrees.append(node_hash(subtrees[-1], subtrees[-1]))
        frontier.append(subtrees[height], height)
        count -= 1 << height
