"""What somebody does next who sets the tracker up: one sentence for the end of `tracker check`."""

from collections.abc import Sequence
from typing import Final

from tracker.app.composition import Tracker
from tracker.app.findings import Finding
from tracker.app.provider_checks import is_simulated
from tracker.ports import ConsentQuery

_FIRST_ENTRIES: Final = 100
"""Beyond so many entries nobody is new here, and no longer looked after."""


def to_put_right(findings: Sequence[Finding]) -> str | None:
    """What to do about the first thing that is wrong, or else that is warned of and has a way out; None if all is well."""
    for finding in (*(one for one in findings if not one.ok), *(one for one in findings if one.warns and one.remedy)):
        return finding.remedy or f"put right what is said of {finding.subject}, then `tracker check` again"
    return None


async def next_step(tracker: Tracker, *, has_tables: bool, is_running: bool) -> str:
    """What to do when all is well."""
    if not is_running:
        return "start it, in a terminal of its own: `tracker serve`"
    if not has_tables or not any(key.revoked_at is None for key in await tracker.api_keys.all()):
        return "make a key for the back office: `tracker keys add-api-key --name NAME --scope read,write`"
    head = await tracker.store.head()
    if head == 0:
        return (
            f"register a consent before it is staged: POST {_url(tracker)}/v1/consents; {_url(tracker)}/docs shows how"
        )
    if head <= _FIRST_ENTRIES and not await _has_heard(tracker):
        return await _first_event(tracker)
    return "nothing; `tracker consents list` shows what is tracked"


async def _has_heard(tracker: Tracker) -> bool:
    """Whether something on record came as an event."""
    for consent in await tracker.store.search(ConsentQuery(), tracker.world.clock.now()):
        for stored in await tracker.store.reports_of(consent.tracking_id):
            if stored.report.channel == "webhook":
                return True
    return False


async def _first_event(tracker: Tracker) -> str:
    survey = await tracker.store.survey(tracker.world.clock.now(), [])
    if survey.quarantine_verified or survey.quarantine_unverified:
        return "events have come and were put aside: `tracker quarantine list` says why"
    doors = " and ".join(sorted({f"/webhooks/{provider.profile.name}" for provider in tracker.providers}))
    simulated = all(is_simulated(provider) for provider in tracker.providers)
    how = ", with the commands that the simulated hub printed" if simulated else ""
    return (
        f"let the consent be staged and authorized{how}: no event has come yet; the provider should send them to "
        f"{_url(tracker, 'receiver')}{doors}, as it is reached from there"
    )


def _url(tracker: Tracker, section: str = "http") -> str:
    http, receiver = tracker.settings.http, tracker.settings.receiver
    host, port, certificate = http.host, http.port, http.tls_certificate
    if section == "receiver" and receiver.port is not None:
        host, port, certificate = receiver.host or host, receiver.port, receiver.tls_certificate
    scheme = "http" if certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
