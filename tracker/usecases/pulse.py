"""Signs of life of the providers, as this process sees them, and their condition, as all see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime

from tracker.domain.condition import HEALTHY, Condition
from tracker.domain.consent import ProviderId
from tracker.domain.errors import StorageError
from tracker.ports import Clock, HolderTally, Signs, Store
from tracker.usecases.heard import HeardOther, HeardReport, Opened

Tallies = Callable[[], Mapping[str, HolderTally]]
"""What was fetched of each provider since the start."""


class Pulse:
    """Gathers signs of life in memory, and writes them down now and then: many events of a provider are one write."""

    def __init__(self, store: Store, clock: Clock, tallies: Tallies | None = None) -> None:
        self._store = store
        self._clock = clock
        self._tallies = tallies
        self._seen: dict[str, HolderTally] = {}
        self._signs: dict[ProviderId, Signs] = {}

    def heard(self, batch: Sequence[Opened]) -> None:
        """Note verified events that are on record."""
        for opened in batch:
            match opened.outcome:
                case HeardReport(stored=stored):
                    self._note_event(stored.provider, stored.report.received_at)
                case HeardOther(event=event):
                    self._note_event(event.provider, event.received_at)
                case _:
                    pass  # nobody knows whose it is

    async def write(self) -> None:
        """Write down what is new.

        Raises:
            StorageError: It is kept, and written the next time.
        """
        self._look()
        signs, self._signs = self._signs, {}
        if not signs:
            return
        try:
            await self._store.note_signs(signs)
        except StorageError:
            newer = self._signs
            self._signs = signs
            for provider, sign in newer.items():
                self._merge(provider, sign)
            raise

    def _note_event(self, provider: ProviderId, received_at: datetime) -> None:
        known = self._signs.get(provider)
        if known is None or known.last_event_at is None or known.last_event_at < received_at:
            self._merge(provider, Signs(last_event_at=received_at))

    def _look(self) -> None:
        """See what was fetched since the last look."""
        now = self._clock.now()
        for name, tally in (self._tallies() if self._tallies else {}).items():
            was = self._seen.get(name, _NOTHING)
            self._seen[name] = tally
            changed = {
                "keys_fetched_at": tally.keys_fetched > was.keys_fetched,
                "keys_failed_at": tally.keys_failed > was.keys_failed,
                "tokens_fetched_at": tally.tokens_fetched > was.tokens_fetched,
                "tokens_failed_at": tally.tokens_failed > was.tokens_failed,
            }
            if any(changed.values()):
                self._merge(ProviderId(name), Signs(**{at: now for at, is_new in changed.items() if is_new}))

    def _merge(self, provider: ProviderId, signs: Signs) -> None:
        new = {field.name: at for field in fields(Signs) if (at := getattr(signs, field.name)) is not None}
        self._signs[provider] = replace(self._signs.get(provider, Signs()), **new)


_NOTHING = HolderTally(tokens_fetched=0, tokens_failed=0, keys_fetched=0, keys_failed=0, keys_age_seconds=None)


class Conditions:
    """The providers' condition, read now and then, and at hand for whoever schedules."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[ProviderId, Condition] = {}

    def of(self, provider: ProviderId) -> Condition:
        """How a provider is doing."""
        return self._known.get(provider, HEALTHY)

    async def refresh(self) -> None:
        """Read again.

        Raises:
            StorageError: What was known stands.
        """
        health = await self._store.provider_health()
        now = self._clock.now()
        self._known = {
            provider: Condition(
                quiet=known.hearing.is_alarming,
                probed=known.hearing.is_probed(now, known.signs.last_event_at),
                stretch=known.stretch,
            )
            for provider, known in health.items()
        }
