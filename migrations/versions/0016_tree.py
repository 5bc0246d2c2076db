"""The tree over the journal, in tiles. It is filled by the service afterwards: nothing here grows with the journal.

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tree = op.create_table(
        "tree",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tree"),
    )
    op.bulk_insert(tree, [{"id": 1, "size": 0}])
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name="pk_tile"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL")  # hashes: there is nothing to pack


def downgrade() -> None:
    op.drop_table("tile")
    op.drop_table("tree")
