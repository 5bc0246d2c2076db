"""`tracker db`: the schema of the database."""

from typing import Annotated

import typer

from tracker.cli.running import load

app = typer.Typer(help="The schema of the database.", no_args_is_help=True)


@app.command(epilog="Example: tracker db upgrade")
def upgrade(revision: Annotated[str, typer.Argument(help="How far.")] = "head") -> None:
    """Bring the database to the newest schema, or to one on the way."""
    from tracker.app import database_file, upgrade_database  # noqa: PLC0415

    settings = load()
    print(f"{database_file(settings)} is at schema {upgrade_database(settings, revision)}.")


@app.command(
    epilog="Example: tracker db downgrade 0001. What only the newer schema can hold is lost: make a copy first."
)
def downgrade(revision: Annotated[str, typer.Argument(help="Which one.")]) -> None:
    """Take the database back to an older schema."""
    from tracker.app import database_file, downgrade_database  # noqa: PLC0415

    settings = load()
    print(f"{database_file(settings)} is at schema {downgrade_database(settings, revision) or 'none'}.")


@app.command(epilog="Example: tracker db current")
def current() -> None:
    """Say which schema the database has, and which one this version works on."""
    from tracker.app import database_file, schema_revisions  # noqa: PLC0415

    settings = load()
    has, needs = schema_revisions(settings)
    print(f"{database_file(settings)} is at schema {has or 'none'}; this version works on {needs}.")
    if has != needs:
        raise typer.Exit(1)
