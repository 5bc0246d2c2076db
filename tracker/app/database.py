"""The database that the configuration names, and its schema."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from tracker.adapters.store import migrate
from tracker.adapters.store.service_lock import ServiceLock
from tracker.adapters.store.sqlite import one_transaction
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings

_SQLITE = "sqlite:///"


def database_file(settings: Settings) -> Path:
    """The SQLite file that the configuration names."""
    return Path(settings.database.url.get_secret_value().removeprefix(_SQLITE))


def require_schema(settings: Settings) -> None:
    """See to it that the database has the schema that this version works on; an empty file is given it.

    Raises:
        ConfigurationError: It has another one, or the file cannot be used.
    """
    with _transaction(settings) as connection:
        if migrate.is_empty(connection):
            migrate.upgrade(connection)
        revision, newest = migrate.current(connection), migrate.newest()
    if revision != newest:
        raise ConfigurationError(
            f"The database is at schema {revision or 'none'} and this version works on {newest}; run `tracker db upgrade`."
        )


def schema_revisions(settings: Settings) -> tuple[str | None, str]:
    """Which schema the database has, and which one this version works on. No file is made by asking.

    Raises:
        ConfigurationError: The file cannot be used.
    """
    if not _place(settings).exists():
        return None, migrate.newest()
    with _transaction(settings) as connection:
        return migrate.current(connection), migrate.newest()


def require_writable(settings: Settings) -> None:
    """See to it that the database can be written, by this user; nothing is made by asking.

    Raises:
        ConfigurationError: It cannot.
    """
    path = _place(settings)
    for one in (path.parent, path):
        if one.exists() and not os.access(one, os.W_OK):
            what = "database" if one == path else "folder of the database"
            raise ConfigurationError(
                f"The {what} {one.absolute()} cannot be written to; make the user that runs the tracker its owner."
            )


def upgrade_database(settings: Settings, revision: str) -> str | None:
    """Bring the database to a newer schema, and say to which.

    Raises:
        ConfigurationError: There is no such schema, a service is running on the file, or it cannot be used.
    """
    _place(settings)
    with ServiceLock(database_file(settings)), _transaction(settings) as connection:
        migrate.upgrade(connection, revision)
        return migrate.current(connection)


def downgrade_database(settings: Settings, revision: str, *, delete_journal: bool) -> str | None:
    """Take the database back to an older schema, and say to which.

    Args:
        settings: The configuration.
        revision: The older schema.
        delete_journal: Whether the journal may be deleted, if the older schema has none.

    Raises:
        ConfigurationError: There is no such schema, it has no place for the journal, a service is running on the file, or
            it cannot be used.
    """
    if not _place(settings).exists():
        raise ConfigurationError(f"There is no database {database_file(settings)}; correct [database] url.")
    with ServiceLock(database_file(settings)), _transaction(settings) as connection:
        entries = migrate.count_entries(connection)
        migrate.downgrade(connection, revision)
        if entries and not migrate.count_entries(connection) and not delete_journal:
            raise ConfigurationError(
                f"Schema {revision} has no journal, and this one has {entries} entries: make a copy of the database, "
                "then repeat with --delete-journal."
            )
        return migrate.current(connection)


def _place(settings: Settings) -> Path:
    """Where the database is, or can be made."""
    path = database_file(settings)
    if not path.parent.is_dir():
        raise ConfigurationError(f"The folder of the database {path} is not there; make it, or change [database] url.")
    if path.is_dir():
        raise ConfigurationError(f"The database {path} is a folder; name a file in [database] url.")
    return path


@contextmanager
def _transaction(settings: Settings) -> Iterator[Connection]:
    path = _place(settings)
    if not path.exists():
        path.touch(
            mode=0o600
        )  # it will hold secrets of subscriptions and terms of consents; its log files get its mode
    with one_transaction(path) as connection:
        revision = migrate.current(connection)
        if revision is None and not migrate.is_empty(connection):
            raise ConfigurationError(
                f"The database {path} is another program's; name a file of its own in [database] url."
            )
        if revision is not None and not migrate.knows(revision):
            raise ConfigurationError(
                f"The database {path} is at schema {revision} of a newer version; install that one, or restore a copy."
            )
        yield connection
