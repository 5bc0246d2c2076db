"""The table of beliefs: what a reader was told of a consent, where the journal's entries do not tell it."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table

from tracker.adapters.store.columns import Instant
from tracker.adapters.store.tables import metadata

belief = Table(
    "belief",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tracking_id", String(36), nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("after_sequence", BigInteger),
    Column("entries", Integer, nullable=False),
    Column("status", String(32), nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("expiration_date_time", Instant),
    Index("ix_belief_tracking_id_id", "tracking_id", "id"),
)
"""Rows are only ever appended, by whoever holds the consent: so the ids of one consent's are in the order of their commits."""
