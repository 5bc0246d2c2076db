"""Several processes share standing work: each holds leases on its part, and takes over what a dead one held.

A lease runs by the database's clock and is renewed at a third of its time. Who cannot renew stops by its own clock when the time
is over, and every write names the lease's epoch: so whoever only believes to hold one changes nothing.
"""

import asyncio
import hashlib
from collections.abc import Collection
from contextlib import suppress
from math import ceil

from tracker.domain.errors import StorageError
from tracker.ports import PROCESS_PREFIX, Clock, Held, Store

LEASE_SECONDS = 6.0
_LEAVING_SECONDS = 3.0


class Leasing:
    """One process's leases among those of all."""

    def __init__(self, store: Store, clock: Clock, holder: str) -> None:
        """Begin with nothing.

        Args:
            store: Where the leases are.
            clock: Ours.
            holder: What this process goes by; no other ever does.
        """
        self._store = store
        self._clock = clock
        self._holder = holder
        self._held: dict[str, Held] = {}
        self._asked_for: frozenset[str] = frozenset()
        self._renewed_at: float | None = None
        self._renewing = asyncio.Lock()

    @property
    def held(self) -> dict[str, Held]:
        """What may be done now: nothing once the time is over."""
        if self._renewed_at is None or self._clock.monotonic() - self._renewed_at >= LEASE_SECONDS:
            return {}
        return dict(self._held)

    async def share(self, names: Collection[str]) -> dict[str, Held]:
        """Give our part of these names: as many as each living process would have, and whatever nobody else has.

        What is to be given up is missing from the answer, and still held until `release`: there is something to finish first.

        Raises:
            StorageError: The database is away; `held` says what may still be done.
        """
        wanted = frozenset(names)
        async with self._renewing:
            now = self._clock.monotonic()
            is_fresh = self._renewed_at is not None and now - self._renewed_at < LEASE_SECONDS / 3
            if not is_fresh or wanted != self._asked_for:
                await self._renew(wanted, now)
        return self.held

    async def _renew(self, wanted: frozenset[str], now: float) -> None:
        us = PROCESS_PREFIX + self._holder
        renewed = await self._store.hold_leases(self._holder, [us, *(self._held.keys() & wanted)], LEASE_SECONDS)
        taken = await self._store.held_leases()
        processes = sum(1 for name in taken if name.startswith(PROCESS_PREFIX))
        fair = ceil(len(wanted) / max(1, processes))
        ours = [name for name in self._held if name in renewed][:fair]
        # Each process looks in an order of its own, so that those who begin together do not all want the same ones.
        free = sorted(wanted - taken, key=self._order)[: fair - len(ours)]
        new = await self._store.hold_leases(self._holder, free, LEASE_SECONDS) if free else {}
        self._held = {name: renewed[name] for name in ours} | new
        self._asked_for, self._renewed_at = wanted, now

    def _order(self, name: str) -> bytes:
        return hashlib.sha256(f"{self._holder} {name}".encode()).digest()

    async def release(self, names: Collection[str]) -> None:
        """Let others have what is finished here.

        Raises:
            StorageError: The database is away; they have it when the time is over.
        """
        for name in names:
            self._held.pop(name, None)
        if names:
            await self._store.release_leases(self._holder, names)

    def lost(self, name: str) -> None:
        """Note that another process has a lease that we thought was ours."""
        self._held.pop(name, None)

    async def leave(self) -> None:
        """Let others have all of it at once; if the database is away, they have it when the time is over."""
        names = [PROCESS_PREFIX + self._holder, *self._held]
        self._held, self._renewed_at = {}, None
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(_LEAVING_SECONDS):
                await self._store.release_leases(self._holder, names)
