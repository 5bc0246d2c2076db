"""`tracker evidence`: one consent's proof as a file, verified offline, and shown as a page."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.looking import looked_at, looking_for
from tracker.cli.output import Json, print_json, print_line
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.journal.verify_pack import PackVerdict

app = typer.Typer(
    help="Prove one consent's story, and verify such proofs.",
    epilog="Example: tracker evidence pack demobank/5b0e7c1a --out consent.evidence.json",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="P/ID", help="Provider and consent id.")]
PackFile = Annotated[Path, typer.Argument(metavar="FILE", help="The pack.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="VKEY", help="A key of the journal that you trust; may be repeated."),
]
HolderKeys = Annotated[
    Path | None,
    typer.Option(help="Keys of the holder that you trust: a JWK Set, or an object with one for each provider."),
]
Published = Annotated[
    Path | None, typer.Option("--checkpoint", help="A checkpoint that was published, and that you trust.")
]
AllowUnanchored = Annotated[
    bool, typer.Option("--allow-unanchored", help="Be content where nothing that you trust stands behind it.")
]


@app.command(epilog="Example: tracker evidence pack demobank/5b0e7c1a --out consent.evidence.json")
def pack(
    consent: Name,
    out: Annotated[Path, typer.Option(help="The file to make; it must not be there.")],
    without_private: Annotated[
        bool, typer.Option("--without-private", help="Leave out private values, terms and the holder's tokens.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint published earlier; prove that the journal grew out of it.")
    ] = None,
) -> None:
    """Write one consent's story with all that proves it, so that others can verify it without us."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.journal.checkpoint import NoteError, parse_checkpoint, parse_note  # noqa: PLC0415

    provider, consent_id = split_name(consent)
    try:
        since = None if checkpoint is None else parse_checkpoint(parse_note(_text(checkpoint)).text)
    except NoteError as error:
        raise InvalidRequestError(f"{checkpoint} is no signed checkpoint: {error}") from error

    async def deed(tracker: "Tracker") -> bytes:
        packs, asked = tracker.auditing.packs, {"out": out, "private": not without_private}
        async with looking_for(tracker, "evidence.pack", provider, consent_id):
            subject = await packs.subject(provider, consent_id)
            made = await packs.pack(provider, consent_id, with_private=not without_private, since=since)
        await looked_at(tracker, "evidence.pack", subject.tracking_id, (provider, consent_id), asked)
        return made

    data = do(deed)
    _write_new(out, data)
    print_line(f"{out}: {len(data)} bytes. Verify it with `tracker evidence verify`.")


@app.command(
    epilog="Example: tracker evidence verify consent.evidence.json --key 'tracker.example/journal+1a2b3c4d+AX…'"
)
def verify(
    file: PackFile,
    key: Keys = None,
    holder_keys: HolderKeys = None,
    checkpoint: Published = None,
    allow_unanchored: AllowUnanchored = False,
    json: Json = False,
) -> None:
    """Verify a pack offline: is it intact, by whom is it, and does the holder stand behind it."""
    verdict = _verdict(_bytes(file), key, holder_keys, checkpoint, allow_unanchored=allow_unanchored)
    if json:
        print_json(_as_json(verdict))
    else:
        for line in verdict.lines():
            print_line(line)
    if not verdict.accepted:
        raise typer.Exit(1)


@app.command(
    epilog="Example: tracker evidence show consent.evidence.json --out consent.html --holder-keys bank.jwks.json"
)
def show(
    file: PackFile,
    out: Annotated[Path, typer.Option(help="The page to make; it must not be there.")],
    key: Keys = None,
    holder_keys: HolderKeys = None,
    checkpoint: Published = None,
    allow_unanchored: AllowUnanchored = False,
) -> None:
    """Write a pack as a page for people, to be read or printed, with what verifying it came to."""
    from tracker.journal.pack_page import page  # noqa: PLC0415

    data = _bytes(file)  # once: the page names the digest of what was verified
    verdict = _verdict(data, key, holder_keys, checkpoint, allow_unanchored=allow_unanchored)
    _write_new(out, page(data, verdict).encode())
    for line in verdict.lines():
        print_line(line)
    if not verdict.accepted:
        raise typer.Exit(1)


@app.command(epilog="Example: tracker evidence schema > evidence-pack.schema.json")
def schema() -> None:
    """Print the JSON Schema of packs."""
    from tracker.journal.pack_schema import schema_text  # noqa: PLC0415

    typer.echo(schema_text(), nl=False)


def _verdict(
    data: bytes, key: list[str] | None, holder_keys: Path | None, checkpoint: Path | None, *, allow_unanchored: bool
) -> "PackVerdict":
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.journal.checkpoint import NoteError  # noqa: PLC0415
    from tracker.journal.holder_key import HolderKeysError  # noqa: PLC0415
    from tracker.journal.verify_pack import Anchors, verify_pack  # noqa: PLC0415

    anchors = Anchors(
        vkeys=key or (),
        holder_keys=None if holder_keys is None else _bytes(holder_keys),
        checkpoint=None if checkpoint is None else _text(checkpoint),
    )
    try:
        return verify_pack(data, anchors, allow_unanchored=allow_unanchored)
    except NoteError as error:
        raise InvalidRequestError(f"One --key is no VKEY, or --checkpoint no signed checkpoint: {error}") from error
    except HolderKeysError as error:
        raise InvalidRequestError(str(error)) from error


def _as_json(verdict: "PackVerdict") -> dict[str, object]:
    answers = {name: getattr(verdict, name) for name in ("intact", "by_whom", "holders_word")}
    return {
        **{name: {"answer": found.answer, "sentence": found.sentence} for name, found in answers.items()},
        "covers": verdict.covers,
        "entries": [
            {"sequence": one.sequence, "word": one.word.name.lower(), "sentence": one.sentence} for one in verdict.words
        ],
        "accepted": verdict.accepted,
    }


def _bytes(path: Path) -> bytes:
    """Read a plain file, and no more of it than any such file has: a device would never end."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.journal.pack import MAX_PACK_BYTES  # noqa: PLC0415

    if not path.is_file():
        raise InvalidRequestError(f"{path} is no file that can be read; correct the path.")
    try:
        with path.open("rb") as file:
            return file.read(MAX_PACK_BYTES + 1)
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be read: {error.strerror}.") from error


def _text(path: Path) -> str:
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415

    try:
        return _bytes(path).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{path} is not UTF-8; name a signed checkpoint.") from error


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that was not there and that only its owner may read: it holds private values."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidRequestError(f"{path} is there already: name a new file.") from error
    except OSError as error:
        raise InvalidRequestError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise InvalidRequestError(f"{path} cannot be written: {error.strerror}.") from error
