"""`tracker check`: whether a configuration can work, found out by trying."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tracker.app.composition import Tracker, World, build
from tracker.app.database import database_file, schema_revisions
from tracker.app.our_keys import load_our_keys
from tracker.domain.errors import TrackerError
from tracker.ports import Provider
from tracker.settings import Settings

_PROVIDER_SECONDS = 15.0
_CLOCK_MAY_BE_BEHIND_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the answer.

    Attributes:
        subject: What was looked at.
        text: What was found; if it is not well, with the fix.
        ok: Whether it is well.
        stops: Whether the service would not start because of it.
    """

    subject: str
    text: str
    ok: bool
    stops: bool = False


async def check_all(settings: Settings, show: Callable[[Finding], None]) -> list[bool]:
    """Look at database, keys, clock and providers, show each finding as it comes, and say of each whether it is well."""
    results: list[bool] = []

    def found(finding: Finding) -> None:
        results.append(finding.ok)
        show(finding)

    database, has_tables = _database(settings)
    found(database)
    if database.ok:
        await _keys_and_what_needs_them(settings, found, has_tables=has_tables)
    if not settings.provider:
        text = "there are none; add [[client]] and [[provider]] tables to the configuration"
        found(Finding("providers", text, ok=False))
    return results


def _database(settings: Settings) -> tuple[Finding, bool]:
    """Look at the database; say too whether there is anything in it."""
    try:
        has, needs = schema_revisions(settings)
    except TrackerError as error:
        return Finding("database", str(error), ok=False, stops=True), False
    file = database_file(settings)
    if has is None:
        return Finding("database", f"{file} is empty; `tracker serve` makes it", ok=True), False
    if has != needs:
        text = f"{file} is at schema {has}, this version works on {needs}; run `tracker db upgrade`"
        return Finding("database", text, ok=False, stops=True), True
    return Finding("database", f"{file}, schema {has}", ok=True), True


async def _keys_and_what_needs_them(settings: Settings, found: Callable[[Finding], None], *, has_tables: bool) -> None:
    subject = "keys"
    try:
        async with build(settings, World()) as tracker:
            found(Finding(subject, _keys_text(settings), ok=True))
            subject = "database"
            if has_tables:
                found(await _clock(tracker))
            for provider in tracker.providers:
                found(await _provider(tracker, provider))
    except TrackerError as error:
        found(Finding(subject, str(error), ok=False, stops=True))


def _keys_text(settings: Settings) -> str:
    signed = (
        "checkpoints are signed"
        if settings.audit.checkpoint_key
        else "no [audit] checkpoint_key: exports are not signed"
    )
    return f"{load_our_keys(settings).told() or 'there are no clients'}; {signed}"


async def _clock(tracker: Tracker) -> Finding:
    """Our own clock against the journal: it must not be behind what was written already."""
    now = tracker.world.clock.now()
    head = await tracker.store.head()
    last = (await tracker.store.entries_after(head - 1, 1))[0].recorded_at if head else now
    behind = (last - now).total_seconds()
    if behind > _CLOCK_MAY_BE_BEHIND_SECONDS:
        text = f"this machine's clock is {behind:.0f} s behind the journal's last entry; set it right"
        return Finding("clock", text, ok=False)
    return Finding("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC", ok=True)


async def _provider(tracker: Tracker, provider: Provider) -> Finding:
    subject = f"provider {provider.id}"
    try:
        async with asyncio.timeout(_PROVIDER_SECONDS):
            described = await tracker.holders.describe(provider)
    except TimeoutError:
        return Finding(subject, f"{provider.issuer} does not answer; check the address and the network", ok=False)
    except TrackerError as error:
        text = f"{error} Check its issuer ({provider.issuer}), certificates and the network."
        return Finding(subject, text, ok=False)
    return Finding(
        subject, f"discovery and {len(described.key_ids)} signing key(s) found at {provider.issuer}", ok=True
    )
