"""The story of the demo: each step does something, waits for what must come of it, and fails if it does not."""

import asyncio
import gzip
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from textwrap import fill
from typing import Any

import aiohttp

from tracker.cli.demo_stage import PROFILE, PROVIDER, Stage, StepFailedError
from tracker.cli.output import printable
from tracker.cli.timeline import print_timeline
from tracker.domain.errors import TrackerError
from tracker.journal.verify import verify_export
from tracker.sandbox.consent import ExpiryPolicy
from tracker.sandbox.consents import Terms
from tracker.sandbox.faults import EventFault

Step = Callable[[Stage], Awaitable[None]]

_SHARING = "account-access"
_KINDS = {
    "savings-coach": _SHARING,
    "rent": "payment",
    "car-cover": "insurance",
    "tax-helper": _SHARING,
    "old-budget": _SHARING,
    "trial-month": _SHARING,
}
_TRIAL = Terms(expiration=timedelta(seconds=20), expiry=ExpiryPolicy(late_seconds=3, send_event=True))


async def play(stage: Stage) -> bool:
    """Play all steps; say whether all held."""
    stage.say("Consent tracker demo", "bold")
    stage.say(f"  simulated API Hub of a bank   {stage.hub.url}")
    stage.say(f"  the tracker                   {stage.url}")
    stage.say()
    stage.say_headings()
    for number, (title, step) in enumerate(STORY, start=1):
        stage.say()
        stage.say(f"{number:>2}. {title}", "bold")
        try:
            await step(stage)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is this step that failed
            stage.is_over = True
            what = str(error) if isinstance(error, TrackerError) else f"{type(error).__name__}: {error}"
            stage.say(f"FAILED at step {number}, {title}: {printable(what)}", "red")
            return False
    stage.say()
    stage.say(f"All {len(STORY)} steps held.", "green")
    return True


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise StepFailedError(what)


async def _next_second() -> None:
    """Holders cut their times to whole seconds: what is to have an order must not fall into one."""
    await asyncio.sleep(1 - datetime.now(UTC).microsecond / 1e6 + 0.05)  # noqa: TID251 - the hub's time, which is real


async def register(stage: Stage) -> None:
    """Register before the holder has heard of it."""
    for consent_id, kind in _KINDS.items():
        body = {"provider": PROVIDER, "kind": kind, "consent_id": consent_id, "user_ref": "customer-42"}
        made = await stage.post("/v1/consents", body, 201)
        _require(made["status"] == "NotStaged" and not made["usable"], "a consent that nobody staged is not usable")


async def stage_them(stage: Stage) -> None:
    """Stage at the hub; no event tells of it, the poller finds it."""
    for consent_id, kind in _KINDS.items():
        stage.hub.stage(kind, consent_id, terms=_TRIAL if consent_id == "trial-month" else None)
    for consent_id in _KINDS:
        await stage.until_status(consent_id, "AwaitingAuthorization", usable=False)


async def authorize(stage: Stage) -> None:
    """Let the customer approve."""
    await _next_second()
    for consent_id in ("savings-coach", "rent", "tax-helper", "old-budget", "trial-month"):
        stage.hub.authorize(consent_id)
        await stage.until_status(consent_id, "Authorized", usable=True)


async def suspend_and_restore(stage: Stage) -> None:
    """Suspend, then restore."""
    await _next_second()
    stage.hub.suspend("savings-coach")
    await stage.until_status("savings-coach", "Suspended", usable=False)
    await _next_second()
    stage.hub.restore("savings-coach")
    await stage.until_status("savings-coach", "Authorized", usable=True)


async def arrive_twice(stage: Stage) -> None:
    """Send one event three times, encrypted anew each time."""
    await _next_second()
    stage.hub.authorize("car-cover", fault=EventFault(copies=3))
    await stage.until_status("car-cover", "Authorized")
    await stage.hub.settle()
    await _inbox_is_empty(stage)
    moves = [item for item in await _timeline(stage, "car-cover") if item["to"] == "Authorized"]
    _require(len(moves) == 1, "an event that came three times moved the consent once")


