"""`tracker journal`: exports, and verifying them."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.checkpoints import checkpoint, stamp_told
from tracker.cli.output import Json, print_json, print_line

app = typer.Typer(
    help="Export the journal, and verify exports.",
    epilog="Example: tracker journal export --out export-2026-11",
    no_args_is_help=True,
)

app.command(epilog="Example: tracker journal checkpoint")(checkpoint)


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
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="An export.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(metavar="VKEY", help="A key that you trust; may be repeated.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A published checkpoint that you have on another way.")
    ] = None,
    database: Annotated[
        bool, typer.Option("--database", help="Verify the database of the configuration instead of an export.")
    ] = False,
    allow_unanchored: Annotated[
        bool, typer.Option("--allow-unanchored", help="Be content without a key that you trust.")
    ] = False,
    timestamp: Annotated[
        Path | None, typer.Option(help="A time stamp of its checkpoint, as the authority gave it.")
    ] = None,
    timestamp_ca: Annotated[
        Path | None, typer.Option("--timestamp-ca", help="PEM: whom you trust to say when; for --timestamp.")
    ] = None,
    json: Json = False,
) -> None:
    """Verify an export offline, or the database: is it intact, by whom is it, and on whose word does it rest."""
    from tracker.cli.verifying import verify_database, verify_folder  # noqa: PLC0415
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.journal.checkpoint import NoteError  # noqa: PLC0415

    if database is (folder is not None):
        raise InvalidRequestError("Name the folder of an export, or say --database.")
    try:
        if folder is not None:
            verdict = verify_folder(folder, key or [], checkpoint, allow_unanchored=allow_unanchored)
        else:
            verdict = verify_database(key or [], checkpoint, allow_unanchored=allow_unanchored)
    except NoteError as error:
        raise InvalidRequestError(f"One --key is no VKEY: {error}") from error
    stamp = stamp_told(folder, timestamp, timestamp_ca)
    if json:
        print_json(asdict(verdict) | ({} if stamp is None else {"stamped": asdict(stamp)}))
    else:
        for line in verdict.lines():
            print_line(line)
        if stamp is not None:
            print_line("stamped        " + stamp.sentence)
    if not verdict.accepted or not (stamp is None or stamp.ok):
        raise typer.Exit(1)
