"""An issuer's signing keys, kept in memory."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from yarl import URL

from tracker.adapters.hub.discovery import Discovery
from tracker.adapters.hub.headers import fresh_seconds
from tracker.adapters.hub.kept import USABLE_SECONDS, Kept
from tracker.adapters.hub.refusals import unusable
from tracker.adapters.hub.session import HolderSession
from tracker.adapters.public_keys import MAX_KEYS, verification_keys
from tracker.domain.errors import ConsentApiError, KeysUnavailableError
from tracker.ports import Clock, KeyOrigin, VerificationKey

_log = logging.getLogger(__name__)

_MAX_BYTES: Final = 256 * 1024
_ASK_AGAIN_SECONDS: Final = 30.0
"""Key ids are in the hands of whoever sends us tokens: for their sake the holder is not asked more often."""
_ASK_AGAIN_WITHOUT_KEYS_SECONDS: Final = 5.0
_REMEMBERED_SECONDS: Final = 3 * 86_400.0
"""How long a withdrawn key is remembered: as long as an event may wait here for its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """The keys that a holder published at one time.

    Attributes:
        keys: By key id; never empty.
        uri: Where they came from.
        etag: What the server calls this version of them.
    """

    keys: Mapping[str, VerificationKey]
    uri: URL
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Withdrawn:
    """A key that was published and is no more.

    Attributes:
        key: The key.
        good_until: The instant until which we would have verified with it.
        noticed_at: When we saw that it was gone, on the monotonic clock.
    """

    key: VerificationKey
    good_until: datetime
    noticed_at: float


