"""Keep what witnesses say: that they saw a checkpoint, and that it only adds to what they saw before.

Whoever has a checkpoint with such a signature need not take our word that we showed everybody the same journal.

Spec: C2SP tlog-cosignature, v1.0.0.
"""

from collections.abc import Sequence

from tracker.domain.checkpoint_errors import CheckpointNotFoundError, CosignatureRefusedError
from tracker.journal.checkpoint import parse_checkpoint, parse_note
from tracker.journal.leaf import MAX_SEQUENCE
from tracker.journal.note import NoteSignature, SignedNote, VerifierKey
from tracker.ports import Clock
from tracker.ports.checkpoints import CheckpointBook, SignatureCheck, StoredCheckpoint


class Witnessing:
    """Takes cosignatures."""

    def __init__(
        self, book: CheckpointBook, clock: Clock, check: SignatureCheck, witnesses: Sequence[VerifierKey]
    ) -> None:
        """Take what there is to work with.

        Args:
            book: Where checkpoints are kept.
            clock: Ours.
            check: Checks signatures.
            witnesses: Whose cosignatures are kept.
        """
        self._book = book
        self._clock = clock
        self._check = check
        self._witnesses = tuple(witnesses)

    async def keep(self, note: str) -> StoredCheckpoint:
        """Put the cosignatures under a note under the checkpoint that we keep; the latest of each witness.

        Signatures by others are passed over.

        Raises:
            NoteError: It is no note, or not of a checkpoint.
            CheckpointNotFoundError: It is of a size that we have not signed.
            CosignatureRefusedError: It is of another tree, no witness has signed it, or a signature in the name of one is false.
        """
        shown = parse_note(note)
        size = parse_checkpoint(shown.text).size
        while True:
            stored = await self._book.at(size) if size <= MAX_SEQUENCE else None
            if stored is None or stored.note is None:
                raise CheckpointNotFoundError
            ours = parse_note(stored.note)
            if ours.text != shown.text:
                raise CosignatureRefusedError("We have signed another root of this size, or under another name.")
            merged = SignedNote(ours.text, self._merged(ours.signatures, self._proven(shown))).written()
            if merged == stored.note:
                return stored
            if await self._book.keep_note(size, merged, self._clock.now(), before=stored.note):
                return await self._kept(size)

    async def _kept(self, size: int) -> StoredCheckpoint:
        kept = await self._book.at(size)
        if kept is None:
            raise CheckpointNotFoundError
        return kept

    def _proven(self, shown: SignedNote) -> dict[VerifierKey, NoteSignature]:
        """The last cosignature of each witness."""
        proven: dict[VerifierKey, NoteSignature] = {}
        for line in shown.signatures:
            for witness in self._witnesses:
                if not line.claims_to_be_by(witness):
                    continue
                if not self._check(witness.public_key, *line.to_check(witness, shown.text)):
                    raise CosignatureRefusedError(f"The signature in the name of {witness.short} is not by that key.")
                if witness not in proven or proven[witness].time < line.time:
                    proven[witness] = line
        if not proven:
            raise CosignatureRefusedError
        return proven

    def _merged(
        self, ours: tuple[NoteSignature, ...], proven: dict[VerifierKey, NoteSignature]
    ) -> tuple[NoteSignature, ...]:
        merged = list(ours)
        for witness, line in proven.items():
            held = next((one for one in merged if one.claims_to_be_by(witness)), None)
            if held is None:
                merged.append(line)
            elif held.time < line.time:
                merged[merged.index(held)] = line
        return tuple(merged)
