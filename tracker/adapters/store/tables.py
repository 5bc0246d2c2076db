"""The schema. Changes to it are migrations; a test holds the two against each other.

On PostgreSQL some of it is in partitions, and keys of two tables hold within each: see `partitions`.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from tracker.adapters.store.columns import Instant, Json

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_COUNTER = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in a column called INTEGER


def _only(condition: str) -> dict[str, Any]:
    """Make an index hold only some rows."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


# Events that were answered for and wait to be opened.
inbox = Table(
    "inbox",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("profile", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("interaction_id", String(128), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("leased_until", Instant),  # by the database's clock: somebody is at it
    Column("lane", String(64)),
    Index("ix_inbox_due_at_id", "due_at", "id"),
    Index("ix_inbox_lane_due_at_id", "lane", "due_at", "id"),  # read only when much is due
)

# Events that could not be opened or not be believed.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("profile", String(64), nullable=False),
    Column("step", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("quarantined_at", Instant, nullable=False),
    Column("interaction_id", String(128), nullable=False),
    Column("provider", String(64)),
    Column("kid", String(512)),
    Column("our_kid", String(256)),
    Column("keys_at_hand", Json),
    Column("retries", Integer, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("consent_id", String(128)),
    # Covers what making room must know: how many never-verified ones there are, and how large they are together.
    Index("ix_quarantine_verified_id", "verified", "id", "size_bytes"),
    Index("ix_quarantine_reason_id", "reason", "id"),
    # What is opened again by itself: when the key appears that it names, or the consent that it claims to be about.
    Index("ix_quarantine_key", "provider", "kid", "id", **_only("reason IN ('key_unknown', 'keys_unavailable')")),
    Index("ix_quarantine_provider_consent_id", "provider", "consent_id", **_only("consent_id IS NOT NULL")),
)

consent = Table(
    "consent",
    metadata,
    Column("tracking_id", String(36), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("consent_id", String(128), nullable=False),
    Column("profile", String(64), nullable=False),
    Column("client_id", String(256), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("registered_expiry", Instant),
    # What is kept of the reports, and what follows from it: the columns after it are for searching, never for judging.
    Column("summary", Json, nullable=False),
    Column("status", String(32), nullable=False),
    Column("status_date_time", Instant),
    Column("expiration_date_time", Instant),
    Column("told_status", String(32), nullable=False),
    Column("told_confirmed", Boolean, nullable=False),
    Column("told_usable", Boolean, nullable=False),
    Column("judged_at", Instant),
    Column("paused", Boolean, nullable=False),
    Column("revoking", Boolean, nullable=False),
    Column("asked_at", Instant),
    Column("leased_until", Instant),
    Column("requested_at", Instant),
    Column("failures", Integer, nullable=False),
    Column("not_before", Instant),
    Column("doubted_at", Instant),
    Column("learned_at", Instant),
    Column("confirmed_at", Instant),
    Column("confirmed_by", String(16)),
    Column("revoked_by", String(64)),
    Column("base_consent_id", String(128)),
    Column("user_ref", String(256)),
    Column("permissions", Json, nullable=False),
    Column("terms", Json),
    Column("creation_date_time", Instant),
    Column("authorization_expiration_date_time", Instant),
    Column("last_sequence", BigInteger),
    Column("version", Integer, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("next_ask_at", Instant),
    Column("next_tick_at", Instant),
    Column("imported", Boolean, nullable=False, server_default=text("false")),
    Column("urgent_ask_at", Instant),
    Column("queued_ask_at", Instant),
    Column("noticing", Json),
    Column("next_notice_at", Instant),
    Column("steady_ask_at", Instant),
    Column("suspected_at", Instant),
    Column("siblings_wanted_at", Instant),
    Column("revocation", Json),
    Column("revocation_due_at", Instant),
    Column("journey", Json),  # null: nothing was heard of it
    Column("authorizers", Json),
    Column("payment_outcome", String(16)),
    Column("payment_date_time", Instant),
    Column("expiry_told_at", Instant),
    Column("sealed", LargeBinary),  # what of the row says something about a person; see `sealed`
    Column("user_ref_hash", LargeBinary),
    Index("ix_consent_user_ref_hash", "user_ref_hash", **_only("user_ref_hash IS NOT NULL")),
    Index("ix_consent_user_ref", "user_ref", **_only("user_ref IS NOT NULL")),
    Index("ix_consent_base_consent_id", "base_consent_id", **_only("base_consent_id IS NOT NULL")),
    # Due work is found in time that grows with what is due, not with what there is.
    Index("ix_consent_next_ask_at", "provider", "next_ask_at", **_only("next_ask_at IS NOT NULL")),
    Index("ix_consent_next_tick_at", "next_tick_at", **_only("next_tick_at IS NOT NULL")),
    Index("ix_consent_next_notice_at", "next_notice_at", **_only("next_notice_at IS NOT NULL")),
    # Those in doubt have a line of their own, and are not passed on the way to the others.
    Index(
        "ix_consent_urgent_ask_at",
        "provider",
        "urgent_ask_at",
        **_only("urgent_ask_at IS NOT NULL AND doubted_at IS NULL"),
    ),
    Index(
        "ix_consent_doubted_ask_at",
        "provider",
        "urgent_ask_at",
        **_only("urgent_ask_at IS NOT NULL AND doubted_at IS NOT NULL"),
    ),
    # What the condition of a provider moves: `now` is shifted for each status, not the rows.
    Index("ix_consent_steady_ask_at", "provider", "status", "steady_ask_at", **_only("steady_ask_at IS NOT NULL")),
    Index("ix_consent_suspected_at", "provider", "suspected_at", **_only("suspected_at IS NOT NULL")),
    Index("ix_consent_siblings_wanted_at", "siblings_wanted_at", **_only("siblings_wanted_at IS NOT NULL")),
    # The queue is read in the order of expiry; the time is there too, for what holds back.
    Index("ix_consent_queued", "provider", "registered_expiry", "queued_ask_at", **_only("queued_ask_at IS NOT NULL")),
    Index(
        "ix_consent_revocation_due_at",
        "provider",
        "revocation_due_at",
        **_only("revocation_due_at IS NOT NULL"),
    ),
    # Lists are read in the order of keys: what few of them are, or have, or came to would be looked for among all.
    Index("ix_consent_provider_tracking_id", "provider", "tracking_id"),
    Index("ix_consent_status_tracking_id", "status", "tracking_id"),
    Index("ix_consent_status_expiration_date_time", "status", "expiration_date_time"),
    Index("ix_consent_updated_at", "updated_at"),
)

# What the world calls a consent. In some ecosystems that changes on the way.
identity = Table(
    "identity",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("value", String(128), primary_key=True),
    Column("tracking_id", String(36), nullable=False, index=True),
)

# Every verified claim about a consent, registered yet or not (then tracking_id is null).
report = Table(
    "report",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("tracking_id", String(36)),
    Column("provider", String(64), nullable=False),
    Column("consent_id", String(128), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("status", String(32), nullable=False),
    Column("raw_status", String(64)),
    Column("status_date_time", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("asks", Integer, nullable=False),
    Column("asked_at", Instant),
    Column("ask", Integer),
    Column("expiration_date_time", Instant),
    Column("revoked_by", String(64)),
    Column("event_type", String(128)),
    Column("event_date_time", Instant),
    Column("vouched_at", Instant, nullable=False),
    Column("terms", Json, nullable=False),
    Column("permissions", Json),
    Column("creation_date_time", Instant),
    Column("authorization_expiration_date_time", Instant),
    Column("base_consent_id", String(128)),
    Column("jws_sha256", String(64)),
    Column("jwe_sha256", String(64)),
    Column("kid", String(512)),
    Column("jwk_thumbprint", String(64)),
    Column("zone_assumed", Boolean, nullable=False),
    Column("verdict", String(16)),
    Column("repeats", Integer, nullable=False),
    Column("sealed", LargeBinary),
    Index("ix_report_tracking_id_recorded_at", "tracking_id", "recorded_at"),
    Index("ix_report_waiting", "provider", "consent_id", **_only("tracking_id IS NULL")),
)

# Verified events about other things than a consent's status: payments, quotes, openings of accounts.
other_event = Table(
    "other_event",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("provider", String(64), nullable=False),
    Column("family", String(32), nullable=False),
    Column("consent_id", String(128)),
    Column("event_type", String(128), nullable=False),
    Column("event_date_time", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("data", Json),
    Column("jws_sha256", String(64), nullable=False),
    Column("repeats", Integer, nullable=False),
    Column("sealed", LargeBinary),
    Index("ix_other_event_provider_consent_id", "provider", "consent_id"),
)

# The latest word on each payment, registered consent or not.
payment = Table(
    "payment",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("payment_id", String(128), primary_key=True),
    Column("consent_id", String(128), nullable=False),
    Column("status", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("is_final", Boolean, nullable=False),
    Column("status_date_time", Instant, nullable=False),
    Column("creation_date_time", Instant),
    Column("transaction_id", String(64)),
    Column("reject_codes", Json, nullable=False),
    Column("amount", String(64)),
    Column("currency", String(64)),
    Column("received_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("jws_sha256", String(64), nullable=False),
    Column("jwe_sha256", String(64)),
    Column("kid", String(512), nullable=False),
    Column("jwk_thumbprint", String(64), nullable=False),
    Column("sealed", LargeBinary),
    Index("ix_payment_provider_consent_id_payment_id", "provider", "consent_id", "payment_id"),
)

# The holder's signed tokens, and the keys that verified them.
evidence = Table(
    "evidence",
    metadata,
    Column("jws_sha256", String(64), primary_key=True),
    Column("jwe_sha256", String(64)),
    Column("provider", String(64), nullable=False),
    Column("jws", LargeBinary, nullable=False),
    Column("kid", String(512), nullable=False),
    Column("jwk_thumbprint", String(64), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("key_fetched_at", Instant),
    Column("verification", Text),
    Column("consent_id", String(128)),  # under whose key the token stands; null: it is not encrypted
)
holder_key = Table(
    "holder_key",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("jwk_thumbprint", String(64), primary_key=True),
    Column("kid", String(512), nullable=False),
    Column("jwk", Json, nullable=False),
    Column("jwks_uri", Text, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("fetched_at", Instant),
    Column("x5c", Json),
    Column("tls_chain", Json),
)

# The holder vouched for what we knew already. Bounded by age.
confirmation = Table(
    "confirmation",
    metadata,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("tracking_id", String(36), nullable=False),
    Column("vouched_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False, index=True),
    Column("channel", String(16), nullable=False),
    Column("status", String(32), nullable=False),
    Index("ix_confirmation_tracking_id_vouched_at", "tracking_id", "vouched_at"),
)

# The journal: one row of head, then the entries.
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("journal_id", String(36), nullable=False),
    Column("next_sequence", BigInteger, nullable=False),
    Column("recorded_at", Instant),
)
entry = Table(
    "entry",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", String(36), nullable=False, unique=True),
    Column("tracking_id", String(36)),
    Column("recorded_at", Instant, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("private", Json),
    Column("private_salt", LargeBinary),
    Index("ix_entry_tracking_id_sequence", "tracking_id", "sequence"),
)
# One row a transaction that appended: it answers whether a commit whose answer was lost took place.
batch = Table(
    "batch",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("recorded_at", Instant, nullable=False, index=True),
)

# Who does what only one may do at a time. Times are by the database's clock; the epoch rises with each new holder.
lease = Table(
    "lease",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("leased_until", Instant, nullable=False),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)
