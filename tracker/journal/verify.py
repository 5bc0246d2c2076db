"""An export checked without us: offline, from the folder alone and the keys that the auditor trusts.

Three questions, answered separately:

intact         Are the entries whole, in order, and what the manifest says they are?
by whom        Did a key that the auditor trusts sign size and root of exactly these entries?
holder's word  On whose word do the entries rest?

A part of a journal is intact when it is a part of the tree whose root is signed: a contiguous one shows that nothing in it is
missing; what a filter left out nobody can see, but for the entries of a consent that others name as the one before. A table
is in no tree: it is not proved by anything, and said to be `unanchored`.

A folder of which the first is true can still have been written by anyone: without a trusted signature it is
*unanchored*, and that is never a yes. Whatever the folder holds, the answer is a verdict and never an exception.
"""

import gzip
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import file_digest
from io import BufferedReader
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tracker.journal.checkpoint import (
    Checkpoint,
    NoteError,
    NoteSignature,
    SignedNote,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
)
from tracker.journal.examine import Examination, Tally
from tracker.journal.export import MAX_LINE_BYTES
from tracker.journal.manifest import (
    ENTRIES_NAME,
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    BrokenExportError,
    Manifest,
    parse_manifest,
)
from tracker.journal.published import Published, lost_words
from tracker.journal.stretch import after
from tracker.journal.table import check_table, is_table

_LABEL_WIDTH: Final = 15
_MOST_SHOWN: Final = 300


