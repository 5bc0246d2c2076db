"""`tracker check`: whether a configuration can work, found out by trying."""

from collections.abc import Callable
from datetime import timedelta

from tracker.app.broker_checks import broker_faults, broker_findings
from tracker.app.certificate_checks import certificate_findings
from tracker.app.checkpoint_checks import checkpoints_finding
from tracker.app.composition import Tracker, build
from tracker.app.database import database_clock, database_place, require_writable, schema_revisions
from tracker.app.findings import Finding
from tracker.app.journal_checks import journal_finding
from tracker.app.listener_checks import service_finding
from tracker.app.next_step import next_step, to_put_right
from tracker.app.our_keys import load_our_keys, unusable_key_files
from tracker.app.provider_checks import provider_findings
from tracker.app.sealing import at_rest_finding, secrets_finding
from tracker.app.tracing import require_extra
from tracker.app.world import World
from tracker.domain.errors import TrackerError
from tracker.settings import Settings

TO_COPY = "README.md has a configuration to begin with, docs/operations.md every setting"

_KEYS_AGAIN = "put the key files right, each as its line says, then `tracker check` again"
_CLOCK_MAY_BE_BEHIND_SECONDS = 5.0
_CLOCKS_MAY_DIFFER = timedelta(seconds=1)


async def check_all(settings: Settings, show: Callable[[Finding], None]) -> list[bool]:
    """Look at database, certificates, keys, clock and providers, and show each finding as it comes.

    Returns:
        Of each whether it is well.
    """
    findings: list[Finding] = []

    def found(finding: Finding) -> None:
        findings.append(finding)
        show(finding)

    database, has_tables = _database(settings)
    found(database)
    for finding in certificate_findings(settings, World().clock.now()):
        found(finding)
    if settings.tracing.endpoint is not None:
        found(_tracing(settings))
    for finding in broker_faults(settings):
        found(finding)
    service, is_running = service_finding(settings)
    step: str | None = None
    if not any(finding.stops for finding in findings):
        step = await _with_the_tracker(settings, found, service, has_tables=has_tables, is_running=is_running)
    else:
        found(service)
    if not settings.provider:
        text = "there are none; add [[client]] and [[provider]] tables to the configuration"
        found(Finding("providers", text, ok=False, remedy=f"add them: {TO_COPY}"))
    show(Finding("next", to_put_right(findings) or step or "nothing", ok=True))
    return [finding.ok for finding in findings]


def _database(settings: Settings) -> tuple[Finding, bool]:
    """Look at the database; say too whether there is anything in it."""
    try:
        require_writable(settings)
        has, needs = schema_revisions(settings)
    except TrackerError as error:
        return Finding("database", str(error), ok=False, stops=True), False
    place = database_place(settings)
    if has is None and place.begins_by_itself:
        return Finding("database", f"{place.told} is empty; `tracker serve` makes it", ok=True), False
    if has != needs:
        text = f"{place.told} is at schema {has or 'none'}, this version works on {needs}; run `tracker db upgrade`"
        remedy = "stop the service if it runs, make a backup, then `tracker db upgrade`"
        return Finding("database", text, ok=False, stops=True, remedy=remedy), has is not None
    return Finding("database", f"{place.told}, schema {has}", ok=True), True


def _tracing(settings: Settings) -> Finding:
    try:
        require_extra(settings.tracing)
    except TrackerError as error:
        return Finding("tracing", str(error), ok=False, stops=True)
    return Finding(
        "tracing", f"spans go to {settings.tracing.endpoint}; nothing waits for whether they are taken", ok=True
    )


async def _with_the_tracker(
    settings: Settings, found: Callable[[Finding], None], service: Finding, *, has_tables: bool, is_running: bool
) -> str | None:
    """Look at what it takes the whole tracker to look at; say what comes next if all of that is well."""
    are_keys_well = False
    try:
        async with build(settings, World()) as tracker:
            found(Finding("keys", _keys_text(settings), ok=True))
            are_keys_well = True
            found(service)
            if has_tables:
                found(await _clock(settings, tracker))
                found(journal_finding(settings))
                found(await secrets_finding(tracker))
                found(await checkpoints_finding(tracker))
                found(await at_rest_finding(tracker))
            for provider in tracker.providers:
                async for finding in provider_findings(tracker, provider):
                    found(finding)
            async for finding in broker_findings(settings):
                found(finding)
            return await next_step(tracker, has_tables=has_tables, is_running=is_running)
    except TrackerError as error:
        if are_keys_well:
            found(Finding("database", str(error), ok=False, stops=True))
        else:  # all files at once, because each may be the work of somebody
            for problem in unusable_key_files(settings) or [error]:
                found(Finding("keys", str(problem), ok=False, stops=True, remedy=_KEYS_AGAIN))
            found(service)
    return None


def _keys_text(settings: Settings) -> str:
    signed = (
        "checkpoints are signed"
        if settings.audit.checkpoint_key
        else "no [audit] checkpoint_key: exports are not signed"
    )
    return f"{load_our_keys(settings).told() or 'there are no clients'}; {signed}"


async def _clock(settings: Settings, tracker: Tracker) -> Finding:
    """Our own clock against the server's, and against the journal: it must not be behind what was written already."""
    now = tracker.world.clock.now()
    theirs = database_clock(settings)
    taken = tracker.world.clock.now() - now
    if theirs is not None and not -_CLOCKS_MAY_DIFFER <= theirs - now <= taken + _CLOCKS_MAY_DIFFER:
        away = (theirs - now).total_seconds()
        text = f"this machine's clock is {abs(away):.0f} s {'behind' if away > 0 else 'ahead of'} the database's; set them right"
        return Finding("clock", text, ok=False)
    head = await tracker.store.head()
    last = (await tracker.store.entries_after(head - 1, 1))[0].recorded_at if head else now
    behind = (last - now).total_seconds()
    if behind > _CLOCK_MAY_BE_BEHIND_SECONDS:
        text = f"this machine's clock is {behind:.0f} s behind the journal's last entry; set it right"
        return Finding("clock", text, ok=False)
    return Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC", ok=True)
