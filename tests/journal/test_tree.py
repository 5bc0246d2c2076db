from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.journal.tree import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root,
)

# The eight leaves, and the roots after each, that the Certificate Transparency implementations test themselves with.
LEAVES = [
    leaf_hash(bytes.fromhex(leaf))
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]

hashes = st.lists(st.integers(0, 255).map(lambda number: leaf_hash(bytes([number]))), max_size=70)


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word: the second opinion."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + root_by_definition(leaves[:k]) + root_by_definition(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_root_agrees_with_the_published_vectors(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "proof"), INCLUSION)
def test_inclusion_proof_agrees_with_the_published_vectors(index: int, size: int, proof: list[str]) -> None:
    made = inclusion_proof(LEAVES[:size], index)
    assert [node.hex() for node in made] == proof
    assert is_included(LEAVES[index], index, size, made, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "new", "proof"), CONSISTENCY)
def test_consistency_proof_agrees_with_the_published_vectors(old: int, new: int, proof: list[str]) -> None:
    made = consistency_proof(LEAVES[:new], old)
    assert [node.hex() for node in made] == proof
    assert is_consistent(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), made)


def test_leaf_and_node_cannot_be_taken_for_each_other() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"").hex() == ROOTS[1]


@given(hashes)
def test_root_agrees_with_the_recursive_definition(leaves: list[bytes]) -> None:
    assert root(leaves) == root_by_definition(leaves)


@given(hashes, st.data())
def test_frontier_goes_on_where_it_was_kept(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves)))
    first = Frontier()
    for leaf in leaves[:at]:
        first.append(leaf)
    second = Frontier(first.size, first.peaks)
    for leaf in leaves[at:]:
        second.append(leaf)
    assert second.size == len(leaves)
    assert second.root() == root_by_definition(leaves)
    assert len(second.peaks) == len(leaves).bit_count()


@pytest.mark.parametrize(("size", "peaks"), [(1, 0), (3, 1), (0, 1), (4, 2), (-1, 1)])
def test_frontier_that_cannot_be_is_refused(size: int, peaks: int) -> None:
    with pytest.raises(ValueError, match="complete subtrees"):
        Frontier(size, [EMPTY_ROOT] * peaks)


@given(hashes.filter(bool), st.data())
def test_inclusion_proof_holds_for_its_leaf_only(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof, tree_root = inclusion_proof(leaves, index), root(leaves)
    assert is_included(leaves[index], index, size, proof, tree_root)
    assert not is_included(leaf_hash(b"another leaf"), index, size, proof, tree_root)
    assert not is_included(leaves[index], index, size, proof, leaf_hash(b"another root"))
    assert not is_included(leaves[index], index, size, (*proof, tree_root), tree_root)
    assert not is_included(leaves[index], size, size, proof, tree_root)
    assert not is_included(leaves[index], -1, size, proof, tree_root)
    if proof:
        assert not is_included(leaves[index], index, size, proof[:-1], tree_root)
        at = data.draw(st.integers(0, len(proof) - 1))
        forged = (*proof[:at], leaf_hash(b"another node"), *proof[at + 1 :])
        assert not is_included(leaves[index], index, size, forged, tree_root)


@given(hashes, st.data())
def test_consistency_proof_holds_for_its_trees_only(leaves: list[bytes], data: st.DataObject) -> None:
    new = len(leaves)
    old = data.draw(st.integers(0, new))
    proof = consistency_proof(leaves, old)
    old_root, new_root, other = root(leaves[:old]), root(leaves), leaf_hash(b"other")
    assert is_consistent(old, old_root, new, new_root, proof)
    assert not is_consistent(old, other, new, new_root, proof)
    assert not is_consistent(old, old_root, new, new_root, (*proof, other))
    if 0 < old < new:
        assert not is_consistent(old, old_root, new, other, proof)
        assert not is_consistent(old, old_root, new, new_root, ())
        assert not is_consistent(old, old_root, new, new_root, proof[:-1])
        assert not is_consistent(new, new_root, old, old_root, proof)
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not is_consistent(old, old_root, new, new_root, (*proof[:at], other, *proof[at + 1 :]))


def test_inner_node_is_not_taken_for_a_leaf() -> None:
    """A proof that ends too early would show any inner node to be a leaf."""
    left, right = node_hash(*LEAVES[:2]), node_hash(*LEAVES[2:4])
    assert not is_included(left, 0, 4, (right,), bytes.fromhex(ROOTS[4]))


def test_leaf_is_not_taken_for_one_of_another_place() -> None:
    """A proof that is too long would show a leaf to be the only one."""
    assert not is_included(LEAVES[1], 0, 1, (LEAVES[0],), bytes.fromhex(ROOTS[2]))


def test_consistency_proof_is_not_taken_for_one_of_other_sizes() -> None:
    one, two, eight = (bytes.fromhex(ROOTS[size]) for size in (1, 2, 8))
    assert not is_consistent(1, one, 2, eight, consistency_proof(LEAVES, 1))
    assert not is_consistent(1, one, 8, two, consistency_proof(LEAVES[:2], 1))


def test_tree_does_not_shrink() -> None:
    """Checked as a growing one, the path could be made up from the old root."""
    old, sibling = leaf_hash(b"old root"), leaf_hash(b"sibling")
    assert not is_consistent(3, old, 2, node_hash(old, sibling), (old, sibling))


def test_rewritten_history_has_no_consistency_proof() -> None:
    rewritten = [*LEAVES[:3], leaf_hash(b"forged"), *LEAVES[4:]]
    proof = consistency_proof(rewritten, 6)
    assert not is_consistent(6, bytes.fromhex(ROOTS[6]), 8, root(rewritten), proof)


@pytest.mark.parametrize("index", [-1, 8])
def test_proof_for_a_leaf_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion_proof(LEAVES, index)


@pytest.mark.parametrize("old_size", [-1, 9])
def test_proof_from_a_tree_that_was_not_is_refused(old_size: int) -> None:
    with pytest.raises(IndexError):
        consistency_proof(LEAVES, old_size)
