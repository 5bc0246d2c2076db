"""The checkpoints that a journal has signed and keeps, each held against itself, the keys that made it, and the entries.

The keys stand beside them in the same database, and prove nothing to an auditor. But who changes a checkpoint has to change them
too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tracker.journal.checkpoint import NoteError, VerifierKey, parse_vkey
from tracker.journal.examine import Examination
from tracker.journal.manifest import BrokenExportError
from tracker.journal.published import Published
from tracker.journal.stored import StoredKey, StoredNote
from tracker.journal.verify import Answer, signer_of


@dataclass(slots=True, kw_only=True)
class SignedBefore:
    """What was read of them, in the order of their sizes.

    Attributes:
        last: The one over the most entries that is signed.
        roots: The root of each, by its size.
    """

    last: Published | None = None
    roots: dict[int, bytes] = field(default_factory=dict)
    _signed: set[int] = field(default_factory=set)

    def take(self, notes: Iterable[StoredNote], keys: Iterable[StoredKey]) -> None:
        """Check the next ones.

        Args:
            notes: They.
            keys: Those that are said to have signed them, read later than they.

        Raises:
            BrokenExportError: One is not what it should be; the message names it by its size.
        """
        ours = _parsed(keys)
        for stored in notes:
            self.roots[stored.size] = stored.root
            if stored.note is None:
                if stored.is_signed:
                    raise BrokenExportError(f"the stored checkpoint of {stored.size} entries has lost its note")
                continue
            self.last = _checked(stored, stored.note, ours)
            self._signed.add(stored.size)

    def require_all(self, keys: Iterable[StoredKey]) -> None:
        """See to it that none is missing, as far as keys know of them that were read earlier than they.

        Raises:
            BrokenExportError: One is.
        """
        for key in keys:
            for size in (key.first_size, key.last_size):
                if size not in self._signed:
                    raise BrokenExportError(f"the stored checkpoint of {size} entries is missing: {key.vkey} signed it")

    def compare(self, seen: Examination) -> None:
        """Hold all of them against all entries that there are.

        Raises:
            BrokenExportError: These are not those that one is of.
        """
        for size, root in self.roots.items():
            if size > seen.frontier.size:
                raise BrokenExportError(
                    f"truncated: a stored checkpoint is of {size} entries, and here they end at {seen.frontier.size}"
                )
            if seen.roots.get(size) != root:
                raise BrokenExportError(f"entries 1 to {size} are not those that the stored checkpoint of {size} is of")


def _parsed(keys: Iterable[StoredKey]) -> list[VerifierKey]:
    try:
        return [parse_vkey(key.vkey) for key in keys]
    except NoteError as error:
        raise BrokenExportError(f"a key that has signed checkpoints cannot be read. {error}") from error


def _checked(stored: StoredNote, note: str, ours: Sequence[VerifierKey]) -> Published:
    name = f"the stored checkpoint of {stored.size} entries"
    try:
        told = Published.read(note)
    except NoteError as error:
        raise BrokenExportError(f"{name} cannot be read. {error}") from error
    if (told.checkpoint.size, told.checkpoint.root) != (stored.size, stored.root):
        raise BrokenExportError(f"{name} is not what was decided to be signed: its note has another size or root")
    signer = signer_of(told.note, told.checkpoint.origin, ours)
    if signer.answer is Answer.NO:
        raise BrokenExportError(f"{name} has a false signature: {signer.sentence}")
    if signer.answer is not Answer.OK:
        raise BrokenExportError(f"{name} is by none of the journal's keys: {signer.sentence}")
    return told
