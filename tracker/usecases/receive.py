"""Take an event in: look at its form, keep it, and only then let it be answered for. Nothing is decrypted here."""

import logging
from collections.abc import Collection, Mapping

from tracker.domain.errors import InboxFullError, NotFoundError, UndecryptableEventError
from tracker.ports import Clock, EventCrypto, Ids, Inbox, InboxItem
from tracker.profiles.compact import check_event_header
from tracker.profiles.profile import Profile
from tracker.usecases.alert import Alert
from tracker.usecases.suspects import Suspects
from tracker.usecases.wake import Bell

_log = logging.getLogger(__name__)

_DEPTH_IS_GOOD_FOR = 1.0  # seconds between two looks at how full the inbox is
_PRESSED = 0.1  # of its events; so full, or so late, the inbox takes no more from addresses that are suspected
_PRESSED_SECONDS = 3.0


class Receiver:
    """The door for events."""

    def __init__(  # noqa: PLR0913 - what the door needs, each by its name
        self,
        store: Inbox,
        clock: Clock,
        ids: Ids,
        crypto: EventCrypto,
        profiles: Mapping[str, Profile],
        lanes: Collection[str],
        bell: Bell,
        suspects: Suspects,
        *,
        max_events: int,
        max_age_seconds: float,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._crypto = crypto
        self._profiles = profiles
        self._lanes = frozenset(lanes)
        self._bell = bell
        self._suspects = suspects
        self._max_events = max_events
        self._max_age_seconds = max_age_seconds
        self._depth = 0
        self._overdue_seconds = 0.0
        self._looked_at: float | None = None
        self._unknown_keys = Alert(clock)

    def profile(self, name: str) -> Profile:
        """Whose door a path names.

        Raises:
            NotFoundError: No provider of this profile is configured.
        """
        profile = self._profiles.get(name)
        if profile is None:
            raise NotFoundError("There is no such door.")
        return profile

    async def receive(
        self,
        profile: Profile,
        body: bytes,
        interaction_id: str,
        *,
        address: str | None = None,
        provider: str | None = None,
    ) -> None:
        """Keep an event whose last byte has just come; when this returns it may be answered for.

        Args:
            profile: Whose door it came through.
            body: As it came.
            interaction_id: What it goes by in logs.
            address: Where it came from, if that is known.
            provider: Whose it is said to be; decides about nothing but its turn.

        Raises:
            RejectedEventError: It is not of the form; all rejected ones are to look alike to the sender.
            InboxFullError: It cannot be kept now.
            StorageError: The same.
        """
        received_at = self._clock.now()
        token = body.strip()
        self._check(token, profile, interaction_id)
        await self._require_room(address)
        item = InboxItem(
            id=self._ids.ordered(),
            profile=profile.name,
            body=token,
            received_at=received_at,
            interaction_id=interaction_id,
            lane=provider if provider in self._lanes else None,
        )
        self._depth += 1
        self._suspects.admitted(item.id, address)
        await self._store.admit(item)
        self._bell.ring()

    def _check(self, token: bytes, profile: Profile, interaction_id: str) -> None:
        try:
            check_event_header(token, profile.push, self._crypto.knows_key)
        except UndecryptableEventError as error:
            # The directory may be ahead of us: somebody should look whether one of our keys is missing here.
            if error.reason == "kid_unknown" and (times := self._unknown_keys.count()):
                _log.error(
                    "An encryption key that is not ours is used: %d event(s) since this was last said, at last %s: %s",
                    times,
                    interaction_id,
                    error,
                )
            raise

    async def _require_room(self, address: str | None) -> None:
        """Look at the inbox from time to time; in between, count what comes in."""
        now = self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= _DEPTH_IS_GOOD_FOR:
            self._looked_at = now
            self._depth, due_since = await self._store.inbox_depth()
            late = 0.0 if due_since is None else (self._clock.now() - due_since).total_seconds()
            self._overdue_seconds = max(0.0, late)
        if self._depth >= self._max_events or self._overdue_seconds > self._max_age_seconds:
            raise InboxFullError
        is_pressed = self._depth >= self._max_events * _PRESSED or self._overdue_seconds > _PRESSED_SECONDS
        if is_pressed and self._suspects.suspects(address):
            raise InboxFullError("The inbox falls behind, and nothing from this address was believed for long.")
