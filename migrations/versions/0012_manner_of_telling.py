"""Subscriptions that say in what order, how much at a time and how often again; and what others were told of their failing.

Revision: 0012, after 0011
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Json

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("manner", Json(), nullable=True))
    op.add_column("subscription", sa.Column("announced", Json(), nullable=True))
    op.add_column("parked", sa.Column("is_unordered", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    # The older version takes what is parked of a consent ahead of the cursor for a sign that what came before it was told.
    # Without its row such an entry is read again, and told in its order.
    op.execute(
        "DELETE FROM parked WHERE is_unordered "
        "AND sequence > (SELECT cursor FROM subscription WHERE subscription.id = parked.subscription_id)"
    )
    op.drop_column("parked", "is_unordered")
    op.drop_column("subscription", "announced")
    op.drop_column("subscription", "manner")
