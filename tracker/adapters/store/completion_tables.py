"""Tables of what subscribers must do: a row for each piece of work, and how far the journal was looked at for each of them."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from tracker.adapters.store.columns import Instant
from tracker.adapters.store.tables import metadata

_OPEN = text("reported_at IS NULL AND overdue_told_at IS NULL")

completion_watch = Table(
    "completion_watch",
    metadata,
    Column("subscription_id", String(36), primary_key=True),
    Column("cursor", BigInteger, nullable=False),
)
completion = Table(
    "completion",
    metadata,
    Column("subscription_id", String(36), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("work", String(64), primary_key=True),
    Column("entry_id", String(36), nullable=False),
    Column("tracking_id", String(36), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("overdue_told_at", Instant),
    Column("evidence_url", Text),
    Column("done_at", Instant),
    Column("reported_at", Instant),
    Index("ix_completion_due_at", "due_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_completion_entry_id", "subscription_id", "entry_id"),
)
