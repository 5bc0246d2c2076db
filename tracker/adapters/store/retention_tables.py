"""Tables of what is kept for how long: holds, requests for erasure, and what is left of consents that are gone."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from tracker.adapters.store.columns import Instant
from tracker.adapters.store.tables import metadata

# Legal holds that stand; those that were lifted are in the journal.
legal_hold = Table(
    "legal_hold",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tracking_id", String(36), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("placed_by", String(128), nullable=False),
    Column("placed_at", Instant, nullable=False),
    Index("ix_legal_hold_tracking_id", "tracking_id"),
)
# Consents that are to go as soon as they may. Whose they are is not said here: that is known from the consent, while it is there.
erasure = Table(
    "erasure",
    metadata,
    Column("tracking_id", String(36), primary_key=True),
    Column("requested_by", String(128), nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("look_at", Instant, nullable=False),
    Index("ix_erasure_look_at", "look_at"),
)
# What is left of consents that are gone: no more than the leaves of their entries say for ever.
disposed_consent = Table(
    "disposed_consent",
    metadata,
    Column("tracking_id", String(36), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("consent_id", String(128), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("disposed_at", Instant, nullable=False),
    Index("ix_disposed_consent_provider_consent_id", "provider", "consent_id", unique=True),
)
# What was seen of our clock: one row. By a clock that has leapt nothing goes that does not come back.
steady_clock = Table(
    "steady_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seen_at", Instant, nullable=False),
    Column("since", Instant, nullable=False),
)
# Events that came after their consent was gone, and were told of: the next one like it is a repeat.
late_event = Table(
    "late_event",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("tracking_id", String(36), nullable=False),
    Column("heard_at", Instant, nullable=False),
)
# Partitions of the journal that were detached: what is below is not in its table any more.
journal_detached = Table(
    "journal_detached",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("below", BigInteger, nullable=False),
    Column("detached_at", Instant, nullable=False),
)
