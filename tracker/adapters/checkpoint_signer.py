"""Signing checkpoints of the journal with our Ed25519 key."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tracker.journal.checkpoint import Checkpoint, assemble, note_text, vkey
from tracker.ports import CheckpointSigner


def checkpoint_signer(key: Ed25519PrivateKey, name: str) -> CheckpointSigner:
    """Make the function that signs checkpoints.

    Args:
        key: Signs.
        name: What the key goes by in the notes; by custom the journal's origin.

    Returns:
        Takes origin, tree size and root hash, gives a signed note; raises `NoteError` when one of them or the name cannot be
        in a note.
    """
    public_key = key.public_key().public_bytes_raw()

    def sign(origin: str, size: int, root: bytes) -> str:
        text = note_text(Checkpoint(origin, size, root))
        return assemble(text, name, public_key, key.sign(text.encode()))

    return sign


def checkpoint_vkey(key: Ed25519PrivateKey, name: str) -> str:
    """Write the public key for those who shall trust it, in the form `name+hash+base64`.

    Raises:
        NoteError: The name cannot be in a note.
    """
    return vkey(name, key.public_key().public_bytes_raw())
