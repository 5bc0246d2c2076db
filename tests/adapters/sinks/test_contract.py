"""What holds wherever entries are told: by webhook, through NATS, RabbitMQ or Kafka."""

import asyncio
import json

import pytest
from standardwebhooks import Webhook

from tests.adapters.sinks.bench import SECRET, Place, a_teller, at, event
from tests.adapters.sinks.nats_server import MOST_BYTES
from tracker.ports import Delivery

PREFIXES = {"nats": "ce-", "amqp": "cloudEvents:", "kafka": "ce_"}
KEYS = [f"0198f1c1-0000-7000-8000-00000000000{n}" for n in range(4)]


async def test_an_entry_is_told_byte_for_byte_with_what_proves_it(place: Place, name: str) -> None:
    url = await place.make(name)
    body = event("e1", KEYS[1])
    async with a_teller(place) as teller:
        assert (await teller.tell(url, "e1", body, traceparent="00-1-2-01")).delivered
    [heard] = await place.heard(name)
    assert (heard.id, heard.key, heard.body) == ("e1", KEYS[1], body)
    headers = dict(heard.headers)
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["traceparent"] == "00-1-2-01"
    signed = {key: headers[key] for key in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    assert signed["webhook-id"] == "e1"
    assert Webhook(SECRET).sign("e1", _instant(signed), body.decode()) == signed["webhook-signature"]
    if place.scheme in PREFIXES:
        beside = {key.partition(PREFIXES[place.scheme])[2]: value for key, value in headers.items()}
        told = json.loads(body)
        for attribute in ("specversion", "id", "source", "type", "subject", "time", "sequence"):
            assert beside[attribute] == told[attribute]
        assert not {"data", "datacontenttype"} & beside.keys()


def _instant(signed: dict[str, str]):
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(signed["webhook-timestamp"]), UTC)


async def test_many_are_under_way_at_once_and_each_consent_keeps_its_order(place: Place, name: str) -> None:
    url = await place.make(name)
    async with a_teller(place) as teller:

        async def one_consent(key: str) -> None:
            for number in range(25):
                assert (await teller.tell(url, f"{key}-{number}", event(f"{key}-{number}", key))).delivered

        await asyncio.gather(*(one_consent(key) for key in KEYS))
    heard = await place.heard(name)
    assert len(heard) == 100
    for key in KEYS:
        assert [one.id for one in heard if one.key == key] == [f"{key}-{number}" for number in range(25)]


async def test_a_place_that_goes_away_is_waited_for_and_nothing_is_lost(place: Place, name: str) -> None:
    url = await place.make(name)
    async with a_teller(place, total_seconds=3) as teller:
        assert (await teller.tell(url, "e1")).delivered
        await at(place, "down")
        for _ in range(2):
            delivery = await teller.tell(url, "e2")
            assert (delivery.delivered, delivery.status) == (False, None)
            assert delivery.error is not None
        await at(place, "up")
        await teller.tell_until_taken(url, "e2")
        await teller.tell_until_taken(url, "e3")
    assert list(dict.fromkeys(one.id for one in await place.heard(name))) == ["e1", "e2", "e3"]


