"""What we believed where the entries do not tell it, and who looked at what.

On PostgreSQL the record of looks is kept by months: a month is forgotten by dropping it.

Revision: 0020, after 0019
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_BY_MONTH = ("access_record", "access_shown")


def upgrade() -> None:
    op.create_table(
        "belief",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("after_sequence", sa.BigInteger(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), nullable=False),
        sa.Column("expiration_date_time", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_belief"),
    )
    op.create_index("ix_belief_tracking_id_id", "belief", ["tracking_id", "id"])
    op.create_table(
        "access_record",
        sa.Column("at", Instant(), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("what", sa.String(64), nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=True),
        sa.Column("provider", sa.String(64), nullable=True),
        sa.Column("consent_id", sa.String(128), nullable=True),
        sa.Column("asked", Json(), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("peer", sa.String(45), nullable=True),
        sa.Column("interaction_id", sa.String(128), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", "id", name="pk_access_record"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_access_record_tracking_id_at_id", "access_record", ["tracking_id", "at", "id"])
    op.create_index("ix_access_record_who_at_id", "access_record", ["who", "at", "id"])
    op.create_table(
        "access_shown",
        sa.Column("tracking_id", sa.String(36), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("tracking_id", "at", "id", name="pk_access_shown"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_access_shown_at_id", "access_shown", ["at", "id"])
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        next_month = sa.text("SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month'")
        month = connection.execute(next_month).scalar_one()
        for table in _BY_MONTH:
            first, bound = f"{table}_before_{month:%Y%m}", f"'{month:%Y-%m-%d} 00:00:00+00'"
            op.execute(f"CREATE TABLE {first} PARTITION OF {table} FOR VALUES FROM (MINVALUE) TO ({bound})")
            op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    op.drop_table("access_shown")
    op.drop_table("access_record")
    op.drop_table("belief")
