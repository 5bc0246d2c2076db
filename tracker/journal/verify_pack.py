"""An evidence pack checked without us: offline, from the file alone and what the auditor trusts.

Three questions, as of an export, answered separately:

intact         Is the pack of one piece: entries, proofs, private values, tokens, digest?
by whom        Did a key that the auditor trusts sign the tree that the entries are in, and the pack?
holder's word  Did a key of the holder's, which the auditor trusts, sign what the entries rest on, and does it say so?

What the auditor trusts comes from outside: the journal's keys, a checkpoint published earlier, the holder's keys. Without one
of these the answer is *unanchored*, and that is never a yes. Whatever the file holds, the answer is a verdict and never an
exception.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracker.journal.checkpoint import (
    Checkpoint,
    NoteError,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from tracker.journal.holder_key import Jwk, parse_holder_keys
from tracker.journal.pack import TOKENS, BrokenPackError, Pack, parse_pack, seal_text
from tracker.journal.pack_examine import Examined, examine
from tracker.journal.verify import Answer, Finding, signer_of
from tracker.journal.verify_tokens import EntryWord, Witness, Word
from tracker.profiles import PROFILES

_LABEL_WIDTH: Final = 15
_REST: Final = "who was told, who looked, where keys came from"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackVerdict:
    """What a pack is worth.

    Attributes:
        intact: Whether it is of one piece.
        by_whom: Who signed it.
        holders_word: Whether the holder stands behind what its entries say.
        covers: Which entries of the consent are in it, and where later ones may be; for people.
        words: For each entry, on whose word it rests; empty if the pack is not intact.
        pack: The pack, taken apart; None if it is not intact.
        accepted: Intact, and all that was asked answered with yes, or unanchored where the auditor allowed that.
    """

    intact: Finding
    by_whom: Finding
    holders_word: Finding
    covers: str
    words: tuple[EntryWord, ...] = ()
    pack: Pack | None = None
    accepted: bool = False

    def lines(self) -> tuple[str, ...]:
        """Show the answers, one line each."""
        answers = (
            ("intact", self.intact.sentence),
            ("by whom", self.by_whom.sentence),
            ("holder's word", self.holders_word.sentence),
            ("covers", self.covers),
        )
        return tuple(name.ljust(_LABEL_WIDTH) + sentence for name, sentence in answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """What an auditor trusts, got on other ways than the pack.

    Attributes:
        vkeys: Keys of the journal.
        holder_keys: Keys of the holder: a JWK Set, or one for each provider by its id; as the file's bytes.
        checkpoint: A checkpoint that was published, as a signed note. It is trusted as it is.
    """

    vkeys: Sequence[str] = ()
    holder_keys: bytes | None = None
    checkpoint: str | None = None


def verify_pack(data: bytes, anchors: Anchors, *, allow_unanchored: bool = False) -> PackVerdict:
    """Check a pack.

    Args:
        data: The file.
        anchors: What the auditor trusts.
        allow_unanchored: Accept a pack that nothing trusted stands behind, if nothing is wrong with it.

    Raises:
        NoteError: One of the auditor's own keys, or the checkpoint, is malformed. Nothing in the pack raises anything.
        HolderKeysError: The auditor's holder keys are.
    """
    trusted = [parse_vkey(key) for key in anchors.vkeys]
    published = None if anchors.checkpoint is None else parse_checkpoint(parse_note(anchors.checkpoint).text)
    if anchors.holder_keys is not None:
        parse_holder_keys(anchors.holder_keys, "")
    try:
        pack = parse_pack(data)
        found = examine(pack)
    except BrokenPackError as error:
        return _broken(str(error))
    consent = pack.said["consent"]
    keys: Sequence[Jwk] = ()
    if anchors.holder_keys is not None:
        keys = parse_holder_keys(anchors.holder_keys, consent["provider"])
    witness = Witness(consent, PROFILES.get(consent["profile"]), found, keys)
    words = tuple(witness.of(entry) for entry in found.entries)
    by_whom = _by_whom(pack, found, trusted, published)
    holders_word = _holders_word(pack, words, witness)
    rests_on_none = holders_word.answer is Answer.UNKNOWN and all(
        one.word in {Word.OWN, Word.UNSIGNED} for one in words
    )
    allowed = {Answer.OK, Answer.UNANCHORED, Answer.UNKNOWN} if allow_unanchored else {Answer.OK}
    return PackVerdict(
        intact=Finding(Answer.OK, _intact_sentence(pack, found)),
        by_whom=by_whom,
        holders_word=holders_word,
        covers=_covers(pack, found),
        words=words,
        pack=pack,
        accepted=by_whom.answer in allowed and (holders_word.answer in allowed or rests_on_none),
    )


def _broken(fault: str) -> PackVerdict:
    not_asked = Finding(Answer.UNKNOWN, "unknown: not asked, because the pack is not intact")
    return PackVerdict(
        intact=Finding(Answer.NO, f"no: {fault}"), by_whom=not_asked, holders_word=not_asked, covers="unknown"
    )


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _intact_sentence(pack: Pack, found: Examined) -> str:
    left_out = pack.said["left_out"]
    without = f"; left out: {', '.join(left_out)}" if left_out else ""
    if found.withheld and not left_out:
        without = f"; {_entries(found.withheld)} without the private value"
    return f"yes: {_entries(len(found.entries))} in the tree of {pack.size}, root {pack.root.hex()}{without}"


def _covers(pack: Pack, found: Examined) -> str:
    first, last = found.entries[0].sequence, found.entries[-1].sequence
    span = f"entry {first}" if first == last else f"entries {first} to {last}"
    return (
        f"{span}, none missing between them but what a restore may have lost; "
        f"that none follows up to {pack.size} is the word of whoever signed the pack; "
        f"there may be later ones from {pack.size + 1} on"
    )


# ---------------------------------------------------------------------------------------------- by whom


def _by_whom(pack: Pack, found: Examined, trusted: Sequence[VerifierKey], published: Checkpoint | None) -> Finding:
    """Who stands behind the tree, and who behind the pack."""
    tree, seal = _tree(pack, trusted), _seal(pack, trusted)
    against = None if published is None else _against(pack, found, published)
    for finding in (tree, seal, against):
        if finding is not None and finding.answer is Answer.NO:
            return finding
    if against is not None and against.answer is not Answer.OK:
        return against
    if tree.answer is Answer.OK and seal.answer is Answer.OK:
        return Finding(Answer.OK, tree.sentence if against is None else f"{tree.sentence}; {against.sentence}")
    if tree.answer is Answer.OK:
        return _half(f"the entries are signed by {tree.sentence}")
    return tree if against is None else _half(against.sentence)


def _half(sentence: str) -> Finding:
    rest = f"nobody that you trust signed the rest of the pack: {_REST}"
    return Finding(Answer.UNANCHORED, f"unanchored: {sentence}, and {rest}")


def _tree(pack: Pack, trusted: Sequence[VerifierKey]) -> Finding:
    """Who signed the tree."""
    checkpoint = pack.said["tree"]["checkpoint"]
    if checkpoint is None:
        return Finding(Answer.UNANCHORED, "unanchored: there is no checkpoint, nobody signed this")
    try:
        note = parse_note(checkpoint)
        signed = parse_checkpoint(note.text)
    except NoteError as error:
        return Finding(Answer.NO, f"no: the checkpoint cannot be read. {error}")
    if signed != Checkpoint(pack.origin, pack.size, pack.root):
        what = f"{signed.origin!a}, {_entries(signed.size)}, root {signed.root.hex()}"
        return Finding(Answer.NO, f"no: the checkpoint is of another tree: {what}")
    return signer_of(note, pack.origin, trusted)


def _seal(pack: Pack, trusted: Sequence[VerifierKey]) -> Finding:
    if pack.seal is None:
        return Finding(Answer.UNANCHORED, "unanchored: the pack has no seal")
    try:
        note = parse_note(pack.seal)
        expected = seal_text(pack.origin, pack.size, pack.digest)
    except NoteError as error:
        return Finding(Answer.NO, f"no: the seal cannot be read. {error}")
    if note.text != expected:
        return Finding(Answer.NO, "no: the seal is of another pack")
    return signer_of(note, pack.origin, trusted)


def _against(pack: Pack, found: Examined, published: Checkpoint) -> Finding:
    """Hold the pack's tree against a checkpoint that was published."""
    name = f"the published checkpoint over {_entries(published.size)}"
    if published.origin != pack.origin:
        return Finding(Answer.NO, f"no: {name} is of another journal: {published.origin!a}")
    if published.size == pack.size:
        if published.root != pack.root:
            return Finding(Answer.NO, f"no: {name} has another root: the pack is of another history")
        return Finding(Answer.OK, f"all entries are in {name}")
    proofs = [one for one in pack.said["tree"]["consistency"] if one["size"] == published.size]
    if not proofs:
        why = "the pack has no proof of consistency with it: have one made with --checkpoint"
        return Finding(Answer.UNANCHORED, f"unanchored: {name} cannot be compared, {why}")
    if any(bytes.fromhex(one["root_hash"]) != published.root for one in proofs):
        return Finding(Answer.NO, f"no: {name} has another root: the pack is of another history")
    inside = sum(entry.sequence <= published.size for entry in found.entries)
    return Finding(Answer.OK, f"{inside} of {_entries(len(found.entries))} are in {name}, and the tree grew out of it")


