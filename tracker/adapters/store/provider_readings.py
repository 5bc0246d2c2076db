"""What is known of the providers themselves, outside of a transaction that does more."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, or_, select

from tracker.adapters.store.differences import upsert
from tracker.adapters.store.provider_book import instant_of
from tracker.adapters.store.provider_tables import provider_health, provider_ledger, provider_moves
from tracker.adapters.store.rows.provider import SIGNS, to_health, to_lags, to_ledger
from tracker.adapters.store.tables import consent
from tracker.domain.consent import ProviderId
from tracker.domain.lags import Lags
from tracker.ports import Health, Ledger, ProviderFacts, Signs, Told


def facts(
    connection: Connection, providers: Collection[ProviderId], now: datetime | None, since: datetime
) -> dict[ProviderId, ProviderFacts]:
    """All that is known of these providers."""
    at, named = instant_of(connection, now), sorted(providers)
    kept = connection.execute(select(provider_ledger).where(provider_ledger.c.provider.in_(named)))
    ledgers = {row.provider: to_ledger(row, at) for row in kept}
    lags: dict[str, dict[Told, Lags]] = {provider: {} for provider in named}
    counted = select(provider_moves).where(provider_moves.c.provider.in_(named), provider_moves.c.hour >= since)
    for row in connection.execute(counted):
        told, by = Told(row.told_by), lags[row.provider]
        by[told] = by.get(told, Lags()) + to_lags(row)
    known = health(connection)
    return {
        provider: ProviderFacts(
            ledger=ledgers.get(provider, Ledger(at=at)), health=known.get(provider, Health()), lags=lags[provider]
        )
        for provider in named
    }


def health(connection: Connection) -> dict[ProviderId, Health]:
    """How the providers are doing of which anything is known."""
    return {ProviderId(row.provider): to_health(row) for row in connection.execute(select(provider_health))}


def note_signs(connection: Connection, signs: Mapping[ProviderId, Signs]) -> None:
    """Keep signs of life; each instant only ever moves on."""
    for provider in sorted(signs):  # in one order: others may be at the same rows
        new = upsert(connection, provider_health).values(
            provider=provider, record="", stretch=1.0, **asdict(signs[provider])
        )
        moved = {}
        for name in SIGNS:
            old, said = provider_health.c[name], new.excluded[name]
            moved[name] = case((said.is_not(None) & or_(old.is_(None), said > old), said), else_=old)
        connection.execute(new.on_conflict_do_update(index_elements=["provider"], set_=moved))


def scheduled(connection: Connection, provider: ProviderId) -> int:
    """How many of a provider's consents will be asked about by the schedule."""
    theirs = consent.c.provider == provider, consent.c.next_ask_at.is_not(None)
    return connection.execute(select(func.count()).select_from(consent).where(*theirs)).scalar_one()


def set_stretch(connection: Connection, provider: ProviderId, stretch: float) -> None:
    """Keep by how much a provider's base intervals are longer."""
    new = upsert(connection, provider_health).values(provider=provider, record="", stretch=stretch)
    set_ = {"stretch": new.excluded.stretch}
    connection.execute(new.on_conflict_do_update(index_elements=["provider"], set_=set_))


def forget_moves(connection: Connection, before: datetime) -> None:
    """Forget what was counted of moves before this."""
    connection.execute(delete(provider_moves).where(provider_moves.c.hour < before))
