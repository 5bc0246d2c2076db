"""Check the journal where it is stored: read only, page by page, beside a running service, in constant memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tracker.journal import selection
from tracker.journal.checkpoint import NoteError, VerifierKey, parse_vkey
from tracker.journal.entry import Entry
from tracker.journal.examine import Examination
from tracker.journal.manifest import BrokenExportError
from tracker.journal.published import Published
from tracker.journal.stored import StoredHead, TreeCheck, check_head, check_tiles, take_row
from tracker.journal.verify import Answer, Finding, Verdict, broken, signer_of, whole
from tracker.ports import Store
from tracker.ports.audited import Audited

_PAGE = 1000
_TILES_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """What the auditor has from outside.

    Attributes:
        vkeys: The keys that he trusts.
        published: A checkpoint.
        allow_unanchored: Whether he is content without either.
    """

    vkeys: Sequence[str] = ()
    published: Published | None = None
    allow_unanchored: bool = False


@dataclass(slots=True)
class _Seen:
    """What was read so far."""

    examination: Examination
    tree: TreeCheck
    last: Entry | None = None
    stored: list[Published] = field(default_factory=list)


class DatabaseVerification:
    """Verifies the journal of a database, and names the first entry that is broken."""

    def __init__(self, store: Store, audited: Audited) -> None:
        self._store = store
        self._audited = audited

    async def verify(
        self, anchors: Anchors, progress: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Verdict:
        """Read and check all entries that there are now.

        Args:
            anchors: What is trusted.
            progress: Told how many entries of how many are read.

        Raises:
            NoteError: One of the auditor's own keys is malformed.
            StorageError: The database cannot be read.
        """
        trusted = [parse_vkey(key) for key in anchors.vkeys]
        # Before the head: a tree that grows meanwhile is not of more entries than are read.
        tree = TreeCheck(await self._store.tree_size())
        head = await self._audited.head()
        try:
            stored = _parsed(await self._audited.checkpoints())
            given = [anchors.published] if anchors.published else []
            watched = frozenset(one.checkpoint.size for one in (*stored, *given))
            part = selection.whole(head.journal_id, head.last)
            seen = _Seen(Examination(part, watched=watched), tree, stored=stored)
            await self._read(head, seen, progress)
            words = _compared(seen, anchors.published)
        except BrokenExportError as error:
            return broken(str(error))
        by_whom = _by_whom(seen, anchors.published, trusted)
        return whole(seen.examination, by_whom, words, allow_unanchored=anchors.allow_unanchored)

    async def _read(self, head: StoredHead, seen: _Seen, progress: Callable[[int, int], None]) -> None:
        """Read all entries. What is wrong with one of them is told before what is wrong with the journal as a whole."""
        after = 0
        while after < head.last:
            rows = await self._audited.rows(after, _PAGE, head.last)
            if not rows:
                break
            entries: list[Entry] = []
            try:
                for row in rows:
                    entries.append(take_row(seen.examination, row))  # noqa: PERF401 - those before the first fault count
            finally:
                if entries:
                    await self._check_tree(seen.tree, entries)
            after, seen.last = rows[-1].sequence, entries[-1]
            progress(after, head.last)
        check_head(head, seen.examination, seen.last)
        if seen.tree.reached < seen.tree.size:
            reached = seen.examination.frontier.size
            raise BrokenExportError(
                f"entry {reached + 1} is missing: the stored tree is over {seen.tree.size} entries, and here they end"
            )

    async def _check_tree(self, tree: TreeCheck, entries: Sequence[Entry]) -> None:
        wanted = tree.grow(entries)
        names = sorted(wanted)
        for at in range(0, len(names), _TILES_AT_ONCE):
            some = names[at : at + _TILES_AT_ONCE]
            check_tiles({name: wanted[name] for name in some}, await self._store.tiles(some))


def _parsed(notes: Sequence[str]) -> list[Published]:
    found: list[Published] = []
    for number, note in enumerate(notes, start=1):
        try:
            found.append(Published.read(note))
        except NoteError as error:
            raise BrokenExportError(f"stored checkpoint {number} cannot be read. {error}") from error
    return found


def _compared(seen: _Seen, published: Published | None) -> str:
    for one in seen.stored:
        try:
            one.compared(seen.examination)
        except BrokenExportError as error:
            told = str(error).replace("the checkpoint given", "a stored checkpoint")
            raise BrokenExportError(told) from error
    return "" if published is None else published.compared(seen.examination)


def _by_whom(seen: _Seen, published: Published | None, trusted: Sequence[VerifierKey]) -> Finding:
    """By the checkpoint that was given, or else the last that is stored."""
    one = published or (seen.stored[-1] if seen.stored else None)
    if one is None:
        return Finding(Answer.UNANCHORED, "unanchored: no checkpoint was given, and none is stored")
    signer = signer_of(one.note, one.checkpoint.origin, trusted)
    if signer.answer is Answer.UNANCHORED and trusted and published is not None:
        return Finding(Answer.NO, f"no: the checkpoint given is by no key that you trust. {signer.sentence}")
    if signer.answer is not Answer.OK:
        return signer
    size, reached = one.checkpoint.size, seen.examination.frontier.size
    later = "" if size == reached else f"; entries {size + 1} to {reached} came after it"
    return Finding(Answer.OK, f"{signer.sentence}, entries 1 to {size}{later}")
