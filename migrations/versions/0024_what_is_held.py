"""Replays that keep what is settled behind what waits, and since when endpoints are left alone.

Revision: 0024, after 0015
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("replay", sa.Column("ahead", Json(), nullable=True))
    for name in ("tried_at", "held_at", "held_until"):
        op.add_column("subscription", sa.Column(name, Instant(), nullable=True))


def downgrade() -> None:
    for name in ("held_until", "held_at", "tried_at"):
        op.drop_column("subscription", name)
    op.drop_column("replay", "ahead")
