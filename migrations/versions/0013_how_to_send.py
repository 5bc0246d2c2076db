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

_NOT_PROVED = "Its address was not proved."


def upgrade() -> None:
    op.add_column("subscription", sa.Column("sending", Json(), nullable=True))
    op.add_column("subscription", sa.Column("challenge", sa.String(64), nullable=True))
    # Those that a way down has disabled are not to be resumed without a proof.
    op.execute(f"UPDATE subscription SET state = 'pending' WHERE state = 'disabled' AND last_error = '{_NOT_PROVED}'")  # noqa: S608


def downgrade() -> None:
    # The older version knows no pending ones, cannot read what is encrypted, and would post without what receivers ask for.
    for condition, error in (
        ("sending IS NOT NULL", "It is to be told in a way that this version does not know."),
        ("secret LIKE 'aesgcm:%'", "Its secret is encrypted."),
    ):
        which = f"{condition} AND state <> 'pending'"
        op.execute(
            f"UPDATE subscription SET state = 'disabled', next_attempt_at = NULL, last_error = '{error}' WHERE {which}"  # noqa: S608
        )
    op.execute(f"UPDATE subscription SET state = 'disabled', last_error = '{_NOT_PROVED}' WHERE state = 'pending'")  # noqa: S608
    op.drop_column("subscription", "challenge")
    op.drop_column("subscription", "sending")
