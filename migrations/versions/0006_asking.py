"""The whole asking schedule, and events that are opened again by themselves.

Revision: 0006, after 0005
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NEW_INDEXES = (
    (
        "ix_consent_doubted_ask_at",
        "consent",
        ["provider", "urgent_ask_at"],
        "urgent_ask_at IS NOT NULL AND doubted_at IS NOT NULL",
    ),
    ("ix_consent_steady_ask_at", "consent", ["provider", "status", "steady_ask_at"], "steady_ask_at IS NOT NULL"),
    ("ix_consent_suspected_at", "consent", ["provider", "suspected_at"], "suspected_at IS NOT NULL"),
    ("ix_consent_siblings_wanted_at", "consent", ["siblings_wanted_at"], "siblings_wanted_at IS NOT NULL"),
    ("ix_quarantine_key", "quarantine", ["provider", "kid", "id"], "reason IN ('key_unknown', 'keys_unavailable')"),
    ("ix_quarantine_provider_consent_id", "quarantine", ["provider", "consent_id"], "consent_id IS NOT NULL"),
)
_NEW_TIMES = ("steady_ask_at", "suspected_at", "siblings_wanted_at", "expiry_told_at")


def upgrade() -> None:
    # All null until each consent is next saved: until then it is asked about by `next_ask_at`, which has its earliest time.
    for name in _NEW_TIMES:
        op.add_column("consent", sa.Column(name, Instant(), nullable=True))
    op.add_column("quarantine", sa.Column("consent_id", sa.String(length=128), nullable=True))
    _make_urgent("urgent_ask_at IS NOT NULL AND doubted_at IS NULL")
    for name, table, columns, condition in _NEW_INDEXES:
        op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def downgrade() -> None:
    # The older schema wants the earliest time of all in `next_ask_at`, and asks at once about what was suspected.
    for column in ("steady_ask_at", "urgent_ask_at", "suspected_at"):
        op.execute(
            f"UPDATE consent SET next_ask_at = {column}"  # noqa: S608 - names of ours
            f" WHERE {column} IS NOT NULL AND (next_ask_at IS NULL OR {column} < next_ask_at)"
        )
    for name, table, _columns, _condition in reversed(_NEW_INDEXES):
        op.drop_index(name, table)
    _make_urgent("urgent_ask_at IS NOT NULL")
    op.drop_column("quarantine", "consent_id")
    for name in reversed(_NEW_TIMES):
        op.drop_column("consent", name)


def _make_urgent(condition: str) -> None:
    op.drop_index("ix_consent_urgent_ask_at", "consent")
    op.create_index(
        "ix_consent_urgent_ask_at",
        "consent",
        ["provider", "urgent_ask_at"],
        sqlite_where=sa.text(condition),
        postgresql_where=sa.text(condition),
    )
