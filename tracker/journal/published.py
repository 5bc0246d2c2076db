"""A checkpoint that an auditor has from outside, held against the entries that he is shown.

It may be older than the entries: then they must begin with what it is of. Where it is of more than there are, the end was cut
off. A declared gap (see `gap`) may have taken what it is of: then it cannot be compared any more, and that is said.
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
        if size > seen.frontier.size:
            raise BrokenExportError(
                f"truncated: the checkpoint given is of {size} entries, and here they end at {seen.frontier.size}"
            )
        for gap in seen.gaps:
            if gap.first <= size <= gap.last:
                if (gap.size, gap.root) != (size, root) and gap.size <= size:
                    raise BrokenExportError(
                        f"entry {gap.last + 1} declares {gap.first} to {gap.last} as lost and another checkpoint as the last"
                    )
                return f"; entries {gap.first} to {size} of the checkpoint given are lost, as entry {gap.last + 1} declares"
        if (seen.roots[size] if size else EMPTY_ROOT) != root:
            raise BrokenExportError(f"entries 1 to {size} are not those that the checkpoint given is of")
        return f"; entries 1 to {size} are those of the checkpoint given"


def lost_words(seen: Examination) -> str:
    """What is to be said of declared gaps; nothing where there are none."""
    return "".join(
        f"; entries {gap.first} to {gap.last} are lost, as entry {gap.last + 1} declares" for gap in seen.gaps
    )
