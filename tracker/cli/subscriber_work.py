"""`tracker subscriptions completions`: what subscribers must do, and what they have reported."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tracker.cli.output import Json, print_json, print_table, time_text
from tracker.cli.subscriptions import known
from tracker.domain.completion import WorkStatus

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.web.api.shapes.completions import CompletionOut

_STYLES = {WorkStatus.DUE: "", WorkStatus.OVERDUE: "red", WorkStatus.DONE: "green"}


def register(app: typer.Typer) -> None:
    """Add the command to those of subscriptions."""
    app.command(
        epilog="Example: tracker subscriptions completions 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e --status overdue"
    )(completions)


def completions(
    subscription_id: Annotated[str, typer.Argument(metavar="ID")],
    status: Annotated[WorkStatus | None, typer.Option(help="Only what stands so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List what a subscriber must do and what it has reported as done, in sequence."""
    from tracker.cli.looking import looked_at_several  # noqa: PLC0415
    from tracker.ports import WorkQuery  # noqa: PLC0415
    from tracker.web.api.shapes.completions import CompletionOut, CompletionsOut  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "list[CompletionOut]":
        service = tracker.services.completions
        now = service.now
        found = await service.list(subscription_id, WorkQuery(now=now, status=status, limit=limit))
        keys = dict.fromkeys(work.tracking_id for work in found)
        await looked_at_several(tracker, "subscription.completions", keys, {"subscription": subscription_id})
        return [CompletionOut.of(work, now) for work in found]

    found = known(deed, subscription_id)
    if json:
        print_json(CompletionsOut(items=tuple(found), next_cursor=None))
        return
    rows = (
        (
            one.sequence.lstrip("0"),
            one.tracking_id,
            one.work,
            Text(one.status.value, _STYLES[one.status]),
            time_text(one.due_at),
            time_text(one.done_at),
            one.evidence_url or "",
        )
        for one in found
    )
    headings = ("sequence", "tracking id", "work", "status", "due (UTC)", "done (UTC)", "evidence")
    print_table(headings, rows, empty="There is nothing that it must do.")
