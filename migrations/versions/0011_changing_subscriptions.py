"""Subscriptions that can be changed, paused and given another secret.

Revision: 0011, after 0010
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("subscription", sa.Column("paused_at", Instant(), nullable=True))
    op.add_column("subscription", sa.Column("retired_secrets", Json(), nullable=True))


def downgrade() -> None:
    # What is paused was not to be told, and the older version would tell it.
    op.execute(
        "UPDATE subscription SET state = 'disabled', next_attempt_at = NULL, last_error = 'It was paused.' "
        "WHERE paused_at IS NOT NULL"
    )
    op.drop_column("subscription", "retired_secrets")
    op.drop_column("subscription", "paused_at")
    op.drop_column("subscription", "version")
