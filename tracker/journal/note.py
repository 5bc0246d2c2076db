"""Signed notes: a text with the signatures of those who stand by it under it.

    some lines of text
                                                      (an empty line, then one line for each signature)
    — demo.example/journal Az3grlgtzPICa5OS8npV…      key name, base64(4 bytes of key hash ‖ signature)

Keys are Ed25519. A verifier knows a key by its VKEY: `name+hash+base64(type ‖ public key)`. Type 1 signs the text as it is;
type 4 is a witness, which signs text and time: `cosignature/v1`, `time` and seconds since 1970, then the text. Nothing here signs
or checks a signature: that needs a library, which the adapter and `verify` have.

Spec: C2SP signed-note, v1.0.0; C2SP tlog-cosignature, v1.0.0.
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from tracker.domain.errors import TrackerError

ED25519: Final = b"\x01"
"""The signature type that stands before the public key, in key hash and VKEY."""

COSIGNATURE: Final = b"\x04"
"""The type of a witness's key."""

_TYPES: Final = frozenset({ED25519, COSIGNATURE})
_TIME_BYTES: Final = 8

KEY_HASH_BYTES: Final = 4
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

MAX_SIGNATURES: Final = 100
"""More in one note is refused; the standard asks to take at least 16."""

_DASH: Final = "\N{EM DASH} "


class NoteError(TrackerError):
    """The text is not a signed note, a checkpoint or a key of one."""

    code = "note_malformed"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name that it signs under.

    Attributes:
        name: As in the signature lines.
        public_key: Ed25519, 32 bytes.
        kind: `ED25519`, or `COSIGNATURE` for a witness.
    """

    name: str
    public_key: bytes
    kind: bytes = ED25519

    @property
    def is_witness(self) -> bool:
        """Whether it cosigns what others have signed."""
        return self.kind == COSIGNATURE

    @property
    def key_hash(self) -> bytes:
        """Which of the name's keys it is: 4 bytes, a hint and no proof."""
        return _key_hash(self.name, self.public_key, self.kind)

    @property
    def short(self) -> str:
        """Name and hash, to tell keys apart in a line of text."""
        return f"{self.name}+{self.key_hash.hex()}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line.

    Attributes:
        name: Who says to have signed.
        key_hash: With which key, 4 bytes.
        signature: What follows; 64 bytes if the key is Ed25519, 72 if it is a witness's: its time comes first.
    """

    name: str
    key_hash: bytes
    signature: bytes

    def claims_to_be_by(self, key: VerifierKey) -> bool:
        """Whether it names this key; that proves nothing."""
        return self.name == key.name and self.key_hash == key.key_hash

    def to_check(self, key: VerifierKey, text: str) -> tuple[bytes, bytes]:
        """The Ed25519 signature and the bytes that a key must have signed with it, if this line is by that key."""
        if not key.is_witness:
            return self.signature, text.encode()
        return self.signature[_TIME_BYTES:], cosigned(text, self.time)

    @property
    def time(self) -> int:
        """When a witness says to have signed, in seconds since 1970; without meaning in a line by any other key."""
        return int.from_bytes(self.signature[:_TIME_BYTES])

    def line(self) -> str:
        """Write it, without its line feed."""
        return f"{_DASH}{self.name} {base64(self.key_hash + self.signature)}"


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and the signatures under it, none of them checked.

    Attributes:
        text: What is signed, with its last line feed.
        signatures: At least one.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def written(self) -> str:
        """Write it as it was read."""
        return f"{self.text}\n" + "".join(f"{line.line()}\n" for line in self.signatures)


def cosigned(text: str, time: int) -> bytes:
    """What a witness signs to say that it saw a text at a time, in seconds since 1970."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def assemble(text: str, name: str, public_key: bytes, signature: bytes) -> str:
    """Put a text and its signature together to a note.

    Args:
        text: What was signed; ends in a line feed.
        name: The key's name.
        public_key: Ed25519, 32 bytes.
        signature: Over the text as UTF-8, 64 bytes.

    Raises:
        NoteError: One of them cannot be in a note.
    """
    require_text(text)
    _require_key(name, public_key)
    if len(signature) != SIGNATURE_BYTES:
        raise NoteError("An Ed25519 signature is 64 bytes long.")
    return f"{text}\n{_DASH}{name} {base64(_key_hash(name, public_key) + signature)}\n"


