"""The database that the configuration names, and its schema."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, make_url, select

from tracker.adapters.store import grants, immutable, migrate, restored
from tracker.adapters.store.place import DatabasePlace
from tracker.adapters.store.postgres_place import PostgresPlace
from tracker.adapters.store.sqlite_place import SqlitePlace
from tracker.adapters.store.tables import journal
from tracker.app.our_keys import ring_of
from tracker.app.publishing import published_size
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings

T = TypeVar("T")
_SQLITE = "sqlite:///"


def database_place(settings: Settings) -> DatabasePlace:
    """The place that the configuration names."""
    url = settings.database.url.get_secret_value()
    return SqlitePlace(Path(url.removeprefix(_SQLITE))) if url.startswith(_SQLITE) else PostgresPlace(url)


def owners_place(settings: Settings) -> DatabasePlace:
    """The same place, reached as the user who owns the tables, if the configuration tells the two apart."""
    url = settings.database.migration_url
    return database_place(settings) if url is None else PostgresPlace(url.get_secret_value())


def service_role(settings: Settings) -> str | None:
    """The role of the running service, if it is another than the owner's and the configuration names it."""
    if settings.database.migration_url is None:
        return None
    role, owner = (
        make_url(url.get_secret_value()).username for url in (settings.database.url, settings.database.migration_url)
    )
    return None if role == owner else role


def grant_to_service(settings: Settings, role: str) -> None:
    """Give a role what a service needs, and take from it what it does not.

    Raises:
        ConfigurationError: The role is not there or owns the tables, or the database cannot be used.
    """
    place = owners_place(settings)
    place.migrate(_ours(place, partial(grants.grant, role=role)))


def journal_standing(settings: Settings) -> tuple[grants.Standing | None, list[str]]:
    """What the service's role could do to the journal, None where there are no roles; and the tables that are not guarded.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    return database_place(settings).run(
        lambda connection: (grants.standing(connection), immutable.unguarded(connection))
    )


def require_schema(settings: Settings) -> None:
    """See to it that the database has the schema that this version works on; an empty file is given it.

    Raises:
        ConfigurationError: It has another one, or the database cannot be used.
    """
    place = database_place(settings)

    def look(connection: Connection) -> tuple[str | None, str]:
        if place.begins_by_itself and migrate.is_empty(connection):
            migrate.upgrade(connection)
        return migrate.current(connection), migrate.newest()

    revision, newest = place.run(_ours(place, look))
    if revision != newest:
        raise ConfigurationError(
            f"The database is at schema {revision or 'none'} and this version works on {newest}; run `tracker db upgrade`."
        )


def schema_revisions(settings: Settings) -> tuple[str | None, str]:
    """Which schema the database has, and which one this version works on. Nothing is made by asking.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    place = database_place(settings)
    if not place.is_there():
        return None, migrate.newest()
    return place.run(_ours(place, migrate.current)), migrate.newest()


def require_own_past(settings: Settings) -> None:
    """See to it that the journal is no older than what has read it: else it would give sequences out for the second time.

    What has read it is in the same database, and so no younger, if that was restored as a whole. What is published is not.

    Raises:
        ConfigurationError: It is older.
    """
    place = database_place(settings)

    def look(connection: Connection) -> tuple[int, list[str]]:
        return connection.execute(select(journal.c.next_sequence)).scalar_one() - 1, restored.ahead(connection)

    published = published_size(settings.audit)  # first: the journal may grow and be signed meanwhile
    head, told = place.run(look)
    if published > head:
        told.append(f"the checkpoint in {settings.audit.publish_to} is of {published} entries")
    if told:
        raise ConfigurationError(
            f"The journal ends at {head}, and {told[0]}: it was restored from an older copy. "
            "Run `tracker db after-restore`, so that no sequence is used twice."
        )


def require_writable(settings: Settings) -> None:
    """See to it that the database can be written, by this user; nothing is made by asking.

    Raises:
        ConfigurationError: It cannot.
    """
    database_place(settings).require_writable()


def database_clock(settings: Settings) -> datetime | None:
    """What time it is on the server; None: the database is a file, and has our clock.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    place = database_place(settings)
    if not place.is_shared:
        return None
    now: datetime = place.run(lambda connection: connection.execute(select(func.clock_timestamp())).scalar_one())
    return now


def upgrade_database(settings: Settings, revision: str) -> str | None:
    """Bring the database to a newer schema, and say to which; the service's own role gets the rights to what is new.

    Raises:
        ConfigurationError: There is no such schema, a service is running on the file, or the database cannot be used.
    """
    place, role = owners_place(settings), service_role(settings)

    def work(connection: Connection) -> str | None:
        migrate.upgrade(connection, revision)
        reached = migrate.current(connection)
        if role is not None and reached == migrate.newest():
            grants.grant(connection, role)
        return reached

    return place.migrate(_ours(place, work))


def downgrade_database(settings: Settings, revision: str, *, delete_journal: bool) -> str | None:
    """Take the database back to an older schema, and say to which.

    Args:
        settings: The configuration.
        revision: The older schema.
        delete_journal: Whether the journal may be deleted, if the older schema has none.

    Raises:
        ConfigurationError: There is no such schema, it has no place for the journal, a service is running on the file, or
            the database cannot be used.
    """
    place = owners_place(settings)
    if not place.is_there():
        raise ConfigurationError(f"There is no database {place.told}; correct [database] url.")

    ring = ring_of(settings)

    def work(connection: Connection) -> str | None:
        entries = migrate.count_entries(connection)
        migrate.downgrade(connection, revision, ring)
        if entries and not migrate.count_entries(connection) and not delete_journal:
            raise ConfigurationError(
                f"Schema {revision} has no journal, and this one has {entries} entries: make a copy of the database, "
                "then repeat with --delete-journal."
            )
        return migrate.current(connection)

    return place.migrate(_ours(place, work))


def _ours(place: DatabasePlace, work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Do nothing to a database that another program, or a newer version, has made."""

    def checked(connection: Connection) -> T:
        revision = migrate.current(connection)
        if revision is None and not migrate.is_empty(connection):
            raise ConfigurationError(
                f"The database {place.told} is another program's; name one of its own in [database] url."
            )
        if revision is not None and not migrate.knows(revision):
            raise ConfigurationError(
                f"The database {place.told} is at schema {revision} of a newer version; install that one, or restore a "
                "copy."
            )
        return work(connection)

    return checked
