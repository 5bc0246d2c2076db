"""The stored tree: extended from the journal in sequence, and read tile by tile."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, select, update

from tracker.adapters.store.differences import upsert
from tracker.adapters.store.tables import entry
from tracker.adapters.store.tile_tables import tile, tree
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
    for expected, (sequence, _) in enumerate(found, start=at + 1):
        if sequence != expected:
            raise TornTreeError(f"Entry {expected} is missing from the journal.")
    if not found:
        return 0
    changed = grown(at, read(connection, edge(at)), (bytes(leaf_hash) for _, leaf_hash in found))
    put = upsert(connection, tile)
    put = put.on_conflict_do_update(index_elements=["level", "position"], set_={"hashes": put.excluded.hashes})
    connection.execute(
        put, [{"level": one.level, "position": one.position, "hashes": held} for one, held in changed.items()]
    )
    connection.execute(update(tree).values(size=at + len(found)))
    return len(found)