def parse_note(note: str) -> SignedNote:
    """Take a note apart. Nothing is verified: until then the text means nothing.

    Raises:
        NoteError: It is not of the form; one malformed signature line is enough.
    """
    text, gap, below = note.rpartition("\n\n")
    if not gap:
        raise NoteError("A signed note has an empty line between text and signatures.")
    text += "\n"
    require_text(text)
    require_text(below)
    lines = below.split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise NoteError(f"A signed note has 1 to {MAX_SIGNATURES} signatures.")
    return SignedNote(text, tuple(_parse_signature(line) for line in lines))


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("A signature line is an em dash, the key's name and the signature, with spaces between.")
    _require_name(name)
    signature = from_base64(encoded)
    if len(signature) <= KEY_HASH_BYTES:
        raise NoteError("A signature is longer than the key hash before it.")
    return NoteSignature(name, signature[:KEY_HASH_BYTES], signature[KEY_HASH_BYTES:])


def vkey(name: str, public_key: bytes, kind: bytes = ED25519) -> str:
    """Write a key for those who shall trust it: `name+hash+base64`.

    Raises:
        NoteError: The name cannot be in a note, or the key is not 32 bytes long.
    """
    _require_key(name, public_key)
    return f"{name}+{_key_hash(name, public_key, kind).hex()}+{base64(kind + public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """Read a key that is trusted: one that signs checkpoints, or a witness's.

    Raises:
        NoteError: It is not of the form `name+hash+base64`, not Ed25519, or the hash is not of this name and key.
    """
    name, _, rest = text.partition("+")
    key_hash, _, encoded = rest.partition("+")
    key = from_base64(encoded)
    kind, public_key = key[:1], key[1:]
    if kind not in _TYPES:
        raise NoteError("A key is written name+hash+base64, and is Ed25519.")
    _require_key(name, public_key)
    if key_hash != _key_hash(name, public_key, kind).hex():
        raise NoteError("The hash in the key is not of this name and key: a character may have been lost.")
    return VerifierKey(name, public_key, kind)


def _key_hash(name: str, public_key: bytes, kind: bytes = ED25519) -> bytes:
    return sha256(name.encode() + b"\n" + kind + public_key).digest()[:KEY_HASH_BYTES]


def _require_key(name: str, public_key: bytes) -> None:
    _require_name(name)
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise NoteError("An Ed25519 public key is 32 bytes long.")


def _require_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name) or not _is_clean(name):
        raise NoteError("A key's name is not empty and has neither spaces nor a plus.")


def require_text(text: str) -> None:
    """Take a text for one that can stand in a note.

    Raises:
        NoteError: It cannot.
    """
    if not text.endswith("\n") or not _is_clean(text):
        raise NoteError("A note is UTF-8 in lines, each ended by a line feed, without control characters.")


def _is_clean(text: str) -> bool:
    """Whether a text has a UTF-8 form and, line feeds apart, no control characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return all(character >= " " or character == "\n" for character in text)


def base64(data: bytes) -> str:
    """Write bytes in standard base64 (RFC 4648 section 4)."""
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Read what `base64` wrote, and nothing else: one text for one value, so that no bit is without meaning.

    Raises:
        NoteError: It is not of that form.
    """
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise NoteError("Not base64.") from error
    if base64(data) != text:
        raise NoteError("Not base64 as it is written: padding or spare bits differ.")
    return data
