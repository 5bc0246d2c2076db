"""After a restore from a copy: jump past all that may have been told of the journal, so that no sequence is used twice.

The copy ends at some entry; the last published checkpoint is of more, and after that still more may have been written and told.
One entry, `journal.gap`, goes behind all of them and says what is lost. It is one transaction: done or not done.
"""

from collections.abc import Sequence
from typing import Final

from tracker.domain.checkpoint_errors import JournalForkedError
from tracker.domain.errors import InvalidRequestError, TrackerError
from tracker.journal.checkpoint import parse_vkey
from tracker.journal.entry import Entry
from tracker.journal.gap import Gap
from tracker.journal.published import Published
from tracker.journal.verify import Answer, signer_of
from tracker.ports import Clock, Ids
from tracker.ports.restored import Restored
from tracker.usecases.proofs import Proofs

MARGIN: Final = 10_000
"""So many sequences behind the checkpoint are given up too, unless another number is told."""

MOST: Final = 1_000_000
"""No more are given up behind it: each has a place in the tree."""


class NothingToJumpError(TrackerError):
    """There is nothing that the journal is known to have lost."""

    code = "nothing_to_jump"


class AfterRestore:
    """Goes on with a journal that was restored."""

    def __init__(self, restored: Restored, proofs: Proofs, clock: Clock, ids: Ids) -> None:
        self._restored = restored
        self._proofs = proofs
        self._clock = clock
        self._ids = ids

    async def jump(
        self, published: Published, vkeys: Sequence[str], *, margin: int | None = None, again: bool = False
    ) -> Entry:
        """Jump, and give the entry that says so.

        Args:
            published: The last checkpoint that was published.
            vkeys: The keys of which one must have signed it.
            margin: How many entries may have been written and told after it; None: `MARGIN`, and only if the journal has
                fewer entries than the checkpoint.
            again: Whether to jump although a gap names this checkpoint already: the journal was restored once more.

        Raises:
            InvalidRequestError: The margin is out of bounds, or no key that is trusted signed the checkpoint.
            NothingToJumpError: It was done already, or the journal has all that the checkpoint is of.
            JournalForkedError: The journal went on after the restore and used sequences again.
            NoteError: A key is malformed.
            StorageError: The database is away, or its tree is torn.
        """
        if margin is not None and not 0 <= margin <= MOST:
            raise InvalidRequestError(f"A margin is 0 to {MOST}.")
        checkpoint = published.checkpoint
        signer = signer_of(published.note, checkpoint.origin, [parse_vkey(key) for key in vkeys])
        if signer.answer is not Answer.OK:
            raise InvalidRequestError(f"The checkpoint is by no key that is trusted here: {signer.sentence}.")
        reached = await self._proofs.extend()
        own_root = await self._proofs.root(checkpoint.size) if checkpoint.size <= reached else checkpoint.root

        def decide(head: int, gaps: list[Gap]) -> Gap:
            done = [gap for gap in gaps if (gap.size, gap.root) == (checkpoint.size, checkpoint.root)]
            if done and not again:
                raise NothingToJumpError(
                    f"It was done already: entry {done[-1].last + 1} declares {done[-1].first} to {done[-1].last} as lost. "
                    "If the journal was restored once more since, say --again."
                )
            is_lost = any(gap.first <= checkpoint.size <= gap.last for gap in gaps)
            if own_root != checkpoint.root and not is_lost:
                raise JournalForkedError(
                    f"Entries 1 to {checkpoint.size} of the journal are not those that the checkpoint is of: it is another "
                    "journal's, or this one went on after a restore and used sequences again. Restore the copy again, and jump "
                    "before it goes on."
                )
            if head >= checkpoint.size and margin is None:
                raise NothingToJumpError(
                    f"The journal has all {checkpoint.size} entries that the checkpoint is of, and ends at {head}. If it was "
                    "restored all the same, say with --margin how many may have been written after the copy was made."
                )
            last = max(head, checkpoint.size) + (MARGIN if margin is None else margin)
            if last == head:
                raise NothingToJumpError("With a margin of 0 nothing is lost.")
            return Gap(first=head + 1, last=last, size=checkpoint.size, root=checkpoint.root)

        return await self._restored.jump(decide, self._ids.ordered(), self._clock.now())
