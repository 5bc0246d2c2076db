"""Write what was deleted out of SQLite's write-ahead log, so that no old version of a page stays in a file.

SQLite overwrites what is deleted in the database file itself (`secure_delete`, set where the file is opened). The log keeps the
pages as they were until it is written over from its start; a checkpoint that cuts it off leaves nothing of it.

PostgreSQL does neither: deleted rows stay in their pages until these are written over, and in its log until that is recycled.
"""

import asyncio
import sqlite3
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from tracker.adapters.store.sqlite import SqliteDatabase, engine_for

_CHECKPOINT: Final = "PRAGMA wal_checkpoint(TRUNCATE)"


async def scrub_log(database: object) -> bool:
    """Cut the log off; False if a reader or another process stood in the way. True where there is nothing to be done."""
    if not isinstance(database, SqliteDatabase):
        return True
    return await asyncio.get_running_loop().run_in_executor(None, _checkpoint, database.path)


def _checkpoint(path: str) -> bool:
    engine = engine_for(path, writer=True)
    try:
        connection = engine.raw_connection()  # past what begins transactions: a checkpoint stands in none
        try:
            cursor = connection.cursor()
            cursor.execute(_CHECKPOINT)
            found = cursor.fetchone()
        finally:
            connection.close()
    except (SQLAlchemyError, sqlite3.Error):
        return False
    else:
        return found is not None and found[0] == 0
    finally:
        engine.dispose()
