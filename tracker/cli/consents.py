"""`tracker consents`: the back office from a shell."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tracker.cli.completion import kinds, providers, statuses
from tracker.cli.consent_facts import print_consent
from tracker.cli.hindsight import instant_of
from tracker.cli.looking import find, looked, looked_at_several, looking_for
from tracker.cli.output import Json, console, print_json, print_line, print_table, status_text, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.cli.import_results import ImportResults
    from tracker.usecases.consult import ConsentView
    from tracker.usecases.groups import Group
    from tracker.usecases.timeline import TimelineItem

app = typer.Typer(
    help="Look at consents, import them, and ask their holders.",
    epilog="Example: tracker consents list --status Authorized",
    no_args_is_help=True,
)
KnownAt = Annotated[
    str | None,
    typer.Option("--known-at", metavar="TIME", help="What we believed at this time, by what was recorded up to then."),
]
Name = Annotated[str, typer.Argument(metavar="PROVIDER/CONSENT_ID", help="Split at the first slash.")]


@app.command("list", epilog="Example: tracker consents list --status Authorized --limit 20")
def listing(
    provider: Annotated[str | None, typer.Option(help="Only this provider's.", autocompletion=providers)] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.", autocompletion=kinds)] = None,
    effective_status: Annotated[
        str | None,
        typer.Option(help="Only with this status: the holder's, with our clock added.", autocompletion=statuses),
    ] = None,
    status: Annotated[str | None, typer.Option(help="Short for --effective-status.", autocompletion=statuses)] = None,
    holder_status: Annotated[
        str | None,
        typer.Option(
            help="Only those of which the holder last said this; the API calls it `status`.", autocompletion=statuses
        ),
    ] = None,
    user_ref: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    base_consent_id: Annotated[str | None, typer.Option(help="Only this chain of renewals.")] = None,
    expiring_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what ends before this time; ended ones too.")
    ] = None,
    updated_since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what changed at this time or after it.")
    ] = None,
    known_at: KnownAt = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    json: Json = False,
) -> None:
    """List consents. What is given must all hold; a TIME has an offset, such as 2026-03-02T10:15:00Z."""
    from tracker.cli.consent_search import one_status, place_in, search, search_of  # noqa: PLC0415
    from tracker.ports import ConsentQuery  # noqa: PLC0415
    from tracker.web.api.cursor import cursor_after  # noqa: PLC0415
    from tracker.web.api.shapes.consents import ConsentOut, ConsentsOut  # noqa: PLC0415

    wanted = search_of(
        provider=provider,
        kind=kind,
        status=holder_status,
        effective_status=one_status(effective_status, status),
        user_ref=user_ref,
        base_consent_id=base_consent_id,
        expiring_before=expiring_before,
        updated_since=updated_since,
        known_at=known_at,
        cursor=cursor,
    )
    after = place_in(wanted)
    facts = wanted.model_dump(exclude={"cursor", "limit", "known_at"})

    async def deed(tracker: "Tracker") -> "tuple[list[ConsentView], str | None]":
        query = ConsentQuery(**facts, after=after, limit=limit + 1)
        page, last = await search(tracker.services, query, wanted.known_at)
        shown = (seen.consent.tracking_id for seen in page)
        await looked_at_several(tracker, "consent.list", shown, wanted.model_dump(exclude={"cursor", "limit"}))
        return page, last

    page, last = do(deed)
    following = None if last is None else cursor_after(last, wanted)
    if json:
        print_json(ConsentsOut(items=tuple(ConsentOut.of(seen) for seen in page), next_cursor=following))
        return
    headings = ("consent", "kind", "status", "usable", "expires (UTC)", "confirmed (UTC)")
    print_table(headings, map(_row, page), empty="No consents found.")
    if following:
        print_line(f"There are more: a larger --limit shows them, or --cursor {following}")


def _row(seen: "ConsentView") -> "tuple[str | Text, ...]":
    status = status_text(seen.effective_status)
    return (
        f"{seen.consent.provider}/{seen.consent.consent_id}",
        seen.consent.kind,
        status if seen.confirmed else Text.assemble(status, (" (by our clock)", "dim")),
        "yes" if seen.usable else "no",
        time_text(seen.decision.expiration_date_time),
        time_text(seen.consent.confirmed_at),
    )


@app.command(epilog="Example: tracker consents show demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def show(
    name: Name,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="TIME", help="As it was at this time, as we know today.")
    ] = None,
    known_at: KnownAt = None,
    json: Json = False,
) -> None:
    """Show one consent; with both times: what we believed at one of the other."""
    provider, consent_id = split_name(name)
    instant = None if as_of is None else instant_of("as-of", as_of)
    known = None if known_at is None else instant_of("known-at", known_at)

    async def deed(tracker: "Tracker") -> "ConsentView":
        seen = await find(tracker, provider, consent_id, "consent.show")
        if known is not None:
            async with looking_for(tracker, "consent.show", provider, consent_id):
                seen = await tracker.services.believing.known_at(seen, known, instant)
        elif instant is not None:
            seen = await tracker.services.consulting.as_of(seen, instant)
        return await looked(tracker, "consent.show", seen, {"as_of": as_of, "known_at": known_at})

    print_consent(do(deed), json=json)


@app.command(epilog="Example: tracker consents group demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def group(
    name: Annotated[str, typer.Argument(metavar="PROVIDER/BASE_CONSENT_ID", help="Split at the first slash.")],
    json: Json = False,
) -> None:
    """Show a chain of renewals: which one counts now, gaps and overlaps, and what each changed."""
    from tracker.cli.groups import print_group  # noqa: PLC0415
    from tracker.web.api.shapes.groups import GroupOut  # noqa: PLC0415

    provider, base_consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "Group":
        async with looking_for(tracker, "consent.group", provider, base_consent_id):
            found = await tracker.services.groups.get(provider, base_consent_id)
        keys = (one.seen.consent.tracking_id for one in found.members)
        await looked_at_several(tracker, "consent.group", keys, {"base_consent": name})
        return found

    found = do(deed)
    if json:
        print_json(GroupOut.of(found))
        return
    print_group(found)


@app.command(epilog="Example: tracker consents timeline demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def timeline(
    name: Name,
    known_at: KnownAt = None,
    both_times: Annotated[
        bool, typer.Option("--both-times", help="Say of each line when it was so, and when we wrote it down.")
    ] = False,
    json: Json = False,
) -> None:
    """Tell one consent's story, in the holder's order; the whole of it, or as it could be told at a time."""
    from tracker.cli.timeline import print_timeline  # noqa: PLC0415
    from tracker.web.api.shapes.consents import TimelineItemOut, TimelineOut  # noqa: PLC0415

    provider, consent_id = split_name(name)
    known = None if known_at is None else instant_of("known-at", known_at)

    async def deed(tracker: "Tracker") -> "list[TimelineItem]":
        seen = await looked(tracker, "consent.timeline", await find(tracker, provider, consent_id, "consent.timeline"))
        return await tracker.services.timelines.of(seen.consent, known)

    items = do(deed)
    if json:
        print_json(TimelineOut(items=tuple(TimelineItemOut.of(item) for item in items)))
        return
    print_timeline(items, both_times=both_times)


@app.command(epilog="Example: tracker consents refresh demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def refresh(name: Name, json: Json = False) -> None:
    """Ask the holder about one consent now."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        seen = await find(tracker, provider, consent_id, "consent.refresh")
        await tracker.services.asker.ask_now(seen.consent.tracking_id)
        return await looked(tracker, "consent.refresh", await find(tracker, provider, consent_id, "consent.refresh"))

    print_consent(do(deed), json=json)


