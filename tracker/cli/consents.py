"""`tracker consents`: the back office from a shell."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tracker.cli.completion import kinds, providers, statuses
from tracker.cli.output import Json, console, print_json, print_line, print_table, printable, status_text, time_text
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
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Go on where a list ended.")] = None,
    json: Json = False,
) -> None:
    """List consents. What is given must all hold; a TIME has an offset, such as 2026-03-02T10:15:00Z."""
    from tracker.cli.consent_search import one_status, place_in, search_of  # noqa: PLC0415
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
        cursor=cursor,
    )
    after = place_in(wanted)
    facts = wanted.model_dump(exclude={"cursor", "limit"})

    async def deed(tracker: "Tracker") -> "list[ConsentView]":
        return list(await tracker.services.consulting.search(ConsentQuery(**facts, after=after, limit=limit + 1)))

    found = do(deed)
    page = found[:limit]
    following = cursor_after(page[-1].consent.tracking_id, wanted) if len(found) > limit else None
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
def show(name: Name, json: Json = False) -> None:
    """Show one consent."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        return await _find(tracker, provider, consent_id)

    _print_consent(do(deed), json=json)


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
        return await tracker.services.groups.get(provider, base_consent_id)

    found = do(deed)
    if json:
        print_json(GroupOut.of(found))
        return
    print_group(found)


@app.command(epilog="Example: tracker consents timeline demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def timeline(name: Name, json: Json = False) -> None:
    """Tell one consent's story, in the holder's order."""
    from tracker.cli.timeline import print_timeline  # noqa: PLC0415
    from tracker.web.api.shapes.consents import TimelineItemOut, TimelineOut  # noqa: PLC0415

    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "list[TimelineItem]":
        seen = await _find(tracker, provider, consent_id)
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
        seen = await _find(tracker, provider, consent_id)
        await tracker.services.asker.ask_now(seen.consent.tracking_id)
        return await _find(tracker, provider, consent_id)

    _print_consent(do(deed), json=json)


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
        tracking_id = (await _find(tracker, provider, consent_id)).consent.tracking_id
        if withdraw:
            await revoker.withdraw(tracking_id)
        else:
            await revoker.request(tracking_id, revoked_by)
            await revoker.carry_out(tracking_id)
        return await _find(tracker, provider, consent_id)

    seen = do(deed)
    _print_consent(seen, json=json)
    if not withdraw and seen.consent.overlay.revoking and not _is_kept(seen):
        raise typer.Exit(1)  # the holder refused


@app.command(epilog="Example: tracker consents pause demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def pause(name: Name, json: Json = False) -> None:
    """Do not use one consent until it is resumed; its holder is not told."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        await tracker.services.pausing.pause((await _find(tracker, provider, consent_id)).consent.tracking_id)
        return await _find(tracker, provider, consent_id)

    _print_consent(do(deed), json=json)


@app.command(epilog="Example: tracker consents resume demobank/5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10")
def resume(name: Name, json: Json = False) -> None:
    """Use a paused consent again."""
    provider, consent_id = split_name(name)

    async def deed(tracker: "Tracker") -> "ConsentView":
        await tracker.services.pausing.resume((await _find(tracker, provider, consent_id)).consent.tracking_id)
        return await _find(tracker, provider, consent_id)

    _print_consent(do(deed), json=json)


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


async def _find(tracker: "Tracker", provider: str, consent_id: str) -> "ConsentView":
    from tracker.domain.errors import ConsentDisposedError, ConsentNotFoundError  # noqa: PLC0415

    try:
        return await tracker.services.consulting.get(provider, consent_id)
    except ConsentDisposedError:
        raise
    except ConsentNotFoundError as error:
        name = f"{provider}/{consent_id}"
        raise ConsentNotFoundError(f"{name} is not tracked; `tracker consents list` shows what is.") from error


def _is_kept(seen: "ConsentView") -> bool:
    from tracker.domain.overlay import RevocationState  # noqa: PLC0415

    revocation = seen.consent.overlay.revocation
    return revocation is not None and revocation.state is RevocationState.PENDING


def _revocation_text(seen: "ConsentView") -> str:
    revocation = seen.consent.overlay.revocation
    if revocation is None:
        return "–"
    told = f"{revocation.state}, asked for {time_text(revocation.requested_at)} by {revocation.revoked_by}"
    if revocation.last_error is not None:
        told += f"; {revocation.last_error}"
    return told + (f"; goes on {time_text(revocation.due_at)}" if revocation.due_at is not None else "")


def _why_not(seen: "ConsentView") -> str:
    """What stands against using it, beside its status."""
    decision, overlay = seen.decision, seen.consent.overlay
    reasons = ["revocation pending"] if overlay.revoking else []
    reasons += ["paused"] if overlay.paused else []
    if decision.is_in_doubt:
        reasons.append(f"in doubt: {', '.join(sorted({c.code for c in decision.contradictions})) or 'asking'}")
    return f"no  ({'; '.join(reasons)})" if reasons else "no"


def _print_consent(seen: "ConsentView", *, json: bool) -> None:
    from tracker.web.api.shapes.consents import ConsentOut  # noqa: PLC0415

    if json:
        print_json(ConsentOut.of(seen))
        return
    consent, decision = seen.consent, seen.decision
    clock = "" if seen.confirmed else "  (by our clock; the holder has not said so)"
    confirmed_by = f" by {consent.confirmed_by}" if consent.confirmed_by else ""
    facts: dict[str, str | Text] = {
        "consent": f"{consent.provider}/{consent.consent_id}",
        "kind": f"{consent.kind}, {consent.profile}",
        "status": Text.assemble(status_text(seen.effective_status), clock),
        "usable": "yes" if seen.usable else _why_not(seen),
        "since": time_text(decision.since),
        "learned": time_text(consent.learned_at),
        "confirmed": f"{time_text(consent.confirmed_at)}{confirmed_by}",
        "authorize by": time_text(consent.authorization_expiration_date_time),
        "expires": time_text(decision.expiration_date_time),
        "revoked by": (decision.report.revoked_by if decision.report else None) or "–",
        "revocation": _revocation_text(seen),
        "renewal of": consent.base_consent_id or "–",
        "user": consent.user_ref or "–",
        "permissions": ", ".join(consent.permissions) or "–",
        **_limits(seen),
        **({"attest by": time_text(seen.attestation_due_at)} if seen.attestation_due_at else {}),
        "asked next": time_text(seen.next_ask_at),
        "tracking id": consent.tracking_id,
    }
    for label, fact in facts.items():
        print_line(Text.assemble((f"{label:<12}  ", "bold"), Text(printable(fact)) if isinstance(fact, str) else fact))


def _limits(seen: "ConsentView") -> dict[str, str]:
    """A line for how much of its limits is used, if it has any."""
    from tracker.domain.limits import is_nearly_exhausted  # noqa: PLC0415

    told = []
    for limit in seen.limits:
        used = "" if limit.used is None else f"{limit.used:f} of "
        measure = "".join(f" {word}" for word in (limit.currency, limit.period and f"a {limit.period}") if word)
        told.append(f"{limit.name} {used}{limit.maximum:f}{measure}")
    hint = "  (nearly exhausted)" if is_nearly_exhausted(seen.limits) else ""
    return {"limits": "; ".join(told) + hint} if told else {}