async def test_what_was_told_when_it_is_killed_is_there_when_it_is_back(place: Place, name: str) -> None:
    """Told means kept: whatever is under way at the kill is either there afterwards, or was not told."""
    url = await place.make(name)
    async with a_teller(place, total_seconds=3) as teller:
        ids = [f"e{n}" for n in range(60)]
        tasks = [asyncio.create_task(teller.tell(url, one, event(one, KEYS[n % 4]))) for n, one in enumerate(ids)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await at(place, "down")
        answers = await asyncio.gather(*tasks)
        await at(place, "up")
        told = {one for one, answer in zip(ids, answers, strict=True) if answer.delivered}
        assert told
        for one in (one for one in ids if one not in told):
            await teller.tell_until_taken(url, one)
    assert {one.id for one in await place.heard(name)} == set(ids)


async def test_a_place_that_is_not_there_is_a_fault_of_the_endpoint_until_it_is_made(place: Place, name: str) -> None:
    url = place.missing(name)
    async with a_teller(place) as teller:
        for _ in range(2):
            delivery = await teller.tell(url, "e1")
            assert (delivery.delivered, delivery.status) == (False, 404)
            assert delivery.error is not None
        if place.scheme == "kafka":
            place.found(name)  # type: ignore[attr-defined]
        assert await place.make(name) == url
        await teller.tell_until_taken(url, "e1")
    assert [one.id for one in await place.heard(name)] == ["e1"]


async def test_an_entry_that_is_too_large_is_refused_alone(place: Place, name: str) -> None:
    url = await place.make(name)
    most = 2 * 10**6 if place.scheme == "kafka" else MOST_BYTES
    async with a_teller(place) as teller:
        assert (await teller.tell(url, "e0")).delivered
        answers = await asyncio.gather(
            *(teller.tell(url, f"e{n}") for n in range(1, 5)),
            teller.tell(url, "large", event("large", text="x" * most)),
            *(teller.tell(url, f"e{n}") for n in range(5, 9)),
        )
        assert [answer.status for answer in answers if not answer.delivered] == [413]
        assert (await teller.tell(url, "e9")).delivered
    assert {one.id for one in await place.heard(name)} == {f"e{n}" for n in range(10)}


async def test_two_subscriptions_are_told_side_by_side_and_a_broken_one_does_not_disturb(
    place: Place, name: str
) -> None:
    first, second, broken = await place.make(name), await place.make(f"{name}-2"), place.missing(f"{name}-3")
    async with a_teller(place) as teller:
        told: list[Delivery] = []
        for number in range(10):
            one, two, three = await asyncio.gather(
                teller.tell(first, f"e{number}", to="one"),
                teller.tell(second, f"e{number}", to="two"),
                teller.tell(broken, f"e{number}", to="three"),
            )
            told += [one, two]
            assert not three.delivered
        assert all(one.delivered for one in told)
    ids = [f"e{number}" for number in range(10)]
    assert [one.id for one in await place.heard(name)] == ids
    assert [one.id for one in await place.heard(f"{name}-2")] == ids


@pytest.mark.parametrize("is_silent", [False, True], ids=["there", "silent"])
async def test_leaving_does_not_hang(place: Place, name: str, is_silent: bool) -> None:
    url = await place.make(name)
    try:
        async with a_teller(place) as teller, asyncio.timeout(15):
            assert (await teller.tell(url, "e1")).delivered
            if is_silent:
                await at(place, "freeze")
            under_way = [asyncio.create_task(teller.tell(url, f"e{n}")) for n in range(2, 20)]
            await asyncio.sleep(0)
            if not is_silent:
                await asyncio.wait(under_way)
            for task in under_way:
                task.cancel()
            await asyncio.wait(under_way)
            await teller.close()
            if place.scheme != "http":
                assert not (await teller.tell(url, "e20")).delivered
    finally:
        if is_silent:
            await at(place, "thaw")


async def test_a_place_that_says_nothing_is_given_up_in_time(place: Place, name: str) -> None:
    url = await place.make(name)
    async with a_teller(place, total_seconds=3) as teller:
        assert (await teller.tell(url, "e1")).delivered
        await at(place, "freeze")
        try:
            async with asyncio.timeout(5):
                delivery = await teller.tell(url, "e2")
        finally:
            await at(place, "thaw")
        assert (delivery.delivered, delivery.status) == (False, None)
        await teller.tell_until_taken(url, "e2")
    assert list(dict.fromkeys(one.id for one in await place.heard(name))) == ["e1", "e2"]


async def test_a_send_that_is_cut_short_disturbs_no_other(place: Place, name: str) -> None:
    url = await place.make(name)
    async with a_teller(place) as teller:
        assert (await teller.tell(url, "e0")).delivered
        for number in range(1, 20):
            cut = asyncio.create_task(teller.tell(url, f"cut{number}"))
            kept = asyncio.create_task(teller.tell(url, f"e{number}"))
            await asyncio.sleep(0.001 * (number % 4))
            cut.cancel()
            assert (await kept).delivered
            await asyncio.wait({cut})
    assert {f"e{number}" for number in range(20)} <= {one.id for one in await place.heard(name)}


async def test_nothing_is_connected_to_that_is_not_allowed(place: Place, name: str) -> None:
    if place.scheme == "http":
        pytest.skip("webhooks have a guard and tests of their own")
    url = await place.make(name)
    async with a_teller(place, networks=()) as teller:
        delivery = await teller.tell(url, "e1")
    assert delivery.status is None
    assert delivery.error is not None
    assert "networks" in delivery.error
    assert await place.heard(name) == []