@app.command(epilog="Example: tracker consents revoke demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def revoke(
    name: Name,
    revoked_by: Annotated[
        str,
        typer.Option(
            help="What the holder is told: TPP.InitiatedByUser for the customer's wish, TPP for our decision."
        ),
    ] = "TPP.InitiatedByUser",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take the request back that the holder refused.")
    ] = False,
    json: Json = False,
) -> None:
    """Have the holder revoke one consent; it is not usable from now on.

    If the holder is away the request is kept, and a running service carries it out when the holder is back.
    """
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        revoker = tracker.services.revoker
        tracking_id = (await find(tracker, provider, consent_id, "consent.revoke")).consent.tracking_id
        if withdraw:
            await revoker.withdraw(tracking_id)
        else:
            await revoker.request(tracking_id, revoked_by)
            await revoker.carry_out(tracking_id)
        return await looked(tracker, "consent.revoke", await find(tracker, provider, consent_id, "consent.revoke"))

    seen = do(deed)
    print_consent(seen, json=json)
    if not withdraw and seen.consent.overlay.revoking and not _is_kept(seen):
        raise typer.Exit(1)  # the holder refused


@app.command(epilog="Example: tracker consents pause demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def pause(name: Name, json: Json = False) -> None:
    """Do not use one consent until it is resumed; its holder is not told."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        await tracker.services.pausing.pause(
            (await find(tracker, provider, consent_id, "consent.pause")).consent.tracking_id
        )
        return await looked(tracker, "consent.pause", await find(tracker, provider, consent_id, "consent.pause"))

    print_consent(do(deed), json=json)


@app.command(epilog="Example: tracker consents resume demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def resume(name: Name, json: Json = False) -> None:
    """Use a paused consent again."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        await tracker.services.pausing.resume(
            (await find(tracker, provider, consent_id, "consent.resume")).consent.tracking_id
        )
        return await looked(tracker, "consent.resume", await find(tracker, provider, consent_id, "consent.resume"))

    print_consent(do(deed), json=json)


