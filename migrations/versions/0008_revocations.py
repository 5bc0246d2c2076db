"""Revocations that we asked for: what became of each, and when something is to be done about it.

Revision: 0008, after 0007
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent", sa.Column("revocation", Json(), nullable=True))
    op.add_column("consent", sa.Column("revocation_due_at", Instant(), nullable=True))
    op.create_index(
        "ix_consent_revocation_due_at",
        "consent",
        ["provider", "revocation_due_at"],
        sqlite_where=sa.text("revocation_due_at IS NOT NULL"),
        postgresql_where=sa.text("revocation_due_at IS NOT NULL"),
    )
    _take_up_what_was_asked_for()


def downgrade() -> None:
    # That a revocation was asked for stays in `revoking`: the older version does not let such a consent be used either.
    op.drop_index("ix_consent_revocation_due_at", "consent")
    op.drop_column("consent", "revocation_due_at")
    op.drop_column("consent", "revocation")


def _take_up_what_was_asked_for() -> None:
    """After a downgrade only that it was asked for is known. The holder is asked before anything is sent again."""
    consent = sa.table(
        "consent",
        sa.column("tracking_id", sa.String()),
        sa.column("revoking", sa.Boolean()),
        sa.column("updated_at", Instant()),
        sa.column("revocation", Json()),
        sa.column("revocation_due_at", Instant()),
    )
    asked_for = sa.select(consent.c.tracking_id, consent.c.updated_at).where(consent.c.revoking)
    for tracking_id, at in op.get_bind().execute(asked_for).all():
        revocation = {
            "revoked_by": "TPP",
            "requested_at": at.isoformat(),
            "state": "pending",
            "attempts": 1,
            "answer": None,
            "unanswered": 1,
            "failures": 0,
            "last_error": None,
            "sent_at": at.isoformat(),
            "due_at": at.isoformat(),
            "leased_until": None,
        }
        mine = sa.update(consent).where(consent.c.tracking_id == tracking_id)
        op.execute(mine.values(revocation=revocation, revocation_due_at=at))
