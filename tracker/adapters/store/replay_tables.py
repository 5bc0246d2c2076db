"""Tables of replays: one row for each, and one for each entry that failed in it."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from tracker.adapters.store.columns import Instant, Json
from tracker.adapters.store.tables import metadata

_IS_OPEN = text("finished_at IS NULL")

replay = Table(
    "replay",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("subscription_id", String(36), nullable=False),
    Column("selection", Json, nullable=False),
    Column("per_second", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("skipped", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False),
    Column("tried_at", Instant),
    Column("next_attempt_at", Instant),
    Column("last_error", Text),
    Column("ahead", Json),
    Index("ix_replay_subscription_id_id", "subscription_id", "id"),
    # Whether there is anything to do is asked every second; how many are over does not count.
    Index("ix_replay_open", "subscription_id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
)
replay_failure = Table(
    "replay_failure",
    metadata,
    Column("replay_id", String(36), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("tracking_id", String(36), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("answer", Text),
    Column("failed_at", Instant, nullable=False),
)