async def arrive_in_wrong_order(stage: Stage) -> None:
    """Hold one event back until a later one has gone out."""
    await _next_second()
    stage.hub.suspend("car-cover", fault=EventFault(hold=True))
    await _next_second()
    stage.hub.restore("car-cover")
    await stage.hub.settle()

    async def both_are_known() -> bool:
        return [item["to"] for item in await _moves(stage, "car-cover")][-2:] == ["Suspended", "Authorized"]

    await stage.until("both moves known, in the holder's order", both_are_known)
    await stage.until_status("car-cover", "Authorized", usable=True)


async def consume(stage: Stage) -> None:
    """Use a payment consent up; a payment's own event moves no consent."""
    await _next_second()
    stage.hub.consume("rent")
    stage.hub.notify_payment("rent", "PMT-000481", "Rejected")
    await stage.until_status("rent", "Consumed", usable=False)
    await stage.hub.settle()
    await _inbox_is_empty(stage)
    rent = await stage.consent("rent")
    _require(rent["status"] == "Consumed", "a rejected payment leaves its consent consumed")
    _require(rent["payment_outcome"] == "failed", "that its payment failed is known")


async def revoke(stage: Stage) -> None:
    """Let the customer revoke at the bank."""
    await _next_second()
    stage.hub.revoke("savings-coach", "LFI.InitiatedByUser")
    await stage.until_status("savings-coach", "Revoked", usable=False, revoked_by="LFI.InitiatedByUser")


async def revoke_here(stage: Stage) -> None:
    """Let the customer revoke with us: not usable at once, and the bank is asked until it says that it has ended."""
    await _next_second()
    seen = await stage.post(f"/v1/consents/{PROVIDER}/old-budget/revoke", {"revoked_by": "TPP.InitiatedByUser"}, 200)
    _require(seen["effective_status"] == "Revoked" and not seen["usable"], "the bank's own word ends the consent")
    _require(seen["revoked_by"] == "TPP.InitiatedByUser", "the bank knows who revoked")
    _require(stage.hub.consent("old-budget").status == "Revoked", "the bank has revoked it")


async def pause_and_resume(stage: Stage) -> None:
    """Pause, then resume: ours alone."""
    path = f"/v1/consents/{PROVIDER}/car-cover"
    paused = await stage.post(f"{path}/pause", None, 200)
    _require(paused["paused"] and not paused["usable"], "a paused consent is not usable")
    resumed = await stage.post(f"{path}/resume", None, 200)
    _require(resumed["usable"], "a resumed consent is usable again")


async def lose_an_event(stage: Stage) -> None:
    """Never send the event of a revocation."""
    await _next_second()
    stage.hub.revoke("tax-helper", "LFI", fault=EventFault(drop=True))
    stage.say("     … the event is lost; waiting until the poller asks", "dim")
    found = await stage.until_status("tax-helper", "Revoked", usable=False)
    _require(found["confirmed_by"] == "poll", "the poller found what no event had told")


async def forge(stage: Stage) -> None:
    """Knock at the door with what is not the holder's."""
    before = await stage.consent("car-cover")
    await _next_second()
    stage.hub.notify("car-cover", fault=EventFault(wrong_key=True, claims={"jti": "forged"}))
    await stage.hub.settle()

    async def is_aside() -> bool:
        return any(event["step"] == "verify" for event in (await stage.get("/v1/quarantine"))["items"])

    await stage.until("the forged event in quarantine", is_aside)
    async with aiohttp.ClientSession() as stranger:
        for body in ("hello", "a.b.c", "{}"):
            async with stranger.post(f"{stage.url}/webhooks/{PROFILE}", data=body) as response:
                _require(response.status == 400, "what is no encrypted token is refused")  # noqa: PLR2004
    after = await stage.consent("car-cover")
    _require(before["status"] == after["status"] and after["usable"], "a forged event changes nothing")
    stage.say("     signed by another key: quarantined · not a token: 400 · the consent: unmoved", "dim")


