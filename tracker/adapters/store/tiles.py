"""The stored tree: extended from the journal in sequence, and read tile by tile."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import Connection, Row, select, update

from tracker.adapters.store.differences import upsert
from tracker.adapters.store.tables import entry
from tracker.adapters.store.tile_tables import tile, tree
from tracker.journal.gap import GAP_HASH, gap_of
from tracker.journal.tiles import Tile, TornTreeError, edge, grown


def size(connection: Connection) -> int:
    """Over how many entries the tree reaches."""
    return int(connection.execute(select(tree.c.size)).scalar_one())


def read(connection: Connection, wanted: Collection[Tile]) -> dict[Tile, bytes]:
    """Read tiles."""
    of_level: dict[int, list[int]] = defaultdict(list)
    for one in wanted:
        of_level[one.level].append(one.position)
    found: dict[Tile, bytes] = {}
    for level, positions in of_level.items():
        query = select(tile.c.position, tile.c.hashes).where(tile.c.level == level, tile.c.position.in_(positions))
        found |= {Tile(level, position): bytes(hashes) for position, hashes in connection.execute(query)}
    return found


def extend(connection: Connection, limit: int) -> int:
    """Take the next entries into the tree; others that would do so wait."""
    at = connection.execute(select(tree.c.size).with_for_update()).scalar_one()
    query = select(entry.c.sequence, entry.c.leaf_hash).where(entry.c.sequence > at).order_by(entry.c.sequence)
    found = connection.execute(query.limit(limit)).all()
    if not found:
        return 0
    changed = grown(at, read(connection, edge(at)), _leaves(connection, at, found))
    put = upsert(connection, tile)
    put = put.on_conflict_do_update(index_elements=["level", "position"], set_={"hashes": put.excluded.hashes})
    connection.execute(
        put, [{"level": one.level, "position": one.position, "hashes": held} for one, held in changed.items()]
    )
    connection.execute(update(tree).values(size=found[-1].sequence))
    return len(found)


def _leaves(connection: Connection, size: int, found: Sequence[Row[Any, Any]]) -> Iterator[bytes]:
    """The hashes of the next leaves; for what a gap declares as lost, what stands in its place."""
    for sequence, leaf_hash in found:
        size += 1
        if sequence != size:
            leaf = connection.execute(select(entry.c.leaf).where(entry.c.sequence == sequence)).scalar_one()
            gap = gap_of(json.loads(leaf))
            if gap is None or (gap.first, gap.last) != (size, sequence - 1):
                raise TornTreeError(f"Entry {size} is missing from the journal.")
            yield from repeat(GAP_HASH, gap.count)
            size = sequence
        yield bytes(leaf_hash)
