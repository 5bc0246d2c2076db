"""Signing checkpoints of the journal with our Ed25519 keys, and checking the signatures of others."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tracker.journal.checkpoint import vkey


class Ed25519NoteSigner:
    """Implements `ports.NoteSigner`."""

    def __init__(self, key: Ed25519PrivateKey, name: str) -> None:
        """Take a key.

        Args:
            key: Signs.
            name: What the key goes by in the notes; by custom the journal's origin.

        Raises:
            NoteError: The name cannot be in a note.
        """
        self._key = key
        self._vkey = checkpoint_vkey(key, name)

    @property
    def vkey(self) -> str:
        """Its public half, as `name+hash+base64`."""
        return self._vkey

    def sign(self, text: str) -> bytes:
        """Sign the text of a note."""
        return self._key.sign(text.encode())


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 key made this signature. Implements `ports.SignatureCheck`."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def checkpoint_vkey(key: Ed25519PrivateKey, name: str) -> str:
    """Write the public key for those who shall trust it, in the form `name+hash+base64`.

    Raises:
        NoteError: The name cannot be in a note.
    """
    return vkey(name, key.public_key().public_bytes_raw())
