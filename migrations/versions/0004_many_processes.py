"""Several processes on one database: leases. And lanes, so that nobody's flood holds up the others.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("leased_until", Instant(), nullable=True))
    op.add_column("inbox", sa.Column("lane", sa.String(length=64), nullable=True))
    op.create_index("ix_inbox_lane_due_at_id", "inbox", ["lane", "due_at", "id"])
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )


def downgrade() -> None:
    op.drop_table("lease")
    op.drop_index("ix_inbox_lane_due_at_id", "inbox")
    op.drop_column("inbox", "lane")
    op.drop_column("inbox", "leased_until")
