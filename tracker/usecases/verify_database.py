"""Check the journal where it is stored: read only, page by page, beside a running service.

What is held grows with the consents and the stored checkpoints, and not with the entries.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tracker.journal import selection
from tracker.journal.checkpoint import VerifierKey, parse_vkey
from tracker.journal.entry import Entry
from tracker.journal.examine import Examination
from tracker.journal.manifest import BrokenExportError
from tracker.journal.published import Published
from tracker.journal.signed_before import SignedBefore
from tracker.journal.stored import StoredHead, TreeCheck, check_head, check_tiles, leaves_of, take_row
from tracker.journal.tiles import WIDTH, Tile
from tracker.journal.tree import HASH_BYTES
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
    signed: SignedBefore
    last: Entry | None = None


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
            StorageError: The database cannot be read, or private values cannot be opened with the keys at hand.
        """
        trusted = [parse_vkey(key) for key in anchors.vkeys]
        try:
            # Before the head: neither a tree nor a checkpoint that is made meanwhile is of more entries than are read.
            signed = await self._signed()
            tree = TreeCheck(await self._store.tree_size())
            head = await self._audited.head()
            given = anchors.published.watched if anchors.published else frozenset[int]()
            watched = given | signed.roots.keys()
            part = selection.whole(head.journal_id, head.last)
            seen = _Seen(Examination(part, watched=watched), tree, signed)
            await self._read(head, seen, progress)
            signed.compare(seen.examination)
            words = "" if anchors.published is None else anchors.published.compared(seen.examination)
        except BrokenExportError as error:
            return broken(str(error))
        by_whom = _by_whom(seen, anchors.published, trusted)
        return whole(seen.examination, by_whom, words, allow_unanchored=anchors.allow_unanchored)

    async def _signed(self) -> SignedBefore:
        """Read all stored checkpoints. Others may sign meanwhile: with keys that were not there, and sizes that were not."""
        signed, after = SignedBefore(), -1
        keys = await self._audited.keys()
        while some := await self._audited.checkpoints(after, _PAGE):
            signed.take(some, await self._audited.keys())
            after = some[-1].size
        signed.require_all(keys)
        return signed

    async def _read(self, head: StoredHead, seen: _Seen, progress: Callable[[int, int], None]) -> None:
        """Read all entries. What is wrong with one of them is told before what is wrong with the journal as a whole."""
        await self._pass_over(head.detached, seen)
        after = head.detached
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
                    await self._check_tree(seen.tree, leaves_of(entries))
            after, seen.last = rows[-1].sequence, entries[-1]
            progress(after, head.last)
        check_head(head, seen.examination, seen.last)
        if seen.tree.reached < seen.tree.size:
            reached = seen.examination.frontier.size
            raise BrokenExportError(
                f"entry {reached + 1} is missing: the stored tree is over {seen.tree.size} entries, and here they end"
            )

    async def _pass_over(self, last: int, seen: _Seen) -> None:
        """Take the entries that were detached for what the stored tree has of them; it covered them before they were."""
        for first in range(0, last, _TILES_AT_ONCE * WIDTH):
            end = min(last, first + _TILES_AT_ONCE * WIDTH)
            names = [Tile(0, position) for position in range(first // WIDTH, -(-end // WIDTH))]
            tiles = await self._store.tiles(names)
            packed = b"".join(tiles.get(name, b"") for name in names)[: (end - first) * HASH_BYTES]
            if len(packed) != (end - first) * HASH_BYTES or end > seen.tree.size:
                raise BrokenExportError(f"entries 1 to {last} are detached, and the stored tree does not have them")
            hashes = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
            seen.examination.pass_over(hashes)
            await self._check_tree(seen.tree, hashes)

    async def _check_tree(self, tree: TreeCheck, hashes: Iterable[bytes]) -> None:
        wanted = tree.grow(hashes)
        names = sorted(wanted)
        for at in range(0, len(names), _TILES_AT_ONCE):
            some = names[at : at + _TILES_AT_ONCE]
            check_tiles({name: wanted[name] for name in some}, await self._store.tiles(some))


def _by_whom(seen: _Seen, published: Published | None, trusted: Sequence[VerifierKey]) -> Finding:
    """By the checkpoint that was given, or else the last that is stored."""
    one = published or seen.signed.last
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
