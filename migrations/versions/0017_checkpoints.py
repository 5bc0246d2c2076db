"""Checkpoints of the journal that are kept, and which keys have signed them.

Revision: 0017, after 0016
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("signed_at", Instant(), nullable=True),
        sa.Column("timestamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoint"),
    )
    op.create_table(
        "checkpoint_key",
        sa.Column("vkey", sa.String(512), nullable=False),
        sa.Column("first_size", sa.BigInteger(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_size", sa.BigInteger(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("vkey", name="pk_checkpoint_key"),
    )


def downgrade() -> None:
    op.drop_table("checkpoint_key")
    op.drop_table("checkpoint")
