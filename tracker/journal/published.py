"""A checkpoint that an auditor has from outside, held against the entries that he is shown.

It may be older than the entries: then they must begin with what it is of. Where it is of more than there are, the end was cut
off. A declared gap (see `gap`) may have taken what it is of: then it cannot be compared any more, and that is said.

A part of a journal can be compared where the tree's root is known: at the checkpoint that it brings itself, between its own
entries, and where one of the subtrees beside it ends. Elsewhere nothing ties the two, and that is said.
"""

from dataclasses import dataclass
from typing import Self

from tracker.journal.checkpoint import Checkpoint, SignedNote, parse_checkpoint, parse_note
from tracker.journal.examine import Examination
from tracker.journal.manifest import BrokenExportError
from tracker.journal.tree import EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint with the note that it is in.

    Attributes:
        note: As it was signed; who did is not checked yet.
        checkpoint: What it says.
    """

    note: SignedNote
    checkpoint: Checkpoint

    @classmethod
    def read(cls, text: str) -> Self:
        """Take a signed note for a checkpoint.

        Raises:
            NoteError: It is none.
        """
        note = parse_note(text)
        return cls(note, parse_checkpoint(note.text))

    @property
    def watched(self) -> frozenset[int]:
        """The size at which the entries' root is wanted."""
        return frozenset({self.checkpoint.size})

    def compared(self, seen: Examination) -> str:
        """Hold it against all entries that there are; what came of it, to be told with them.

        Raises:
            BrokenExportError: They are not those that it is of.
        """
        size, root = self.checkpoint.size, self.checkpoint.root
        if size > seen.tree_size:
            raise BrokenExportError(
                f"truncated: the checkpoint given is of {size} entries, and here they end at {seen.tree_size}"
            )
        for gap in seen.gaps:
            if gap.first <= size <= gap.last:
                if (gap.size, gap.root) != (size, root) and gap.size <= size:
                    raise BrokenExportError(
                        f"entry {gap.last + 1} declares {gap.first} to {gap.last} as lost and another checkpoint as the last"
                    )
                return f"; entries {gap.first} to {size} of the checkpoint given are lost, as entry {gap.last + 1} declares"
        reached = seen.roots.get(size) if size else EMPTY_ROOT
        if reached is None:
            return f"; not held against the checkpoint given: it is of {size} entries, and {_not_here(seen, size)}"
        if reached != root:
            raise BrokenExportError(f"entries 1 to {size} are not those that the checkpoint given is of")
        return f"; {_agreeing(seen, size)}"


def _not_here(seen: Examination, size: int) -> str:
    if seen.part.selection.is_filter:
        return f"the proofs here lead to the tree over {seen.tree_size}"
    beside = "it and these" if size < seen.part.first else "these and its end"
    return f"what lies between {beside} is not here"


def _agreeing(seen: Examination, size: int) -> str:
    part = seen.part
    if part.is_whole:
        return f"entries 1 to {size} are those of the checkpoint given"
    if part.selection.is_filter:
        return "the checkpoint given is of the tree that they are in"
    if size < part.first or seen.count == 0:
        return f"the journal begins with the {size} entries of the checkpoint given, and none of these is among them"
    return f"entries {part.first} to {min(size, part.last)} are among the {size} of the checkpoint given"


def lost_words(seen: Examination) -> str:
    """What is to be said of declared gaps; nothing where there are none."""
    return "".join(
        f"; entries {gap.first} to {gap.last} are lost, as entry {gap.last + 1} declares" for gap in seen.gaps
    )
