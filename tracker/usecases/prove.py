"""Proof that a subscription's URL belongs to who asked for it: a random text is posted there, and must come back.

Until then nothing else is sent: otherwise whoever may subscribe could have our notifications, or our requests, sent to
somebody who never asked. The text is kept as a hash; who reads the database cannot prove anything by it.

Spec: CloudEvents HTTP 1.1 Web Hooks §4 has the reason (abuse protection); the form is that of a challenge and its echo.
"""

import asyncio
import hmac
import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Final

from tracker.domain import strict_json
from tracker.domain.errors import InvalidRequestError, SubscriptionNotFoundError
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.journal.instant import rfc3339
from tracker.ports import Clock, Delivery, Entropy, Ids, Sender, Store
from tracker.usecases.sparing import Sparing
from tracker.usecases.wake import Bell

TYPE: Final = "subscription.challenge"
"""No entry is of this type, and a challenge has no `sequence`: nobody can take it for one."""

ANSWERS_WITHIN_SECONDS: Final = 3.0
"""Whoever made a subscription waits no longer for what comes of its first challenge; that itself may take longer."""

_CHALLENGE_BYTES = 32
_log = logging.getLogger(__name__)


class Ownership:
    """Challenges the URLs of pending subscriptions, and takes the proof."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        clock: Clock,
        ids: Ids,
        entropy: Entropy,
        changed: Bell,
        sparing: Sparing | None = None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._ids = ids
        self._entropy = entropy
        self._changed = changed
        self._sparing = sparing or Sparing(clock)
        self._first: set[asyncio.Task[Subscription]] = set()

    async def challenge_first(
        self, pending: Subscription, within_seconds: float = ANSWERS_WITHIN_SECONDS
    ) -> Subscription:
        """Post a challenge to a URL that was just given, and say within a short time how it stands.

        Whoever made the subscription is shown its secret once, with the answer to that: so this neither takes long nor fails. A
        challenge that takes longer goes on by itself, and what comes of it is seen on the subscription.

        Args:
            pending: As it was stored.
            within_seconds: How long to wait at most.
        """
        first = asyncio.create_task(self.challenge(pending.id), name=f"challenge {pending.id}")
        self._first.add(first)
        first.add_done_callback(self._ended)
        await asyncio.wait({first}, timeout=within_seconds)
        is_answered = first.done() and not first.cancelled() and first.exception() is None
        return first.result() if is_answered else pending

    def _ended(self, first: "asyncio.Task[Subscription]") -> None:
        self._first.discard(first)
        if not first.cancelled() and (error := first.exception()) is not None:
            _log.warning("A first challenge came to nothing: %s", error)

    async def challenge(self, subscription_id: str) -> Subscription:
        """Post a new challenge to a pending subscription's URL; it is active from when the answer has it in it.

        Returns:
            The subscription as it is then; `last_error` says why it is still pending. One that is not pending is left alone.

        Raises:
            SubscriptionNotFoundError: There is none of this id.
            RateLimitedError: There were enough lately.
        """
        found = await self._store.get_subscription(subscription_id)
        if found is not None and found.state is SubscriptionState.PENDING:
            self._sparing.spend(subscription_id)
        text = urlsafe_b64encode(self._entropy.token(_CHALLENGE_BYTES)).rstrip(b"=").decode()
        asked = await self._alter(subscription_id, lambda before: replace(before, challenge=_hash(text)))
        if asked.state is not SubscriptionState.PENDING:
            return asked
        delivery = await self._post(asked, text)
        if delivery.delivered and _echoes(delivery.answer or b"", text):
            return await self._alter(
                subscription_id, lambda before: _active(before) if before.url == asked.url else before
            )
        why = delivery.error or "The endpoint answered without the challenge."

        def still_pending(before: Subscription) -> Subscription:
            return (
                replace(before, last_error=f"Its address is not proved. {why}") if before.url == asked.url else before
            )

        return await self._alter(subscription_id, still_pending)

    async def verify(self, subscription_id: str, text: str) -> Subscription:
        """Take the challenge that was posted last from whoever has read it there.

        Raises:
            InvalidRequestError: It is another.
            SubscriptionNotFoundError: There is none of this id.
        """

        def proved(before: Subscription) -> Subscription:
            if before.challenge is None or not hmac.compare_digest(before.challenge, _hash(text)):
                raise InvalidRequestError("This is not the challenge that was posted to its URL last.")
            return _active(before)

        return await self._alter(subscription_id, proved)

    async def _post(self, subscription: Subscription, text: str) -> Delivery:
        now, post_id = self._clock.now(), self._ids.ordered()
        told = {
            "specversion": "1.0",
            "id": post_id,
            "source": f"urn:uuid:{await self._store.journal_id()}",
            "type": TYPE,
            "subject": subscription.id,
            "time": rfc3339(now),
            "datacontenttype": "application/json",
            "data": {"subscription_id": subscription.id, "challenge": text},
        }
        return await self._sender.send(subscription, post_id, json.dumps(told).encode(), now)

    async def _alter(self, subscription_id: str, altered: Callable[[Subscription], Subscription]) -> Subscription:
        """Write what becomes of a pending one; if somebody else was quicker, what becomes of that."""
        while True:
            before = await self._store.get_subscription(subscription_id)
            if before is None:
                raise SubscriptionNotFoundError
            after = altered(before) if before.state is SubscriptionState.PENDING else before
            if after == before:
                return before
            if await self._store.change_subscription(after, before.version, is_anew=True):
                self._changed.ring()


def _active(pending: Subscription) -> Subscription:
    return replace(pending, state=SubscriptionState.ACTIVE, challenge=None, last_error=None)


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _echoes(answer: bytes, text: str) -> bool:
    """Whether an answer is the challenge, as text or as the member `challenge` of a JSON object."""
    if hmac.compare_digest(answer.strip(), text.encode()):
        return True
    try:
        value = strict_json.loads(answer)
    except strict_json.NotStrictJsonError:
        return False
    echo = value.get("challenge") if isinstance(value, dict) else None
    return isinstance(echo, str) and hmac.compare_digest(echo.encode("utf-8", "surrogatepass"), text.encode())
