"""Nothing is sent to a URL but a challenge, until somebody there has answered it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook

from tests.usecases.telling import Telling, telling
from tracker.adapters.clock import SystemEntropy, SystemIds
from tracker.domain.errors import InvalidRequestError, RateLimitedError, StorageError, SubscriptionNotFoundError
from tracker.domain.subscription import Subscription, SubscriptionState
from tracker.ports import Sender, Store
from tracker.usecases.prove import Ownership
from tracker.usecases.sparing import MOST, WITHIN_SECONDS
from tracker.usecases.subscribe import SubscriptionChanges, SubscriptionRequest, Subscriptions

PENDING, ACTIVE = SubscriptionState.PENDING, SubscriptionState.ACTIVE


@dataclass
class Receiver:
    """Answers challenges as told, takes everything else, and remembers."""

    url: str = ""
    echo: Any = lambda text: text
    status: int = 200
    challenges: list[str] = field(default_factory=list)
    raw: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        event = json.loads(body)
        if event["type"] != "subscription.challenge":
            self.told.append(int(event["sequence"]))
            return web.Response(status=204)
        assert "sequence" not in event
        self.raw.append((body, dict(request.headers)))
        self.challenges.append(event["data"]["challenge"])
        return web.Response(text=self.echo(self.challenges[-1]), status=self.status, headers={"Location": "/"})


@pytest.fixture
async def world(database: Path) -> AsyncIterator[Telling]:
    async with telling(database) as world:
        yield world


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found, app = Receiver(), web.Application()
    app.router.add_post("/{tail:.*}", found.handle)
    async with TestServer(app) as server:
        found.url = str(server.make_url("/hook"))
        yield found


@pytest.fixture
def subscriptions(world: Telling) -> Subscriptions:
    return Subscriptions(
        store=cast("Store", world.store),
        clock=world.clock,
        ids=SystemIds(),
        entropy=SystemEntropy(),
        check_url=lambda _: None,
        changed=world.changed,
        needs_proof=lambda url: "vouched" not in url,
    )


@pytest.fixture
def ownership(world: Telling) -> Ownership:
    return Ownership(cast("Store", world.store), world.sender, world.clock, SystemIds(), SystemEntropy(), world.changed)


async def made(subscriptions: Subscriptions, url: str, **more: Any) -> Subscription:
    return await subscriptions.add(SubscriptionRequest(url=url, **more))


async def tell(world: Telling, one: Subscription) -> None:
    await world.notifier.run_once(one.id)


def at_any(_: int) -> None:
    """At any version."""


async def test_a_pending_one_is_told_nothing_and_keeps_its_place(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    await world.append(1, 1)
    one = await made(subscriptions, receiver.url, from_sequence=2)
    await world.append(1)
    assert (one.state, one.cursor, one.is_told) == (PENDING, 1, False)
    await tell(world, one)
    assert (receiver.told, receiver.challenges) == ([], [])
    assert (await ownership.challenge(one.id)).state is ACTIVE
    await tell(world, one)
    assert receiver.told == [2, 3]


@pytest.mark.parametrize(
    "echo",
    [str, lambda text: f" {text}\r\n", lambda text: json.dumps({"challenge": text, "x": 1})],
    ids=["text", "blanks around", "JSON"],
)
async def test_an_answer_with_the_challenge_proves_it(
    subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership, echo: Any
) -> None:
    receiver.echo = echo
    one = await made(subscriptions, receiver.url)
    proved = await ownership.challenge(one.id)
    assert (proved.state, proved.challenge, proved.last_error) == (ACTIVE, None, None)
    ((body, headers),) = receiver.raw
    event = json.loads(body)
    assert (event["type"], event["subject"]) == ("subscription.challenge", one.id)
    assert len(event["data"]["challenge"]) == 43
    signed = Webhook(one.secret).sign(headers["webhook-id"], _time(headers), body.decode())
    assert headers["webhook-signature"] == signed


def _time(headers: dict[str, str]) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)


@pytest.mark.parametrize(
    ("echo", "status", "words"),
    [
        (lambda _: "", 204, "without the challenge"),
        (lambda text: text[:-1], 200, "without the challenge"),
        (lambda text: f"<p>{text}</p>", 200, "without the challenge"),
        (lambda text: json.dumps([text]), 200, "without the challenge"),
        (lambda text: json.dumps({"challenge": [text]}), 200, "without the challenge"),
        (lambda text: " " * 2_000 + text, 200, "without the challenge"),
        (str, 404, "answered 404"),
        (str, 302, "answered 302"),
        (str, 410, "answered 410"),
    ],
    ids=["empty", "cut off", "in HTML", "in a list", "no text", "after too much", "404", "redirect", "410"],
)
async def test_any_other_answer_proves_nothing(
    subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership, echo: Any, status: int, words: str
) -> None:
    receiver.echo, receiver.status = echo, status
    one = await made(subscriptions, receiver.url)
    still = await ownership.challenge(one.id)
    assert (still.state, words in str(still.last_error), still.failures) == (PENDING, True, 0)
    receiver.echo, receiver.status = str, 200
    assert (await ownership.challenge(one.id)).state is ACTIVE
    assert len(set(receiver.challenges)) == 2


async def test_whoever_has_read_it_proves_it_by_hand(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    receiver.echo = lambda _: ""
    one = await made(subscriptions, receiver.url)
    with pytest.raises(InvalidRequestError, match="not the challenge"):
        await ownership.verify(one.id, "anything")
    for _ in range(2):
        await ownership.challenge(one.id)
    kept = await subscriptions.get(one.id)
    assert kept.challenge not in {None, *receiver.challenges}  # a hash
    for wrong in (receiver.challenges[0], kept.challenge or "", "\udc80"):
        with pytest.raises(InvalidRequestError):
            await ownership.verify(one.id, wrong)
    proved = await ownership.verify(one.id, receiver.challenges[1])
    assert (proved.state, proved.last_error) == (ACTIVE, None)
    assert await ownership.verify(one.id, "anything") == proved == await ownership.challenge(one.id)
    assert len(receiver.challenges) == 2


async def test_another_url_must_be_proved_anew_and_nothing_gets_around_that(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    one = await made(subscriptions, receiver.url)
    await ownership.challenge(one.id)
    moved = await subscriptions.change(one.id, SubscriptionChanges(url=receiver.url + "/other"), at_any)
    assert (moved.state, moved.challenge) == (PENDING, None)
    await subscriptions.pause(one.id, at_any)
    resumed = await subscriptions.resume(one.id, at_any)
    assert (resumed.state, resumed.paused_at) == (PENDING, None)
    with pytest.raises(InvalidRequestError):  # what was posted to the URL before
        await ownership.verify(one.id, receiver.challenges[0])
    await world.append(1)
    await tell(world, one)
    assert receiver.told == []
    vouched = await subscriptions.change(one.id, SubscriptionChanges(url=receiver.url + "/vouched"), at_any)
    assert vouched.state is ACTIVE


async def test_an_echo_of_the_url_before_does_not_prove_the_new_one(
    subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership, world: Telling
) -> None:
    one = await made(subscriptions, receiver.url)
    answer = receiver.handle

    async def move_meanwhile(request: web.Request) -> web.Response:
        said = await answer(request)
        await subscriptions.change(one.id, SubscriptionChanges(url="https://elsewhere.example/"), at_any)
        return said

    app = web.Application()
    app.router.add_post("/hook", move_meanwhile)
    async with TestServer(app) as server:
        await subscriptions.change(one.id, SubscriptionChanges(url=str(server.make_url("/hook"))), at_any)
        found = await ownership.challenge(one.id)
    assert (found.state, found.url, found.last_error) == (PENDING, "https://elsewhere.example/", None)


async def test_there_is_none(ownership: Ownership) -> None:
    with pytest.raises(SubscriptionNotFoundError):
        await ownership.challenge("none")
    with pytest.raises(SubscriptionNotFoundError):
        await ownership.verify("none", "x")


async def test_a_pending_one_has_no_loop_and_gets_one_with_the_proof(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    one = await made(subscriptions, receiver.url)
    await world.notifier._look_after_loops()
    assert world.notifier._loops == {}
    await ownership.challenge(one.id)
    await world.notifier._look_after_loops()
    assert set(world.notifier._loops) == {one.id}
    for loop in world.notifier._loops.values():
        loop.cancel()


async def test_nobody_can_be_flooded_with_challenges(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    receiver.echo = lambda _: ""
    one, other = await made(subscriptions, receiver.url), await made(subscriptions, receiver.url)
    for _ in range(MOST):
        await ownership.challenge(one.id)
    with pytest.raises(RateLimitedError) as caught:
        await ownership.challenge(one.id)
    assert caught.value.retry_after_seconds == WITHIN_SECONDS
    assert len(receiver.challenges) == MOST
    assert (await ownership.challenge_first(one)).state is PENDING  # given another URL, it is not posted to either
    assert len(receiver.challenges) == MOST
    await ownership.challenge(other.id)
    world.clock.advance(WITHIN_SECONDS)
    await ownership.challenge(one.id)
    assert len(receiver.challenges) == MOST + 2


async def test_a_database_that_goes_away_during_the_first_challenge_takes_no_secret_with_it(
    world: Telling, subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership, caplog: Any
) -> None:
    """Whoever subscribed got an error, and never the secret, which is shown once."""
    one = await made(subscriptions, receiver.url)

    def fail(name: str) -> None:
        if name == "change_subscription":
            raise StorageError

    world.store.on_call = fail
    assert await ownership.challenge_first(one) == one
    assert "came to nothing" in caplog.text
    world.store.on_call = lambda _: None
    assert (await ownership.challenge(one.id)).state is ACTIVE


async def test_who_subscribes_does_not_wait_for_a_slow_endpoint_whose_answer_counts_all_the_same(
    subscriptions: Subscriptions, receiver: Receiver, ownership: Ownership
) -> None:
    one, gate = await made(subscriptions, receiver.url), asyncio.Event()
    sender = ownership._sender

    class Slow:
        async def send(self, *args: Any) -> Any:
            await gate.wait()
            return await sender.send(*args)

    ownership._sender = cast("Sender", Slow())
    assert await ownership.challenge_first(one, 0.01) == one
    gate.set()
    async with asyncio.timeout(10):
        while (await subscriptions.get(one.id)).state is PENDING:
            await asyncio.sleep(0.01)
