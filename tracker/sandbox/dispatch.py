"""Send events: in order per subject, again when not accepted, and as wrongly as the faults say.

Events about one subject leave in the order in which they were made, each after the first attempt of the one before, so
that whatever arrives in another order does so because a fault wanted it. Real hubs promise no order at all. An attempt
that is not answered with 2xx is repeated a few times with the same bytes; how often real hubs do that is not published.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from uuid import uuid4

import aiohttp

from tracker.sandbox.clients import Client
from tracker.sandbox.clock import HubClock
from tracker.sandbox.faults import EventFault
from tracker.sandbox.keyring import Keyring
from tracker.sandbox.message import Message
from tracker.sandbox.recorder import Attempt, HubEvent, Outcome, Recorder
from tracker.sandbox.sealing import claims_of, seal

Sleep = Callable[[float], Awaitable[None]]

RETRY_DELAYS_SECONDS = (0.2, 1.0, 3.0)
ATTEMPT_TIMEOUT_SECONDS = 10


class Dispatcher:
    """Send the events of one hub, in the background of the running event loop."""

    def __init__(
        self,
        clock: HubClock,
        keyring: Keyring,
        recorder: Recorder,
        *,
        sleep: Sleep = asyncio.sleep,
        retry_delays_seconds: tuple[float, ...] = RETRY_DELAYS_SECONDS,
        webhook_ssl: ssl.SSLContext | None = None,
    ) -> None:
        """Wire the dispatcher.

        Args:
            clock: dates claims and attempts.
            keyring: signs.
            recorder: is told of every event.
            sleep: waits for delays and between attempts; replaceable, so that tests need not wait.
            retry_delays_seconds: waits after the first, second, … failed attempt; the last failure is final.
            webhook_ssl: how webhook servers are trusted when they speak https; the system's way unless given.
        """
        self._clock = clock
        self._keyring = keyring
        self._recorder = recorder
        self._sleep = sleep
        self._retry_delays_seconds = retry_delays_seconds
        self._webhook_ssl = webhook_ssl
        self._session: aiohttp.ClientSession | None = None
        self._made = 0
        self._held: list[HubEvent] = []
        self._turns: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, message: Message, client: Client, *, webhook_url: str, issuer: str, fault: EventFault) -> HubEvent:
        """Make an event now; it leaves in the background, unless its fault says otherwise."""
        claims = claims_of(message, fault, issuer=issuer, client_id=client.client_id, now=self._clock.epoch())
        copies = [seal(claims, fault, client, self._keyring) for _ in range(fault.copies)]
        self._made += 1
        event = HubEvent(
            number=self._made,
            client_id=client.client_id,
            webhook_url=webhook_url,
            message=message,
            claims=claims,
            fault=fault,
            interaction_id=str(uuid4()),
            signed=tuple(signed for signed, _ in copies),
            tokens=tuple(token for _, token in copies),
        )
        self._recorder.events.append(event)
        if fault.drop:
            event.outcome = Outcome.DROPPED
        elif fault.hold:
            event.outcome = Outcome.HELD
            self._held.append(event)
        else:
            self._start(event)
            self.release(message.subject)
        return event

    def release(self, subject: str | None = None) -> list[HubEvent]:
        """Let the held events about a subject go, or all of them; gives those that went."""
        released = [event for event in self._held if subject in (None, event.message.subject)]
        self._held = [event for event in self._held if event not in released]
        for event in released:
            event.outcome = Outcome.PENDING
            self._start(event)
        return released

    async def settle(self) -> None:
        """Wait until nothing is on its way any more; held events are not."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Give up what is on its way and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _start(self, event: HubEvent) -> None:
        subject = event.message.subject
        turn = asyncio.Event()
        before = None
        if not event.fault.delay_seconds:
            before, self._turns[subject] = self._turns.get(subject), turn
        task = asyncio.create_task(self._deliver(event, before, turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: HubEvent, before: asyncio.Event | None, turn: asyncio.Event) -> None:
        try:
            if before is not None:
                await before.wait()
            if event.fault.delay_seconds:
                await self._sleep(event.fault.delay_seconds)
            arrived = [await self._deliver_copy(event, copy, turn) for copy in range(1, event.fault.copies + 1)]
            event.outcome = Outcome.DELIVERED if all(arrived) else Outcome.FAILED
        finally:
            turn.set()
            if self._turns.get(event.message.subject) is turn:
                del self._turns[event.message.subject]

    async def _deliver_copy(self, event: HubEvent, copy: int, turn: asyncio.Event) -> bool:
        for delay in (*self._retry_delays_seconds, None):
            attempt = await self._post(event, copy)
            event.attempts.append(attempt)
            if attempt.succeeded:
                return True
            turn.set()  # the later events need not wait for the repetitions of this one
            if delay is not None:
                await self._sleep(delay)
        return False

    async def _post(self, event: HubEvent, copy: int) -> Attempt:
        headers = {"Content-Type": "application/jwe", "x-fapi-interaction-id": event.interaction_id}
        status, problem = None, None
        try:
            async with self._connections().post(
                event.webhook_url,
                data=event.tokens[copy - 1].encode("ascii"),
                headers=headers,
                allow_redirects=False,
                ssl=self._webhook_ssl or True,
            ) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        return Attempt(self._clock.now(), copy, status, problem)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ATTEMPT_TIMEOUT_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session
