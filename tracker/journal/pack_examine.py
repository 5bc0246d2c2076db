"""Is a pack of one piece: entry by entry, token by token, each against the others and the tree.

For each entry, in this order; the first that fails is what is told:

1. its leaf hash is the hash of what it says;
2. it has exactly the members of a leaf, each of its form;
3. it is of this journal and about this consent, comes after the entry before it, and names that as the one before: none that
   the consent had until then is missing;
4. its private value, where it is shown, gives the digest in the leaf;
5. its proof leads to the root of the tree.

Then for each key, that it has its thumbprint; for each token, that it has its hash and that its key is there; that the terms are
those that were told last when the consent was first authorized; that nothing is there that was left out; that proofs of
consistency lead to the root; and that the file as a whole is what its digest was made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tracker.journal import tree
from tracker.journal.canonical import canonical
from tracker.journal.entry import Entry
from tracker.journal.holder_key import thumbprint
from tracker.journal.instant import parse_rfc3339
from tracker.journal.leaf import is_sequence, leaf_fault
from tracker.journal.pack import PRIVATE, TOKENS, BrokenPackError, Pack
from tracker.journal.pack_terms import terms_as_granted
from tracker.journal.private import SALT_BYTES, from_base64url, private_digest

_AUTHORIZED: Final = "Authorized"

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Examined:
    """A pack of one piece.

    Attributes:
        entries: In sequence; at least one.
        tokens: By their SHA-256.
        keys: By their thumbprints.
        unsigned_answers: What the holder answered without signing it.
        withheld: How many private values are not shown.
    """

    entries: list[Entry]
    tokens: Mapping[str, Part]
    keys: Mapping[str, Part]
    unsigned_answers: Sequence[Part]
    withheld: int


def examine(pack: Pack) -> Examined:
    """Check a pack against itself.

    Raises:
        BrokenPackError: It is not of one piece; says what is wrong first.
    """
    said = pack.said
    entries = _entries(pack)
    keys = _keys(said["keys"])
    tokens = _tokens(said["tokens"], keys)
    _check_terms(said, entries)
    _check_left_out(said, entries)
    _check_told(said["told"], entries)
    for one in said["tree"]["consistency"]:
        proof = [bytes.fromhex(node) for node in one["proof"]]
        old_root = bytes.fromhex(one["root_hash"])
        if not tree.is_consistent(one["size"], old_root, pack.size, pack.root, proof):
            raise BrokenPackError(f"the proof of consistency with the tree of {one['size']} entries does not hold")
    if pack.fault is not None:
        raise BrokenPackError(pack.fault)
    withheld = sum(entry.data["private_digest"] is not None and entry.private is None for entry in entries)
    return Examined(entries, tokens, keys, said["unsigned_answers"], withheld)


def _entries(pack: Pack) -> list[Entry]:
    entries: list[Entry] = []
    for place, part in enumerate(pack.said["entries"], start=1):
        leaf = part["entry"]
        name = _name(leaf, place)
        try:
            entry = _entry(part)
            _check_place(entry, pack.said, entries[-1] if entries else None)
            _check_private(entry)
            _check_proof(entry, part["proof"], pack)
        except BrokenPackError as error:
            raise BrokenPackError(f"{name}: {error}") from error
        entries.append(entry)
    if not entries:
        raise BrokenPackError("there is no entry in it")
    return entries


def _name(leaf: Part, place: int) -> str:
    """What an entry goes by, as long as it may be anything: by its sequence if that looks like one, else by its place."""
    told: Any = leaf.get("sequence")
    return f"entry {int(told)}" if is_sequence(told) else f"number {place} of entries"


def _entry(part: Part) -> Entry:
    leaf = part["entry"]
    leaf_bytes = canonical(leaf)
    leaf_hash = tree.leaf_hash(leaf_bytes)
    if leaf_hash.hex() != part["leaf_hash"]:
        raise BrokenPackError("what it says is not what its leaf_hash was made of")
    fault = leaf_fault(leaf)
    if fault is not None:
        raise BrokenPackError(fault)
    return Entry(
        sequence=int(leaf["sequence"]),
        recorded_at=parse_rfc3339(leaf["time"]),
        leaf=leaf,
        leaf_bytes=leaf_bytes,
        leaf_hash=leaf_hash,
        private=part["private"],
        private_salt=_salt(part["private_salt"]),
    )


def _salt(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        salt = from_base64url(text)
    except ValueError as error:
        raise BrokenPackError("private_salt is not base64url") from error
    if len(salt) != SALT_BYTES:
        raise BrokenPackError(f"private_salt is not {SALT_BYTES} bytes long")
    return salt


def _check_place(entry: Entry, said: Part, before: Entry | None) -> None:
    if entry.source != f"urn:uuid:{said['journal_id']}":
        raise BrokenPackError("it is of another journal than the pack")
    data, consent = entry.data, said["consent"]
    for member in ("tracking_id", "provider", "consent_id", "kind"):
        if data[member] != consent[member]:
            raise BrokenPackError(f"it is about another consent than the pack: {member} differs")
    if before is not None and entry.sequence <= before.sequence:
        raise BrokenPackError(f"it does not come after entry {before.sequence}, behind which it stands")
    if before is not None and entry.leaf["time"] < before.leaf["time"]:
        raise BrokenPackError(f"its time is before that of entry {before.sequence}")
    known = None if before is None else before.sequence
    if entry.previous != known:
        raise BrokenPackError(
            f"it names {entry.previous or 'none'} as its consent's entry before, and here that is {known or 'none'}: "
            "one is missing, or one is too many"
        )


def _check_private(entry: Entry) -> None:
    if (entry.private is None) != (entry.private_salt is None):
        raise BrokenPackError("a private value and its salt are shown together or not at all")
    if entry.private is None or entry.private_salt is None:
        return
    if private_digest(entry.private, entry.private_salt) != entry.data["private_digest"]:
        raise BrokenPackError("its private value is not what the digest in the entry was made of")


def _check_proof(entry: Entry, proof: list[str], pack: Pack) -> None:
    if entry.sequence > pack.size:
        raise BrokenPackError(f"it is not among the first {pack.size}, which is how large the tree is")
    path = [bytes.fromhex(node) for node in proof]
    if not tree.is_included(entry.leaf_hash, entry.sequence - 1, pack.size, path, pack.root):
        raise BrokenPackError("its proof does not lead to the root of the tree")


def _keys(parts: list[Part]) -> dict[str, Part]:
    keys: dict[str, Part] = {}
    for part in parts:
        name = part["jwk_thumbprint"]
        if thumbprint(part["jwk"]) != name:
            raise BrokenPackError(f"key {name}: its jwk has another thumbprint")
        if name in keys:
            raise BrokenPackError(f"key {name}: it is there twice")
        keys[name] = part
    return keys


def _tokens(parts: list[Part], keys: Mapping[str, Part]) -> dict[str, Part]:
    tokens: dict[str, Part] = {}
    for part in parts:
        name = part["jws_sha256"]
        if sha256(part["jws"].encode()).hexdigest() != name:
            raise BrokenPackError(f"token {name}: its bytes have another hash")
        if name in tokens:
            raise BrokenPackError(f"token {name}: it is there twice")
        if part["jwk_thumbprint"] not in keys:
            raise BrokenPackError(f"token {name}: the key that verified it is not there")
        tokens[name] = part
    unused = keys.keys() - {part["jwk_thumbprint"] for part in parts}
    if unused:
        raise BrokenPackError(f"key {min(unused)}: no token names it")
    return tokens


def _check_terms(said: Part, entries: list[Entry]) -> None:
    terms = said["terms"]
    if terms is None:
        if PRIVATE not in said["left_out"] and terms_as_granted(entries) is not None:
            raise BrokenPackError("the terms as granted are in its entries, and it does not tell them")
        return
    by_sequence = {entry.sequence: entry for entry in entries}
    granted, stated = by_sequence.get(terms["authorized_by"]), by_sequence.get(terms["stated_by"])
    if granted is None or stated is None or stated.sequence > granted.sequence or granted.to_status != _AUTHORIZED:
        raise BrokenPackError("the terms are not said to be those of an entry that authorized the consent")
    told = None if stated.private is None else stated.private.get("terms")
    if not isinstance(told, dict) or canonical(told) != canonical(terms["data"]):
        raise BrokenPackError(f"the terms are not those in the private value of entry {stated.sequence}")
    found = terms_as_granted(entries)
    if found is None or (found["authorized_by"], found["stated_by"]) != (granted.sequence, stated.sequence):
        raise BrokenPackError("the terms are not those that were told last when the consent was first authorized")


def _check_left_out(said: Part, entries: list[Entry]) -> None:
    left_out = said["left_out"]
    if len(set(left_out)) != len(left_out):
        raise BrokenPackError("left_out says something twice")
    if PRIVATE in left_out and (said["terms"] is not None or any(entry.private is not None for entry in entries)):
        raise BrokenPackError("private values are said to be left out, and there are some")
    if TOKENS in left_out and said["tokens"]:
        raise BrokenPackError("tokens are said to be left out, and there are some")


def _check_told(told: list[Part], entries: list[Entry]) -> None:
    sequences = {entry.sequence for entry in entries}
    for one in told:
        if not {part["sequence"] for part in (*one["entries"], *one["work"])} <= sequences:
            raise BrokenPackError(
                f"subscription {one['subscription_id']} is said to be told of an entry that is not here"
            )