class HolderKeySet:
    """Fetches one issuer's keys and keeps them as long as the holder says.

    A set that is fetched replaces the one before: a key that is no longer published verifies nothing that comes from then
    on. What had come before is still verified with it: it would have been, had it not waited here. While none can be fetched
    the old one serves, for a day at most.

    `find` and `at_hand` may be called from any thread; the rest belongs to the event loop.
    """

    def __init__(self, discovery: Discovery, session: HolderSession, clock: Clock) -> None:
        self._discovery = discovery
        self._session = session
        self._clock = clock
        self._kept: Kept[KeySet] = Kept(self._fetch, clock)
        self._missed = False  # whether a key was looked for in vain since the last fetch began
        self._published: Mapping[str, VerificationKey] = {}  # when a set last came, and when that was asked for
        self._published_at = 0.0
        self._withdrawn: Mapping[str, _Withdrawn] = {}

    def find(self, kid: str, received_at: datetime | None = None) -> VerificationKey | None:
        """Look a key up. None: it is not among those fetched, or they are stale and `refresh` must see to them first.

        Args:
            kid: Its id.
            received_at: When we had the token that names it; a key that was still good then is found too.
        """
        current = self._kept.current()
        key_set = current or self._kept.latest()
        key = None if key_set is None else key_set.keys.get(kid)
        if key is None:
            gone = self._withdrawn.get(kid)
            if gone is not None and received_at is not None and received_at <= gone.good_until:
                return gone.key
            self._missed = True
        return None if current is None else key

    def at_hand(self) -> tuple[str, ...]:
        """The ids of the keys that `find` would find, in order."""
        current = self._kept.current()
        return () if current is None else tuple(sorted(current.keys))

    async def refresh(self) -> None:
        """Fetch the keys if they are stale or one was missed, but not twice within 30 s.

        Raises:
            KeysUnavailableError: They cannot be had, and the old ones do not help: there are none, or the one that was
                looked for is not among them.
        """
        if self._kept.is_under_way or self._is_due():
            try:
                await self._kept.renew()
            except KeysUnavailableError:
                if self._is_in_need():
                    raise
        elif self._kept.has_failed and self._is_in_need():
            raise KeysUnavailableError("The holder's keys could not be fetched a moment ago; asking again shortly.")

    async def find_published(self, kid: str) -> VerificationKey | None:
        """Look a key up, fetching if need be. None: the holder does not publish it.

        Raises:
            KeysUnavailableError: Whether it does cannot be said just now.
        """
        if (key := self.find(kid)) is not None:
            return key
        missed_at = self._clock.monotonic()
        await self.refresh()
        key = self.find(kid)
        if key is None and self._kept.asked_at < missed_at:
            raise KeysUnavailableError("The key is not among those fetched a moment ago; asking again shortly.")
        return key

    async def renew(self) -> KeySet:
        """Fetch the keys, whatever is kept.

        Raises:
            KeysUnavailableError: They cannot be had.
        """
        return await self._kept.renew()

    @property
    def tally(self) -> tuple[int, int, float | None]:
        """How often they were fetched, how often they could not be, and how many seconds ago those in use were asked for."""
        age = None if self._kept.latest() is None else self._clock.monotonic() - self._kept.asked_at
        return self._kept.fetched, self._kept.failed, age

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        await self._kept.close()

    def _is_in_need(self) -> bool:
        return self._missed or self._kept.latest() is None

    def _is_due(self) -> bool:
        if self._kept.current() is not None and not self._missed:
            return False
        wait = _ASK_AGAIN_WITHOUT_KEYS_SECONDS if self._kept.latest() is None else _ASK_AGAIN_SECONDS
        return self._clock.monotonic() >= self._kept.attempted_at + wait

    async def _fetch(self, latest: KeySet | None) -> tuple[KeySet, float]:
        missed, self._missed = self._missed, False
        try:
            return await self._ask(latest)
        except (ConsentApiError, KeysUnavailableError) as error:
            self._missed = self._missed or missed
            if latest is not None:
                _log.warning("Signing keys could not be fetched from %s: %s", latest.uri, error)
            if isinstance(error, KeysUnavailableError):
                raise
            raise KeysUnavailableError(f"The holder's keys cannot be had: {error}") from error

    async def _ask(self, latest: KeySet | None) -> tuple[KeySet, float]:
        uri = (await self._discovery.get()).jwks_uri
        known = latest if latest is not None and latest.uri == uri else None
        headers = {"Accept": "application/jwk-set+json, application/json"}
        if known is not None and known.etag is not None:
            headers["If-None-Match"] = known.etag
        reply = await self._session.get(uri, headers, max_bytes=_MAX_BYTES)
        if reply.status == HTTPStatus.NOT_MODIFIED and known is not None:
            self._published_at = self._clock.monotonic()
            return known, fresh_seconds(reply.headers)
        if reply.status != HTTPStatus.OK:
            raise unusable(reply, self._clock.now())
        # Off the event loop: fifty keys are some milliseconds of big numbers.
        origin = KeyOrigin(fetched_at=self._clock.now(), tls_chain=reply.tls_chain)
        keys = await asyncio.to_thread(verification_keys, reply.body, str(uri), origin)
        if not keys:
            # Whoever withdraws all keys has withdrawn the old ones too. Tokens wait until there are new ones.
            self._kept.forget()
            self._note_withdrawn(keys)
            raise KeysUnavailableError(f"{uri} has no key that we could verify with.")
        self._note_withdrawn(keys)
        return KeySet(keys=keys, uri=uri, etag=reply.headers.get("ETag")), fresh_seconds(reply.headers)

    def _note_withdrawn(self, published: Mapping[str, VerificationKey]) -> None:
        """Remember for a while which keys are published no longer, and until when they were good."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        unused_seconds = max(0.0, monotonic - self._published_at - USABLE_SECONDS)
        gone = {
            kid: _Withdrawn(key=key, good_until=now - timedelta(seconds=unused_seconds), noticed_at=monotonic)
            for kid, key in self._published.items()
        }
        remembered = {
            kid: one
            for kid, one in {**self._withdrawn, **gone}.items()
            if kid not in published and monotonic < one.noticed_at + _REMEMBERED_SECONDS
        }
        self._withdrawn = dict(list(remembered.items())[-MAX_KEYS:])
        self._published, self._published_at = published, monotonic
