"""The Merkle tree over the journal: one hash for all entries, and short proofs that an entry is in it.

    hash of a leaf   SHA-256(0x00 ‖ leaf)
    hash of a node   SHA-256(0x01 ‖ left ‖ right)
    root of one      the hash of that leaf
    root of n > 1    node of (root of the first k, root of the others); k is the largest power of 2 below n
    root of none     SHA-256 of nothing

Leaf number i (from 0) is the canonical form of the entry with sequence i + 1.

Spec: RFC 6962 section 2.1 (the tree and the proofs), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (checking proofs).
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash what is recorded."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: all that is needed of n leaves to go on, in 32 × log2(n) bytes.

    The leaves so far fall into complete subtrees, one for each bit of their number that is set, the largest first.
    Only the roots of these are kept.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Start with nothing, or where an earlier one stood.

        Args:
            size: How many leaves there were.
            peaks: What `peaks` said then.

        Raises:
            ValueError: That many leaves make another number of complete subtrees.
        """
        self._size = size
        self._peaks = list(peaks)
        if size < 0 or size.bit_count() != len(self._peaks):
            raise ValueError(f"{size} leaves do not make {len(self._peaks)} complete subtrees.")

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, the largest subtree first."""
        return tuple(self._peaks)

    def append(self, leaf: bytes, height: int = 0) -> None:
        """Add one leaf, given by its hash; or a complete subtree of 2^height leaves, where that many are there already or none.

        Raises:
            ValueError: A subtree of this height does not begin here.
        """
        if self._size & ((1 << height) - 1):
            raise ValueError(f"After {self._size} leaves no complete subtree of height {height} begins.")
        node = leaf
        for _ in range(_trailing_ones(self._size >> height)):  # as a binary counter carries
            node = node_hash(self._peaks.pop(), node)
        self._peaks.append(node)
        self._size += 1 << height

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add several leaves; three times as quick as one by one."""
        position = 0
        while position < len(leaves):
            most = (len(leaves) - position).bit_length() - 1
            height = min(most, _trailing_zeros(self._size)) if self._size else most
            self.append(_folded(leaves[position : position + (1 << height)]), height)
            position += 1 << height

    def root(self) -> bytes:
        """Give the root over the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        node = self._peaks[-1]
        for left in reversed(self._peaks[:-1]):
            node = node_hash(left, node)
        return node


def root(leaves: Iterable[bytes]) -> bytes:
    """Give the root over leaf hashes, in one pass and without keeping them."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Prove that a leaf is in the tree over these leaf hashes.

    Returns:
        The roots of the sibling subtrees on the way from the leaf to the root, the nearest first.

    Raises:
        IndexError: There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"There is no leaf {index} among {len(leaves)}.")
    return tuple(_path(leaves, index))


def _path(leaves: Sequence[bytes], index: int) -> Iterator[bytes]:
    if len(leaves) == 1:
        return
    k = _split(len(leaves))
    if index < k:
        yield from _path(leaves[:k], index)
        yield root(leaves[k:])
    else:
        yield from _path(leaves[k:], index - k)
        yield root(leaves[:k])


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Check an inclusion proof.

    Args:
        leaf: Hash of the leaf.
        index: Its number, from 0.
        size: How many leaves the tree has.
        proof: What `inclusion_proof` gave.
        tree_root: The root that is trusted.
    """
    if not 0 <= index < size:
        return False
    node, position, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while position and not position & 1:  # a last node without a sibling moves up as it is
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == tree_root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Prove that the tree over these leaf hashes begins with the tree over the first `old_size` of them.

    Raises:
        IndexError: There are fewer leaves than that.
    """
    if not 0 <= old_size <= len(leaves):
        raise IndexError(f"There are not {old_size} leaves among {len(leaves)}.")
    return tuple(_subproof(leaves, old_size, is_whole=True)) if old_size else ()


def _subproof(leaves: Sequence[bytes], old_size: int, *, is_whole: bool) -> Iterator[bytes]:
    """Prove one subtree. While it is the whole old tree (`is_whole`), its root is known to the checker and left out."""
    if old_size == len(leaves):
        if not is_whole:
            yield root(leaves)
        return
    k = _split(len(leaves))
    if old_size <= k:
        yield from _subproof(leaves[:k], old_size, is_whole=is_whole)
        yield root(leaves[k:])
    else:
        yield from _subproof(leaves[k:], old_size - k, is_whole=False)
        yield root(leaves[:k])


def is_consistent(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Check a consistency proof: whether the new tree only adds to the old one."""
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT and new_size >= 0
    if old_size == new_size:
        return not proof and old_root == new_root
    if not 0 < old_size < new_size:
        return False
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # one complete subtree: its root begins the path and was left out
        path.insert(0, old_root)
    if not path:
        return False
    climb = _trailing_ones(old_size - 1)
    position, last = (old_size - 1) >> climb, (new_size - 1) >> climb
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_node == old_root and new_node == new_root


def _split(size: int) -> int:
    """Give the largest power of two below a size of at least two."""
    return 1 << (size - 1).bit_length() - 1


def _folded(nodes: Sequence[bytes]) -> bytes:
    """Give the root over the roots of equal subtrees side by side; their number is a power of two."""
    while len(nodes) > 1:
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _trailing_ones(number: int) -> int:
    return (~number & (number + 1)).bit_length() - 1
