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


@app.command("detach-journal", epilog="Example: tracker db detach-journal --dry-run")
def detach_journal_(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whether it could be.")] = False,
) -> None:
    """Take the oldest partition out of the journal's table, once all in it is disposed of. Exit status 1 if it is needed."""
    from tracker.app import detach_journal  # noqa: PLC0415

    part = detach_journal(load(), is_rehearsal=dry_run)
    if part is None:
        print_line("This database keeps the journal in one table: nothing can be detached.")
        raise typer.Exit(1)
    for reason in part.needed:
        print_line(f"{part.name} is needed: {reason}.")
    if part.needed:
        raise typer.Exit(1)
    print_line(
        f"{part.name} could be detached."
        if dry_run
        else f"{part.name} is detached: the journal begins with {part.below}. Copy the table, then drop it."
    )
