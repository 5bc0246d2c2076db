"""`tracker privacy`: what is held of one person, its erasure, and legal holds."""

import json as json_writer
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracker.cli.looking import looked_at_several
from tracker.cli.output import Json, print_json, print_line, print_table, time_text
from tracker.cli.running import do, split_name

if TYPE_CHECKING:
    from tracker.app import Tracker
    from tracker.ports.retention import Erasure, Hold
    from tracker.usecases.privacy import Fate

app = typer.Typer(
    help="Show what is held of one person, erase it as far as no duty covers it, and hold what must stay.",
    epilog="Example: tracker privacy erase --user customer-42 --dry-run",
    no_args_is_help=True,
)

_User = Annotated[str, typer.Option("--user", metavar="REF", help="The person, in the back office's words.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who does this; the journal keeps it.")]
_WHY = {
    "not_ended": "it has not ended",
    "duty": "it must be kept",
    "clock_uncertain": "its duties have passed, and the clock must be seen to go on for a day",
    "legal_hold": "a legal hold lies on it",
    "undelivered": "a subscriber is still to be told of it",
    "work_due": "a subscriber has still to report what it must do",
}


@app.command(epilog="Example: tracker privacy export --user customer-42 --out customer-42.json")
def export(
    user: _User,
    out: Annotated[Path, typer.Option(help="The file to make; it must not be there.")],
) -> None:
    """Write all that is held of one person into a JSON file that only this user can read."""

    async def deed(tracker: "Tracker") -> dict[str, Any]:
        found = await tracker.services.retention.privacy.held(user)
        ids = (one["consent"]["tracking_id"] for one in found["consents"])
        await looked_at_several(tracker, "privacy.export", ids, {"user_ref": user})
        return found

    held = do(deed)
    new = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(new, "w", encoding="utf-8") as file:
        json_writer.dump(held, file, indent=1, ensure_ascii=False)
        file.write("\n")
    count = len(held["consents"])
    print_line(f"{out}: {count} {'consent' if count == 1 else 'consents'}.")


