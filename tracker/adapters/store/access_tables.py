"""The tables of the access record: one row for each look, and where a look showed several consents, one for each of these."""

from sqlalchemy import Column, Index, Integer, SmallInteger, String, Table

from tracker.adapters.store.columns import Instant, Json
from tracker.adapters.store.tables import metadata

access_record = Table(
    "access_record",
    metadata,
    Column("at", Instant, primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("who", String(128), nullable=False),
    Column("what", String(64), nullable=False),
    Column("tracking_id", String(36)),
    Column("provider", String(64)),
    Column("consent_id", String(128)),
    Column("asked", Json),
    Column("shown", Integer),
    Column("peer", String(45)),
    Column("interaction_id", String(128), nullable=False),
    Column("status", SmallInteger, nullable=False),
    Index("ix_access_record_tracking_id_at_id", "tracking_id", "at", "id"),
    Index("ix_access_record_who_at_id", "who", "at", "id"),
)
"""Ordered by time and then by id, in every index: each page of each question is one stretch of one of them."""

access_shown = Table(
    "access_shown",
    metadata,
    Column("tracking_id", String(36), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("id", String(36), primary_key=True),
    Index("ix_access_shown_at_id", "at", "id"),
)
"""Which consents a look showed, where it was not about one of them; `at` and `id` are the look's."""
