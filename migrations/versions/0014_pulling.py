"""Subscribers that poll, and what subscribers report as done.

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPEN = sa.text("reported_at IS NULL AND overdue_told_at IS NULL")


def upgrade() -> None:
    op.add_column("subscription", sa.Column("poll_format", sa.String(length=8), nullable=False, server_default="entry"))
    op.add_column(
        "subscription", sa.Column("poll_visibility_seconds", sa.Integer(), nullable=False, server_default="60")
    )
    op.add_column("subscription", sa.Column("key_id", sa.String(length=32), nullable=True))
    op.add_column("subscription", sa.Column("completion", Json(), nullable=True))
    # Those of an earlier way down.
    op.execute(
        "UPDATE subscription SET state = 'active', last_error = NULL WHERE url = '' AND last_error = 'It is polled.'"
    )
    op.create_table(
        "pull_window",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("scanned", sa.BigInteger(), nullable=False),
        sa.Column("open", Json(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_pull_window")),
    )
    op.create_table(
        "completion_watch",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", name=op.f("pk_completion_watch")),
    )
    op.create_table(
        "completion",
        sa.Column("subscription_id", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("work", sa.String(length=64), nullable=False),
        sa.Column("entry_id", sa.String(length=36), nullable=False),
        sa.Column("tracking_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("overdue_told_at", Instant(), nullable=True),
        sa.Column("evidence_url", sa.Text(), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("reported_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("subscription_id", "sequence", "work", name=op.f("pk_completion")),
    )
    op.create_index(
        "ix_completion_due_at", "completion", ["due_at"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("ix_completion_entry_id", "completion", ["subscription_id", "entry_id"], unique=False)


def downgrade() -> None:
    # The older version knows of none that is polled, and would post to nowhere.
    op.execute(
        "UPDATE subscription SET state = 'disabled', next_attempt_at = NULL, last_error = 'It is polled.' WHERE url = ''"
    )
    op.drop_index("ix_completion_entry_id", table_name="completion")
    op.drop_index("ix_completion_due_at", table_name="completion", sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.drop_table("completion")
    op.drop_table("completion_watch")
    op.drop_table("pull_window")
    op.drop_column("subscription", "completion")
    op.drop_column("subscription", "key_id")
    op.drop_column("subscription", "poll_visibility_seconds")
    op.drop_column("subscription", "poll_format")
