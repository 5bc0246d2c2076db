"""`tracker journal`: exports, and verifying them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.output import Json, print_json, print_line

app = typer.Typer(
    help="Export the journal, and verify exports.",
    epilog="Example: tracker journal export --out export-2026-11",
    no_args_is_help=True,
)


@app.command(
    epilog="Example: tracker journal export --out export-2026-11 --from 2026-11-01T00:00:00Z --provider demobank"
)
def export(
    out: Annotated[
        Path, typer.Option(help="The folder to make; it holds nothing, or an export that was cut off and goes on.")
    ],
    form: Annotated[str, typer.Option("--format", help="jsonl (proved), csv, parquet or consent-records.")] = "jsonl",
    since: Annotated[str | None, typer.Option("--from", metavar="T", help="Recorded at this time or later.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="T", help="Recorded before this time.")] = None,
    provider: Annotated[str | None, typer.Option(help="Of this provider.")] = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind of consent.")] = None,
    consent: Annotated[str | None, typer.Option(metavar="P/ID", help="About this consent.")] = None,
    user: Annotated[str | None, typer.Option(metavar="REF", help="About the consents of this user_ref.")] = None,
) -> None:
    """Export the journal or a part of it, with personal values, so that others can read it, and verify it without us."""
    from tracker.cli.exporting import export_to, wanted  # noqa: PLC0415

    export_to(out, wanted(form, since, until, provider=provider, kind=kind, consent=consent, user_ref=user))


@app.command(epilog="Example: tracker journal verify export-2026-11 --key 'tracker.example/journal+1a2b3c4d+AX…'")
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    key: Annotated[
        list[str] | None, typer.Option(metavar="VKEY", help="A key that you trust; may be repeated.")
    ] = None,
    allow_unanchored: Annotated[
        bool, typer.Option("--allow-unanchored", help="Be content without a key that you trust.")
    ] = False,
    json: Json = False,
) -> None:
    """Verify an export offline: is it intact, by whom is it, and on whose word does it rest."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.journal.checkpoint import NoteError  # noqa: PLC0415
    from tracker.journal.verify import verify_export  # noqa: PLC0415

    if not folder.is_dir():
        raise InvalidRequestError(f"{folder} is no folder; name the one that `tracker journal export` made.")
    try:
        verdict = verify_export(folder, key or [], allow_unanchored=allow_unanchored)
    except NoteError as error:
        raise InvalidRequestError(f"One --key is no VKEY: {error}") from error
    if json:
        print_json(asdict(verdict))
    else:
        for line in verdict.lines():
            print_line(line)
    if not verdict.accepted:
        raise typer.Exit(1)
