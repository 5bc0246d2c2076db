"""Export jobs.

Revision: 0019, after 0018
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "export_job",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("request", Json(), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("part", Json(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("files", Json(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_export_job"),
    )
    is_open = sa.text("finished_at IS NULL")
    op.create_index("ix_export_job_open", "export_job", ["id"], sqlite_where=is_open, postgresql_where=is_open)


def downgrade() -> None:
    op.drop_index("ix_export_job_open", "export_job")
    op.drop_table("export_job")
