"""The stored form of the tree gives the same roots and proofs as the definition, wherever it was cut while it grew."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.journal import tree
from tracker.journal.tiles import (
    FULL_BYTES,
    WIDTH,
    Tile,
    TornTreeError,
    consistency,
    covering,
    edge,
    grown,
    hash_of,
    inclusion,
    proof_of,
    root_of,
    tiles_of,
)

_LEAVES = [sha256(b"%d" % n).digest() for n in range(1100)]
_SIZES = st.integers(0, len(_LEAVES))


def _stored(sizes: list[int]) -> dict[Tile, bytes]:
    """The tiles of a tree that grew in these steps; only those at the edge are at hand each time."""
    tiles: dict[Tile, bytes] = {}
    for size, larger in pairwise([0, *sizes]):
        changed = grown(size, {one: tiles[one] for one in edge(size)}, _LEAVES[size:larger])
        assert not any(len(tiles.get(one, b"")) == FULL_BYTES for one in changed), "a full tile was written again"
        tiles |= changed
    return tiles


@given(st.lists(_SIZES, min_size=1, max_size=6).map(sorted), st.data())
def test_roots_and_proofs_are_those_of_the_definition(sizes: list[int], data: st.DataObject) -> None:
    tiles, size = _stored(sizes), sizes[-1]
    assert root_of(covering(0, size), tiles) == tree.root(_LEAVES[:size])
    older = data.draw(st.integers(0, size))
    assert root_of(covering(0, older), tiles) == tree.root(_LEAVES[:older])
    assert proof_of(consistency(older, size), tiles) == tree.consistency_proof(_LEAVES[:size], older)
    if size:
        index = data.draw(st.integers(0, size - 1))
        assert proof_of(inclusion(index, size), tiles) == tree.inclusion_proof(_LEAVES[:size], index)


@given(_SIZES, _SIZES)
def test_what_covers_a_range_lies_side_by_side_and_cannot_be_fewer(one: int, other: int) -> None:
    first, end = sorted((one, other))
    nodes = covering(first, end)
    spans = [(node.position << node.height, (node.position + 1) << node.height) for node in nodes]
    assert [begin for begin, _ in spans] + [end] == [first] + [after for _, after in spans]
    for left, right in pairwise(nodes):
        assert not (left.height == right.height and left.position % 2 == 0), "these two are one"


def test_a_large_tree_is_proven_from_few_tiles() -> None:
    """Three levels; all paths checked by the other side of the proofs."""
    leaves = [sha256(b"%d" % n).digest() for n in range(WIDTH * WIDTH + 777)]
    size = len(leaves)
    tiles = grown(0, {}, leaves)
    assert max(one.level for one in tiles) == 2
    root = root_of(covering(0, size), tiles)
    assert root == tree.root(leaves)
    for index in (0, 255, 256, WIDTH * WIDTH - 1, WIDTH * WIDTH, size - 1):
        path = inclusion(index, size)
        assert tree.is_included(leaves[index], index, size, proof_of(path, tiles), root)
        assert len(tiles_of(path)) <= 6
    for older in (1, WIDTH, WIDTH * WIDTH, size - 1):
        path = consistency(older, size)
        older_root = root_of(covering(0, older), tiles)
        assert tree.is_consistent(older, older_root, size, root, proof_of(path, tiles))


def test_torn_tiles_are_named() -> None:
    tiles = _stored([300])
    with pytest.raises(TornTreeError, match="Tile 1 of level 0 does not have 44"):
        grown(300, {Tile(0, 1): tiles[Tile(0, 1)][:-1], Tile(1, 0): tiles[Tile(1, 0)]}, _LEAVES[300:310])
    with pytest.raises(TornTreeError, match="Tile 0 of level 1"):
        grown(300, {Tile(0, 1): tiles[Tile(0, 1)]}, [])
    (last,) = covering(299, 300)
    with pytest.raises(TornTreeError, match="does not reach"):
        hash_of(last, {last.tile: tiles[last.tile][:-32]})
    for beyond in (lambda: inclusion(300, 300), lambda: inclusion(-1, 3), lambda: consistency(4, 3)):
        with pytest.raises(IndexError):
            beyond()
