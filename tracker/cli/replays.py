"""`tracker subscriptions replay`, `jobs`, `cancel` and `preview`: telling a subscriber again, and trying a filter."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from tracker.cli.completion import kinds, providers, statuses
from tracker.cli.output import Json, console, print_json, print_line, print_table, time_text
from tracker.cli.running import do

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.domain.replay import Replay
    from tracker.usecases.preview import Preview
    from tracker.usecases.replays import ReplayRequest

_LOOK_EVERY_SECONDS = 0.5
_STYLES = {"waiting": "yellow", "running": "", "done": "green", "cancelled": "dim", "stopped": "red"}
_ID = typer.Argument(metavar="ID")
_TIME = "2026-03-02T10:15:00Z, or 2026-03-02T14:15:00+04:00"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    one = "0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e"
    app.command(epilog=f"Example: tracker subscriptions replay {one} --missing --wait")(replay)
    app.command(epilog=f"Example: tracker subscriptions jobs {one}")(jobs)
    app.command(epilog=f"Example: tracker subscriptions cancel {one} 0198f1c9-1a2b-7c3d-8e4f-5a6b7c8d9e0f")(cancel)
    app.command(epilog="Example: tracker subscriptions preview --type 'consent.*' --to Revoked")(preview)


def replay(
    subscription_id: Annotated[str, _ID],
    sequence: Annotated[list[int] | None, typer.Option(help="This entry; may be repeated.")] = None,
    failed_since: Annotated[str | None, typer.Option(metavar="TIME", help="Dead letters since then.")] = None,
    failed_until: Annotated[str | None, typer.Option(metavar="TIME", help="And before this time.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="All dead letters.")] = False,
    from_sequence: Annotated[int | None, typer.Option(help="Everything from this entry on.")] = None,
    from_time: Annotated[str | None, typer.Option(metavar="TIME", help="Everything recorded since then.")] = None,
    to_sequence: Annotated[int | None, typer.Option(help="Up to this entry.")] = None,
    per_second: Annotated[int | None, typer.Option(help="At most so many posts a second.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the job is over, and show how far it is.")] = False,
    json: Json = False,
) -> None:
    """Tell a subscriber again what it has gone past. A job of the running service does it; what is sent is marked."""
    if failed_until is not None and failed_since is None:
        raise typer.BadParameter("goes with --failed-since", param_hint="--failed-until")
    failed = {"since": failed_since} | ({} if failed_until is None else {"until": failed_until})
    request = _request_of(
        {
            "sequences": sequence or None,
            "failed": None if failed_since is None else failed,
            "missing": missing or None,
            "from_sequence": from_sequence,
            "from_time": from_time,
            "to_sequence": to_sequence,
            "per_second": per_second,
        }
    )

    async def deed(tracker: "Tracker") -> "Replay":
        made = await tracker.services.resending.replays.ask(subscription_id, request)
        return await _followed(tracker, made) if wait else made

    made = _known(deed, subscription_id)
    if json:
        _print_job_json(made)
    else:
        print_line(f"{made.id}: {_told(made)}")
    if wait and (made.failed or made.state.value != "done"):
        raise typer.Exit(1)


def _request_of(given: Mapping[str, Any]) -> "ReplayRequest":
    """Read what is asked for as the API does, and refuse it in the words of the options."""
    from pydantic import ValidationError  # noqa: PLC0415 - the help should come at once

    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.web.api.shapes.replays import ReplayIn  # noqa: PLC0415

    try:
        return ReplayIn.model_validate({name: value for name, value in given.items() if value is not None}).request()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        name = "-".join(str(step) for step in found["loc"] if not isinstance(step, int)).replace("_", "-")
        if not name:
            raise InvalidRequestError(
                "Say one thing to resend: --sequence, --failed-since, --missing, --from-sequence or --from-time; "
                "--to-sequence goes with the last two."
            ) from error
        name = "sequence" if name == "sequences" else name
        hint = f"write {_TIME}" if name.startswith("failed") or name.endswith("time") else found["msg"].lower()
        raise InvalidRequestError(f"--{name} cannot be that: {hint}.") from error


async def _followed(tracker: "Tracker", made: "Replay") -> "Replay":
    from rich.progress import Progress  # noqa: PLC0415

    screen = console(stderr=True)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("resending", total=max(1, made.total))
        while not made.state.is_over:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            made = await tracker.services.resending.replays.get(made.subscription_id, made.id)
            bar.update(
                task, completed=made.done + made.failed + made.skipped, description=made.last_error or "resending"
            )
    return made


def jobs(
    subscription_id: Annotated[str, _ID],
    job: Annotated[str | None, typer.Option(help="Only this one, with what has failed in it.")] = None,
    json: Json = False,
) -> None:
    """List what a subscriber is, or was, told again."""

    async def deed(tracker: "Tracker") -> "list[Replay]":
        replays = tracker.services.resending.replays
        return await replays.listed(subscription_id) if job is None else [await replays.get(subscription_id, job)]

    found = _known(deed, subscription_id)
    if job is not None:
        _show(found[0], json=json)
        return
    if json:
        from tracker.web.api.shapes.replays import JobOut, JobsOut  # noqa: PLC0415

        print_json(JobsOut(items=tuple(JobOut.of(one) for one in found), next_cursor=None))
        return
    rows = (
        (
            one.id,
            one.selection.wanted.value,
            Text(one.state.value, _STYLES[one.state.value]),
            f"{one.done + one.failed + one.skipped} of {one.total}",
            str(one.failed),
            time_text(one.created_at),
            one.last_error or "",
        )
        for one in found
    )
    headings = ("job", "resends", "state", "settled", "failed", "asked for (UTC)", "error")
    print_table(headings, rows, empty="Nothing was asked for again.")


def _show(found: "Replay", *, json: bool) -> None:
    from tracker.cli.looking import looked_at_several  # noqa: PLC0415
    from tracker.web.api.shapes.replays import FollowedJobOut  # noqa: PLC0415

    async def deed(tracker: "Tracker") -> "FollowedJobOut":
        failures = await tracker.services.resending.replays.not_taken(found)
        keys = dict.fromkeys(one.tracking_id for one in failures)
        if keys:
            asked = {"subscription": found.subscription_id, "job": found.id}
            await looked_at_several(tracker, "subscription.job", keys, asked)
        return FollowedJobOut.with_failures(found, tuple(failures))

    shown = do(deed)
    if json:
        print_json(shown)
        return
    print_line(f"{found.id}: {_told(found)}")
    rows = (
        (one.sequence.lstrip("0"), one.tracking_id, str(one.attempts), one.last_error or "", one.answer or "")
        for one in shown.failures
    )
    print_table(("sequence", "tracking id", "refused", "error", "answer"), rows, empty="Nothing has failed in it.")


def cancel(subscription_id: Annotated[str, _ID], job: Annotated[str, typer.Argument(metavar="JOB")]) -> None:
    """Have a job end; what is under way may still arrive."""

    async def deed(tracker: "Tracker") -> "Replay":
        return await tracker.services.resending.replays.cancel(subscription_id, job)

    print_line(f"{job}: {_told(_known(deed, subscription_id))}")


def _told(one: "Replay") -> str:
    """How a job stands, in a line."""
    parts = [f"{one.done} done"]
    parts += [f"{count} {name}" for name, count in (("failed", one.failed), ("skipped", one.skipped)) if count]
    error = f"; {one.last_error}" if one.last_error else ""
    return f"{one.state.value}, {', '.join(parts)} of {one.total}{error}"


def _print_job_json(one: "Replay") -> None:
    from tracker.web.api.shapes.replays import JobOut  # noqa: PLC0415

    print_json(JobOut.of(one))


def preview(
    type_: Annotated[list[str] | None, typer.Option("--type", help="Which entries; may be repeated.")] = None,
    to: Annotated[
        list[str] | None, typer.Option(help="Only moves to this status; may be repeated.", autocompletion=statuses)
    ] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="Only this provider; may be repeated.", autocompletion=providers)
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind; may be repeated.", autocompletion=kinds)
    ] = None,
    json: Json = False,
) -> None:
    """Say what of the last 1,000 entries a subscription would get."""
    from tracker.cli.looking import exported  # noqa: PLC0415
    from tracker.domain.subscription import EntryFilter  # noqa: PLC0415

    wanted = EntryFilter(
        types=tuple(type_ or ("*",)),
        provider=frozenset(provider or ()),
        kind=frozenset(kind or ()),
        to=frozenset(to or ()),
    )

    async def deed(tracker: "Tracker") -> "Preview":
        found = await tracker.services.resending.previews.of(wanted)
        if found.newest:
            last = {"entries": len(found.newest), "last": found.newest[0].sequence}
            await exported(tracker, "subscription.preview", last)
        return found

    found = do(deed)
    if json:
        from tracker.web.api.shapes.previews import PreviewOut  # noqa: PLC0415

        print_json(PreviewOut.of(found))
        return
    print_line(f"{found.passed} of the last {found.looked_at} entries would be told.")
    for name, count in found.by_type.items():
        print_line(f"  {count:>4}  {name}")
    rows = (
        (str(entry.sequence), time_text(entry.recorded_at), entry.type, entry.to_status or "", entry.subject)
        for entry in found.newest
    )
    if found.passed:
        print_table(("sequence", "recorded (UTC)", "type", "to", "subject"), rows, empty="")


def _known(deed: Any, subscription_id: str) -> Any:
    """Do it; name the commands that list what there is, where there is none of this id."""
    from tracker.domain.errors import ReplayNotFoundError, SubscriptionNotFoundError  # noqa: PLC0415

    try:
        return do(deed)
    except SubscriptionNotFoundError as error:
        raise SubscriptionNotFoundError(
            f"There is no subscription {subscription_id}; `tracker subscriptions list` shows those that are."
        ) from error
    except ReplayNotFoundError as error:
        raise ReplayNotFoundError(
            f"There is no such job; `tracker subscriptions jobs {subscription_id}` shows those that are."
        ) from error
