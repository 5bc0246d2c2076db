"""The deeds of retention: what goes by itself, what goes because a person asks for it, and what must stay."""

from dataclasses import dataclass

from tracker.domain.retention import RetentionPlan
from tracker.ports import Store
from tracker.ports.retention import RetentionStore
from tracker.usecases.dispose import Disposal
from tracker.usecases.holds import Holds
from tracker.usecases.privacy import Privacy
from tracker.usecases.recording import Office
from tracker.usecases.trail import Trail
from tracker.usecases.wake import Bell


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """All of them, made of the same."""

    disposal: Disposal
    privacy: Privacy
    holds: Holds


def retention(
    *,
    store: Store,
    readings: RetentionStore,
    office: Office,
    plan: RetentionPlan,
    journal_bell: Bell,
    holder: str,
    trail: Trail | None = None,
) -> Retention:
    """Make them.

    Args:
        store: The database.
        readings: What is looked up there for them.
        office: Ids, salts and the clock.
        plan: What is kept for how long.
        journal_bell: Rings when the journal has grown.
        holder: What this process goes by.
        trail: Where deeds leave their traces.
    """
    return Retention(
        disposal=Disposal(
            store=store,
            readings=readings,
            office=office,
            plan=plan,
            journal_bell=journal_bell,
            holder=holder,
            trail=trail,
        ),
        privacy=Privacy(
            store=store, readings=readings, office=office, plan=plan, journal_bell=journal_bell, trail=trail
        ),
        holds=Holds(store, readings, office, journal_bell, trail),
    )
