"""What was seen of our clock, before anything goes by it for ever; and nothing sealed is sampled.

Revision: 0025, after 0024
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_SEALED = (
    ("consent_key", "key"),
    ("consent", "sealed"),
    ("report", "sealed"),
    ("other_event", "sealed"),
    ("payment", "sealed"),
    ("evidence", "jws"),
    ("entry", "private_salt"),
)


def upgrade() -> None:
    op.create_table(
        "steady_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_steady_clock"),
    )
    _sample(0)


def downgrade() -> None:
    _sample(-1)
    op.drop_table("steady_clock")


def _sample(most: int) -> None:
    """PostgreSQL's planner keeps samples of columns, and those of a table that was emptied for ever."""
    if op.get_context().dialect.name == "postgresql":
        for table, column in _SEALED:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS {most}")
