"""Many consents at once: copies of one, put into the file past all our code, for what must go well with ten thousand rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

_ITS_OWN = "tracking_id", "consent_id"


def name(number: int) -> str:
    """The consent id of one of the crowd."""
    return f"c{number:05}"


def gather(database: Path, count: int) -> None:
    """Make copies of the consent `name(0)` until there are so many; their tracking ids are in the order of their names."""
    # Ids as ours are: in the order of time, with something at random behind it.
    key = "printf('02f00000-%04x-7000-8000-', n) || lower(hex(randomblob(6)))"
    _copy(database, key, "printf('c%05d', n)", count - 1)


def add(database: Path, tracking_id: str, consent_id: str) -> None:
    """Make one more copy."""
    _copy(database, f"'{tracking_id}'", f"'{consent_id}'", 1)


def _copy(database: Path, key: str, consent_id: str, count: int) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(consent)")]
        same = ", ".join(column for column in columns if column not in _ITS_OWN)
        connection.execute(
            f"""WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
            INSERT INTO consent (tracking_id, consent_id, {same}) SELECT {key}, {consent_id}, {same}
            FROM consent, numbers WHERE consent_id = '{name(0)}'"""
        )