# ---------------------------------------------------------------------------------------------- holder's word


def _holders_word(pack: Pack, words: Sequence[EntryWord], witness: Witness) -> Finding:
    for one in words:
        if one.word is Word.FALSE:
            return Finding(Answer.NO, f"no: entry {one.sequence}: {one.sentence}")
    for name, fault in witness.faults.items():
        return Finding(Answer.NO, f"no: token {name}: {fault}")
    counted = Counter(one.word for one in words)
    rest = f"{counted[Word.UNSIGNED]} on an unsigned answer of the holder, {counted[Word.OWN]} on our own word"
    signed = f"{_entries(counted[Word.HOLDERS])} on tokens signed by keys of {pack.said['consent']['provider']} that you trust"
    if counted[Word.UNREAD]:
        return Finding(Answer.UNKNOWN, f"unknown: tokens of {pack.said['consent']['profile']!a} cannot be read here")
    if counted[Word.MISSING]:
        why = "left out" if TOKENS in pack.said["left_out"] else "not in the pack"
        return Finding(Answer.UNKNOWN, f"unknown: the tokens of {_entries(counted[Word.MISSING])} are {why}; {rest}")
    if counted[Word.UNANCHORED]:
        kids = sorted({part["kid"] for part in pack.said["keys"]})
        return Finding(
            Answer.UNANCHORED,
            f"unanchored: {_entries(counted[Word.UNANCHORED])} signed by a key that only the pack vouches for "
            f"({', '.join(map(ascii, kids))}); {rest}",
        )
    if not counted[Word.HOLDERS]:
        return Finding(Answer.UNKNOWN, f"unknown: no entry rests on a token that the holder signed; {rest}")
    return Finding(Answer.OK, f"yes: {signed}; {rest}")
