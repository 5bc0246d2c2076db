"""`tracker check`: can this configuration work, line by line."""

import asyncio

import typer

from tracker.cli.output import console
from tracker.domain.errors import TrackerError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: tracker check")(check)


def check() -> None:
    """Check configuration, keys, database, clock and providers; one line each. Exit status 1 if anything is wrong."""
    from tracker.app import Finding, check_all  # noqa: PLC0415
    from tracker.cli.running import load  # noqa: PLC0415

    out = console()

    def show(finding: Finding) -> None:
        mark = "[green]ok  [/green]" if finding.ok else "[red]FAIL[/red]"
        out.print(f"{mark}  {finding.subject:<14} {finding.text}", soft_wrap=True)

    try:
        settings = load()
    except TrackerError as error:
        show(Finding("configuration", str(error), ok=False))
        raise typer.Exit(1) from error
    text = f"{len(settings.client)} clients, {len(settings.provider)} providers"
    show(Finding("configuration", text, ok=True))
    results = asyncio.run(check_all(settings, show))
    if not all(results):
        raise typer.Exit(1)
