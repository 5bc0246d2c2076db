"""Tables of what is encrypted at rest: a key for each consent, and how far older rows were gone through."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from tracker.adapters.store.tables import metadata

# A row a consent, and nothing else that could not be lost: whoever destroys it destroys all that stands under it. It is kept out
# of ordinary backups. Rows are numbered and all of one length, so that on SQLite none is ever moved, which would leave copies.
consent_key = Table(
    "consent_key",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("provider", String(64), nullable=False),
    Column("consent_id", String(128), nullable=False),
    Column("tracking_id", String(36)),  # null before the consent is registered
    Column("sealed_with", String(16), nullable=False),  # the id of the key of the ring; empty: it stands as it is
    Column("key", LargeBinary, nullable=False),
    Index("uq_consent_key_provider_consent_id", "provider", "consent_id", unique=True),
    Index("ix_consent_key_tracking_id", "tracking_id"),
    Index("ix_consent_key_sealed_with", "sealed_with"),
)
NO_CONSENT: Final = ""
"""In place of a consent's id: what is about a provider, and about none of its consents."""
USER_REFS: Final = ("", "user_ref")
"""In place of a consent's name: the key of the hashes by which user references are found."""

# How far the rows of a table were gone through that were written before there were keys.
sealing = Table(
    "sealing",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("position", String(256), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("is_finished", Integer, nullable=False),
)
