"""Proofs checked by a program written from `docs/journal.md` alone: nothing of ours is in it but what makes the proofs."""

import re
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tracker.journal import tree

DOCUMENT = (Path(__file__).parents[2] / "docs" / "journal.md").read_text("utf-8")
LEAVES = [sha256(b"\x00%d" % n).digest() for n in range(70)]


def node_of(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def is_included(leaf: bytes, index: int, size: int, hashes: list[bytes], root: bytes) -> bool:
    n, last, node = index, size - 1, leaf
    for one in hashes:
        if last == 0:
            return False
        if n % 2 or n == last:
            node = node_of(one, node)
            while n % 2 == 0 and n:
                n, last = n // 2, last // 2
        else:
            node = node_of(node, one)
        n, last = n // 2, last // 2
    return last == 0 and node == root


def goes_on(from_size: int, old_root: bytes, size: int, root: bytes, hashes: list[bytes]) -> bool:
    if from_size in {0, size}:
        return not hashes and (from_size == 0 or old_root == root)
    if from_size.bit_count() == 1:
        hashes = [old_root, *hashes]
    n, last = from_size - 1, size - 1
    while n % 2:
        n, last = n // 2, last // 2
    old = new = hashes[0]
    for one in hashes[1:]:
        if last == 0:
            return False
        if n % 2 or n == last:
            old, new = node_of(one, old), node_of(one, new)
            while n % 2 == 0 and n:
                n, last = n // 2, last // 2
        else:
            new = node_of(new, one)
        n, last = n // 2, last // 2
    return last == 0 and old == old_root and new == root


@given(st.integers(1, len(LEAVES)), st.data())
def test_what_we_prove_holds_as_documented_and_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = LEAVES[:size]
    root = tree.root(leaves)
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    path = list(tree.inclusion_proof(leaves, index))
    assert is_included(leaves[index], index, size, path, root)
    assert not is_included(bytes(32), index, size, path, root)
    assert not is_included(leaves[index], index, size, [*path, root], root)
    old_root = tree.root(leaves[:older])
    path = list(tree.consistency_proof(leaves, older))
    assert goes_on(older, old_root, size, root, path)
    if older not in {0, size}:
        assert not goes_on(older, bytes(32), size, root, path)
        assert not goes_on(older, old_root, size, bytes(32), path)


def _documented() -> dict[str, bytes]:
    """The numbers of the example."""
    rows = re.findall(r"^\| (leaf \d|node over leaves 0 and 1|root) \| `([0-9a-f]{64})` \|$", DOCUMENT, re.MULTILINE)
    return {name: bytes.fromhex(text) for name, text in rows}


def test_the_example_is_proven_as_its_table_says() -> None:
    numbers = _documented()
    leaves = [numbers[f"leaf {n}"] for n in range(3)]
    named = {told: name.removeprefix("the ") for name, told in numbers.items()}
    rows = re.findall(
        r"^\| (inclusion|consistency) (?:of leaf|from) (\d) (?:among|to) 3 \| (.*) \|$", DOCUMENT, re.MULTILINE
    )
    assert len(rows) == 4
    for kind, number, hashes in rows:
        made = (
            tree.inclusion_proof(leaves, int(number))
            if kind == "inclusion"
            else tree.consistency_proof(leaves, int(number))
        )
        assert [named[one] for one in made] == [name.removeprefix("the ") for name in hashes.split(", ")]
