"""Consents as they were before notices: what revision 0010 has to find among them."""

from datetime import datetime, timedelta

from tests.contract.facts import a_consent, a_decision, save
from tracker.adapters.store.store import SqlStore
from tracker.domain.consent import Status
from tracker.domain.tracked import TrackedConsent

BEFORE_0010 = "0010-1"
"""The revision before it, whichever that is."""

PLANNED_AT_0010 = {"in a chain": True, "suspended in a chain": True, "revoked lately": False, "expired lately": False}
"""What is due at once, and whether its chain is to be looked at."""


async def save_some_for_0010(store: SqlStore, now: datetime) -> None:
    """Save consents of every sort."""
    lately, long_ago = now - timedelta(days=40), now - timedelta(days=80)
    for name, status, updated_at, base in (
        ("alone", Status.AUTHORIZED, lately, None),
        ("in a chain", Status.AUTHORIZED, long_ago, "root"),
        ("suspended in a chain", Status.SUSPENDED, long_ago, "root"),
        ("awaiting in a chain", Status.AWAITING_AUTHORIZATION, lately, "root"),
        ("revoked lately", Status.REVOKED, lately, None),
        ("revoked long ago", Status.REVOKED, long_ago, "root"),
        ("expired lately", Status.EXPIRED, lately, "root"),
        ("rejected lately", Status.REJECTED, lately, None),
    ):
        consent = a_consent(name, updated_at=updated_at, base_consent_id=base)
        await save(store, consent, decision=a_decision(status, since=updated_at))


async def planned_for_0010(store: SqlStore, now: datetime) -> dict[str, bool]:
    """What is due now, and whether its chain is to be looked at."""
    due: list[TrackedConsent] = await store.transact(lambda transaction: transaction.lock_due_notices(now, 100))
    return {str(consent.consent_id): consent.noticing.look_at is not None for consent in due}