class Answer(StrEnum):
    """How a question was answered."""

    OK = "ok"
    NO = "no"
    UNKNOWN = "unknown"
    """Not asked, or not to be answered from an export."""
    UNANCHORED = "unanchored"
    """Nothing that is trusted stands behind it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    Attributes:
        answer: For programs.
        sentence: For people; one line, names the first thing that is wrong and where.
    """

    answer: Answer
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the folder is worth.

    Attributes:
        intact: Whether the entries are whole.
        by_whom: Who signed them.
        holders_word: On whose word they rest.
        accepted: Intact, and signed by a trusted key, or unanchored where the auditor allowed that.
    """

    intact: Finding
    by_whom: Finding
    holders_word: Finding
    accepted: bool

    def lines(self) -> tuple[str, str, str]:
        """Show the three answers, one line each."""
        return (
            "intact".ljust(_LABEL_WIDTH) + self.intact.sentence,
            "by whom".ljust(_LABEL_WIDTH) + self.by_whom.sentence,
            "holder's word".ljust(_LABEL_WIDTH) + self.holders_word.sentence,
        )


def verify_export(
    folder: Path, vkeys: Sequence[str], *, allow_unanchored: bool = False, published: Published | None = None
) -> Verdict:
    """Check an export.

    Args:
        folder: Where it is.
        vkeys: The keys that the auditor trusts, got on another way than the folder.
        allow_unanchored: Accept a folder that no trusted key signed, if it is intact.
        published: A checkpoint that the auditor has on another way, too; the entries must be those that it is of, or begin with
            them, and a part must be of such a journal as far as that can be seen. Where keys are trusted, one of them must have
            signed it.

    Raises:
        NoteError: One of the auditor's own keys is malformed. Nothing in the folder raises anything.
    """
    trusted = [parse_vkey(key) for key in vkeys]
    try:
        cover = _read_manifest(folder)
        if is_table(cover):
            return _verdict_on_table(check_table(folder, cover), allow_unanchored=allow_unanchored)
        manifest = parse_manifest(cover)
        seen = _examine(folder, manifest, published)
        words = "" if published is None else published.compared(seen)
    except BrokenExportError as error:
        return broken(str(error))
    except OSError as error:
        return broken(f"{error.filename or folder} cannot be read: {error.strerror or error}")
    by_whom = anchored(_by_whom(manifest, trusted), published, seen, trusted)
    return whole(seen, by_whom, words, allow_unanchored=allow_unanchored)


def whole(seen: Examination, by_whom: Finding, words: str = "", *, allow_unanchored: bool = False) -> Verdict:
    """The verdict on entries that are intact.

    Args:
        seen: They.
        by_whom: Who signed them.
        words: What else is to be said of them.
        allow_unanchored: Whether nobody need have.
    """
    allowed = {Answer.OK, Answer.UNANCHORED} if allow_unanchored else {Answer.OK}
    return Verdict(
        intact=Finding(Answer.OK, _intact_sentence(seen) + words),
        by_whom=by_whom,
        holders_word=Finding(Answer.UNKNOWN, _word_sentence(seen.tally)),
        accepted=by_whom.answer in allowed,
    )


def anchored(
    signed: Finding, published: Published | None, seen: Examination, trusted: Sequence[VerifierKey]
) -> Finding:
    """Who signed, where a published checkpoint is at hand too: it must be by a trusted key, and may be of all that there is."""
    if published is None or signed.answer is Answer.NO or not trusted:
        return signed
    signer = signer_of(published.note, published.checkpoint.origin, trusted)
    if signer.answer is not Answer.OK:
        return Finding(Answer.NO, f"no: the checkpoint given is by no key that you trust. {signer.sentence}")
    is_of_all = published.checkpoint.size == seen.tree_size
    return signer if is_of_all and signed.answer is Answer.UNANCHORED else signed


def broken(fault: str) -> Verdict:
    """The verdict on entries that are not intact, for this reason."""
    return Verdict(
        intact=Finding(Answer.NO, f"no: {fault}"),
        by_whom=Finding(Answer.UNKNOWN, "unknown: not asked, because the entries are not intact"),
        holders_word=Finding(Answer.UNKNOWN, "unknown: not asked, because the entries are not intact"),
        accepted=False,
    )


def _verdict_on_table(what: str, *, allow_unanchored: bool) -> Verdict:
    return Verdict(
        intact=Finding(Answer.UNKNOWN, what),
        by_whom=Finding(
            Answer.UNANCHORED, "unanchored: nothing ties the rows to the journal; a JSONL export is proved"
        ),
        holders_word=Finding(Answer.UNKNOWN, "not checked here: rows are not read"),
        accepted=allow_unanchored,
    )


def _intact_sentence(seen: Examination) -> str:
    part, size, withheld = seen.part, seen.tree_size, seen.tally.withheld
    without = f"; {_entries(withheld)} without the private value" if withheld else ""
    said = f"root {seen.root.hex()}{lost_words(seen)}{without}"
    if part.is_whole:
        span = f"{seen.unseen + 1} to {size}, " if size > seen.unseen else ""
        apart = f"; of 1 to {seen.unseen}, which are detached, there are the hashes" if seen.unseen else ""
        return f"yes: {_entries(seen.count)}, {span}root {seen.root.hex()}{apart}{lost_words(seen)}{without}"
    of, chosen = f"of {size} in the journal, {said}", printable(part.selection.told)
    if not part.selection.is_filter:
        without_gap = "" if seen.gaps else " without a gap"
        span = f"{part.first} to {part.last}{without_gap}, " if seen.count else ""
        return f"yes: {_entries(seen.count)}, {span}{of}; chosen: {chosen}"
    return (
        f"yes: {_entries(seen.count)}, each proved, {of}; chosen: {chosen}. Not shown: that nothing else is; "
        f"no consent here lacks an entry before one of its others"
    )


def printable(text: str) -> str:
    """Show what a stranger wrote, so that it cannot move the cursor or fill the screen."""
    cut = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in cut)


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _word_sentence(tally: Tally) -> str:
    return (
        f"not checked here: {_entries(tally.signed)} on a token that the holder signed, {tally.unsigned} on an unsigned "
        f"answer of the holder, {tally.own} on our own clock, record or application; "
        f"an export names the tokens, an evidence pack carries them"
    )


def _read_manifest(folder: Path) -> bytes:
    with _open(folder / MANIFEST_NAME) as file:
        data = file.read(MAX_MANIFEST_BYTES + 1)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BrokenExportError(f"{MANIFEST_NAME} is larger than {MAX_MANIFEST_BYTES} bytes")
    return data


def _examine(folder: Path, manifest: Manifest, published: Published | None) -> Examination:
    """Read all entries. What is wrong with one of them is told before what is wrong with the file as a whole."""
    around = manifest.around
    seen = Examination(
        manifest.part,
        root=bytes.fromhex(manifest.root_hash),
        left=() if around is None else around.left,
        watched=frozenset[int]() if published is None else published.watched,
    )
    with _open(folder / ENTRIES_NAME) as file:
        for line in _lines(file, manifest, seen):
            seen.take(line)
        file.seek(0)
        digest = file_digest(file, "sha256").hexdigest()
        size = file.tell()
    if seen.count != manifest.count:
        raise BrokenExportError(f"{_next(seen)} is missing: the file ends before it, {manifest.count} are promised")
    if around is not None:
        _close(seen, around.right, manifest)
    if digest != manifest.file.sha256 or size != manifest.file.bytes:
        raise BrokenExportError(f"{ENTRIES_NAME} is not the file that {MANIFEST_NAME} describes")
    return seen


def _close(seen: Examination, right: Sequence[bytes], manifest: Manifest) -> None:
    """Hold the entries, with what lies beside them, against the root that the manifest says."""
    if seen.position != manifest.part.last:
        raise BrokenExportError(f"the last entry is {seen.position}, and {MANIFEST_NAME} says {manifest.part.last}")
    root = seen.frontier.root()
    try:
        for reached in after(seen.frontier, right, manifest.part.tree_size):
            seen.look(reached)
            root = reached.root()
    except ValueError as error:
        raise BrokenExportError("right has not a hash for each complete subtree after the part") from error
    if root.hex() != manifest.root_hash:
        raise BrokenExportError(f"the entries have another root than {MANIFEST_NAME} says")


def _next(seen: Examination) -> str:
    """Name what comes next: in a filter nobody knows its sequence."""
    return f"line {seen.count + 1}" if seen.part.selection.is_filter else f"entry {seen.position + 1}"


def _open(path: Path) -> BufferedReader:
    """Open a plain file: a pipe or a device would never end."""
    if not path.exists():
        raise BrokenExportError(f"{path.name} is missing")
    if not stat.S_ISREG(path.stat().st_mode):
        raise BrokenExportError(f"{path.name} is not a plain file")
    return path.open("rb")


def _lines(file: BufferedReader, manifest: Manifest, seen: Examination) -> Iterator[bytes]:
    """Unpack lines. None is held that is longer than `MAX_LINE_BYTES` and one byte, however much it unpacks to."""
    try:
        with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
            while line := unpacked.readline(MAX_LINE_BYTES + 1):
                if seen.count == manifest.count:
                    last = f"line {manifest.count}" if manifest.around is None else f"entry {manifest.part.last}"
                    raise BrokenExportError(f"there is more after {last}, the last that is promised")
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BrokenExportError(f"{_next(seen)} or what follows it cannot be unpacked from {ENTRIES_NAME}") from error


def _by_whom(manifest: Manifest, trusted: Sequence[VerifierKey]) -> Finding:
    if manifest.checkpoint is None:
        return Finding(Answer.UNANCHORED, "unanchored: there is no checkpoint, nobody signed this")
    try:
        note = parse_note(manifest.checkpoint)
        checkpoint = parse_checkpoint(note.text)
    except NoteError as error:
        return Finding(Answer.NO, f"no: the checkpoint cannot be read. {error}")
    if checkpoint != Checkpoint(checkpoint.origin, manifest.part.tree_size, bytes.fromhex(manifest.root_hash)):
        return Finding(
            Answer.NO,
            f"no: the checkpoint is of another tree: {_entries(checkpoint.size)}, root {checkpoint.root.hex()}",
        )
    return signer_of(note, checkpoint.origin, trusted)


def signer_of(note: SignedNote, origin: str, trusted: Sequence[VerifierKey]) -> Finding:
    """Look for a journal's own signature by a trusted key. One that such a key did not make spoils the whole note."""
    known = [key for key in trusted if key.name == origin or key.is_witness]
    claims = [(key, line) for line in note.signatures for key in known if line.claims_to_be_by(key)]
    for key, line in claims:
        if not _is_signed(note.text, line, key):
            return Finding(Answer.NO, f"no: the signature in the name of {key.short} is not by that key")
    own = [key for key, _ in claims if not key.is_witness]
    if not own:
        first = note.signatures[0]
        name = f"{first.name[:100]}+{first.key_hash.hex()}"
        return Finding(Answer.UNANCHORED, f"unanchored: no key that you trust signed this; {name!a} claims to have")
    seen = (f"; seen by {key.short}, {_when(line.time)}" for key, line in claims if key.is_witness)
    return Finding(Answer.OK, f"{origin}, key {', '.join(key.short for key in own)}{''.join(seen)}")


def _when(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds} seconds after 1970"


def _is_signed(text: str, line: NoteSignature, key: VerifierKey) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(*line.to_check(key, text))
    except InvalidSignature:
        return False
    return True
