"""The table of those who poll: one row a subscription, with what it was handed and has not answered for."""

from sqlalchemy import BigInteger, Column, String, Table

from tracker.adapters.store.columns import Json
from tracker.adapters.store.tables import metadata

pull_window = Table(
    "pull_window",
    metadata,
    Column("subscription_id", String(36), primary_key=True),
    Column("turn", BigInteger, nullable=False),
    Column("scanned", BigInteger, nullable=False),
    Column("open", Json, nullable=False),
)
