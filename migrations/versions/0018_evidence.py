"""What came of verifying a holder's token, and what vouched for the key that verified it.

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evidence", sa.Column("key_fetched_at", Instant(), nullable=True))
    op.add_column("evidence", sa.Column("verification", sa.Text(), nullable=True))
    op.add_column("holder_key", sa.Column("fetched_at", Instant(), nullable=True))
    op.add_column("holder_key", sa.Column("x5c", Json(), nullable=True))
    op.add_column("holder_key", sa.Column("tls_chain", Json(), nullable=True))


def downgrade() -> None:
    for column in ("tls_chain", "x5c", "fetched_at"):
        op.drop_column("holder_key", column)
    for column in ("verification", "key_fetched_at"):
        op.drop_column("evidence", column)
