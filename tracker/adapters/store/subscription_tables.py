"""Tables of subscriptions: one row for each, and one for each entry that an endpoint refused."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text, false

from tracker.adapters.store.columns import Instant, Json
from tracker.adapters.store.tables import metadata

subscription = Table(
    "subscription",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("url", Text, nullable=False),
    Column("entry_filter", Json, nullable=False),
    Column("secret", String(128), nullable=False),
    Column("description", Text, nullable=False),
    Column("include_private", Boolean, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("last_delivered_at", Instant),
    Column("last_error", Text),
    Column("created_at", Instant, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("paused_at", Instant),
    Column("retired_secrets", Json),
    Column("manner", Json),
    Column("announced", Json),
    Column("poll_format", String(8), nullable=False, server_default="entry"),
    Column("poll_visibility_seconds", Integer, nullable=False, server_default="60"),
    Column("key_id", String(32)),
    Column("completion", Json),
    Column("sending", Json),
    Column("challenge", String(64)),
    Column("tried_at", Instant),
    Column("held_at", Instant),
    Column("held_until", Instant),
)
parked = Table(
    "parked",
    metadata,
    Column("subscription_id", String(36), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("tracking_id", String(36), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("last_error", Text),
    Column("is_unordered", Boolean, nullable=False, server_default=false()),
    Column("answer", Text),
)
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("subscription_id", String(36), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("tracking_id", String(36), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("given_up_at", Instant, nullable=False),
    Column("answer", Text),
)
