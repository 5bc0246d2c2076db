"""`tracker check`: whether a configuration can work, found out by trying."""

import asyncio
from collections.abc import Callable

from tracker.app.certificate_checks import certificate_findings
from tracker.app.composition import Tracker, World, build
from tracker.app.database import database_file, schema_revisions
from tracker.app.findings import Finding
from tracker.app.our_keys import load_our_keys
from tracker.app.tracing import require_extra
from tracker.domain.errors import TrackerError
from tracker.ports import Provider
from tracker.settings import Settings

_PROVIDER_SECONDS = 15.0
_CLOCK_MAY_BE_BEHIND_SECONDS = 5.0


async def check_all(settings: Settings, show: Callable[[Finding], None]) -> list[bool]:
    """Look at database, certificates, keys, clock and providers, and show each finding as it comes.

    Returns:
        Of each whether it is well.
    """
    results: list[bool] = []

    def found(finding: Finding) -> None:
        results.append(finding.ok)
        show(finding)

    database, has_tables = _database(settings)
    found(database)
    certificates = list(certificate_findings(settings, World().clock.now()))
    for finding in certificates:
        found(finding)
    if database.ok and not any(finding.stops for finding in certificates):
        await _keys_and_what_needs_them(settings, found, has_tables=has_tables)
    if settings.tracing.endpoint is not None:
        found(_tracing(settings))
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


def _tracing(settings: Settings) -> Finding:
    try:
        require_extra(settings.tracing)
    except TrackerError as error:
        return Finding("tracing", str(error), ok=False, stops=True)
    return Finding(
        "tracing", f"spans go to {settings.tracing.endpoint}; nothing waits for whether they are taken", ok=True
    )


async def _keys_and_what_needs_them(settings: Settings, found: Callable[[Finding], None], *, has_tables: bool) -> None:
    subject = "keys"
    try:
        async with build(settings, World()) as tracker:
            found(Finding(subject, _keys_text(settings), ok=True))
            subject = "database"
            if has_tables:
                found(await _clock(tracker))
            are_well = True
            for provider in tracker.providers:
                seen = await _provider(tracker, provider)
                found(seen)
                if seen.ok:
                    seen = await _access(tracker, provider)
                    found(seen)
                are_well = are_well and seen.ok
            if are_well and tracker.settings.provider:
                found(Finding("next", await _next_step(tracker, has_tables=has_tables), ok=True))
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
    text = f"discovery and {len(described.key_ids)} signing key(s) found at {provider.issuer}"
    return Finding(subject, text, ok=True)


async def _access(tracker: Tracker, provider: Provider) -> Finding:
    """Whether the provider gives us tokens: all scopes of its profile are tried, and one is enough to be of use."""
    subject = f"access to {provider.id}"
    given: list[str] = []
    refused: list[str] = []
    for kind in provider.profile.kinds.values():
        try:
            async with asyncio.timeout(_PROVIDER_SECONDS):
                await tracker.holders.try_scope(provider, kind.scope)
            given.append(kind.name)
        except TimeoutError:
            return Finding(subject, "the token endpoint does not answer; check the network", ok=False)
        except TrackerError as error:
            refused.append(f"{kind.name}: {error}")
    if not given:
        text = f"{refused[0]} Are client {provider.client_id} and the keys of `tracker keys public` registered there?"
        return Finding(subject, text, ok=False)
    not_for = f"; not for {', '.join(one.partition(':')[0] for one in refused)}" if refused else ""
    return Finding(subject, f"tokens are given for {', '.join(given)}{not_for}", ok=True)


async def _next_step(tracker: Tracker, *, has_tables: bool) -> str:
    """What a new operator does now that all is well."""
    if not has_tables:
        return "start it: `tracker serve`"
    if not any(key.revoked_at is None for key in await tracker.api_keys.all()):
        return "make a key for the back office: `tracker keys add-api-key --name NAME --scope read,write`"
    if await tracker.store.head() == 0:
        return "register a consent before it is staged: POST /v1/consents, see /docs of the running service"
    return "nothing; `tracker consents list` shows what is tracked"
