"""Telling a subscriber by what its URL says: by webhook, or through the broker that the URL names."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime

from standardwebhooks.webhooks import EmptyWebhookSecretError

from tracker.adapters.sinks.broker import NOT_THERE, TOTAL_SECONDS, Sink
from tracker.adapters.sinks.message import message_of
from tracker.domain.broker_url import BrokerAddress, is_broker_url, target_of
from tracker.domain.errors import ConfigurationError, InvalidRequestError
from tracker.domain.subscription import Subscription
from tracker.ports import Delivery, Sender

_log = logging.getLogger(__name__)

Sign = Callable[[Subscription, str, bytes, datetime], Mapping[str, str]]
"""(subscription, entry id, body, now) to the headers that a webhook would have."""

_LONGEST_ERROR = 300


class SenderByScheme:
    """Implements `ports.Sender`."""

    def __init__(
        self,
        post: Sender,
        sinks: Mapping[BrokerAddress, Sink],
        sign: Sign,
        *,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """Take who tells.

        Args:
            post: By webhook.
            sinks: Through each broker that is configured.
            sign: Makes what a webhook would have as headers.
            total_seconds: How long a broker may take, with everything.
        """
        self._post = post
        self._sinks = sinks
        self._sign = sign
        self._total_seconds = total_seconds

    async def send(
        self, subscription: Subscription, entry_id: str, body: bytes, at: datetime, *, traceparent: str | None = None
    ) -> Delivery:
        """Sign and send one body; a failure is an answer, never an exception."""
        if subscription.locked is not None:  # what is stored would be taken for a secret, and sign
            return Delivery(status=None, error=subscription.locked)
        if not is_broker_url(subscription.url):
            return await self._post.send(subscription, entry_id, body, at, traceparent=traceparent)
        try:
            target = target_of(subscription.url)
            headers = dict(self._sign(subscription, entry_id, body, at))
            if traceparent is not None:
                headers["traceparent"] = traceparent
            message = message_of(entry_id, subscription.id, body, headers)
        except (InvalidRequestError, ValueError, EmptyWebhookSecretError) as error:
            return Delivery(status=None, error=f"The entry cannot be sent there: {error}"[:_LONGEST_ERROR])
        sink = self._sinks.get(target.address)
        if sink is None:
            return Delivery(status=NOT_THERE, error=f"The configuration has no [[broker]] {target.address} any more.")
        try:
            async with asyncio.timeout(self._total_seconds):
                return await sink.publish(target, message)
        except TimeoutError:
            return Delivery(status=None, error="The broker did not answer in time.")
        except (OSError, ConfigurationError) as error:
            _log.debug("Publishing for subscription %s failed", subscription.id, exc_info=True)
            return Delivery(status=None, error=f"The broker could not be reached: {reason(error)}."[:_LONGEST_ERROR])


def reason(error: Exception) -> str:
    """What went wrong on the way to a broker, for people."""
    match error:
        case TimeoutError():
            return "it did not answer in time"
        case ssl.SSLCertVerificationError():
            return "its certificate is not trusted"
        case ssl.SSLError():
            return "no secure connection could be made"
        case socket.gaierror():
            return "its name cannot be resolved"
        case OSError(errno=errno.EACCES, strerror=str(text)):
            return text
        case OSError(strerror=str(text)) if text:
            return text
        case _:
            return str(error).rstrip(".") or type(error).__name__
