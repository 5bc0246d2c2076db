"""Checkpoints: how many entries there are and their root, in a text that somebody signs.

    demo.example/journal                              origin: which journal
    42                                                size: how many leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      root

Signed, it is a note (see `note`); the key carries the journal's own name.

Spec: C2SP tlog-checkpoint, v1.0.0.
"""

import re
from dataclasses import dataclass
from typing import Final

from tracker.journal.note import (
    NoteError,
    NoteSignature,
    SignedNote,
    VerifierKey,
    assemble,
    base64,
    from_base64,
    parse_note,
    parse_vkey,
    require_text,
    vkey,
)
from tracker.journal.tree import HASH_BYTES

__all__ = [
    "Checkpoint",
    "NoteError",
    "NoteSignature",
    "SignedNote",
    "VerifierKey",
    "assemble",
    "note_text",
    "parse_checkpoint",
    "parse_note",
    "parse_vkey",
    "vkey",
]

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed.

    Attributes:
        origin: Name of the journal; by custom a URL without scheme, and the name of its key.
        size: How many leaves the tree has.
        root: The root over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes


def note_text(checkpoint: Checkpoint) -> str:
    """Write the text that is signed, as UTF-8.

    Raises:
        NoteError: The origin is not one line of text, or size or root are none.
    """
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{base64(checkpoint.root)}\n"
    parse_checkpoint(text)  # what could not be read back is refused here
    return text


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note as a checkpoint. Extension lines, which nobody could audit, are refused.

    Raises:
        NoteError: It is not one.
    """
    require_text(text)
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:  # noqa: PLR2004 - three lines, and nothing after the last
        raise NoteError("A checkpoint is three lines: origin, size and root.")
    origin, size, root = lines[:3]
    if _SIZE.fullmatch(size) is None:
        raise NoteError("A checkpoint's size is a number without leading zeros.")
    root_bytes = from_base64(root)
    if len(root_bytes) != HASH_BYTES:
        raise NoteError("A checkpoint's root is a SHA-256.")
    return Checkpoint(origin, int(size), root_bytes)
