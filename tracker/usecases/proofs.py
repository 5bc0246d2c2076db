"""Proofs from the stored tree: an entry is in the journal, a journal only grew, a part of it has its place."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from tracker.journal.stretch import Around
from tracker.journal.tiles import (
    Node,
    Subtree,
    Tile,
    consistency,
    covering,
    hash_of,
    inclusion,
    proof_of,
    proofs_of,
    root_of,
    tiles_of,
)
from tracker.ports import Store

T = TypeVar("T")

_ENTRIES_AT_ONCE = 10_000
_TILES_AT_ONCE = 500


class Proofs:
    """Keeps the stored tree up with the journal, and reads proofs from it.

    Every method raises `StorageError` when the database is away, and `TornTreeError` when tiles are missing.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def extend(self) -> int:
        """Take all entries that there are into the tree, and give its size; many at once, in short transactions."""
        while await self._store.extend_tree(_ENTRIES_AT_ONCE) == _ENTRIES_AT_ONCE:
            pass
        return await self._store.tree_size()

    async def size(self) -> int:
        """Over how many entries the tree reaches."""
        return await self._store.tree_size()

    async def root(self, size: int) -> bytes:
        """The root over the first entries."""
        nodes = covering(0, size)
        return await self._read([nodes], lambda tiles: root_of(nodes, tiles))

    async def leaf(self, sequence: int) -> bytes:
        """The hash of an entry, as it is in the tree."""
        node = Node(0, sequence - 1)
        return await self._read([(node,)], lambda tiles: hash_of(node, tiles))

    async def inclusions(self, sequences: Collection[int], size: int) -> dict[int, tuple[bytes, ...]]:
        """Prove that entries are in the tree over the first `size` entries; many proofs read each tile once.

        Raises:
            IndexError: One of them is not among the first.
        """
        paths = {sequence: inclusion(sequence - 1, size) for sequence in sequences}
        wanted = [nodes for path in paths.values() for nodes in path]
        return await self._read(wanted, lambda tiles: proofs_of(paths, tiles))

    async def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Prove that the tree over the first `size` entries begins with the one over the first `old_size`.

        Raises:
            IndexError: The old one is larger.
        """
        path = consistency(old_size, size)
        return await self._read(path, lambda tiles: proof_of(path, tiles))

    async def around(self, first: int, last: int, size: int) -> Around:
        """What lies left and right of the entries from sequence `first` to `last` in the tree over the first `size`."""
        left, right = covering(0, first - 1), covering(last, size)

        def roots(nodes: Iterable[Node], tiles: dict[Tile, bytes]) -> tuple[bytes, ...]:
            return tuple(hash_of(node, tiles) for node in nodes)

        return await self._read([left, right], lambda tiles: Around(roots(left, tiles), roots(right, tiles)))

    async def _read(self, wanted: Iterable[Subtree], made: Callable[[dict[Tile, bytes]], T]) -> T:
        names = sorted(tiles_of(wanted))
        tiles: dict[Tile, bytes] = {}
        for at in range(0, len(names), _TILES_AT_ONCE):
            tiles |= await self._store.tiles(names[at : at + _TILES_AT_ONCE])
        return await asyncio.to_thread(made, tiles)  # thousands of proofs are seconds of hashing
