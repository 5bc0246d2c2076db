"""One consent's story as one file: its entries with proofs, the holder's tokens and keys, and what else is on record.

The file is one JSON object in RFC 8785 form, ended by a line feed:

    format, version   `consent-tracker/evidence-pack`, 1
    pack              all that is said
    sha256            hex of SHA-256 over the RFC 8785 form of `pack`
    seal              a signed note over that digest by the journal's key; null where nobody signs

One file, because a pack is mailed, printed on a page and kept in other people's archives: it needs no tool to be opened, has one
digest, and cannot be half there. In one form, so that no byte in it is without meaning. What the tree does not cover, such as
who was told and who looked, is covered by the seal: the tracker's own word, signed.

The text of the seal has the form of a checkpoint and cannot be taken for one: its first line is no journal's name.

    demo.example/journal/evidence-pack        whose pack
    42                                        size of the tree
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=      the digest
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tracker.domain.errors import TrackerError
from tracker.journal.canonical import NotCanonicalError, canonical
from tracker.journal.checkpoint import Checkpoint, note_text
from tracker.journal.leaf import (
    MAX_SEQUENCE,
    Form,
    form_fault,
    is_base64url_sha256,
    is_count,
    is_hex_sha256,
    is_text,
    is_time,
    is_uuid,
)
from tracker.journal.strict import AmbiguousJsonError, loads

FORMAT: Final = "consent-tracker/evidence-pack"
VERSION: Final = 1
SEAL: Final = "/evidence-pack"
"""What stands behind the journal's name in the first line of a seal."""

MAX_PACK_BYTES: Final = 64 * 1_048_576
"""A consent has some dozens of entries and tokens, of some kilobytes each."""

_MAX_PARTS: Final = 4_000_000
"""How many commas and opening brackets it may have: what is read of each takes up to a hundred bytes of memory."""

PRIVATE: Final = "private"
TOKENS: Final = "tokens"
LEFT_OUT: Final = (PRIVATE, TOKENS)
"""What may be left out of a pack because it says something about a person; the terms go with the private values."""


class BrokenPackError(TrackerError):
    """The file is not an intact evidence pack.

    The message says where it is broken and in what way.
    """

    code = "pack_broken"


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack, taken apart, of the right form, and of one piece.

    Attributes:
        said: What stands under `pack`.
        digest: SHA-256 of its canonical form.
        seal: The signed note over that; None if nobody signed.
        fault: What is wrong with the file as a whole, if something is. What is wrong with one part of it is worth more to know,
            and is looked for first.
    """

    said: Mapping[str, Any]
    digest: bytes
    seal: str | None
    fault: str | None

    @property
    def size(self) -> int:
        """Of the tree."""
        size: int = self.said["tree"]["size"]
        return size

    @property
    def root(self) -> bytes:
        """Of the tree."""
        return bytes.fromhex(self.said["tree"]["root_hash"])

    @property
    def origin(self) -> str:
        """The journal's name."""
        return str(self.said["origin"])


def pack_bytes(said: Mapping[str, Any], sign: Callable[[str], str | None]) -> bytes:
    """Write a pack.

    Args:
        said: What is to stand under `pack`.
        sign: Makes a signed note of a text; None of it: nobody signs.

    Raises:
        NotCanonicalError: Something in it has no canonical form.
        NoteError: The journal's name cannot be in a note.
    """
    body = canonical(dict(said))
    digest = sha256(body)
    seal = sign(seal_text(said["origin"], said["tree"]["size"], digest.digest()))
    return canonical_file(body, digest.hexdigest(), seal)


def seal_text(origin: str, size: int, digest: bytes) -> str:
    """Write what is signed of a pack.

    Raises:
        NoteError: The journal's name cannot be in a note.
    """
    return note_text(Checkpoint(origin + SEAL, size, digest))


