"""What was seen of our clock, before anything goes by it for ever.

Revision: 0025, after 0024
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "steady_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_steady_clock"),
    )


def downgrade() -> None:
    op.drop_table("steady_clock")
