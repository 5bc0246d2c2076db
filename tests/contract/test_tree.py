"""The stored tree: each entry is taken in once and in sequence, and proves what the journal says."""

import asyncio

import pytest
from sqlalchemy import update

from tests.contract.facts import a_consent, append, draft_about, save
from tracker.adapters.store.store import SqlStore
from tracker.adapters.store.tables import journal
from tracker.journal import tree
from tracker.journal.tiles import Tile, TornTreeError
from tracker.usecases.proofs import Proofs


async def _told(store: SqlStore, count: int) -> list[bytes]:
    consent = a_consent()
    await save(store, consent)
    return [one.leaf_hash for one in await append(store, *(draft_about(consent) for _ in range(count)))]


async def test_entries_are_taken_in_and_proven(store: SqlStore) -> None:
    proofs = Proofs(store)
    assert (await proofs.size(), await proofs.root(0)) == (0, tree.EMPTY_ROOT)
    leaves = await _told(store, 300)
    assert [await store.extend_tree(130), await store.extend_tree(130), await store.extend_tree(130)] == [130, 130, 40]
    assert await proofs.extend() == 300
    assert await proofs.root(300) == tree.root(leaves)
    assert await proofs.root(200) == tree.root(leaves[:200])
    found = await proofs.inclusions([1, 256, 257, 300], 300)
    assert found == {n: tree.inclusion_proof(leaves, n - 1) for n in (1, 256, 257, 300)}
    assert await proofs.consistency(200, 300) == tree.consistency_proof(leaves, 200)
    around = await proofs.around(5, 258, 300)
    assert around.left == (tree.root(leaves[:4]),)
    assert around.right == (
        *(tree.root(leaves[a:b]) for a, b in ((258, 260), (260, 264), (264, 272), (272, 288))),
        tree.root(leaves[288:296]),
        tree.root(leaves[296:300]),
    )


async def test_many_extend_it_at_once_and_each_entry_is_taken_in_once(store: SqlStore) -> None:
    leaves = await _told(store, 90)
    taken = await asyncio.gather(*(store.extend_tree(7) for _ in range(20)))
    assert sum(taken) == await store.tree_size() == 90
    assert await Proofs(store).root(90) == tree.root(leaves)


async def test_a_hole_in_the_journal_stops_it_and_is_named(store: SqlStore) -> None:
    await _told(store, 14)
    assert await store.extend_tree(10) == 10
    skip = update(journal).values(next_sequence=journal.c.next_sequence + 1)
    await store._database.write(lambda connection: (connection.execute(skip), None))
    await append(store, *(draft_about(a_consent()) for _ in range(5)))
    with pytest.raises(TornTreeError, match="Entry 15 is missing"):
        await store.extend_tree(10)
    assert await store.tree_size() == 10
    assert await store.tiles([Tile(0, 0), Tile(3, 7)]) == {Tile(0, 0): (await store.tiles([Tile(0, 0)]))[Tile(0, 0)]}
