"""`tracker db`: the schema of the database."""

from typing import Annotated

import typer

from tracker.cli.output import Json, print_json, print_line
from tracker.cli.running import load

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
