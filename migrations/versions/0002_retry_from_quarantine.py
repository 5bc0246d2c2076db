"""What a retry from the quarantine needs, and what bounds the quarantine by bytes.

Revision: 0002, after 0001
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def _inbox() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
    ]


def _quarantine() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("quarantined_at", Instant(), nullable=False),
        sa.Column("interaction_id", sa.String(length=128), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("kid", sa.String(length=512), nullable=True),
    ]


def upgrade() -> None:
    op.drop_index("ix_inbox_due_at_id", table_name="inbox")
    _made_anew("inbox", [*_inbox(), sa.Column("retries", sa.Integer(), nullable=False)], {"retries": "0"})
    op.create_index("ix_inbox_due_at_id", "inbox", ["due_at", "id"], unique=False)

    op.drop_index("ix_quarantine_verified_id", table_name="quarantine")
    _made_anew(
        "quarantine",
        [
            *_quarantine(),
            sa.Column("our_kid", sa.String(length=256), nullable=True),
            sa.Column("keys_at_hand", sa.JSON(none_as_null=True), nullable=True),
            sa.Column("retries", sa.Integer(), nullable=False),
            sa.Column("size_bytes", sa.Integer(), nullable=False),
        ],
        {"our_kid": "NULL", "keys_at_hand": "NULL", "retries": "0", "size_bytes": "length(body)"},
    )
    op.create_index("ix_quarantine_verified_id", "quarantine", ["verified", "id", "size_bytes"], unique=False)
    op.create_index("ix_quarantine_reason_id", "quarantine", ["reason", "id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_quarantine_reason_id", table_name="quarantine")
    op.drop_index("ix_quarantine_verified_id", table_name="quarantine")
    _made_anew("quarantine", _quarantine(), {})
    op.create_index("ix_quarantine_verified_id", "quarantine", ["verified", "id"], unique=False)

    op.drop_index("ix_inbox_due_at_id", table_name="inbox")
    _made_anew("inbox", _inbox(), {})
    op.create_index("ix_inbox_due_at_id", "inbox", ["due_at", "id"], unique=False)


def _made_anew(name: str, columns: Sequence[sa.Column[object]], new: Mapping[str, str]) -> None:
    """Make a table once more and move its rows over.

    SQLite adds no column that must have a value unless it also has a default, and cannot take a default back.
    """
    kept = ", ".join(column.name for column in columns if column.name not in new)
    names, values = ", ".join([kept, *new]), ", ".join([kept, *new.values()])
    op.create_table(
        "old_" + name, *(sa.Column(column.name, column.type) for column in columns if column.name not in new)
    )
    op.execute(f"INSERT INTO old_{name} ({kept}) SELECT {kept} FROM {name}")  # noqa: S608 - names of ours
    op.drop_table(name)
    op.create_table(name, *columns, sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")))
    op.execute(f"INSERT INTO {name} ({names}) SELECT {values} FROM old_{name}")  # noqa: S608
    op.drop_table(f"old_{name}")
