"""What refuses changes of what was written down, inside the database itself.

| table | refused |
|---|---|
| `entry` | to delete a row; to change sequence, id, lane, time, leaf or its hash |
| `journal` | to delete the head; to move it back; to give the journal another name |
| `tile`, `tree` | to delete a row; to change a hash that a tile has; to make the tree smaller |
| `checkpoint` | to delete a row; to change size, root, a note's text or first signature, or a time or stamp; to shorten a note |
| `checkpoint_key` | to delete a row; to change the key and its first checkpoint; to move its last one back |
| `access_record`, `access_shown` | to change a row; old ones are forgotten |
| others | `guard` is told what is fixed |

An entry's private value and salt may change: they are sealed anew, or destroyed when the duty to keep them ends, and their digest
stays in the leaf. On PostgreSQL a table that is guarded cannot be emptied either (TRUNCATE).

These triggers stop our own mistakes and statements typed by hand. They stop nobody who owns the table, or who can write to the
SQLite file: he can drop them first. On PostgreSQL a role that owns nothing is the answer to that (see `grants`); on both, a
checkpoint that others keep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from tracker.adapters.store.differences import POSTGRES
from tracker.journal.tiles import FULL_BYTES

_PREFIX: Final = "immutable"
_REFUSE: Final = "tracker_refuse"
_CODE: Final = "restrict_violation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What of a table is fixed.

    Attributes:
        table: Its name.
        fixed: Columns that never change once a row is written.
        change: A condition on `OLD` and `NEW` under which a change is refused too, in what both databases understand, and
            `instr(text, part)`.
        when: A condition on `OLD`: only rows that meet it are guarded at all; empty: all are.
        rows_stay: Whether rows may not be deleted.
    """

    table: str
    fixed: Sequence[str] = ()
    change: str = ""
    when: str = ""
    rows_stay: bool = True


ENTRIES: Final = Guard(table="entry", fixed=("sequence", "id", "tracking_id", "recorded_at", "leaf", "leaf_hash"))
HEAD: Final = Guard(
    table="journal",
    fixed=("id", "journal_id"),
    change="NEW.next_sequence < OLD.next_sequence OR NEW.recorded_at < OLD.recorded_at",
)

TREE: Final = Guard(table="tree", fixed=("id",), change="NEW.size < OLD.size")
TILES: Final = Guard(
    table="tile",
    fixed=("level", "position"),
    change=f"substr(NEW.hashes, 1, length(OLD.hashes)) <> OLD.hashes OR length(NEW.hashes) > {FULL_BYTES}",
)
_TOLD: Final = "instr(OLD.note, '\n\n') + 1"  # as far as what was signed goes, and the empty line below it
_SIGNED: Final = f"{_TOLD} + instr(substr(OLD.note, {_TOLD} + 1), '\n')"
CHECKPOINTS: Final = Guard(
    table="checkpoint",
    fixed=("size", "root"),
    change=f"OLD.note IS NOT NULL AND (NEW.note IS NULL OR length(NEW.note) < length(OLD.note)"
    f" OR substr(NEW.note, 1, {_SIGNED}) <> substr(OLD.note, 1, {_SIGNED}))"
    " OR OLD.signed_at IS NOT NULL AND (NEW.signed_at IS NULL OR NEW.signed_at <> OLD.signed_at)"
    ' OR OLD."timestamp" IS NOT NULL AND (NEW."timestamp" IS NULL OR NEW."timestamp" <> OLD."timestamp")',
)
"""Signatures are added behind the first, which is ours, and a witness's later one takes the place of its earlier one."""

CHECKPOINT_KEYS: Final = Guard(
    table="checkpoint_key", fixed=("vkey", "first_size", "first_at"), change="NEW.last_size < OLD.last_size"
)
LOOKS: Final = Guard(table="access_record", change="1 = 1", rows_stay=False)
LOOKS_SHOWN: Final = Guard(table="access_shown", change="1 = 1", rows_stay=False)
ALL: Final = (ENTRIES, HEAD, TREE, TILES, CHECKPOINTS, CHECKPOINT_KEYS, LOOKS, LOOKS_SHOWN)
"""All that is guarded in a database of the newest schema."""


def guard(connection: Connection, guard: Guard) -> None:
    """Guard a table from now on. For migrations; the table is there, and not guarded yet."""
    for statement in (_on_postgres if connection.dialect.name == POSTGRES else _on_sqlite)(guard):
        connection.execute(text(statement))


def unguard(connection: Connection, table: str) -> None:
    """Take the triggers of a table away again, those of its partitions too. For migrations on their way down."""
    if connection.dialect.name != POSTGRES:
        for kind in ("insert", "update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS {_PREFIX}_{table}_{kind}"))
        return
    for name in _with_parts(connection, table):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {_PREFIX}_truncate ON {name}"))
    for kind in ("update", "delete"):
        connection.execute(text(f"DROP TRIGGER IF EXISTS {_PREFIX}_{kind} ON {table}"))


