"""The database that the configuration names, and its schema."""

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection

from tracker.adapters.store import migrate
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
    """Which schema the database has, and which one this version works on."""
    if not database_file(settings).is_file():
        return None, migrate.newest()
    with _transaction(settings) as connection:
        return migrate.current(connection), migrate.newest()


def upgrade_database(settings: Settings, revision: str) -> str | None:
    """Bring the database to a newer schema, and say to which.

    Raises:
        ConfigurationError: There is no such schema.
    """
    with _transaction(settings) as connection:
        migrate.upgrade(connection, revision)
        return migrate.current(connection)


def downgrade_database(settings: Settings, revision: str) -> str | None:
    """Take the database back to an older schema, and say to which.

    Raises:
        ConfigurationError: There is no such schema.
    """
    with _transaction(settings) as connection:
        migrate.downgrade(connection, revision)
        return migrate.current(connection)


def _transaction(settings: Settings) -> AbstractContextManager[Connection]:
    path = database_file(settings)
    if not path.parent.is_dir():
        raise ConfigurationError(f"The folder of the database {path} is not there; make it, or change [database] url.")
    return one_transaction(path)
