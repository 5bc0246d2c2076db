"""The access record in the store: who looked at which consent, when, from where, and what he was answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tracker.domain.consent import TrackingId


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One look. Nothing in it is personal: what a search named a user by is left out.

    Attributes:
        id: UUIDv7.
        at: When, by our clock.
        who: The id of an API key; or `cli:` and the name of the user of the machine.
        what: Which look, such as `consent.show`.
        tracking_id: The consent that it was about; None: several, or one that is not tracked.
        provider: Whose consent was asked for, where one was.
        consent_id: Which one, likewise.
        asked: The rest of the question, such as a search's conditions.
        shown: How many consents or entries were shown; None where that is one consent.
        shown_ids: Which consents, where it was not about one of them.
        peer: From which address; None: from this machine's command line, or nobody can say.
        interaction_id: What the caller, or else we, call the request.
        status: What was answered: HTTP's status, also for the command line.
    """

    id: str
    at: datetime
    who: str
    what: str
    tracking_id: str | None = None
    provider: str | None = None
    consent_id: str | None = None
    asked: Mapping[str, Any] | None = None
    shown: int | None = None
    shown_ids: tuple[str, ...] = ()
    peer: str | None = None
    interaction_id: str
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessQuery:
    """A search among looks, the last first; what is None does not narrow it.

    Attributes:
        tracking_id: Looks at this consent, alone or among others.
        who: Of this caller.
        since: Not before.
        until: Before.
        after: Go on behind this one, by its time and id.
        limit: At most so many.
        first: The first first.
    """

    tracking_id: str | None = None
    who: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 100
    first: bool = False


class AccessBook(Protocol):
    """The database, as far as the access record goes. Every method raises `StorageError` when it is away."""

    async def add(self, access: Access, *, flush: bool = True) -> None:
        """Keep one; many callers share one commit. Nothing keeps back a look that is not kept: the caller must.

        Without `flush` it is committed and survives this process, but the disk is not waited for: a loss of power may take what
        came in the second before it.
        """

    async def listed(self, query: AccessQuery) -> list[Access]:
        """Search. The ids of what was shown come with them."""

    async def tend(self, before: datetime) -> None:
        """Forget what is older."""


class AccessesOf(Protocol):
    """Who looked at one consent."""

    async def accesses_of(
        self, tracking_id: TrackingId, limit: int, after: tuple[datetime, str] | None = None
    ) -> list[Access]:
        """Looks at a consent, the first first; `after` is the time and the id of one of these."""
