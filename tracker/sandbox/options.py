"""How a simulated hub behaves when nothing else is said."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from tracker.sandbox.clock import Now, utc_now
from tracker.sandbox.consent import ExpiryPolicy
from tracker.sandbox.dispatch import RETRY_DELAYS_SECONDS, Sleep
from tracker.sandbox.jwk import SigningKey

TOKEN_LIFETIME_SECONDS = 600
"""Spec: digest §4.1, typical `expires_in`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """How a hub behaves.

    Attributes:
        now: where its time comes from; must give aware instants.
        microseconds: write them, instead of whole seconds.
        token_lifetime_seconds: `expires_in` of access tokens.
        expiry: what happens when a time limit passes.
        retry_delays_seconds: waits after the first, second, … attempt that was not accepted.
        sleep: waits for delays; replaceable, so that tests need not wait.
        webhook_ssl: how webhook servers are trusted when they speak https.
        make_key: makes the signing key for a key id; replaceable, because making one takes a tenth of a second.
    """

    now: Now = utc_now
    microseconds: bool = False
    token_lifetime_seconds: int = TOKEN_LIFETIME_SECONDS
    expiry: ExpiryPolicy = field(default_factory=ExpiryPolicy)
    retry_delays_seconds: tuple[float, ...] = RETRY_DELAYS_SECONDS
    sleep: Sleep = asyncio.sleep
    webhook_ssl: ssl.SSLContext | None = None
    make_key: Callable[[str], SigningKey] = SigningKey