def canonical_file(body: bytes, digest: str, seal: str | None) -> bytes:
    """Put a canonical body, its digest and its seal together: the members are in their order."""
    return b'{"format":%b,"pack":%b,"seal":%b,"sha256":%b,"version":%d}\n' % (
        canonical(FORMAT),
        body,
        canonical(seal),
        canonical(digest),
        VERSION,
    )


def parse_pack(data: bytes) -> Pack:
    """Read a pack, and nothing that merely resembles one. What its parts say is not checked here.

    Raises:
        BrokenPackError: It is not one.
    """
    if len(data) > MAX_PACK_BYTES:
        raise BrokenPackError(f"the file is larger than {MAX_PACK_BYTES} bytes")
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_PARTS:
        raise BrokenPackError(f"the file has more than {_MAX_PARTS} parts")
    try:
        file = loads(data)
    except AmbiguousJsonError as error:
        raise BrokenPackError(f"the file: {error}") from error
    fault = form_fault(file, _FILE, "the file")
    if fault is not None:
        raise BrokenPackError(fault)
    said = file["pack"]
    try:
        body = canonical(said)
        written = canonical_file(body, file["sha256"], file["seal"])
    except NotCanonicalError as error:
        raise BrokenPackError(f"the file has no canonical form. {error}") from error
    fault = _fault(said)
    if fault is not None:
        raise BrokenPackError(fault)
    digest = sha256(body)
    if digest.hexdigest() != file["sha256"]:
        fault = "the pack is not what its sha256 was made of"
    elif written != data:
        fault = "the file is not written as packs are written"
    return Pack(said, digest.digest(), file["seal"], fault)


# ---------------------------------------------------------------------------------------------- forms