@app.command(epilog="Example: tracker privacy erase --user customer-42 --dry-run")
def erase(
    user: _User,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and why the rest stays.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    by: _By = "command line",
    json: Json = False,
) -> None:
    """Erase what no duty covers, and have the rest go by itself when it may. Says first what would go, and asks."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415

    async def look(tracker: "Tracker") -> "list[Fate]":
        return await _seen(tracker, await tracker.services.retention.privacy.preview(user), dry_run=True)

    async def deed(tracker: "Tracker") -> "list[Fate]":
        return await _seen(tracker, await tracker.services.retention.privacy.erase(user, by), dry_run=False)

    if json and not (dry_run or yes):
        raise InvalidRequestError("--json does not ask: add --dry-run or --yes.")
    if not json:
        _print_fates(seen := do(look))
        if dry_run or not seen:
            return
        if not yes and not typer.confirm("Erase what may go, and schedule the rest?"):
            raise typer.Exit(1)
    fates = do(look if dry_run else deed)
    if json:
        from tracker.web.api.shapes.privacy import FateOut, FatesOut  # noqa: PLC0415

        print_json(FatesOut(items=tuple(FateOut.of(fate) for fate in fates)))
        return
    gone = sum(fate.is_gone for fate in fates)
    print_line(f"Erased: {gone}; scheduled: {len(fates) - gone}.")


async def _seen(tracker: "Tracker", fates: "list[Fate]", *, dry_run: bool) -> "list[Fate]":
    ids = (fate.consent.tracking_id for fate in fates)
    await looked_at_several(tracker, "privacy.erase", ids, {"user_ref": True, "dry_run": dry_run})
    return fates


def _print_fates(fates: "list[Fate]") -> None:
    rows = []
    for fate in fates:
        stays = not fate.keeping.may_go
        why = "; ".join(_WHY[obstacle] for obstacle in fate.keeping.obstacles)
        records = fate.records
        what = (
            ""
            if records is None
            else f"{records.values} values, {records.reports} reports, {records.tokens} tokens, "
            f"{records.payments} payments, {records.others} events, {records.rest} others"
        )
        rows.append(
            (
                f"{fate.consent.provider}/{fate.consent.consent_id}",
                "stays" if stays else "goes",
                time_text(fate.keeping.until) if stays else "–",
                why or what,
            )
        )
    print_table(("consent", "it", "until (UTC)", "why, or what goes"), rows, empty="Nothing is held of this person.")


@app.command(epilog="Example: tracker privacy erasures")
def erasures(json: Json = False) -> None:
    """List the consents that go by themselves once nothing stands against it."""

    async def deed(tracker: "Tracker") -> "list[Erasure]":
        found = await tracker.services.retention.privacy.scheduled()
        await looked_at_several(tracker, "privacy.erasures", (one.tracking_id for one in found))
        return found

    found = do(deed)
    if json:
        from tracker.web.api.shapes.privacy import ErasureOut, ErasuresOut  # noqa: PLC0415

        print_json(ErasuresOut(items=tuple(ErasureOut.of(one) for one in found)))
        return
    rows = ((one.tracking_id, one.requested_by, time_text(one.requested_at), time_text(one.look_at)) for one in found)
    headings = ("tracking id", "asked for by", "at (UTC)", "looked at next (UTC)")
    print_table(headings, rows, empty="Nothing is scheduled.")


@app.command(epilog="Example: tracker privacy hold --user customer-42 --reason 'case 17/2031' --by legal")
def hold(
    reason: Annotated[str, typer.Option(help="Why: a sentence, or a file number.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[PROVIDER/CONSENT_ID]", help="One consent; or --user.", show_default=False)
    ] = None,
    user: Annotated[
        str | None, typer.Option("--user", metavar="REF", help="All that this person has now.", show_default=False)
    ] = None,
    by: _By = "command line",
    json: Json = False,
) -> None:
    """Keep a consent, or all of a person's, whatever the clocks say."""
    from tracker.domain.errors import InvalidRequestError  # noqa: PLC0415
    from tracker.usecases.holds import Placing  # noqa: PLC0415

    if (name is None) is (user is None):
        raise InvalidRequestError("Name one consent as PROVIDER/CONSENT_ID, or a person with --user.")
    named = None if name is None else split_name(name)

    async def deed(tracker: "Tracker") -> "list[Hold]":
        found = None if named is None else await tracker.services.consulting.get(*named)
        tracking_id = None if found is None else found.consent.tracking_id
        placing = Placing(tracking_id=tracking_id, user_ref=user, reason=reason, placed_by=by)
        placed = await tracker.services.retention.holds.place(placing)
        await looked_at_several(
            tracker, "privacy.hold", dict.fromkeys(one.tracking_id for one in placed), {"user_ref": user}
        )
        return placed

    _print_holds(do(deed), json=json)


@app.command(
    epilog="Example: tracker privacy release 0198f1c2-7e0a-7c3e-9d1b-2f6a8b0c4d5e --reason 'case closed' --by legal"
)
def release(
    hold_id: Annotated[str, typer.Argument(metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why.")],
    by: _By = "command line",
) -> None:
    """Lift a legal hold, from all consents that it lies on."""

    async def deed(tracker: "Tracker") -> int:
        held = [one.tracking_id for one in await tracker.services.retention.holds.standing(hold_id)]
        await looked_at_several(tracker, "privacy.release", held, {"hold_id": hold_id})
        return await tracker.services.retention.holds.lift(hold_id, reason, by)

    print_line(f"Lifted from {do(deed)}.")


@app.command(epilog="Example: tracker privacy holds")
def holds(json: Json = False) -> None:
    """List the legal holds that stand."""

    async def deed(tracker: "Tracker") -> "list[Hold]":
        found = await tracker.services.retention.holds.standing()
        await looked_at_several(tracker, "privacy.holds", dict.fromkeys(one.tracking_id for one in found))
        return found

    _print_holds(do(deed), json=json)


def _print_holds(found: "list[Hold]", *, json: bool) -> None:
    if json:
        from tracker.web.api.shapes.privacy import HoldOut, HoldsOut  # noqa: PLC0415

        print_json(HoldsOut(items=tuple(HoldOut.of(one) for one in found)))
        return
    rows = ((one.id, one.tracking_id, one.reason, one.placed_by, time_text(one.placed_at)) for one in found)
    print_table(("id", "tracking id", "reason", "placed by", "at (UTC)"), rows, empty="There are no holds.")
