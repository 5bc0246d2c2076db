"""The way to an authorization, several authorizers, and payments under consents.

Payments that were told of before are not taken over: each is there with the next word on it.

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op

from tracker.adapters.store.columns import Instant, Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consent", sa.Column("journey", Json(), nullable=True))
    op.add_column("consent", sa.Column("authorizers", Json(), nullable=True))
    op.add_column("consent", sa.Column("payment_outcome", sa.String(length=16), nullable=True))
    op.add_column("consent", sa.Column("payment_date_time", Instant(), nullable=True))
    op.create_table(
        "payment",
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("payment_id", sa.String(length=128), nullable=False),
        sa.Column("consent_id", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column("status_date_time", Instant(), nullable=False),
        sa.Column("creation_date_time", Instant(), nullable=True),
        sa.Column("transaction_id", sa.String(length=64), nullable=True),
        sa.Column("reject_codes", Json(), nullable=False),
        sa.Column("amount", sa.String(length=64), nullable=True),
        sa.Column("currency", sa.String(length=64), nullable=True),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("recorded_at", Instant(), nullable=False),
        sa.Column("jws_sha256", sa.String(length=64), nullable=False),
        sa.Column("jwe_sha256", sa.String(length=64), nullable=True),
        sa.Column("kid", sa.String(length=512), nullable=False),
        sa.Column("jwk_thumbprint", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("provider", "payment_id", name=op.f("pk_payment")),
    )
    op.create_index(
        "ix_payment_provider_consent_id_payment_id", "payment", ["provider", "consent_id", "payment_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_payment_provider_consent_id_payment_id", "payment")
    op.drop_table("payment")
    op.drop_column("consent", "payment_date_time")
    op.drop_column("consent", "payment_outcome")
    op.drop_column("consent", "authorizers")
    op.drop_column("consent", "journey")
