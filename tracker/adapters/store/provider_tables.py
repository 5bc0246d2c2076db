"""Tables of what is known of the providers themselves. All of them are small, and stay so."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table

from tracker.adapters.store.columns import Instant, Json
from tracker.adapters.store.tables import metadata

_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

# What each was asked lately, by all processes together. Its row is held while questions are taken in hand.
provider_ledger = Table(
    "provider_ledger",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("allowance", Json, nullable=False),
    Column("breaker", Json, nullable=False),
)
# How each is doing.
provider_health = Table(
    "provider_health",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("last_event_at", Instant),
    Column("keys_fetched_at", Instant),
    Column("keys_failed_at", Instant),
    Column("tokens_fetched_at", Instant),
    Column("tokens_failed_at", Instant),
    Column("record", String(20), nullable=False),
    Column("quiet", String(16)),
    Column("quiet_since", Instant),
    Column("heard_again_at", Instant),
    Column("stretch", Float, nullable=False),
)
# How long after the holder's time moves were known, counted by the hour. Bounded by age.
provider_moves = Table(
    "provider_moves",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("told_by", String(16), primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("moves", Integer, nullable=False),
    Column("longest_seconds", Float, nullable=False),
    Column("steps", Json, nullable=False),
    Index("ix_provider_moves_hour", "hour"),
)
# Moves that polls found, while an event of them may still come. By the sequence of the entry that told the move.
awaited_event = Table(
    "awaited_event",
    metadata,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=False),
    Column("due_at", Instant, nullable=False, index=True),
)
# How far standing readings of the journal have come.
journal_reading = Table(
    "journal_reading",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
)
