"""`tracker db`: the schema of the database."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.output import Json, print_json, print_line
from tracker.cli.running import do, load

app = typer.Typer(help="The schema of the database.", epilog="Example: tracker db current", no_args_is_help=True)


@app.command(epilog="Example: tracker db upgrade")
def upgrade(revision: Annotated[str, typer.Argument(help="How far.")] = "head") -> None:
    """Bring the database to the newest schema, or to one on the way."""
    from tracker.app import database_place, upgrade_database  # noqa: PLC0415

    settings = load()
    print_line(f"{database_place(settings).told} is at schema {upgrade_database(settings, revision)}.")


@app.command(
    epilog="Example: tracker db downgrade 0001. What only the newer schema can hold is lost: make a copy first."
)
def downgrade(
    revision: Annotated[str, typer.Argument(help="Which one.")],
    delete_journal: Annotated[
        bool, typer.Option("--delete-journal", help="Needed for a schema that has no journal.")
    ] = False,
) -> None:
    """Take the database back to an older schema."""
    from tracker.app import database_place, downgrade_database  # noqa: PLC0415

    settings = load()
    reached = downgrade_database(settings, revision, delete_journal=delete_journal)
    print_line(f"{database_place(settings).told} is at schema {reached or 'none'}.")


@app.command(
    epilog="Example: tracker db grants --role tracker_service | psql …; or with --apply, by [database] migration_url"
)
def grants(
    role: Annotated[str | None, typer.Option(help="The service's role; else the one in [database] url.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Run the statements instead of printing them.")] = False,
) -> None:
    """Print what gives the service's role on PostgreSQL the rights that it needs, and no right to change the journal."""
    from tracker.app import database_place, grant_statements, grant_to_service, service_role  # noqa: PLC0415
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415

    settings = load()
    if not database_place(settings).is_shared:
        raise InvalidRequestError("SQLite knows no roles: the file's permissions are all there is.")
    chosen = role or service_role(settings)
    if chosen is None:
        raise InvalidRequestError(
            "Name the service's role with --role, or the owner of the tables in [database] migration_url."
        )
    if apply:
        grant_to_service(settings, chosen)
        print_line(f"{chosen} has the rights of a service on {database_place(settings).told}, and no more.")
    else:
        for statement in grant_statements(chosen):
            print_line(f"{statement};")


@app.command(epilog="Example: tracker db current")
def current(json: Json = False) -> None:
    """Say which schema the database has, and which one this version works on. Exit status 1 if they differ."""
    from tracker.app import database_place, schema_revisions  # noqa: PLC0415

    settings = load()
    has, needs = schema_revisions(settings)
    if json:
        print_json({"database": database_place(settings).told, "schema": has, "needed": needs})
    else:
        print_line(f"{database_place(settings).told} is at schema {has or 'none'}; this version works on {needs}.")
    if has != needs:
        raise typer.Exit(1)


@app.command(
    name="after-restore",
    epilog="Example: tracker db after-restore --checkpoint last-checkpoint.txt. Stop all services first.",
)
def after_restore(
    checkpoint: Annotated[Path, typer.Option(metavar="FILE", help="The last checkpoint that was published.")],
    margin: Annotated[
        int | None, typer.Option(help="How many entries may have been written and told after it; else 10000.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(metavar="VKEY", help="Who signed it; else our own [audit] checkpoint_key.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="The journal was restored once more since.")] = False,
) -> None:
    """Have a journal that was restored from a copy go on behind all that was ever told of it, and say what is lost."""
    from tracker.app import database_place, jump_after_restore  # noqa: PLC0415
    from tracker.cli.verifying import read_checkpoint  # noqa: PLC0415
    from tracker.journal.gap import gap_of  # noqa: PLC0415

    settings, published = load(), read_checkpoint(checkpoint)
    with database_place(settings).occupy():
        entry = do(partial(jump_after_restore, published=published, vkeys=key or [], margin=margin, again=again))
    gap = gap_of(entry.leaf)
    lost = "" if gap is None else f"entries {gap.first} to {gap.last} are lost, as entry {entry.sequence} declares; "
    print_line(f"{lost}the journal goes on at {entry.sequence + 1}. Publish a new checkpoint, and tell your auditors.")
