"""`tracker audit`: who looked at what."""

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.output import Json, print_json, print_line, print_table, printable, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports import AccessQuery
    from tracker.usecases.access import Looked
    from tracker.web.api.shapes.access import AccessQueryIn

app = typer.Typer(
    help="See who looked at what.",
    epilog="Example: tracker audit access --consent demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    no_args_is_help=True,
)


@app.callback()
def _several() -> None:
    """Keep `access` a command of its own, though it may be the only one."""


@app.command(epilog="Example: tracker audit access --consent demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10 --limit 20")
def access(
    consent: Annotated[
        str | None, typer.Option(metavar="PROVIDER/CONSENT_ID", help="Only looks at this consent, alone or in a list.")
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="Only this API key's, by its id, or this user's of the machine: cli:NAME.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only from this time on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only before this time.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    json: Json = False,
) -> None:
    """List who looked at what, the last first; a TIME has an offset, such as 2026-03-02T10:15:00Z."""
    from tracker.cli.looking import looked_at_several  # noqa: PLC0415
    from tracker.web.api.access import place_text  # noqa: PLC0415
    from tracker.web.api.cursor import cursor_after  # noqa: PLC0415
    from tracker.web.api.shapes.access import AccessesOut, AccessOut  # noqa: PLC0415

    provider, consent_id = (None, None) if consent is None else split_name(consent)
    query = _query(provider=provider, consent_id=consent_id, who=who, since=since, until=until, cursor=cursor)

    async def deed(tracker: "Tracker") -> "list[Looked]":
        wanted = _search(query, limit + 1)
        found = list(await tracker.services.accesses.listed(wanted, provider, consent_id))
        await looked_at_several(tracker, "audit.access", (), {"consent": consent, "who": who})
        return found

    found = do(deed)
    page = found[:limit]
    following = cursor_after(place_text(page[-1].access), query) if len(found) > limit else None
    if json:
        print_json(AccessesOut(items=tuple(AccessOut.of(one) for one in page), next_cursor=following))
        return
    print_table(("when (UTC)", "who", "what", "of", "from", "answer"), map(_row, page), empty="Nobody looked.")
    if following:
        print_line(f"There are more: a larger --limit shows them, or --cursor {following}")


def _query(**given: str | None) -> "AccessQueryIn":
    from pydantic import ValidationError  # noqa: PLC0415

    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.shapes.access import AccessQueryIn  # noqa: PLC0415

    try:
        return AccessQueryIn.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        option = "consent" if name in {"provider", "consent_id"} else name
        hint = "write 2026-03-02T10:15:00Z" if name in {"since", "until"} else "correct it"
        raise InvalidRequestError(f"--{option} {given[name]!r} is not of its form; {hint}.") from error


def _search(query: "AccessQueryIn", limit: int) -> "AccessQuery":
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.access import search_of  # noqa: PLC0415
    from tracker.web.problems import Problem  # noqa: PLC0415

    try:
        return search_of(query, limit)
    except Problem as error:
        raise InvalidRequestError("This --cursor is not of this list: repeat the options that it came with.") from error


def _row(looked: "Looked") -> tuple[str, ...]:
    one = looked.access
    if one.consent_id is not None:
        of = f"{one.provider}/{one.consent_id}"
    elif one.shown is not None:
        of = f"{one.shown} shown"
    else:
        of = one.tracking_id or "–"
    who = one.who if looked.name is None else f"{looked.name} ({one.who})"
    return time_text(one.at), printable(who), one.what, printable(of), one.peer or "–", str(one.status)
