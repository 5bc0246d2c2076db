import asyncio
import threading
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.adapters.hub.conftest import World
from tests.adapters.hub.scripted_hub import says, says_json
from tracker.domain.errors import ConsentApiContractError, ConsentApiUnavailableError, KeysUnavailableError


def kids_found(world: World, *kids: str) -> set[str]:
    return {kid for kid in kids if world.holders.find(world.provider, kid) is not None}


async def fetch(world: World) -> None:
    world.holders.find(world.provider, "hub-1")
    await world.holders.refresh(world.provider)


async def test_key_is_found_after_it_was_fetched(world: World) -> None:
    assert world.holders.find(world.provider, "hub-1") is None
    await world.holders.refresh(world.provider)
    key = world.holders.find(world.provider, "hub-1")
    assert key is not None
    assert key.kid == "hub-1"
    assert key.jwks_uri == world.hub.issuer + "/application.jwks"
    assert key.jwk_thumbprint == world.hub.key.thumbprint()


async def test_key_can_be_looked_up_from_any_thread(world: World) -> None:
    await fetch(world)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(world.holders.find(world.provider, "hub-1"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [key.kid for key in found] == ["hub-1"] * 4


async def test_refresh_does_nothing_while_nothing_is_missing(world: World) -> None:
    await fetch(world)
    world.advance(60)
    assert kids_found(world, "hub-1")
    await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 1


async def test_many_callers_share_one_request(world: World) -> None:
    gate = world.hub.hold("jwks")
    callers = [asyncio.create_task(world.holders.refresh(world.provider)) for _ in range(100)]
    await world.hub.asked("jwks")
    gate.set()
    await asyncio.gather(*callers)
    assert world.hub.count("jwks") == 1


async def test_cancelled_caller_leaves_the_request_to_the_others(world: World) -> None:
    gate = world.hub.hold("jwks")
    first = asyncio.create_task(world.holders.refresh(world.provider))
    second = asyncio.create_task(world.holders.refresh(world.provider))
    await world.hub.asked("jwks")
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    await second
    assert first.cancelled()
    assert kids_found(world, "hub-1")
    assert world.hub.count("jwks") == 1


@pytest.mark.parametrize(
    ("cache_control", "seconds"), [("max-age=10", 60), ("max-age=300", 300), ("max-age=9000", 3_600), ("", 900)]
)
async def test_keys_are_kept_as_long_as_the_holder_says_within_bounds(
    world: World, cache_control: str, seconds: float
) -> None:
    world.hub.jwks_headers = {"Cache-Control": cache_control}
    await fetch(world)
    world.advance(seconds - 1)
    assert kids_found(world, "hub-1")
    world.advance(1)
    assert not kids_found(world, "hub-1")
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1")
    assert world.hub.count("jwks") == 2


async def test_age_of_keys_counts_from_asking(world: World) -> None:
    """A slow answer must not make withdrawn keys live longer."""
    gate = world.hub.hold("jwks")
    caller = asyncio.create_task(world.holders.refresh(world.provider))
    await world.hub.asked("jwks")
    world.advance(100)
    gate.set()
    await caller
    world.advance(799)
    assert kids_found(world, "hub-1")
    world.advance(1)
    assert not kids_found(world, "hub-1")


async def test_unknown_key_is_asked_for_at_most_once_in_30_seconds(world: World) -> None:
    await fetch(world)
    for n in range(50):
        assert not kids_found(world, f"unknown-{n}")
        await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 1
    world.advance(29)
    await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 1
    world.advance(1)
    await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 2


async def test_new_key_is_found_when_it_is_missed(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    await fetch(world)
    world.hub.published = [rsa_keys["first"], rsa_keys["second"]]
    world.advance(30)
    assert not kids_found(world, "hub-2")
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1", "hub-2") == {"hub-1", "hub-2"}


async def test_whoever_misses_a_key_waits_for_the_request_that_is_under_way(
    world: World, rsa_keys: dict[str, RSAKey]
) -> None:
    await fetch(world)
    world.hub.published = [rsa_keys["second"]]
    world.advance(30)
    assert not kids_found(world, "hub-2")
    gate = world.hub.hold("jwks")
    first = asyncio.create_task(world.holders.refresh(world.provider))
    await world.hub.asked("jwks", 2)
    second = asyncio.create_task(world.holders.refresh(world.provider))
    gate.set()
    await second
    assert kids_found(world, "hub-2")
    await first
    assert world.hub.count("jwks") == 2


async def test_keys_that_do_not_come_in_time(world: World) -> None:
    holders = world.connect(world.provider, timeout_seconds=0.5)
    world.hub.hold("jwks")
    with pytest.raises(KeysUnavailableError, match="in time"):
        await holders.refresh(world.provider)
    await holders.close()


async def test_withdrawn_key_is_gone_after_the_next_fetch(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    await fetch(world)
    world.hub.published = [rsa_keys["second"]]
    world.advance(900)
    assert not kids_found(world, "hub-1")
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1", "hub-2") == {"hub-2"}


async def test_unchanged_keys_are_not_sent_again(world: World) -> None:
    await fetch(world)
    assert "If-None-Match" not in world.hub.last("jwks").headers
    world.advance(900)
    await world.holders.refresh(world.provider)
    assert world.hub.last("jwks").headers["If-None-Match"] == '"hub-1"'
    world.advance(899)
    assert kids_found(world, "hub-1")


async def test_tag_is_not_used_at_another_address(world: World) -> None:
    await fetch(world)
    world.hub.discovery_changes = {"jwks_uri": world.hub.issuer + "/moved/application.jwks"}
    world.advance(900)
    await world.holders.refresh(world.provider)
    assert world.hub.last("jwks").raw_path == "/moved/application.jwks"
    assert "If-None-Match" not in world.hub.last("jwks").headers
    key = world.holders.find(world.provider, "hub-1")
    assert key is not None
    assert key.jwks_uri.endswith("/moved/application.jwks")


async def test_not_modified_without_having_asked_for_it_is_no_answer(world: World) -> None:
    world.hub.next["jwks"].append(says(304))
    with pytest.raises(KeysUnavailableError):
        await fetch(world)


FAILURES = {
    "503": says(503),
    "404": says(404),
    "redirect": says(302, Location="/x"),
    "a page": says(200, "<html>", "text/html"),
    "a list": says_json([]),
    "no list of keys": says_json({"keys": {}}),
    "too large": says_json({"keys": [], "padding": "x" * 256 * 1024}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_old_keys_serve_for_a_day_when_new_ones_cannot_be_fetched(world: World, failure: Any) -> None:
    await fetch(world)
    world.hub.always["jwks"] = failure
    world.advance(86_399)
    assert not kids_found(world, "hub-1")
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1")
    assert world.hub.count("jwks") == 2
    world.advance(1)
    assert not kids_found(world, "hub-1")
    world.advance(5)
    with pytest.raises(KeysUnavailableError):
        await world.holders.refresh(world.provider)


async def test_old_keys_do_not_hide_that_a_missing_one_could_not_be_looked_for(world: World) -> None:
    """An event signed with a new key must wait while the keys are away, and not be taken for a forgery."""
    await fetch(world)
    world.hub.always["jwks"] = says(503)
    world.advance(900)
    assert not kids_found(world, "hub-2")
    with pytest.raises(KeysUnavailableError):
        await world.holders.refresh(world.provider)
    with pytest.raises(KeysUnavailableError):
        await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 2
    assert kids_found(world, "hub-1")
    world.advance(30)
    del world.hub.always["jwks"]
    await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 3


async def test_old_keys_are_asked_for_again_while_they_serve(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    await fetch(world)
    world.hub.always["jwks"] = says(503)
    world.advance(900)
    await world.holders.refresh(world.provider)
    world.hub.always.clear()
    world.hub.published = [rsa_keys["second"]]
    world.advance(300)
    assert not kids_found(world, "hub-1")
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1", "hub-2") == {"hub-2"}


async def test_first_keys_that_cannot_be_had_are_asked_for_again_after_5_seconds(world: World) -> None:
    world.hub.next["jwks"].append(says(503))
    for _ in range(3):
        with pytest.raises(KeysUnavailableError):
            await world.holders.refresh(world.provider)
    assert world.hub.count("jwks") == 1
    world.advance(5)
    await world.holders.refresh(world.provider)
    assert kids_found(world, "hub-1")


async def test_holder_that_withdraws_all_keys_is_believed(world: World) -> None:
    await fetch(world)
    world.hub.always["jwks"] = says_json({"keys": []})
    world.advance(900)
    with pytest.raises(KeysUnavailableError, match="no key"):
        await world.holders.refresh(world.provider)
    assert not kids_found(world, "hub-1")


async def test_keys_are_unavailable_without_a_discovery_document(world: World) -> None:
    world.hub.always["discovery"] = says(503)
    with pytest.raises(KeysUnavailableError) as caught:
        await world.holders.refresh(world.provider)
    assert isinstance(caught.value.__cause__, ConsentApiUnavailableError)


async def test_clock_that_is_set_back_does_not_make_keys_live_longer(world: World) -> None:
    await fetch(world)
    start = world.clock.now()
    world.advance(900)
    world.clock.set(start)
    assert not kids_found(world, "hub-1")


async def test_answer_signed_with_a_new_key_makes_us_look_for_it_once(
    world: World, rsa_keys: dict[str, RSAKey]
) -> None:
    await world.read()
    world.hub.published = [rsa_keys["second"]]
    world.hub.key = rsa_keys["second"]
    world.advance(30)
    answer = await world.read()
    assert answer.token is not None
    assert answer.token.kid == "hub-2"
    assert world.hub.count("jwks") == 2


async def test_answer_signed_with_a_withdrawn_key_is_not_believed(world: World, rsa_keys: dict[str, RSAKey]) -> None:
    await world.read()
    world.hub.published = [rsa_keys["second"]]
    world.advance(900)
    with pytest.raises(ConsentApiContractError, match="does not publish"):
        await world.read()


async def test_answer_whose_key_could_not_be_looked_for_yet_is_asked_for_again(
    world: World, rsa_keys: dict[str, RSAKey]
) -> None:
    await world.read()
    world.advance(10)
    world.hub.key = rsa_keys["second"]
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert isinstance(caught.value.__cause__, KeysUnavailableError)
    assert world.hub.count("jwks") == 1


async def test_answer_that_cannot_be_verified_because_the_keys_are_away(world: World) -> None:
    world.hub.always["jwks"] = says(500)
    with pytest.raises(ConsentApiUnavailableError) as caught:
        await world.read()
    assert isinstance(caught.value.__cause__, KeysUnavailableError)
