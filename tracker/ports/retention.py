"""What is needed of the store to let consents go: what ties them, their end, and what remembers them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tracker.domain.consent import ConsentId, ProviderId, TrackingId
from tracker.domain.retention import Ties
from tracker.domain.steady_clock import SteadyClock
from tracker.domain.tracked import TrackedConsent
from tracker.ports.records import Name

DISPOSAL_LEASE = "disposal"
"""The lease of whoever looks for consents that may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """What is left of a consent that was disposed of, besides its entries' leaves. They say as much."""

    tracking_id: TrackingId
    provider: ProviderId
    consent_id: ConsentId
    kind: str
    disposed_at: datetime

    @property
    def name(self) -> Name:
        """What the world called it."""
        return self.provider, self.consent_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold on one consent. What was placed in one go has one id.

    Attributes:
        id: UUIDv7.
        tracking_id: On which consent.
        reason: Why, in a sentence or by a file number; personal.
        placed_by: Who placed it.
        placed_at: When.
    """

    id: str
    tracking_id: TrackingId
    reason: str
    placed_by: str
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """That a consent is to go as soon as it may.

    Attributes:
        tracking_id: Which one.
        requested_by: Who entered the request.
        requested_at: When.
        look_at: When it is looked at next.
    """

    tracking_id: TrackingId
    requested_by: str
    requested_at: datetime
    look_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """How much went with a consent.

    Attributes:
        values: Private values of entries.
        reports: Reports on record.
        tokens: Signed tokens that no other record rests on.
        payments: Payments.
        others: Other events.
        rest: Rows of whatever else there was: the confirmation log, work, what was not delivered, holds.
    """

    values: int = 0
    reports: int = 0
    tokens: int = 0
    payments: int = 0
    others: int = 0
    rest: int = 0


class DisposalBook(Protocol):
    """Disposal, inside a transaction. All of a consent whose name is held until the end."""

    def look_at_clock(self, now: datetime) -> SteadyClock:
        """Keep what our clock says, and say what was seen of it up to now. On PostgreSQL its own clock counts too."""

    def clock(self) -> SteadyClock | None:
        """What was seen of our clock; None: nobody has looked at it yet."""

    def ties(self, consent: TrackedConsent) -> Ties:
        """What ties a consent, besides its clocks."""

    def count(self, consent: TrackedConsent) -> Gone:
        """How much would go; nothing goes."""

    def dispose(self, consent: TrackedConsent, now: datetime) -> Gone:
        """Let all of it go, and leave a tombstone."""

    def tombstones(self, names: Collection[Name]) -> dict[Name, Tombstone]:
        """Those of these names whose consents were disposed of."""

    def late_digests(self, digests: Collection[str]) -> set[str]:
        """Which of these events were told of already, after their consent was disposed of."""

    def note_late(self, digest: str, tombstone: Tombstone, now: datetime) -> None:
        """Note that an event was told of that came too late."""

    def place_hold(self, hold: Hold) -> bool:
        """Put a hold on a consent; False if it is there."""

    def holds_of(self, tracking_id: TrackingId) -> list[Hold]:
        """The holds on a consent."""

    def lift_hold(self, hold: Hold) -> None:
        """Take a hold away."""

    def ask_for(self, erasure: Erasure) -> bool:
        """Have a consent go as soon as it may; False if that was asked for before."""

    def look_again(self, tracking_id: TrackingId, at: datetime) -> None:
        """Look at a consent whose erasure was asked for at another time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAbout:
    """What is held about a consent in tables that have no reading of their own; rows as plain JSON, by table."""

    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


class RetentionStore(Protocol):
    """The readings that disposal needs, outside of a transaction. Every method raises `StorageError` when it is away."""

    async def over_after(
        self, tracking_id: str, limit: int, created_before: datetime
    ) -> tuple[list[TrackedConsent], str | None]:
        """Look through so many consents in the order of their keys; those so old that have ended or were never heard of.

        And the key to go on with; None: that was the last. Rows that cannot be read are left out and logged.
        """

    async def asked_for(self, now: datetime, limit: int) -> list[TrackingId]:
        """Consents whose erasure was asked for and that are due to be looked at."""

    async def erasures(self, limit: int, after: str = "") -> list[Erasure]:
        """All that were asked for and have not gone, in the order of tracking ids."""

    async def holds(self, limit: int, after: tuple[str, str] = ("", "")) -> list[Hold]:
        """All holds, in the order of their ids and tracking ids."""

    async def tombstone(self, name: Name) -> Tombstone | None:
        """What is left of a consent that was disposed of, by its name."""

    async def tombstone_of(self, tracking_id: TrackingId) -> Tombstone | None:
        """The same by our key."""

    async def held_about(self, consent: TrackedConsent) -> HeldAbout:
        """What is held about a consent besides itself, its reports, its entries and its payments."""

    async def forget_before(self, quarantined: datetime, unregistered: datetime, limit: int) -> int:
        """Delete what was put aside, and what is about no registered consent, of before these times; say how much it was."""

    async def journal_floor(self) -> int:
        """The first sequence that is still in the journal's table; 1 if nothing was detached."""

    async def scrub(self) -> bool:
        """Write deleted values out of what is left of the write-ahead log; False if somebody still reads it."""
