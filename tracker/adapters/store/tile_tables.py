"""The tables of the stored tree: how far it reaches, and its tiles."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, SmallInteger, Table

from tracker.adapters.store.tables import metadata

# One row: over how many entries the tree reaches. Who extends it holds the row.
tree = Table(
    "tree",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
)

# C2SP tlog-tiles: up to 256 hashes each. Level 0 has the leaf hashes: they outlive the entries' own rows.
tile = Table(
    "tile",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
