"""The Merkle tree as it is stored, and proofs read from it.

    tile (level, position)   up to 256 hashes of 32 bytes, side by side: the roots of the complete subtrees of 256^level
                             leaves that have the numbers 256 × position and on; on level 0 these are the leaf hashes

A tile is written as it fills, and never changes once it is full. The root of every complete subtree follows from one tile, so
a proof over n entries reads some log256(n) tiles, and many proofs share theirs.

Spec: C2SP tlog-tiles (layout), RFC 6962 section 2.1 (the proofs).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tracker.domain.errors import StorageError
from tracker.journal.tree import EMPTY_ROOT, HASH_BYTES, node_hash

_HEIGHT: Final = 8
WIDTH: Final = 1 << _HEIGHT
"""How many hashes a full tile has."""

FULL_BYTES: Final = WIDTH * HASH_BYTES


class Tile(NamedTuple):
    """The name of a tile.

    Attributes:
        level: 0 for leaf hashes, 1 for roots of 256 leaves, and so on.
        position: Its number on that level, from 0.
    """

    level: int
    position: int


class Node(NamedTuple):
    """The name of a complete subtree.

    Attributes:
        height: It has 2^height leaves.
        position: Its number among those of this height, from 0.
    """

    height: int
    position: int

    @property
    def tile(self) -> Tile:
        """The tile from which its root follows."""
        level, above = divmod(self.height, _HEIGHT)
        return Tile(level, (self.position << above) >> _HEIGHT)


class TornTreeError(StorageError):
    """The stored tree has a hole: a tile or an entry is missing, or does not reach as far as it should."""

    code = "tree_torn"
    retryable = False


# ---------------------------------------------------------------------------------------------- growing


def edge(size: int) -> tuple[Tile, ...]:
    """The tiles at the right edge of a tree that are not full: where it grows."""
    tiles: list[Tile] = []
    level, count = 0, size
    while count:
        if count % WIDTH:
            tiles.append(Tile(level, count // WIDTH))
        level, count = level + 1, count // WIDTH
    return tuple(tiles)


def grown(size: int, tiles: Mapping[Tile, bytes], leaves: Iterable[bytes]) -> dict[Tile, bytes]:
    """Add leaves to a tree.

    Args:
        size: How many leaves it has.
        tiles: Those of `edge(size)`.
        leaves: Hashes of the next leaves.

    Returns:
        The tiles that are new or grew.

    Raises:
        TornTreeError: A tile at the edge is missing, or has another length than it should.
    """
    growing: list[bytearray] = []  # one for each level: what is not full yet
    counts: list[int] = []  # one for each level: how many hashes there are on it
    for tile, count in zip(_levels(size), _counts(size), strict=True):
        held = tiles.get(tile, b"") if count % WIDTH else b""
        if len(held) != count % WIDTH * HASH_BYTES:
            raise TornTreeError(f"Tile {tile.position} of level {tile.level} does not have {count % WIDTH} hashes.")
        growing.append(bytearray(held))
        counts.append(count)
    changed: dict[Tile, bytes] = {}
    for leaf in leaves:
        _add(leaf, growing, counts, changed)
    for level, rest in enumerate(growing):
        tile, written = Tile(level, counts[level] // WIDTH), bytes(rest)
        if written and written != tiles.get(tile):
            changed[tile] = written
    return changed


def _counts(size: int) -> list[int]:
    """How many hashes there are on each level, but for levels without any."""
    counts: list[int] = []
    while size:
        counts.append(size)
        size //= WIDTH
    return counts


def _levels(size: int) -> list[Tile]:
    return [Tile(level, count // WIDTH) for level, count in enumerate(_counts(size))]


def _add(leaf: bytes, growing: list[bytearray], counts: list[int], changed: dict[Tile, bytes]) -> None:
    hashed, level = leaf, 0
    while True:
        if level == len(growing):
            growing.append(bytearray())
            counts.append(0)
        growing[level] += hashed
        counts[level] += 1
        if counts[level] % WIDTH:
            return
        full = bytes(growing[level])
        changed[Tile(level, counts[level] // WIDTH - 1)] = full
        growing[level].clear()
        hashed, level = _folded(full), level + 1


def _folded(hashes: bytes) -> bytes:
    """The root over hashes of equal subtrees side by side; their number is a power of two."""
    nodes = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(nodes) > 1:
        nodes = [node_hash(nodes[at], nodes[at + 1]) for at in range(0, len(nodes), 2)]
    return nodes[0]


# ---------------------------------------------------------------------------------------------- which subtrees


def covering(first: int, end: int) -> tuple[Node, ...]:
    """The complete subtrees, as few and as large as there are, that have the leaves from `first` to before `end`."""
    nodes: list[Node] = []
    while first < end:
        aligned = (first & -first).bit_length() - 1 if first else end.bit_length()
        height = min(aligned, (end - first).bit_length() - 1)
        nodes.append(Node(height, first >> height))
        first += 1 << height
    return tuple(nodes)


Subtree = tuple[Node, ...]
"""The leaves that a hash of a proof stands for, as complete subtrees from left to right."""


def inclusion(index: int, size: int) -> tuple[Subtree, ...]:
    """What proves that a leaf is in a tree: the siblings on its way to the root, the nearest first.

    Raises:
        IndexError: There is no such leaf.
    """
    if not 0 <= index < size:
        raise IndexError(f"There is no leaf {index} among {size}.")
    siblings: list[Subtree] = []
    first, end = 0, size
    while end - first > 1:
        middle = _middle(first, end)
        if index < middle:
            siblings.append(covering(middle, end))
            end = middle
        else:
            siblings.append(covering(first, middle))
            first = middle
    return tuple(reversed(siblings))


def consistency(old_size: int, size: int) -> tuple[Subtree, ...]:
    """What proves that a tree begins with an older one.

    Raises:
        IndexError: The older one is larger.
    """
    if not 0 <= old_size <= size:
        raise IndexError(f"There are not {old_size} leaves among {size}.")
    proof: list[Subtree] = []
    first, end = 0, size
    is_whole = True  # what is left is the whole older tree, whose root is known to whoever checks
    while old_size and old_size != end:
        middle = _middle(first, end)
        if old_size <= middle:
            proof.append(covering(middle, end))
            end = middle
        else:
            proof.append(covering(first, middle))
            first, is_whole = middle, False
    if old_size and not is_whole:
        proof.append(covering(first, end))
    return tuple(reversed(proof))


def _middle(first: int, end: int) -> int:
    """Where RFC 6962 splits the leaves from `first` to before `end`; at least two."""
    return first + (1 << (end - first - 1).bit_length() - 1)


# ---------------------------------------------------------------------------------------------- hashes


def tiles_of(subtrees: Iterable[Iterable[Node]]) -> frozenset[Tile]:
    """The tiles that are needed for the hashes of subtrees."""
    return frozenset(node.tile for nodes in subtrees for node in nodes)


def hash_of(node: Node, tiles: Mapping[Tile, bytes]) -> bytes:
    """The root of a complete subtree.

    Raises:
        TornTreeError: Its tile is missing, or does not reach as far.
    """
    count = 1 << node.height % _HEIGHT
    begin = (node.position * count) % WIDTH * HASH_BYTES
    held = tiles.get(node.tile, b"")[begin : begin + count * HASH_BYTES]
    if len(held) != count * HASH_BYTES:
        raise TornTreeError(f"Tile {node.tile.position} of level {node.tile.level} does not reach as far as it should.")
    return _folded(held)


def joined(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of complete subtrees side by side, as `covering` gives them from the first leaf of a split on."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def root_of(nodes: Subtree, tiles: Mapping[Tile, bytes]) -> bytes:
    """The hash that stands for these leaves in a proof; of `covering(0, size)`, the root of the tree.

    Raises:
        TornTreeError: A tile is missing, or does not reach as far.
    """
    return joined([hash_of(node, tiles) for node in nodes])


def proof_of(subtrees: Collection[Subtree], tiles: Mapping[Tile, bytes]) -> tuple[bytes, ...]:
    """The hashes of a proof.

    Raises:
        TornTreeError: A tile is missing, or does not reach as far.
    """
    return tuple(root_of(nodes, tiles) for nodes in subtrees)


def proofs_of(paths: Mapping[int, Collection[Subtree]], tiles: Mapping[Tile, bytes]) -> dict[int, tuple[bytes, ...]]:
    """The hashes of many proofs; what they share is hashed once.

    Raises:
        TornTreeError: A tile is missing, or does not reach as far.
    """
    roots: dict[Subtree, bytes] = {}
    for path in paths.values():
        for nodes in path:
            if nodes not in roots:
                roots[nodes] = root_of(nodes, tiles)
    return {name: tuple(roots[nodes] for nodes in path) for name, path in paths.items()}
