"""Sign how long the journal is and what its root is, so that it can never be told otherwise afterwards.

In this order, and a process may die between any two steps:

1. the tree takes in all entries;
2. it is proven, from the tiles, to begin with the last checkpoint, and with the one that is published;
3. size and root are written down, one root for a size for ever, by one process: whoever was not the first begins anew;
4. what is written down is signed, and the note is kept;
5. the note is published.

The decision is durable before there is a signature: had we signed first and died, nobody would know what was signed, and after a
restart another root of the same size might be. Ed25519 signs the same text the same way, so step 4 can be repeated.

Where 2 does not hold nothing is ever signed: that is what a checkpoint is for. But for one case: what is published is of entries
that were lost, and the journal, restored from a copy, declares just that checkpoint as the last one of them. Then the next one is
published in its place; the gap stands in the journal, for everybody to read.

Spec: RFC 6962 sections 2.1.2 and 3.5 (a log must not sign two trees), C2SP tlog-checkpoint.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tracker.domain.checkpoint_errors import (
    CheckpointNotFoundError,
    JournalForkedError,
    NotSignedError,
    PublishingError,
    TimestampError,
)
from tracker.journal.checkpoint import Checkpoint, NoteError, note_text, parse_checkpoint, parse_note, parse_vkey
from tracker.journal.gap import GAP_HASH
from tracker.journal.note import NoteSignature, SignedNote
from tracker.journal.tiles import TornTreeError
from tracker.journal.tree import is_consistent
from tracker.ports import Clock, Meters
from tracker.ports.checkpoints import (
    CheckpointBook,
    NoteSigner,
    Outlet,
    SigningHistory,
    StoredCheckpoint,
    TimestampAuthority,
)
from tracker.usecases.proofs import Proofs

_log = logging.getLogger(__name__)

_THE_LAST = "the last checkpoint that we signed"
_THE_PUBLISHED = "the checkpoint that is published"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointTerms:
    """How checkpoints are made.

    Attributes:
        origin: The journal's name.
        every: They are so far apart, unless somebody asks for one.
        outlet: Where they are published; None: nowhere.
        authority: Who stamps them; None: nobody.
    """

    origin: str
    every: timedelta = field(default=timedelta(minutes=5))
    outlet: Outlet | None = None
    authority: TimestampAuthority | None = None


class Checkpointing:
    """Makes checkpoints, one at a time among all processes."""

    def __init__(
        self,
        proofs: Proofs,
        book: CheckpointBook,
        clock: Clock,
        meters: Meters,
        terms: CheckpointTerms,
        signers: Sequence[NoteSigner] = (),
    ) -> None:
        """Take what there is to work with.

        Args:
            proofs: The stored tree.
            book: Where checkpoints are kept.
            clock: Ours.
            meters: Count what is signed and what is not.
            terms: How.
            signers: All of them sign every checkpoint; none: none is made.
        """
        self._proofs = proofs
        self._book = book
        self._clock = clock
        self._meters = meters
        self._terms = terms
        self._signers = tuple(signers)

    def sign_with(self, signers: Sequence[NoteSigner]) -> None:
        """Sign with other keys from now on, or not at all."""
        self._signers = tuple(signers)

    @property
    def origin(self) -> str:
        """The journal's name."""
        return self._terms.origin

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The keys that sign now."""
        return tuple(signer.vkey for signer in self._signers)

    def signed(self, text: str) -> str | None:
        """Put our signatures under another text than a checkpoint's; None without a key."""
        lines = tuple(_line(signer, text) for signer in self._signers)
        return SignedNote(text, lines).written() if lines else None

    async def keys(self) -> list[SigningHistory]:
        """The keys of ours that have ever signed, the latest first."""
        return await self._book.keys()

    async def latest(self) -> StoredCheckpoint | None:
        """The signed one over the most entries."""
        return await self._book.latest_signed()

    async def at(self, size: int) -> StoredCheckpoint:
        """The signed one over so many entries.

        Raises:
            CheckpointNotFoundError: There is none.
        """
        found = await self._book.at(size)
        if found is None or found.note is None:
            raise CheckpointNotFoundError
        return found

    async def require_head(self) -> StoredCheckpoint:
        """What `at_head` gives.

        Raises:
            NotSignedError: There is no key.
            JournalForkedError: See `at_head`.
            TornTreeError: See `at_head`.
        """
        made = await self.at_head()
        if made is None:
            raise NotSignedError
        return made

    async def at_head(self) -> StoredCheckpoint | None:
        """The checkpoint over all entries that there are now, made if it is not there; None without a key.

        Raises:
            JournalForkedError: The journal does not begin with what was signed before. Nothing is signed.
            TornTreeError: The stored tree has a hole. Nothing is signed.
        """
        if not self._signers:
            return None
        try:
            made = await self._made()
        except (JournalForkedError, TornTreeError) as error:
            self._meters.checkpoint_made(outcome="refused")
            _log.error("No checkpoint is signed: %s", error)
            raise
        await self._publish(made)
        return made

    async def run_once(self) -> StoredCheckpoint | None:
        """Make the next one if it is time, and have it stamped; give what was made."""
        last = await self._book.last()
        made = None
        # a clock that was ahead and is set right must not keep us from signing until that time comes again
        if last is None or last.signed_at is None or abs(self._clock.now() - last.signed_at) >= self._terms.every:
            if last is not None or await self._proofs.extend():  # nothing has happened yet: nothing to sign
                made = await self.at_head()
        elif self._signers:
            await self._publish(last)  # another process may have died before it did
        await self.stamp()
        return made

    async def stamp(self) -> None:
        """Have the latest one stamped; what fails is tried again the next time."""
        authority = self._terms.authority
        latest = None if authority is None else await self._book.latest_signed()
        if authority is None or latest is None or latest.note is None or latest.timestamp is not None:
            return
        try:
            token = await authority.stamp(parse_note(latest.note).text.encode())
        except TimestampError as error:
            _log.warning("A checkpoint is not stamped: %s", error)
            return
        await self._book.keep_timestamp(latest.size, token)

    async def examine(self) -> StoredCheckpoint | None:
        """Look whether the journal still begins with the last checkpoint and the published one, and give the former.

        Raises:
            JournalForkedError: It does not.
            TornTreeError: The stored tree has a hole.
            PublishingError: What is published cannot be read.
        """
        last, _ = await self._held()
        return last

    # ------------------------------------------------------------------------------------------ one checkpoint

    async def _made(self) -> StoredCheckpoint:
        while True:
            last, size = await self._held()
            if last is None or last.size < size:
                root = await self._proofs.root(size)
                if await self._book.propose(size, root, after=None if last is None else last.size):
                    last = StoredCheckpoint(size=size, root=root)
                else:
                    continue  # another process was quicker: what it has decided is to be proven too
            signed = await self._signed(last)
            if signed is not None:
                return signed

    async def _held(self) -> tuple[StoredCheckpoint | None, int]:
        """Prove that the journal begins with what was signed; give the last checkpoint and the size of the tree.

        The tree is read after both: it never is smaller than what was signed of it.
        """
        published = await self._published()
        last = await self._book.last()
        size = await self._proofs.extend()
        if last is not None:
            await self._require_held(last.size, last.root, size, _THE_LAST)
        if published is not None and not await self._is_declared_lost(published, size):
            await self._require_held(published.size, published.root, size, _THE_PUBLISHED)
        return last, size

    async def _is_declared_lost(self, published: Checkpoint, size: int) -> bool:
        """Whether an entry of the journal, which is in the tree, declares as lost just what is published."""
        for gap, leaf_hash in await self._book.gaps():
            is_it = (gap.size, gap.root) == (published.size, published.root)
            if is_it and gap.first <= published.size and gap.last < size:
                hashes = [await self._proofs.leaf(sequence) for sequence in (published.size, gap.last + 1)]
                return hashes == [GAP_HASH, leaf_hash]
        return False

    async def _require_held(self, old_size: int, old_root: bytes, size: int, name: str) -> None:
        if old_size > size:
            raise JournalForkedError(f"The journal has {size} entries, and {name} is over {old_size}: it was set back.")
        root = await self._proofs.root(size)
        proof = await self._proofs.consistency(old_size, size)
        if not is_consistent(old_size, old_root, size, root, proof):
            raise JournalForkedError(f"The first {old_size} entries are not those of {name}: they were changed.")

    async def _signed(self, stored: StoredCheckpoint) -> StoredCheckpoint | None:
        """Put the signatures that are missing under it; None if somebody else was at it."""
        text = note_text(Checkpoint(self._terms.origin, stored.size, stored.root))
        before = None if stored.note is None else parse_note(stored.note)
        if before is not None and before.text != text:  # signed under the name that the journal had then
            return stored
        lines = () if before is None else before.signatures
        new = tuple(line for signer in self._signers if (line := _line(signer, text)) not in lines)
        if not new:
            return stored
        note = SignedNote(text, (*new, *lines) if before is None else (*lines, *new)).written()
        vkeys = [signer.vkey for signer in self._signers]
        now = self._clock.now()
        if not await self._book.keep_note(stored.size, note, now, before=stored.note, vkeys=vkeys):
            return None
        self._meters.checkpoint_made(outcome="signed")
        return await self.at(stored.size)

    # ------------------------------------------------------------------------------------------ outside

    async def _published(self) -> Checkpoint | None:
        """What is published, if it is of this journal. It is out of the reach of whoever sets the database back."""
        if self._terms.outlet is None:
            return None
        shown = await self._terms.outlet.shown()
        try:
            told = None if shown is None else parse_checkpoint(parse_note(shown).text)
        except NoteError:
            return None
        return told if told is not None and told.origin == self._terms.origin else None

    async def _publish(self, made: StoredCheckpoint) -> None:
        if self._terms.outlet is None or made.note is None:
            return
        try:
            shown = await self._published()
            is_newer = shown is None or shown.size < made.size
            if is_newer or (shown is not None and shown.size == made.size and await self._is_older(made.note)):
                await self._terms.outlet.show(made.note)
        except PublishingError as error:
            _log.warning("A checkpoint is not published: %s", error)

    async def _is_older(self, note: str) -> bool:
        outlet = self._terms.outlet
        return outlet is not None and await outlet.shown() != note


def _line(signer: NoteSigner, text: str) -> NoteSignature:
    key = parse_vkey(signer.vkey)
    return NoteSignature(key.name, key.key_hash, signer.sign(text))
