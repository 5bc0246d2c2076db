"""The same adapter in front of a holder whose messages have another shape altogether."""

import pytest

from tests.adapters.hub.conftest import World, make_provider, read
from tests.adapters.hub.scripted_hub import says, says_json
from tests.profiles.made_up import KIND, LIBRARY_CARDS, a_card
from tracker.domain.errors import ConsentApiContractError, ConsentApiUnavailableError, ConsentNotStagedError
from tracker.ports import Answer


async def ask(world: World) -> Answer:
    provider = make_provider(world.hub.issuer, profile=LIBRARY_CARDS, api_version="edition-3")
    holders = world.connect(provider)
    try:
        return await read(holders, provider, "R-17", KIND)
    finally:
        await holders.close()


async def test_question_goes_where_the_profile_says(world: World) -> None:
    world.hub.next["consent"].append(says_json(a_card("R-17")))
    answer = await ask(world)
    assert (answer.body, answer.token) == (a_card("R-17"), None)
    seen = world.hub.last("consent")
    assert seen.raw_path == "/rs/shelves/edition-3/cards/R-17"
    assert seen.headers["Accept"] == "application/json"
    assert world.hub.last("token").form["scope"] == "cards:look"


async def test_signed_answer_has_its_own_envelope(world: World) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(message=None, card=a_card("R-17")))
    answer = await ask(world)
    assert answer.body == a_card("R-17")
    assert answer.token is not None


async def test_envelope_of_another_ecosystem_is_not_opened(world: World) -> None:
    world.hub.next["consent"].append(world.hub.says_signed(message=a_card("R-17")))
    with pytest.raises(ConsentApiContractError, match="card_missing"):
        await ask(world)


async def test_refusals_mean_what_the_profile_says(world: World) -> None:
    world.hub.next["consent"].extend(
        [says_json("closed today", 400), says_json({"Errors": [{"Code": "Generic"}]}, 400)]
    )
    with pytest.raises(ConsentApiUnavailableError, match=r"\(closed\)"):
        await ask(world)
    with pytest.raises(ConsentNotStagedError):
        await ask(world)
    world.hub.next["consent"].append(says(404))
    with pytest.raises(ConsentNotStagedError):
        await ask(world)
