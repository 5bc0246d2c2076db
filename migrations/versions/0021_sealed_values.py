"""Values that say something about a person, sealed under a key for each consent; user references found by a keyed hash.

The columns are only made here: what stands in the rows is sealed by the service, which has the keys. On the way down everything
is opened again; if there are keys that cannot be opened, nothing is changed.

Revision: 0021, after 0015
"""

import sqlalchemy as sa
from alembic import context, op

from tracker.adapters.store.unsealing import unseal_all

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

SEALED = ("consent", "report", "other_event", "payment")
ENCRYPTED = (*((table, "sealed") for table in SEALED), ("evidence", "jws"), ("entry", "private_salt"))


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "consent_key",
        sa.Column("id", number, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("consent_id", sa.String(128), nullable=False),
        sa.Column("tracking_id", sa.String(36), nullable=True),
        sa.Column("sealed_with", sa.String(16), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent_key"),
    )
    op.create_index("uq_consent_key_provider_consent_id", "consent_key", ["provider", "consent_id"], unique=True)
    op.create_index("ix_consent_key_tracking_id", "consent_key", ["tracking_id"])
    op.create_index("ix_consent_key_sealed_with", "consent_key", ["sealed_with"])
    op.create_table(
        "sealing",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("position", sa.String(256), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("is_finished", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sealing"),
    )
    for table in SEALED:
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("consent", sa.Column("user_ref_hash", sa.LargeBinary(), nullable=True))
    has_one = sa.text("user_ref_hash IS NOT NULL")
    op.create_index(
        "ix_consent_user_ref_hash", "consent", ["user_ref_hash"], sqlite_where=has_one, postgresql_where=has_one
    )
    op.add_column("evidence", sa.Column("consent_id", sa.String(128), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        for table, column in ENCRYPTED:  # there is nothing to pack
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")


def downgrade() -> None:
    unseal_all(op.get_bind(), context.config.attributes.get("ring"))
    if op.get_bind().dialect.name == "postgresql":
        for table, column in ENCRYPTED[-2:]:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTENDED")
    op.drop_column("evidence", "consent_id")
    op.drop_index("ix_consent_user_ref_hash", "consent")
    op.drop_column("consent", "user_ref_hash")
    for table in reversed(SEALED):
        op.drop_column(table, "sealed")
    op.drop_table("sealing")
    for index in (
        "ix_consent_key_sealed_with",
        "ix_consent_key_tracking_id",
        "uq_consent_key_provider_consent_id",
    ):
        op.drop_index(index, "consent_key")
    op.drop_table("consent_key")
