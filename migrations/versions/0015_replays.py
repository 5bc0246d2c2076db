"""Replays, and how the answers to refused notifications begin.

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replay",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subscription_id", sa.String(36), nullable=False),
        sa.Column("selection", Json(), nullable=False),
        sa.Column("per_second", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("tried_at", Instant(), nullable=True),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_replay"),
    )
    op.create_index("ix_replay_subscription_id_id", "replay", ["subscription_id", "id"])
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_replay_open", "replay", ["subscription_id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_table(
        "replay_failure",
        sa.Column("replay_id", sa.String(36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("replay_id", "sequence", name="pk_replay_failure"),
    )
    for table in ("parked", "dead_letter"):
        op.add_column(table, sa.Column("answer", sa.Text(), nullable=True))


def downgrade() -> None:
    for table in ("dead_letter", "parked"):
        op.drop_column(table, "answer")
    op.drop_table("replay_failure")
    op.drop_index("ix_replay_open", "replay")
    op.drop_index("ix_replay_subscription_id_id", "replay")
    op.drop_table("replay")
