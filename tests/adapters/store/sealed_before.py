"""Rows as the version before wrote them: nothing sealed, and no keys."""

from sqlalchemy import Connection, text

from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.store.unsealing import unseal_all


def as_before(connection: Connection, ring: SecretKeys | None = None) -> None:
    """Make rows of a store what they would have been before there were keys."""
    unseal_all(connection, ring)
    for table in ("consent", "report", "other_event", "payment"):
        connection.execute(text(f"UPDATE {table} SET sealed = NULL"))
    connection.execute(text("UPDATE consent SET user_ref_hash = NULL"))
    connection.execute(text("UPDATE evidence SET consent_id = NULL"))
    connection.execute(text("DELETE FROM consent_key"))
    connection.execute(text("DELETE FROM sealing"))
