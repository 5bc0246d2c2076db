"""A bench with the deeds of retention, and a person whose consents have a long life behind them."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests import tokens
from tests.usecases.bench import CONSENT, Bench, data, event, message
from tracker.domain.retention import RetentionPlan
from tracker.usecases.afterlife import HEARD_AFTER_DISPOSAL
from tracker.usecases.dispose import DISPOSED
from tracker.usecases.holds import LIFTED, PLACED, Placing
from tracker.usecases.privacy import ERASURE_SCHEDULED
from tracker.usecases.retention import Retention, retention
from tracker.usecases.wake import Bell

PERSON = "customer-4711-of-the-bank"
ACCOUNT = "AE070331234567890123456"
PURPOSE = "PurposeThatOnlyThisPersonHas"
FIVE_YEARS = timedelta(days=1827)


def deeds(bench: Bench, plan: RetentionPlan | None = None, holder: str = "this process") -> Retention:
    return retention(
        store=bench.store,
        readings=bench.store.retention,
        office=bench.office,
        plan=plan or RetentionPlan(),
        journal_bell=Bell(),
        holder=holder,
    )


def said(status: str, at: str, **changes: Any) -> dict[str, Any]:
    """What the holder says of the person's consent."""
    return data(status, at, OpenFinanceBilling={"UserType": "Retail", "Purpose": PURPOSE}, **changes)


async def a_life(bench: Bench, consent_id: str = CONSENT, user_ref: str = PERSON) -> None:
    """A consent is registered, authorized and revoked, each told by a signed event."""
    await bench.register(consent_id, user_ref=user_ref, terms={"accounts": [ACCOUNT]})
    for status, at in (("Authorized", "2026-03-02T15:13:19+04:00"), ("Revoked", "2026-03-02T15:14:00+04:00")):
        found = said(status, at, ConsentId=consent_id)
        await bench.deliver(event(found, message=message(found, at=at, ConsentId=consent_id)))


def later_event(bench: Bench, found: dict[str, Any], **claims: Any) -> bytes:
    """An event that is signed now, whenever that is."""
    now = int(bench.clock.now().timestamp())
    whole = {
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "message": message(found, ConsentId=found["ConsentId"]),
        **claims,
    }
    return tokens.jwe(tokens.jws(tokens.claims(**whole), key=tokens.rsa_key("hub"), kid=tokens.HUB_KID))


def pass_years(bench: Bench, span: timedelta = FIVE_YEARS) -> datetime:
    """Let time pass in which the clock was looked at all the while."""
    bench.clock.advance(span.total_seconds())
    be_steady(bench.path, bench.clock.now())
    return bench.clock.now()


def be_steady(database: Path, now: datetime) -> None:
    """Have the clock of a SQLite database seen to go on for two days."""
    seen = [f"{time:%Y-%m-%dT%H:%M:%S.%f}+00:00" for time in (now, now - timedelta(days=2))]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO steady_clock (id, seen_at, since) VALUES (1, ?, ?)", seen)


def bytes_of(database: Path) -> bytes:
    """All that is on disk of a SQLite database."""
    return b"".join(path.read_bytes() for path in sorted(database.parent.glob(database.name + "*")) if path.is_file())


OF_RETENTION = {DISPOSED, HEARD_AFTER_DISPOSAL, PLACED, LIFTED, ERASURE_SCHEDULED}


async def be_retained(bench: Bench) -> None:
    """Let the journal tell all that it tells of retention, of a registration of its own."""
    await bench.register("to-be-gone", user_ref=PERSON)
    made = deeds(bench)
    (hold,) = await made.holds.place(Placing(user_ref=PERSON, reason="case 17/2031", placed_by="legal"))
    await made.privacy.erase(PERSON, "desk")
    await made.holds.lift(hold.id, "settled", "legal")
    bench.advance(days=2)
    assert await made.disposal.run_once() == 1
    await bench.deliver(later_event(bench, data(ConsentId="to-be-gone")))
