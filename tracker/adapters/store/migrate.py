"""Migrations, run from inside the tracker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, func, inspect, select

import tracker
from tracker.adapters.secret_keys import SecretKeys
from tracker.adapters.store.differences import POSTGRES
from tracker.adapters.store.partitions import NOT_ON_POSTGRES, partition_names
from tracker.adapters.store.tables import entry
from tracker.domain.errors import ConfigurationError


def _config(connection: Connection | None = None, ring: SecretKeys | None = None) -> Config:
    # In a checkout they lie beside the package, in an installed wheel inside it.
    package = Path(tracker.__file__).parent
    folder = next((p for p in (package / "migrations", package.parent / "migrations") if p.is_dir()), None)
    if folder is None:
        raise ConfigurationError("The migrations are missing from this installation: install the package again.")
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["ring"] = ring
    return config


def newest() -> str:
    """The revision that this version of the tracker works on."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(connection: Connection) -> str | None:
    """The revision that a database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def is_empty(connection: Connection) -> bool:
    """Whether a database has no tables of ours."""
    return set(inspect(connection).get_table_names()) <= {"alembic_version"}


def count_entries(connection: Connection) -> int:
    """How many entries the journal has; 0 on a schema without one."""
    if not inspect(connection).has_table(entry.name):
        return 0
    return connection.execute(select(func.count()).select_from(entry)).scalar_one()


def knows(revision: str) -> bool:
    """Whether this version of the tracker can work with a revision, or migrate from it."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def compared(connection: Connection) -> dict[str, Any]:
    """What Alembic is to compare the tables by: partitions are not in them, nor are all indexes on both databases."""
    parts = partition_names(connection)
    absent = NOT_ON_POSTGRES if connection.dialect.name == POSTGRES else frozenset()
    return {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name not in parts,
        "include_object": lambda _object, name, *_: name not in absent,
    }


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring a database to a revision, inside the caller's transaction.

    Raises:
        ConfigurationError: There is no such revision.
    """
    with _known_revisions(revision):
        command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str, ring: SecretKeys | None = None) -> None:
    """Take a database back to a revision, inside the caller's transaction.

    Args:
        connection: In a transaction.
        revision: Which.
        ring: The keys for what is encrypted at rest; older schemas have it as it is.

    Raises:
        ConfigurationError: There is no such revision, or what is encrypted cannot be opened.
    """
    with _known_revisions(revision):
        command.downgrade(_config(connection, ring), revision)


@contextmanager
def _known_revisions(revision: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise ConfigurationError(
            f"There is no schema {revision!r} to go to; this version knows up to {newest()}."
        ) from error