def guard_parts(connection: Connection, table: str) -> None:
    """Let no partition of a guarded table be emptied by its own name; each is guarded once, however often this is run."""
    for name in _with_parts(connection, table):
        found = text("SELECT 1 FROM pg_trigger WHERE tgrelid = CAST(:name AS regclass) AND tgname = :trigger")
        if connection.execute(found, {"name": name, "trigger": f"{_PREFIX}_truncate"}).first() is None:
            connection.execute(text(_no_truncate(name)))


def unguarded(connection: Connection, guards: Sequence[Guard] = ALL) -> list[str]:
    """The tables, and partitions of them, that lack a trigger or have one that is switched off."""
    if connection.dialect.name != POSTGRES:
        found = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
        wanted = {one.table: {f"{_PREFIX}_{one.table}_{kind}" for kind in _kinds(one)} for one in guards}
        return [table for table, names in wanted.items() if not names <= found]
    on = text(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = CAST(:name AS regclass) AND tgenabled = 'O' AND tgname LIKE :ours"
    )
    lacking = []
    for one in guards:
        wanted_there = {f"{_PREFIX}_{kind}" for kind in (*_kinds(one), *(("truncate",) if one.rows_stay else ()))}
        for name in _with_parts(connection, one.table):
            there = set(connection.execute(on, {"name": name, "ours": f"{_PREFIX}%"}).scalars())
            if not wanted_there <= there:
                lacking.append(name)
    return lacking


def _kinds(guard: Guard) -> tuple[str, ...]:
    return ("update", "delete") if guard.rows_stay else ("update",)


def make_refusal(connection: Connection) -> None:
    """Make the function that the triggers of PostgreSQL call; SQLite needs none."""
    if connection.dialect.name == POSTGRES:
        body = (
            f"CREATE FUNCTION {_REFUSE}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" RAISE EXCEPTION '% is written once: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = '{_CODE}';"
            " END $$"
        )
        connection.exec_driver_sql(body)  # `%` and `:` are not for SQLAlchemy to read


def drop_refusal(connection: Connection) -> None:
    """Take it away again."""
    if connection.dialect.name == POSTGRES:
        connection.execute(text(f"DROP FUNCTION {_REFUSE}()"))


def _with_parts(connection: Connection, table: str) -> list[str]:
    tree = text("SELECT relid::regclass::text FROM pg_partition_tree(CAST(:name AS regclass))")
    found = connection.execute(tree, {"name": table}).scalars().all()
    return list(found) or [table]


def _changed(guard: Guard, differs: str) -> str:
    parts = [f"OLD.{name} {differs} NEW.{name}" for name in guard.fixed]
    if guard.change:
        parts.append(guard.change)
    condition = " OR ".join(parts)
    return f"({guard.when}) AND ({condition})" if guard.when else condition


def _on_postgres(guard: Guard) -> list[str]:
    changed = _changed(guard, "IS DISTINCT FROM").replace("instr(", "strpos(")
    update = f"CREATE TRIGGER {_PREFIX}_update BEFORE UPDATE ON {guard.table} FOR EACH ROW WHEN ({changed})"
    made = [f"{update} EXECUTE FUNCTION {_REFUSE}()"]
    if guard.rows_stay:
        only = f" WHEN ({guard.when})" if guard.when else ""
        made.append(
            f"CREATE TRIGGER {_PREFIX}_delete BEFORE DELETE ON {guard.table} FOR EACH ROW{only}"
            f" EXECUTE FUNCTION {_REFUSE}()"
        )
        made.append(_no_truncate(guard.table))
    return made


def _no_truncate(table: str) -> str:
    # Not inherited by partitions: each has its own.
    return (
        f"CREATE TRIGGER {_PREFIX}_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSE}()"
    )


def _on_sqlite(guard: Guard) -> list[str]:
    table = guard.table

    def refusing(kind: str, condition: str) -> str:
        only = f" WHEN {condition}" if condition else ""
        refuse = f"SELECT RAISE(ABORT, '{table} is written once: {kind.upper()} is refused')"
        return f"CREATE TRIGGER {_PREFIX}_{table}_{kind} BEFORE {kind.upper()} ON {table}{only} BEGIN {refuse}; END"

    made = [refusing("update", _changed(guard, "IS NOT"))]
    if guard.rows_stay:
        made.append(refusing("delete", guard.when))
    if table == ENTRIES.table:
        # INSERT OR REPLACE takes the old row away without asking the trigger for deletes.
        made.append(
            refusing("insert", f"EXISTS (SELECT 1 FROM {table} WHERE sequence = NEW.sequence OR id = NEW.id)")  # noqa: S608
        )
    return made
