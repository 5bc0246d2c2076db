"""What the notices about a consent have told, and when the next one is due.

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_consent = sa.table(
    "consent",
    sa.column("status", sa.String()),
    sa.column("base_consent_id", sa.String()),
    sa.column("updated_at", Instant()),
    sa.column("next_notice_at", Instant()),
    sa.column("noticing", Json()),
)
_LOOK_AROUND = {
    "told": [],
    "overlaps_told": [],
    "has_successors": False,
    "is_succeeded": False,
    "look_at": "2000-01-01T00:00:00.000000+00:00",
}
_TWO_MONTHS_AGO = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now', '-60 days')",
    "postgresql": "now() - interval '60 days'",
}


def upgrade() -> None:
    op.add_column("consent", sa.Column("noticing", Json(), nullable=True))
    op.add_column("consent", sa.Column("next_notice_at", Instant(), nullable=True))
    op.create_index(
        "ix_consent_next_notice_at",
        "consent",
        ["next_notice_at"],
        sqlite_where=sa.text("next_notice_at IS NOT NULL"),
        postgresql_where=sa.text("next_notice_at IS NOT NULL"),
    )
    # Null until each consent is next saved, and planned with it. Those that ended lately are not saved again: they are due at
    # once, and are planned then. In chains it must be found out how each stands to the others.
    ended = sa.text(f"updated_at > {_TWO_MONTHS_AGO[op.get_bind().dialect.name]}")
    op.execute(
        _consent.update()
        .where(_consent.c.status.in_(["Revoked", "Expired"]), ended)
        .values(next_notice_at=_consent.c.updated_at)
    )
    op.execute(
        _consent.update()
        .where(_consent.c.status.in_(["Authorized", "Suspended"]), _consent.c.base_consent_id.is_not(None))
        .values(next_notice_at=_consent.c.updated_at, noticing=_LOOK_AROUND)
    )


def downgrade() -> None:
    op.drop_index("ix_consent_next_notice_at", "consent")
    op.drop_column("consent", "next_notice_at")
    op.drop_column("consent", "noticing")
