"""What somebody does who can write to the database file itself: he drops the triggers first, and then changes what he likes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, text

from tracker.adapters.store.postgres import in_one_transaction
from tracker.adapters.store.sqlite import one_transaction
from tracker.adapters.store.store import SqlStore

_GUARDED = ("entry", "journal", "tree", "tile", "checkpoint", "checkpoint_key", "access_record", "access_shown")
_places: WeakKeyDictionary[SqlStore, Path | str] = WeakKeyDictionary()


def reachable(store: SqlStore, place: Path | str) -> SqlStore:
    """Remember where a store is, so that `damage` can reach it: a file, or the URL of the database's owner."""
    _places[store] = place
    return store


async def damage(store: SqlStore, statement: Any) -> None:
    """Do what no service may: as who owns the tables, and with the triggers switched off meanwhile."""
    place = _places[store]
    if isinstance(place, Path):
        with one_transaction(place) as connection:
            found = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = connection.execute(found).all()
            for name, _ in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(statement)
            for _, sql in triggers:
                connection.exec_driver_sql(sql)
        return

    def work(connection: Connection) -> None:
        for switched in ("DISABLE", "ENABLE"):
            for table in _GUARDED:
                connection.execute(text(f"ALTER TABLE {table} {switched} TRIGGER USER"))
            if switched == "DISABLE":
                connection.execute(statement)

    await in_one_transaction(place, work)


@contextmanager
def unguarded(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a file whose triggers are gone while it lasts; committed and closed afterwards, with the triggers back."""
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        ours = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'immutable%'"
        triggers = connection.execute(ours).fetchall()
        for name, *_ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for _, table, statement in triggers:
            if table in tables:
                connection.execute(statement)
