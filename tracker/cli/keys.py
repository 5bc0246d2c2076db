"""`tracker keys`: keys of our API's callers, and key files of ours."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tracker.cli.output import Json, print_json, print_line, print_table, time_text
from tracker.cli.running import do, load

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports import ApiKey

app = typer.Typer(help="API keys, and our own key files.", epilog="Example: tracker keys list", no_args_is_help=True)
make = typer.Typer(
    help="Make key files; nothing is overwritten.",
    epilog="Example: tracker keys make signing --out keys/signing.jwks.json",
    no_args_is_help=True,
)
app.add_typer(make, name="make")
Out = Annotated[Path, typer.Option("--out", help="The file to make, readable by you alone.")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="A PEM file: its private key, instead of a new one; then --kid is required."),
]
Kid = Annotated[str | None, typer.Option(help="The key's id; its thumbprint unless given.")]


@app.command(
    "add-api-key", epilog="Example: tracker keys add-api-key --name dashboard --scope read --expires 2027-01-01"
)
def add_api_key(
    name: Annotated[str, typer.Option(help="Whose it is.")],
    scope: Annotated[str, typer.Option(help="read, write, audit, admin; with commas between.")] = "read",
    expires: Annotated[
        datetime | None, typer.Option(help="When it ends, UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
    ] = None,
) -> None:
    """Make an API key and print it, this once. It works at once in a running service."""
    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    ends = None if expires is None else expires.replace(tzinfo=UTC)

    async def deed(tracker: "Tracker") -> str:
        _, text = await tracker.api_keys.add(name, scopes, ends)
        return text

    print(do(deed, may_begin=True))


@app.command("list", epilog="Example: tracker keys list")
def listing(json: Json = False) -> None:
    """List API keys; their secrets are nowhere."""

    async def deed(tracker: "Tracker") -> "list[ApiKey]":
        return await tracker.api_keys.all()

    found = do(deed)
    if json:
        from tracker.web.api.shapes.keys import ApiKeyOut  # noqa: PLC0415

        items = [ApiKeyOut.of(key).model_dump(mode="json", by_alias=True) for key in found]
        print_json({"items": items, "next_cursor": None})
        return
    rows = (
        (key.id, key.name, ",".join(sorted(key.scopes)), time_text(key.expires_at), time_text(key.revoked_at))
        for key in found
    )
    print_table(("id", "name", "scopes", "expires (UTC)", "revoked (UTC)"), rows, empty="There are no API keys.")


@app.command(epilog="Example: tracker keys revoke abcdefgh23456777")
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke an API key, at once."""
    from tracker.domain.errors import NotFoundError  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> bool:
        return await tracker.api_keys.revoke(key_id)

    if not do(deed):
        raise NotFoundError(f"There is no API key {key_id} that could be revoked; `tracker keys list` shows them.")
    print_line(f"{key_id} is revoked.")


@make.command(epilog="Example: tracker keys make signing --out keys/signing.jwks.json")
def signing(out: Out, kid: Kid = None, source: From = None) -> None:
    """Make a private JWK Set to sign with: a new key, or one that is there as PEM."""
    _make("signing", out, kid, source)


@make.command(epilog="Example: tracker keys make encryption --out keys/encryption.jwks.json")
def encryption(out: Out, kid: Kid = None, source: From = None) -> None:
    """Make a private JWK Set that events are encrypted for: a new key, or one that is there as PEM."""
    _make("encryption", out, kid, source)


def _make(kind: Literal["signing", "encryption"], out: Path, kid: str | None, source: Path | None) -> None:
    from tracker.app import make_key_file, take_key_over  # noqa: PLC0415

    print_line(make_key_file(kind, out, kid) if source is None else take_key_over(kind, source, out, kid))


@make.command(epilog="Example: tracker keys make checkpoint --out keys/checkpoint.jwk.json")
def checkpoint(out: Out) -> None:
    """Make a private key that signs the journal's checkpoints."""
    from tracker.app import make_key_file  # noqa: PLC0415

    print_line(make_key_file("checkpoint", out, None))


@make.command(epilog="Example: tracker keys make notifications --out keys/notifications.jwks.json")
def notifications(out: Out) -> None:
    """Make a private JWK Set that signs what subscribers are told, beside their secrets."""
    from tracker.app import make_key_file  # noqa: PLC0415

    print_line(make_key_file("notifications", out, None))


@make.command(epilog="Example: tracker keys make secrets --out keys/secrets.jwks.json")
def secrets(out: Out) -> None:
    """Make a key that encrypts what is secret in the database: secrets of subscriptions, and the keys of consents."""
    from tracker.app import make_key_file  # noqa: PLC0415

    print_line(make_key_file("secrets", out, None))


@app.command(epilog="Example: tracker keys seal")
def seal() -> None:
    """Encrypt what stands in the database as it is, or under a key that is not the first.

    Run it once there is an `at_rest_keys`, and whenever another key has come first. It may run beside the service, which does
    the same with keys and values of consents by itself.
    """
    from tracker.app import seal_secrets  # noqa: PLC0415

    for line in do(seal_secrets):
        print_line(line)


@app.command(epilog="Example: tracker keys public")
def public() -> None:
    """Print our public keys: what the directory, auditors (the VKEY) and subscribers need."""
    from tracker.app import public_keys  # noqa: PLC0415

    print_json(public_keys(load()))


@app.command("in-use", epilog="Example: tracker keys in-use")
def in_use(json: Json = False) -> None:
    """Say which of our keys sign, and which open events, as the key files have them.

    A running service uses what it read at its start, or at the last SIGHUP.
    """
    from tracker.app import keys_in_use  # noqa: PLC0415

    found = keys_in_use(load())
    if json:
        print_json({"items": [asdict(key) for key in found]})
        return
    rows = ((key.kid, key.role, key.client_id, key.file) for key in found)
    print_table(("kid", "does what", "client", "file"), rows, empty="There are no clients in the configuration.")
