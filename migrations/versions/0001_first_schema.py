"""The first schema.

Revision: 0001, the first
"""

import uuid

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch")),
    )
    op.create_index(op.f("ix_batch_recorded_at"), "batch", ["recorded_at"], unique=False)

    op.create_table(
        "confirmation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.Column("vouched_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation")),
    )
    op.create_index(op.f("ix_confirmation_recorded_at"), "confirmation", ["recorded_at"], unique=False)
    op.create_index(
        "ix_confirmation_tracking_id_vouched_at", "confirmation", ["tracking_id", "vouched_at"], unique=False
    )

    op.create_table(
        "consent",
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("consent_id", sa.String(length=128), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("registered_at", Instant(), nullable=False),
        sa.Column("registered_expiry", Instant(), nullable=True),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("status_date_time", Instant(), nullable=True),
        sa.Column("expiration_date_time", Instant(), nullable=True),
        sa.Column("told_status", sa.String(length=32), nullable=False),
        sa.Column("told_confirmed", sa.Boolean(), nullable=False),
        sa.Column("told_usable", sa.Boolean(), nullable=False),
        sa.Column("judged_at", Instant(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("revoking", sa.Boolean(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("leased_until", Instant(), nullable=True),
        sa.Column("requested_at", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("doubted_at", Instant(), nullable=True),
        sa.Column("learned_at", Instant(), nullable=True),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("confirmed_by", sa.String(length=16), nullable=True),
        sa.Column("revoked_by", sa.String(length=64), nullable=True),
        sa.Column("base_consent_id", sa.String(length=128), nullable=True),
        sa.Column("user_ref", sa.String(length=256), nullable=True),
        sa.Column("permissions", sa.JSON(), nullable=False),
        sa.Column("terms", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("creation_date_time", Instant(), nullable=True),
        sa.Column("authorization_expiration_date_time", Instant(), nullable=True),
        sa.Column("last_sequence", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("next_ask_at", Instant(), nullable=True),
        sa.Column("next_tick_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("tracking_id", name=op.f("pk_consent")),
    )
    op.create_index(
        "ix_consent_base_consent_id",
        "consent",
        ["base_consent_id"],
        unique=False,
        sqlite_where=sa.text("base_consent_id IS NOT NULL"),
        postgresql_where=sa.text("base_consent_id IS NOT NULL"),
    )
    op.create_index(
        "ix_consent_next_ask_at",
        "consent",
        ["provider", "next_ask_at"],
        unique=False,
        sqlite_where=sa.text("next_ask_at IS NOT NULL"),
        postgresql_where=sa.text("next_ask_at IS NOT NULL"),
    )
    op.create_index(
        "ix_consent_next_tick_at",
        "consent",
        ["next_tick_at"],
        unique=False,
        sqlite_where=sa.text("next_tick_at IS NOT NULL"),
        postgresql_where=sa.text("next_tick_at IS NOT NULL"),
    )
    op.create_index(
        "ix_consent_user_ref",
        "consent",
        ["user_ref"],
        unique=False,
        sqlite_where=sa.text("user_ref IS NOT NULL"),
        postgresql_where=sa.text("user_ref IS NOT NULL"),
    )

    op.create_table(
        "dead_letter",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("given_up_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "sequence", name=op.f("pk_dead_letter")),
    )
    op.create_table(
        "entry",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=True),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("private", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("private_salt", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_entry")),
        sa.UniqueConstraint("id", name=op.f("uq_entry_id")),
    )
    op.create_index("ix_entry_tracking_id_sequence", "entry", ["tracking_id", "sequence"], unique=False)

    op.create_table(
        "evidence",
        sa.Column("jws_sha256", sa.String(length=64), nullable=False),
        sa.Column("jwe_sha256", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("jws", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.String(length=512), nullable=False),
        sa.Column("jwk_thumbprint", sa.String(length=64), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("jws_sha256", name=op.f("pk_evidence")),
    )
    op.create_table(
        "holder_key",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("jwk_thumbprint", sa.String(length=64), nullable=False),
        sa.Column("kid", sa.String(length=512), nullable=False),
        sa.Column("jwk", sa.JSON(), nullable=False),
        sa.Column("jwks_uri", sa.Text(), nullable=False),
        sa.Column("first_seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "jwk_thumbprint", name=op.f("pk_holder_key")),
    )
    op.create_table(
        "identity",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("provider", "kind", "value", name=op.f("pk_identity")),
    )
    op.create_index(op.f("ix_identity_tracking_id"), "identity", ["tracking_id"], unique=False)

    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_due_at_id", "inbox", ["due_at", "id"], unique=False)

    op.create_table(
        "journal",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("journal_id", sa.String(length=36), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_table(
        "other_event",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("family", sa.String(length=32), nullable=False),
        sa.Column("consent_id", sa.String(length=128), nullable=True),
        sa.Column("event_type", sa.String(length=128), nullable=False),
        sa.Column("event_date_time", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("jws_sha256", sa.String(length=64), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_other_event")),
    )
    op.create_index("ix_other_event_provider_consent_id", "other_event", ["provider", "consent_id"], unique=False)

    op.create_table(
        "parked",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("subscription_id", "sequence", name=op.f("pk_parked")),
    )
    op.create_table(
        "quarantine",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("quarantined_at", Instant(), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("kid", sa.String(length=512), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )
    op.create_index("ix_quarantine_verified_id", "quarantine", ["verified", "id"], unique=False)

    op.create_table(
        "report",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("consent_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("raw_status", sa.String(length=64), nullable=True),
        sa.Column("status_date_time", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("ask", sa.Integer(), nullable=True),
        sa.Column("expiration_date_time", Instant(), nullable=True),
        sa.Column("revoked_by", sa.String(length=64), nullable=True),
        sa.Column("event_type", sa.String(length=128), nullable=True),
        sa.Column("event_date_time", Instant(), nullable=True),
        sa.Column("vouched_at", Instant(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=True),
        sa.Column("creation_date_time", Instant(), nullable=True),
        sa.Column("authorization_expiration_date_time", Instant(), nullable=True),
        sa.Column("base_consent_id", sa.String(length=128), nullable=True),
        sa.Column("jws_sha256", sa.String(length=64), nullable=True),
        sa.Column("jwe_sha256", sa.String(length=64), nullable=True),
        sa.Column("kid", sa.String(length=512), nullable=True),
        sa.Column("jwk_thumbprint", sa.String(length=64), nullable=True),
        sa.Column("zone_assumed", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_report")),
    )
    op.create_index("ix_report_tracking_id_recorded_at", "report", ["tracking_id", "recorded_at"], unique=False)
    op.create_index(
        "ix_report_waiting",
        "report",
        ["provider", "consent_id"],
        unique=False,
        sqlite_where=sa.text("tracking_id IS NULL"),
        postgresql_where=sa.text("tracking_id IS NULL"),
    )

    op.create_table(
        "subscription",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("entry_filter", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("include_private", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.Column("last_delivered_at", Instant(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
    )
    # A journal is one for its life: its id is in every leaf.
    journal = sa.table("journal", sa.column("id"), sa.column("journal_id"), sa.column("next_sequence"))
    op.execute(journal.insert().values(id=1, journal_id=str(uuid.uuid4()), next_sequence=1))


def downgrade() -> None:
    op.drop_table("subscription")
    op.drop_table("report")
    op.drop_table("quarantine")
    op.drop_table("parked")
    op.drop_table("other_event")
    op.drop_table("journal")
    op.drop_table("inbox")
    op.drop_table("identity")
    op.drop_table("holder_key")
    op.drop_table("evidence")
    op.drop_table("entry")
    op.drop_table("dead_letter")
    op.drop_table("consent")
    op.drop_table("confirmation")
    op.drop_table("batch")
    op.drop_table("api_key")
