"""What is known of the providers themselves: what they were asked lately by all processes, and how well they are heard.

The reading of the journal that their health comes from begins at its present end.

Revision: 0007, after 0006
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_ledger",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("allowance", Json(), nullable=False),
        sa.Column("breaker", Json(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_ledger")),
    )
    op.create_table(
        "provider_health",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("last_event_at", Instant(), nullable=True),
        sa.Column("keys_fetched_at", Instant(), nullable=True),
        sa.Column("keys_failed_at", Instant(), nullable=True),
        sa.Column("tokens_fetched_at", Instant(), nullable=True),
        sa.Column("tokens_failed_at", Instant(), nullable=True),
        sa.Column("record", sa.String(length=20), nullable=False),
        sa.Column("quiet", sa.String(length=16), nullable=True),
        sa.Column("quiet_since", Instant(), nullable=True),
        sa.Column("heard_again_at", Instant(), nullable=True),
        sa.Column("stretch", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_health")),
    )
    op.create_table(
        "provider_moves",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("told_by", sa.String(length=16), nullable=False),
        sa.Column("hour", Instant(), nullable=False),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.Column("longest_seconds", sa.Float(), nullable=False),
        sa.Column("steps", Json(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "told_by", "hour", name=op.f("pk_provider_moves")),
    )
    op.create_index("ix_provider_moves_hour", "provider_moves", ["hour"], unique=False)
    op.create_table(
        "awaited_event",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("due_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_awaited_event")),
    )
    op.create_index("ix_awaited_event_due_at", "awaited_event", ["due_at"], unique=False)
    op.create_table(
        "journal_reading",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_journal_reading")),
    )
    op.execute("INSERT INTO journal_reading (name, sequence) SELECT 'health', next_sequence - 1 FROM journal")
    if op.get_bind().dialect.name == "postgresql":
        for table in ("provider_ledger", "provider_health"):  # few rows, written all the time
            op.execute(
                f"ALTER TABLE {table} SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0,"
                " autovacuum_vacuum_threshold = 500)"
            )


def downgrade() -> None:
    for table in ("journal_reading", "awaited_event", "provider_moves", "provider_health", "provider_ledger"):
        op.drop_table(table)
