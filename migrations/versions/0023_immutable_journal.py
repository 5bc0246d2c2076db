"""The journal, its checkpoints and the record of looks refuse changes; on PostgreSQL, functions make the partitions.

A role without rights of its own may call these functions.

Revision: 0023, after 0022
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store import immutable, tending

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


GUARDS = (
    immutable.ENTRIES,
    immutable.HEAD,
    immutable.TREE,
    immutable.TILES,
    immutable.CHECKPOINTS,
    immutable.CHECKPOINT_KEYS,
    immutable.LOOKS,
    immutable.LOOKS_SHOWN,
)


def upgrade() -> None:
    connection = op.get_bind()
    immutable.make_refusal(connection)
    for guard in GUARDS:
        immutable.guard(connection, guard)
    if _is_postgres(connection):
        immutable.guard_parts(connection, immutable.ENTRIES.table)
        tending.make_functions(connection)


def downgrade() -> None:
    connection = op.get_bind()
    if _is_postgres(connection):
        tending.drop_functions(connection)
    for guard in GUARDS:
        immutable.unguard(connection, guard.table)
    immutable.drop_refusal(connection)


def _is_postgres(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"
