"""Legal holds, requests for erasure, and what is left of consents that are gone.

Revision: 0022, after 0015
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.String(128), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", "tracking_id", name="pk_legal_hold"),
    )
    op.create_index("ix_legal_hold_tracking_id", "legal_hold", ["tracking_id"])
    op.create_table(
        "erasure",
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("requested_by", sa.String(128), nullable=False),
        sa.Column("requested_at", Instant(), nullable=False),
        sa.Column("look_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tracking_id", name="pk_erasure"),
    )
    op.create_index("ix_erasure_look_at", "erasure", ["look_at"])
    op.create_table(
        "disposed_consent",
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("consent_id", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("disposed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("tracking_id", name="pk_disposed_consent"),
    )
    op.create_index(
        "ix_disposed_consent_provider_consent_id", "disposed_consent", ["provider", "consent_id"], unique=True
    )
    op.create_table(
        "late_event",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("heard_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_late_event"),
    )
    op.create_table(
        "journal_detached",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("below", sa.BigInteger(), nullable=False),
        sa.Column("detached_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_journal_detached"),
    )


def downgrade() -> None:
    # What was disposed of is gone. Below, its name is free again: an event about it waits for a registration as any other does.
    for table in ("journal_detached", "late_event", "disposed_consent", "erasure", "legal_hold"):
        op.drop_table(table)
