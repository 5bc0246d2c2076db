"""Consents of one chain, told by their holder's events at whatever time it is on the bench."""

from datetime import datetime, timedelta
from typing import Any

from tests.usecases.bench import CONSENT, DEMOBANK, Bench, data, event, message
from tracker.domain.consent import ConsentId
from tracker.domain.tracked import TrackedConsent

NEXT = "7a1e0c55-0b7d-4f0e-9a57-9d1b6d1c2f01"
THIRD = "91f4d2be-6f4c-4e0f-8a4c-2b7b9f3e5d02"
EXPIRY = datetime.fromisoformat("2026-09-01T00:00:00+04:00")
"""Of `bench.data()`."""


def time_text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


async def hear(bench: Bench, status: str = "Authorized", consent_id: str = CONSENT, **changes: Any) -> None:
    """Let the holder tell by an event, now, what moved a second ago."""
    now = bench.clock.now()
    since = time_text(now - timedelta(seconds=1))
    found = data(status, since, **{"ConsentId": consent_id, **changes})
    times: dict[str, Any] = {"iat": now.timestamp() - 1, "nbf": now.timestamp() - 1, "exp": now.timestamp() + 600}
    await bench.deliver(event(found, **times, message=message(found, at=since, ConsentId=consent_id)))


async def renew(bench: Bench, consent_id: str = NEXT, **changes: Any) -> TrackedConsent:
    """Begin a consent that names `CONSENT` as its root, and authorize it now, for a year."""
    now = bench.clock.now()
    kept = await bench.register(consent_id, base_consent_id=CONSENT)
    facts = {
        "CreationDateTime": time_text(now - timedelta(minutes=1)),
        "ExpirationDateTime": time_text(now + timedelta(days=360)),
        "BaseConsentId": CONSENT,
    }
    await hear(bench, "Authorized", consent_id, **{**facts, **changes})
    return kept


async def run_to(bench: Bench, instant: datetime, *, step: timedelta = timedelta(days=2)) -> None:
    """Let time pass, and what is due be done: at each step, and at the end."""
    while (left := instant - bench.clock.now()) > timedelta():
        bench.advance(seconds=min(left, step).total_seconds())
        await bench.expiry.run_once()
        await bench.notices.run_once()


async def noticed(bench: Bench) -> list[tuple[str, str]]:
    """Of which consent what was told that the clock alone brought, in the journal's order."""
    names = {CONSENT: "first", NEXT: "next", THIRD: "third"}
    types = {"consent.expiring", "consent.overlap_found"}
    entries = [entry.data for entry in await bench.entries() if entry.type in types]
    return [(names[data["consent_id"]], data["reason"]) for data in entries]


async def kept(bench: Bench, consent_id: str) -> TrackedConsent:
    found = await bench.store.find_consent((DEMOBANK, ConsentId(consent_id)))
    assert found is not None
    return found