def _or_null(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _list_of(form: Form) -> Form:
    return lambda value: isinstance(value, list) and all(map(form, value))


def _one_of(*words: str) -> Form:
    return lambda value: isinstance(value, str) and value in words


def _size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_SEQUENCE


_object: Form = lambda value: isinstance(value, dict)  # noqa: E731 - a form like the others

_FILE: Final[Mapping[str, Form]] = {
    "format": lambda value: value == FORMAT,
    "version": lambda value: type(value) is int and value == VERSION,
    "pack": _object,
    "sha256": is_hex_sha256,
    "seal": _or_null(is_text),
}
_PACK: Final[Mapping[str, Form]] = {
    "journal_id": is_uuid,
    "origin": is_text,
    "made_at": is_time,
    "left_out": _list_of(_one_of(*LEFT_OUT)),
    "consent": _object,
    "tree": _object,
    "entries": _list_of(_object),
    "tokens": _list_of(_object),
    "unsigned_answers": _list_of(_object),
    "keys": _list_of(_object),
    "terms": _or_null(_object),
    "told": _list_of(_object),
    "access": _list_of(_object),
}
_CONSENT: Final[Mapping[str, Form]] = {
    "tracking_id": is_uuid,
    "provider": is_text,
    "consent_id": is_text,
    "kind": is_text,
    "profile": is_text,
    "issuer": is_text,
    "client_id": is_text,
}
_TREE: Final[Mapping[str, Form]] = {
    "size": _size,
    "root_hash": is_hex_sha256,
    "checkpoint": _or_null(is_text),
    "consistency": _list_of(_object),
}
_CONSISTENCY: Final[Mapping[str, Form]] = {
    "size": is_count,
    "root_hash": is_hex_sha256,
    "proof": _list_of(is_hex_sha256),
}
_ENTRY: Final[Mapping[str, Form]] = {
    "entry": _object,
    "leaf_hash": is_hex_sha256,
    "private": _or_null(_object),
    "private_salt": _or_null(is_text),
    "proof": _list_of(is_hex_sha256),
}
_TOKEN: Final[Mapping[str, Form]] = {
    "jws_sha256": is_hex_sha256,
    "jwe_sha256": _or_null(is_hex_sha256),
    "jws": is_text,
    "kid": is_text,
    "jwk_thumbprint": is_base64url_sha256,
    "received_at": is_time,
    "key_fetched_at": _or_null(is_time),
    "verification": _or_null(_object),
}
_VERIFICATION: Final[Mapping[str, Form]] = {
    "at": is_time,
    "alg": is_text,
    "iss": is_text,
    "aud": _list_of(is_text),
    "checks": _list_of(is_text),
}
_UNSIGNED: Final[Mapping[str, Form]] = {"received_at": is_time, "status": is_text, "status_date_time": is_time}
_KEY: Final[Mapping[str, Form]] = {
    "kid": is_text,
    "jwk_thumbprint": is_base64url_sha256,
    "jwk": _object,
    "jwks_uri": is_text,
    "x5c": _list_of(is_text),
    "tls_chain_sha256": _list_of(is_hex_sha256),
    "fetched_at": _or_null(is_time),
    "first_seen_at": is_time,
}
_TERMS: Final[Mapping[str, Form]] = {"authorized_by": is_count, "stated_by": is_count, "data": _object}
_TOLD: Final[Mapping[str, Form]] = {
    "subscription_id": is_uuid,
    "description": is_text,
    "address": _or_null(is_text),
    "created_at": is_time,
    "last_answered_at": _or_null(is_time),
    "entries": _list_of(_object),
    "work": _list_of(_object),
}
_TOLD_ENTRY: Final[Mapping[str, Form]] = {
    "sequence": is_count,
    "state": _one_of("settled", "waiting", "refused", "given_up", "unknown"),
    "attempts": _or_null(_size),
    "given_up_at": _or_null(is_time),
}
_WORK: Final[Mapping[str, Form]] = {
    "sequence": is_count,
    "work": is_text,
    "due_at": is_time,
    "reported_at": _or_null(is_time),
    "done_at": _or_null(is_time),
    "evidence_url": _or_null(is_text),
}
_ACCESS: Final[Mapping[str, Form]] = {"at": is_time, "who": is_text, "what": is_text}


def _fault(said: Any) -> str | None:
    """Say what in a pack is not of its form; None if all is. The entries' own form is looked at where they are checked."""
    fault = form_fault(said, _PACK, "the pack")
    if fault is not None:
        return fault
    parts: list[tuple[Any, Mapping[str, Form], str]] = [
        (said["consent"], _CONSENT, "consent"),
        (said["tree"], _TREE, "tree"),
        *_each(said["entries"], _ENTRY, "entries"),
        *_each(said["tokens"], _TOKEN, "tokens"),
        *_each(said["unsigned_answers"], _UNSIGNED, "unsigned_answers"),
        *_each(said["keys"], _KEY, "keys"),
        *_each(said["told"], _TOLD, "told"),
        *_each(said["access"], _ACCESS, "access"),
    ]
    if said["terms"] is not None:
        parts.append((said["terms"], _TERMS, "terms"))
    if (fault := _first_fault(parts)) is not None:
        return fault
    inner = [*_each(said["tree"]["consistency"], _CONSISTENCY, "consistency")]
    inner += [
        (one["verification"], _VERIFICATION, f"the verification of token {place}")
        for place, one in enumerate(said["tokens"], start=1)
        if one["verification"] is not None
    ]
    for one in said["told"]:
        inner += [*_each(one["entries"], _TOLD_ENTRY, "told"), *_each(one["work"], _WORK, "work")]
    return _first_fault(inner)


def _each(found: list[Any], forms: Mapping[str, Form], name: str) -> list[tuple[Any, Mapping[str, Form], str]]:
    return [(one, forms, f"number {place} of {name}") for place, one in enumerate(found, start=1)]


def _first_fault(parts: list[tuple[Any, Mapping[str, Form], str]]) -> str | None:
    for value, forms, name in parts:
        fault = form_fault(value, forms, name)
        if fault is not None:
            return fault if fault.startswith(name) else f"{name}: {fault}"
    return None
