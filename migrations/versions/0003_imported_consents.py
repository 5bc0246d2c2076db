"""Imported consents, and the lines in which consents wait to be asked about.

Revision: 0003, after 0001
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent", sa.Column("imported", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    # Null until each consent is next saved: until then it is asked about by the schedule, as before.
    op.add_column("consent", sa.Column("urgent_ask_at", Instant(), nullable=True))
    op.add_column("consent", sa.Column("queued_ask_at", Instant(), nullable=True))
    op.create_index(
        "ix_consent_urgent_ask_at",
        "consent",
        ["provider", "urgent_ask_at"],
        sqlite_where=sa.text("urgent_ask_at IS NOT NULL"),
        postgresql_where=sa.text("urgent_ask_at IS NOT NULL"),
    )
    op.create_index(
        "ix_consent_queued",
        "consent",
        ["provider", "registered_expiry", "queued_ask_at"],
        sqlite_where=sa.text("queued_ask_at IS NOT NULL"),
        postgresql_where=sa.text("queued_ask_at IS NOT NULL"),
    )


def downgrade() -> None:
    # What waits in the queue would never be asked about again: the older schema has the schedule alone.
    op.execute("UPDATE consent SET next_ask_at = queued_ask_at WHERE next_ask_at IS NULL AND queued_ask_at IS NOT NULL")
    op.drop_index("ix_consent_queued", "consent")
    op.drop_index("ix_consent_urgent_ask_at", "consent")
    op.drop_column("consent", "queued_ask_at")
    op.drop_column("consent", "urgent_ask_at")
    op.drop_column("consent", "imported")
