"""`tracker quarantine`: events that could not be opened, or not be believed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.text import Text

from tracker.cli.completion import providers
from tracker.cli.output import Json, print_json, print_line, print_table, printable, time_text
from tracker.cli.running import do

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports import Quarantined, QuarantineFilter
    from tracker.usecases.quarantine import Retried
    from tracker.web.api.shapes.quarantine import QuarantineQuery

T = TypeVar("T")

app = typer.Typer(
    help="Look at events that were put aside, and have them opened again.",
    epilog="Example: tracker quarantine list --reason key_unknown",
    no_args_is_help=True,
)
Id = Annotated[str, typer.Argument(metavar="ID")]
Reason = Annotated[str | None, typer.Option(help="Only put aside for this reason.")]
Step = Annotated[str | None, typer.Option(help="Only refused by this step.")]
Provider = Annotated[
    str | None, typer.Option(help="Only events that say to be this provider's.", autocompletion=providers)
]
Verified = Annotated[
    bool | None,
    typer.Option("--verified/--unverified", help="Only those of which the holder's signature held, or not."),
]


@app.command("list", epilog="Example: tracker quarantine list --reason key_unknown --limit 20")
def listing(
    reason: Reason = None,
    step: Step = None,
    provider: Provider = None,
    verified: Verified = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    json: Json = False,
) -> None:
    """List them, the last received first."""
    from tracker.web.api.cursor import cursor_after  # noqa: PLC0415
    from tracker.web.api.shapes.quarantine import QuarantinedOut, QuarantineOut  # noqa: PLC0415

    query = _query(reason=reason, step=step, provider=provider, verified=verified, limit=limit, cursor=cursor)
    before = _place(query)

    async def deed(tracker: "Tracker") -> "list[Quarantined]":
        return await tracker.services.quarantine.page(limit + 1, before, query.only)

    found = do(deed)
    page = found[:limit]
    next_cursor = cursor_after(page[-1].id, query) if len(found) > len(page) else None
    if json:
        print_json(QuarantineOut(items=tuple(QuarantinedOut.of(event) for event in page), next_cursor=next_cursor))
        return
    rows = (
        (
            event.id,
            time_text(event.received_at),
            event.step,
            event.reason,
            "yes" if event.verified else "no",
            event.provider or "–",
            event.kid or "–",
            str(event.retries),
        )
        for event in page
    )
    headings = ("id", "received (UTC)", "step", "reason", "verified", "provider", "key", "retries")
    print_table(headings, rows, empty="The quarantine is empty." if query.only == _all() else "There are none such.")
    if next_cursor is not None:
        print_line(f"There are more: --cursor {next_cursor}")


@app.command(epilog="Example: tracker quarantine show 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e")
def show(event_id: Id, json: Json = False) -> None:
    """Say why one was put aside, at which step, and which keys were tried. Its body is not shown."""
    from tracker.web.api.shapes.quarantine import QuarantinedKeysOut  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "tuple[Quarantined, bool]":
        event = await tracker.services.quarantine.get(event_id)
        return event, tracker.services.quarantine.opens(event)

    event, our_key_is_here = _of_the_quarantine(event_id, lambda: do(deed))
    if json:
        print_json(QuarantinedKeysOut.with_keys(event, our_key_is_here=our_key_is_here))
        return
    here = "" if event.our_kid is None else "  (we have it)" if our_key_is_here else "  (we do not have it)"
    at_hand = "not looked for" if event.keys_at_hand is None else ", ".join(event.keys_at_hand) or "none"
    facts = {
        "event": event.id,
        "reason": f"{event.reason}, at the step {event.step!r}; docs/operations.md says what to do",
        "verified": "yes" if event.verified else "no",
        "provider": (event.provider or "–") + ("" if event.verified or event.provider is None else "  (it says so)"),
        "encrypted for": (event.our_kid or "–") + here,
        "signed with": event.kid or "–",
        "keys at hand": at_hand,
        "received": time_text(event.received_at),
        "put aside": time_text(event.quarantined_at),
        "retries": str(event.retries),
        "size": f"{len(event.body)} bytes",
        "profile": event.profile,
        "interaction id": event.interaction_id,
    }
    for label, fact in facts.items():
        print_line(Text.assemble((f"{label:<14}  ", "bold"), Text(printable(fact))))


@app.command(epilog="Example: tracker quarantine retry --reason key_unknown --all")
def retry(
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    reason: Reason = None,
    step: Step = None,
    provider: Provider = None,
    verified: Verified = None,
    every: Annotated[
        bool, typer.Option("--all", help="All of the reason; without it, the last received alone.")
    ] = False,
    json: Json = False,
) -> None:
    """Have one event opened again, or all of a reason. A running service does it at once, else the next one that starts.

    It keeps its time of receipt, by which its validity is judged. What fails again comes back, and its retries are counted.
    """
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.usecases.quarantine import Retried  # noqa: PLC0415
    from tracker.web.api.shapes.quarantine import RetriedOut  # noqa: PLC0415

    if (event_id is None) == (reason is None):
        raise InvalidRequestError("Name either one event by its ID, or a --reason; see `tracker quarantine list`.")
    if event_id is not None and (every or step or provider or verified is not None):
        raise InvalidRequestError("An ID names one event: leave the other options out.")
    only = _query(reason=reason, step=step, provider=provider, verified=verified).only

    async def deed(tracker: "Tracker") -> "Retried":
        quarantine = tracker.services.quarantine
        if every:
            return await quarantine.retry_all(only)
        one = event_id or next((event.id for event in await quarantine.page(1, None, only)), None)
        if one is None:
            return Retried(count=0, is_complete=True)
        await quarantine.retry(one)
        return Retried(count=1, is_complete=True)

    retried = _of_the_quarantine(event_id or "", lambda: do(deed))
    if json:
        print_json(RetriedOut.of(retried))
        return
    noun = "event goes" if retried.count == 1 else "events go"
    more = "" if retried.is_complete else " The inbox is full: there are more to be retried later."
    print_line(f"{retried.count} {noun} back into the inbox.{more}")


def _query(**given: str | int | bool | None) -> "QuarantineQuery":
    """Check options as the API checks them.

    Raises:
        InvalidRequestError: One of them makes no sense.
    """
    from pydantic import ValidationError  # noqa: PLC0415

    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.shapes.quarantine import QuarantineQuery  # noqa: PLC0415

    try:
        return QuarantineQuery.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = ", ".join(sorted({f"--{found['loc'][0]}" for found in error.errors()}))
        raise InvalidRequestError(f"{wrong} cannot be so; `tracker quarantine list` shows what there is.") from error


def _place(query: "QuarantineQuery") -> str | None:
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.cursor import key_of  # noqa: PLC0415
    from tracker.web.problems import Problem  # noqa: PLC0415

    try:
        return None if query.cursor is None else key_of(query.cursor, query)
    except Problem as error:
        raise InvalidRequestError("This --cursor is not of this list: repeat the options that it came with.") from error


def _all() -> "QuarantineFilter":
    from tracker.ports import EVERYTHING_ASIDE  # noqa: PLC0415

    return EVERYTHING_ASIDE


def _of_the_quarantine(event_id: str, ask: Callable[[], T]) -> T:
    from tracker.domain.errors import QuarantinedEventNotFoundError  # noqa: PLC0415

    try:
        return ask()
    except QuarantinedEventNotFoundError as error:
        raise QuarantinedEventNotFoundError(
            f"{event_id or 'The event'} is not in the quarantine, or not any more; `tracker quarantine list` shows what is."
        ) from error
