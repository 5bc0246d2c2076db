"""The tables of checkpoints: one row for each size that was decided to be signed, and one for each key that signed."""

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table, Text

from tracker.adapters.store.columns import Instant
from tracker.adapters.store.tables import metadata

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text),
    Column("signed_at", Instant),
    Column("timestamp", LargeBinary),
)

checkpoint_key = Table(
    "checkpoint_key",
    metadata,
    Column("vkey", String(512), primary_key=True),
    Column("first_size", BigInteger, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_size", BigInteger, nullable=False),
    Column("last_at", Instant, nullable=False),
)
