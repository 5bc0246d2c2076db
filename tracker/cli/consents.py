"""`tracker consents`: the back office from a shell."""

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.output import Json, console, print_json, print_table, status_text, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.usecases.consult import ConsentView
    from tracker.usecases.timeline import TimelineItem

app = typer.Typer(help="Look at consents, and ask their holders.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="PROVIDER/CONSENT_ID", help="Split at the first slash.")]


@app.command("list", epilog="Example: tracker consents list --status Authorized --limit 20")
def listing(
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    status: Annotated[str | None, typer.Option(help="Only with this effective status.")] = None,
    user_ref: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    json: Json = False,
) -> None:
    """List consents."""
    from tracker.domain.consent import Status  # noqa: PLC0415
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.ports import ConsentQuery  # noqa: PLC0415
    from tracker.web.api.shapes.consents import ConsentOut  # noqa: PLC0415

    if status is not None and status not in set(Status):
        raise InvalidRequestError(f"There is no status {status!r}; there are {', '.join(Status)}.")
    query = ConsentQuery(
        provider=provider,
        kind=kind,
        effective_status=None if status is None else Status(status),
        user_ref=user_ref,
        limit=limit,
    )

    async def deed(tracker: "Tracker") -> "list[ConsentView]":
        return list(await tracker.services.consulting.search(query))

    found = do(deed)
    if json:
        print_json([ConsentOut.of(seen) for seen in found])
        return
    rows = (
        (
            f"{seen.consent.provider}/{seen.consent.consent_id}",
            seen.consent.kind,
            status_text(seen.effective_status) + ("" if seen.confirmed else " [dim](by our clock)[/dim]"),
            "yes" if seen.usable else "no",
            time_text(seen.decision.expiration_date_time),
            time_text(seen.consent.confirmed_at),
        )
        for seen in found
    )
    print_table(
        ("consent", "kind", "status", "usable", "expires (UTC)", "confirmed (UTC)"), rows, empty="No consents found."
    )


@app.command(epilog="Example: tracker consents show demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def show(name: Name, json: Json = False) -> None:
    """Show one consent."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        return await tracker.services.consulting.get(provider, consent_id)

    _print_consent(do(deed), json=json)


@app.command(epilog="Example: tracker consents timeline demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def timeline(name: Name, json: Json = False) -> None:
    """Tell one consent's story, in the holder's order."""
    from tracker.web.api.shapes.consents import TimelineItemOut, TimelineOut  # noqa: PLC0415

    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "list[TimelineItem]":
        seen = await tracker.services.consulting.get(provider, consent_id)
        return await tracker.services.timelines.of(seen.consent)

    items = do(deed)
    if json:
        print_json(TimelineOut(items=tuple(TimelineItemOut.of(item) for item in items)))
        return
    print_timeline(items)


@app.command(epilog="Example: tracker consents refresh demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def refresh(name: Name, json: Json = False) -> None:
    """Ask the holder about one consent now."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        seen = await tracker.services.consulting.get(provider, consent_id)
        await tracker.services.asker.ask_now(seen.consent.tracking_id)
        return await tracker.services.consulting.get(provider, consent_id)

    _print_consent(do(deed), json=json)


def _print_consent(seen: "ConsentView", *, json: bool) -> None:
    from tracker.web.api.shapes.consents import ConsentOut  # noqa: PLC0415

    if json:
        print_json(ConsentOut.of(seen))
        return
    consent, decision = seen.consent, seen.decision
    word = "" if seen.confirmed else "  (by our clock; the holder has not said so)"
    doubt = "  (in doubt: " + ", ".join(sorted({c.code for c in decision.contradictions})) + ")"
    lines = (
        ("consent", f"{consent.provider}/{consent.consent_id}"),
        ("kind", f"{consent.kind}, {consent.profile}"),
        ("status", status_text(seen.effective_status) + word),
        ("usable", "yes" if seen.usable else "no" + (doubt if decision.is_in_doubt else "")),
        ("since", time_text(decision.since)),
        ("learned", time_text(consent.learned_at)),
        (
            "confirmed",
            f"{time_text(consent.confirmed_at)}{f' by {consent.confirmed_by}' if consent.confirmed_by else ''}",
        ),
        ("expires", time_text(decision.expiration_date_time)),
        ("revoked by", (decision.report.revoked_by if decision.report else None) or "–"),
        ("user", consent.user_ref or "–"),
        ("permissions", ", ".join(consent.permissions) or "–"),
        ("asked next", time_text(seen.next_ask_at)),
        ("tracking id", consent.tracking_id),
    )
    out = console()
    for label, text in lines:
        out.print(f"[bold]{label:<12}[/bold] {text}")


def print_timeline(items: "list[TimelineItem]") -> None:
    """Print a story: the holder's time, what happened, and how and when we learnt of it."""
    rows = []
    for item in items:
        moved = item.from_status is not None and item.from_status != item.to_status
        what = (
            f"{item.from_status} → {status_text(item.to_status)}"
            if moved
            else f"[dim]{item.type.partition('.')[2]}[/dim]"
        )
        notes = [
            text
            for applies, text in (
                (item.late, "learnt late"),
                (item.inferred and item.channel == "clock", "by our clock"),
                (item.inferred and item.channel != "clock", "nobody told us: it must have been"),
                (item.corrected, "a correction"),
                (item.reason is not None, item.reason or ""),
            )
            if applies
        ]
        how = f"{item.channel or 'registered'}, {_after(item)}" if item.learned_at else ""
        rows.append((time_text(item.sorts_at), what, how, ", ".join(notes), str(item.sequence or "")))
    print_table(("when (UTC)", "what", "how we know", "", "entry"), rows, empty="Nothing happened yet.")


def _after(item: "TimelineItem") -> str:
    """How long after it happened we learnt of it."""
    if item.learned_at is None or item.status_date_time is None:
        return "at once"
    seconds = max(0.0, (item.learned_at - item.status_date_time).total_seconds())
    if seconds < 1:
        return "at once"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} later"
    return f"{seconds:.0f} s later"