@app.command("import", epilog="Example: tracker consents import consents.jsonl --dry-run")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="FILE.jsonl or FILE.csv, in UTF-8.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would come of each row; keep nothing.")] = False,
    results: Annotated[
        Path | None, typer.Option(help="Where to write what came of each row.", show_default="FILE.results.jsonl")
    ] = None,
    json: Json = False,
) -> None:
    """Begin to track consents that were made elsewhere; one that is interrupted is continued by the same command.

    A row has the members of a registration: provider, kind, consent_id, and optionally base_consent_id, user_ref,
    expiration_date_time, authorization_expiration_date_time, permissions, terms, and the status, which is not believed: the
    holder is asked. In CSV the first line names them, permissions are separated by spaces or semicolons, and terms are JSON.
    """
    from rich.progress import Progress  # noqa: PLC0415

    from tracker.cli.import_results import ImportResults  # noqa: PLC0415
    from tracker.cli.importing import import_rows  # noqa: PLC0415

    place = results or file.with_name(file.name + (".dry-run.jsonl" if dry_run else ".results.jsonl"))
    screen = console(stderr=True)
    with (
        ImportResults(place, is_rehearsal=dry_run) as kept,
        Progress(console=screen, transient=True, disable=not screen.is_terminal) as bar,
    ):
        task = bar.add_task("importing", total=file.stat().st_size)

        async def deed(tracker: "Tracker") -> None:
            await import_rows(
                tracker, file, kept, is_rehearsal=dry_run, tell=lambda read: bar.update(task, completed=read)
            )

        do(deed, may_begin=True)
    print_import(kept, place, is_rehearsal=dry_run, json=json)
    if kept.refused:
        raise typer.Exit(1)


def print_import(kept: "ImportResults", place: Path, *, is_rehearsal: bool, json: bool) -> None:
    """Say what came of an import in all."""
    from tracker.web.api.shapes.imports import RowResult  # noqa: PLC0415

    counts = {result.value: kept.counts[result] for result in RowResult}
    rows = sum(counts.values())
    if json:
        print_json(
            {"rows": rows, "continued_after": kept.continued, "dry_run": is_rehearsal, **counts, "results": str(place)}
        )
        return
    if kept.continued:
        print_line(f"Continued after row {kept.continued}, where an earlier run had come to.")
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "nothing to do"
    print_line(f"{'1 row' if rows == 1 else f'{rows} rows'}: {told}.{' Nothing was kept.' if is_rehearsal else ''}")
    for line in kept.refusals:
        print_line(f"  {line}")
    if kept.refused > len(kept.refusals):
        print_line(f"  and {kept.refused - len(kept.refusals)} more.")
    print_line(f"What came of each row: {place}")


def _is_kept(seen: "ConsentView") -> bool:
    from tracker.domain.overlay import RevocationState  # noqa: PLC0415

    revocation = seen.consent.overlay.revocation
    return revocation is not None and revocation.state is RevocationState.PENDING
