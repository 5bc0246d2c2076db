"""The access record: every look at a consent and every export is written down before the looker sees anything.

Who cannot be written down is not answered: a database that takes no writes cannot take the holder's revocations either, and
what it says of a consent's use would be the word of yesterday. Only where the configuration says "best_effort" is an answer
given all the same, and the log says that it was.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tracker.domain.consent import ConsentId, ProviderId, TrackingId, is_consent_id
from tracker.domain.errors import InvalidRequestError, StorageError
from tracker.ports import Access, AccessBook, AccessQuery, ApiKey, Clock, Ids, Store
from tracker.ports.retention import RetentionStore

_log = logging.getLogger(__name__)

CLI: Final = "cli:"
"""What the names of those begin with who look from the command line of this machine."""

_UNFLUSHED: Final = frozenset({"consent.usable"})
"""Asked before every use of a consent, hundreds of times a second, and showing a yes or a no: committed before the answer as any
other look, but the disk is not waited for. That would be the greater part of the answer's time."""

_FIVE_YEARS: Final = timedelta(days=1827)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be written down of one look; see `ports.Access`."""

    who: str
    what: str
    interaction_id: str | None = None
    tracking_id: str | None = None
    provider: str | None = None
    consent_id: str | None = None
    asked: Mapping[str, Any] | None = None
    shown: int | None = None
    shown_ids: tuple[str, ...] = ()
    peer: str | None = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A look that was written down, and the name of the key it was made with.

    Attributes:
        access: The look.
        name: What people call the key; None: it came from the command line, or there is no such key any more.
    """

    access: Access
    name: str | None


class AccessRecording:
    """Writes looks down, and tells of them."""

    def __init__(
        self,
        book: AccessBook,
        store: Store,
        clock: Clock,
        ids: Ids,
        *,
        graves: RetentionStore | None = None,
        is_required: bool = True,
        kept_for: timedelta = _FIVE_YEARS,
    ) -> None:
        """Take what there is to work with.

        Args:
            book: Where looks are kept.
            store: Where the names of keys are, and the consents.
            clock: Our clock.
            ids: For looks, and for requests that bring no id.
            graves: Where it is known what those consents were that are not there any more; None: nobody looks for these.
            is_required: Whether who cannot be written down is not answered.
            kept_for: How long a look is kept.
        """
        self._book = book
        self._store = store
        self._clock = clock
        self._ids = ids
        self._graves = graves
        self._is_required = is_required
        self._kept_for = kept_for

    async def record(self, look: Look) -> None:
        """Write a look down; when this returns it survives the power supply, or may be missing by configuration.

        Raises:
            StorageError: It could not be written, and must be: nothing may be shown.
        """
        access = Access(
            id=self._ids.ordered(),
            at=self._clock.now(),
            who=look.who,
            what=look.what,
            tracking_id=look.tracking_id,
            provider=look.provider,
            consent_id=look.consent_id,
            asked=look.asked or None,
            shown=look.shown,
            shown_ids=look.shown_ids,
            peer=look.peer,
            interaction_id=look.interaction_id or self._ids.random(),
            status=look.status,
        )
        try:
            await self._book.add(access, flush=look.what not in _UNFLUSHED)
        except StorageError as error:
            if self._is_required:
                raise
            _log.error("A look is missing in the access record: %s by %s: %s", look.what, look.who, error)

    async def listed(
        self, query: AccessQuery, provider: str | None = None, consent_id: str | None = None
    ) -> Sequence[Looked]:
        """Search among the looks.

        Args:
            query: What is looked for.
            provider: Looks at one consent by what the world calls it: whose it is.
            consent_id: And which.

        Raises:
            InvalidRequestError: Only one of the two is given, or they name another consent than the query.
        """
        if (provider is None) is not (consent_id is None):
            raise InvalidRequestError("provider and consent_id name a consent together.")
        if provider is not None and consent_id is not None:
            query = await self._about(query, provider, consent_id)
        found = await self._book.listed(query)
        keys: dict[str, ApiKey | None] = {}
        for access in found:
            if access.who not in keys and not access.who.startswith(CLI):
                keys[access.who] = await self._store.get_api_key(access.who)
        return [Looked(access=one, name=_name(keys.get(one.who))) for one in found]

    async def forget_old(self) -> None:
        """Forget what need not be kept any longer."""
        await self._book.tend(self._clock.now() - self._kept_for)

    async def _about(self, query: AccessQuery, provider: str, consent_id: str) -> AccessQuery:
        named = (ProviderId(provider), ConsentId(consent_id))
        consent = await self._store.find_consent(named) if is_consent_id(consent_id) else None
        # Who looked at a consent is to be found out for as long as looks are kept, also when it itself is gone.
        gone = (
            await self._graves.tombstone(named)
            if consent is None and self._graves and is_consent_id(consent_id)
            else None
        )
        found = consent or gone
        tracking_id = TrackingId("") if found is None else found.tracking_id
        if query.tracking_id not in {None, tracking_id}:
            raise InvalidRequestError("tracking_id is another consent's than provider and consent_id.")
        return AccessQuery(
            tracking_id=tracking_id,
            who=query.who,
            since=query.since,
            until=query.until,
            after=query.after,
            limit=query.limit,
            first=query.first,
        )


def place_of(access: Access) -> tuple[datetime, str]:
    """Behind what a list goes on."""
    return access.at, access.id


def _name(key: ApiKey | None) -> str | None:
    return None if key is None else key.name