async def expire(stage: Stage) -> None:
    """Let a consent run out at a holder that is slow to say so."""
    found = await stage.until_status("trial-month", "Expired", usable=False)
    if found["status"] == "Authorized":
        stage.say("     … the hub still says Authorized; our clock says Expired, and we asked", "dim")
    await stage.until_status("trial-month", "Expired", status="Expired", confirmed=True)


async def everybody_was_told(stage: Stage) -> None:
    """Hold what the subscriber got against the journal."""
    journal = await stage.get("/v1/journal?after=0&limit=500")
    wanted = [entry["sequence"] for entry in journal["items"]]

    async def has_all() -> bool:
        return {entry["sequence"] for entry in stage.told} >= set(wanted)

    await stage.until("every entry told", has_all)
    of_each: dict[str, list[str]] = {}
    for entry in stage.told:
        of_each.setdefault(entry["subject"], []).append(entry["sequence"])
    _require(all(told == sorted(told) for told in of_each.values()), "every consent's entries came in order")
    stage.say(f"     {len(wanted)} entries, all told, in order for each consent, every signature held")


async def show_timeline(stage: Stage) -> None:
    """Read one consent's story."""
    seen = await stage.tracker.services.consulting.get(PROVIDER, "car-cover")
    print_timeline(await stage.tracker.services.timelines.of(seen.consent))


async def export_and_verify(stage: Stage) -> None:
    """Export, verify offline, change one letter, verify again."""
    folder = stage.folder / "export"
    await stage.tracker.auditing.exporting.export(folder)
    verdict = await asyncio.to_thread(verify_export, folder, [stage.vkey])
    for line in verdict.lines():
        stage.say(fill(line, 78, initial_indent=" " * 5, subsequent_indent=" " * 20, break_long_words=False))
    _require(verdict.accepted, "the export verifies")
    forged = stage.folder / "forged"
    shutil.copytree(folder, forged)
    file = forged / "entries.jsonl.gz"
    text = gzip.decompress(file.read_bytes()).replace(b'"to":"Revoked"', b'"to":"Expired"', 1)
    file.write_bytes(gzip.compress(text, mtime=0))
    _require(
        not (await asyncio.to_thread(verify_export, forged, [stage.vkey])).accepted, "a changed export is found out"
    )
    stage.say("     one word changed in a copy: found out", "dim")


async def _timeline(stage: Stage, consent_id: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await stage.get(f"/v1/consents/{PROVIDER}/{consent_id}/timeline"))["items"]
    return items


async def _moves(stage: Stage, consent_id: str) -> list[dict[str, Any]]:
    return [item for item in await _timeline(stage, consent_id) if item["type"] == "consent.status_changed"]


async def _inbox_is_empty(stage: Stage) -> None:
    async def holds() -> bool:
        return (await stage.tracker.store.inbox_depth())[0] == 0

    await stage.until("the inbox worked off", holds)


STORY: tuple[tuple[str, Step], ...] = (
    ("Six consents are registered before the bank has heard of them", register),
    ("They are staged at the bank; the poller finds them awaiting authorization", stage_them),
    ("The customer authorizes five; events arrive as JWE around JWS", authorize),
    ("The bank suspends one, then restores it", suspend_and_restore),
    ("One event arrives three times, encrypted anew each time", arrive_twice),
    ("Two events arrive in the wrong order", arrive_in_wrong_order),
    ("A payment consent is used up; that its payment fails is another matter", consume),
    ("The customer revokes at the bank", revoke),
    ("The customer revokes with us; the bank is asked to, and has the last word", revoke_here),
    ("We pause one, and resume it: the bank need not know", pause_and_resume),
    ("The event of another revocation is never sent", lose_an_event),
    ("Strangers knock: a forged event, and rubbish", forge),
    ("A consent runs out, and the bank is slow to say so", expire),
    ("The subscriber has been told everything", everybody_was_told),
    ("One consent's story, in the holder's order", show_timeline),
    ("The audit export verifies offline, and a changed copy does not", export_and_verify),
)
