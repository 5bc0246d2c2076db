"""PostgreSQL: what the role of a running service may do, and whether it may do more than that.

The role that runs migrations owns everything. The service's own role owns nothing: it reads all tables and writes all but the
journal's, to which it only adds. So nobody who has got hold of the service, or of its password, can change an entry.

| table | the service may |
|---|---|
| `entry` | read; add; change private value and salt, which are destroyed when the duty to keep them ends |
| `journal`, `tree` | read; move on, which triggers allow in one direction only |
| `tile` | read; add; fill up, likewise |
| `checkpoint` | read; add; add a note to what was decided, signatures to a note, and a stamp |
| `checkpoint_key` | read; add; say that a key has signed again |
| `alembic_version`, `journal_detached` | read |
| `access_record`, `access_shown` | read; add |
| all others | read and write |

Partitions are made by functions of the owner (see `tending`). No table may be emptied, altered or dropped.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql

from tracker.adapters.store.access_tables import access_record, access_shown
from tracker.adapters.store.checkpoint_tables import checkpoint, checkpoint_key
from tracker.adapters.store.differences import POSTGRES
from tracker.adapters.store.retention_tables import journal_detached
from tracker.adapters.store.tables import entry, journal, metadata
from tracker.adapters.store.tending import FUNCTIONS
from tracker.adapters.store.tile_tables import tile, tree
from tracker.domain.errors import ConfigurationError

SEALED: Final = frozenset({"sequence", "id", "tracking_id", "recorded_at", "leaf", "leaf_hash"})
"""The columns of an entry that the service has no right to."""

_quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]


def _written_once() -> dict[Table, str]:
    changing = ", ".join(column.name for column in entry.c if column.name not in SEALED)
    return {
        entry: f"SELECT, INSERT, UPDATE ({changing})",
        journal: "SELECT, UPDATE (next_sequence, recorded_at)",
        tree: "SELECT, UPDATE (size)",
        tile: "SELECT, INSERT, UPDATE (hashes)",
        access_record: "SELECT, INSERT",
        access_shown: "SELECT, INSERT",
        checkpoint: "SELECT, INSERT, UPDATE (note, signed_at, timestamp)",
        checkpoint_key: "SELECT, INSERT, UPDATE (last_size, last_at)",
        journal_detached: "SELECT",
    }


def statements(role: str, schema: str = "public") -> list[str]:
    """What gives a role what a service needs, and takes from it what it does not; run as often as you like, by the owner."""
    who, where = _quote(role), _quote(schema)
    special = _written_once()
    grants = {**dict.fromkeys(metadata.sorted_tables, "SELECT, INSERT, UPDATE, DELETE"), **special}
    return [
        f"REVOKE CREATE ON SCHEMA {where} FROM PUBLIC",
        f"REVOKE ALL ON SCHEMA {where} FROM {who}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {where} FROM {who}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {where} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {where} TO {who}",
        f"GRANT SELECT ON {where}.alembic_version TO {who}",
        *(f"GRANT {rights} ON {where}.{_quote(table.name)} TO {who}" for table, rights in grants.items()),
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {where} TO {who}",
        *(f"GRANT EXECUTE ON FUNCTION {where}.{function} TO {who}" for function in FUNCTIONS),
    ]


def grant(connection: Connection, role: str) -> None:
    """Run them, on the connection of the owner.

    Raises:
        ConfigurationError: There is no such role, or it is the owner itself.
    """
    found = connection.execute(
        text("SELECT rolsuper, rolname = current_user FROM pg_roles WHERE rolname = :role"), {"role": role}
    ).one_or_none()
    if found is None:
        raise ConfigurationError(f"There is no role {role!r} on the server: make it with CREATE ROLE … LOGIN.")
    if found[1]:
        raise ConfigurationError(
            f"{role!r} owns the tables, and nothing can be kept from it: name another user in [database] url, "
            "and this one in [database] migration_url."
        )
    schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    for statement in statements(role, schema):
        connection.exec_driver_sql(statement)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the role of a connection could do to the journal.

    Attributes:
        role: Its name.
        reasons: By what it could change it; none: it could not.
    """

    role: str
    reasons: tuple[str, ...]


def standing(connection: Connection) -> Standing | None:
    """What our role could do to the journal; None on SQLite, which knows no roles."""
    if connection.dialect.name != POSTGRES:
        return None
    role = str(connection.execute(text("SELECT current_user")).scalar_one())
    if connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar():
        return Standing(role, ("it is a superuser",))
    owned = (
        "SELECT relname FROM pg_class WHERE oid = ANY(CAST(:tables AS regclass[]))"
        " AND pg_has_role(current_user, relowner, 'MEMBER') ORDER BY relname"
    )
    tables = [
        table.name for table in (entry, journal, tree, tile, checkpoint, checkpoint_key, access_record, access_shown)
    ]
    reasons = [f"it owns {name}" for name in connection.execute(text(owned), {"tables": tables}).scalars()]
    if not reasons:
        asked = [(table, right) for table in tables for right in ("DELETE", "TRUNCATE")]
        asked += [(table.name, "UPDATE") for table in (checkpoint, checkpoint_key, access_record, access_shown)]
        may = text("SELECT has_table_privilege(CAST(:table AS regclass), :right)")
        reasons = [
            f"it may {right} {table}"
            for table, right in asked
            if connection.execute(may, {"table": table, "right": right}).scalar()
        ]
        may = text("SELECT has_column_privilege(CAST('entry' AS regclass), :column, 'UPDATE')")
        changed = [name for name in sorted(SEALED) if connection.execute(may, {"column": name}).scalar()]
        if changed:
            reasons.append(f"it may UPDATE entry ({', '.join(changed)})")
    return Standing(role, tuple(reasons))
