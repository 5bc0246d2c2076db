"""The table of export jobs."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from tracker.adapters.store.columns import Instant, Json
from tracker.adapters.store.tables import metadata

_IS_OPEN = text("finished_at IS NULL")

export_job = Table(
    "export_job",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("request", Json, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("part", Json),
    Column("place", Text),
    Column("position", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("files", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("last_error", Text),
    # Whether there is anything to do is asked every second.
    Index("ix_export_job_open", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
)
