"""Subscriptions that say how they want to be told, and whose address must be proved.

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Json

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("sending", Json(), nullable=True))
    op.add_column("subscription", sa.Column("challenge", sa.String(64), nullable=True))


def downgrade() -> None:
    # The older version knows no pending ones, cannot read what is encrypted, and would post without what receivers ask for.
    for condition, error in (
        ("state = 'pending'", "Its address was not proved."),
        ("sending IS NOT NULL", "It is to be told in a way that this version does not know."),
        ("secret LIKE 'aesgcm:%'", "Its secret is encrypted."),
    ):
        op.execute(
            f"UPDATE subscription SET state = 'disabled', next_attempt_at = NULL, last_error = '{error}' WHERE {condition}"  # noqa: S608
        )
    op.drop_column("subscription", "challenge")
    op.drop_column("subscription", "sending")
