"""Events made before they are sent, in processes of their own: making one costs about as much CPU as opening it.

Each is about its consent's next move, at an instant that no other has, so that it is told apart in the database and at the sink.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

from tests import tokens
from tests.e2e.service import an_event

_START = datetime(2026, 3, 2, 6, tzinfo=UTC)
_TOGETHER = 200

Key = tuple[str, datetime]
"""What makes an event unlike all others: its consent and its instant."""


@dataclass(frozen=True, slots=True)
class Event:
    """One to be sent."""

    key: Key
    body: bytes


class Premade:
    """Makes the next events about so many consents, each in its turn."""

    def __init__(self, pool: ProcessPoolExecutor, *, consents: int, size: int) -> None:
        """Begin with the first.

        Args:
            pool: Where they are made; it has the keys.
            consents: How many there are, `c0` and so on.
            size: Of the claims, in bytes.
        """
        self._pool = pool
        self.consents = consents
        self._size = size
        self._next = 0

    def make(self, issuer_url: str, count: int) -> list[Event]:
        """The next ones; they are valid for ten minutes. Blocks until they are made."""
        numbers = range(self._next, self._next + count)
        self._next += count
        parts = [numbers[n : n + _TOGETHER] for n in range(0, count, _TOGETHER)]
        made = [self._pool.submit(_made, issuer_url, part, self.consents, self._size) for part in parts]
        return [event for part in made for event in part.result()]


@contextmanager
def makers(processes: int = 2) -> Iterator[ProcessPoolExecutor]:
    """Processes that make events; they have this one's keys, and are begun before it has threads."""
    for name in ("ours", "hub"):
        tokens.rsa_key(name)
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        for _ in pool.map(time.sleep, [0.05] * processes):
            pass
        yield pool


def _made(issuer_url: str, numbers: range, consents: int, size: int) -> list[Event]:
    now = time.time()
    made = []
    for n in numbers:
        consent, at = f"c{n % consents}", _START + timedelta(seconds=n)
        status = ("Authorized", "Suspended")[n // consents % 2]
        made.append(Event((consent, at), an_event(issuer_url, consent, status, at.isoformat(), now, size=size)))
    return made
