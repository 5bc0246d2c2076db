"""Keys that rotate mid-run, the holder's and ours, and tokens that are revoked, over real HTTP: no event is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests import tokens
from tests.e2e.test_revoke import Street, open_street
from tests.web.site import write_keys
from tracker.app import World, build, public_keys
from tracker.sandbox import ApiFault

FETCHED_AGAIN_SECONDS = 31


@pytest_asyncio.fixture
async def street(database: Path, tmp_path: Path) -> AsyncIterator[Street]:
    async with open_street(f"sqlite:///{database}", write_keys(tmp_path)) as made:
        yield made


def fetches(street: Street) -> int:
    return len(street.hub.recorder.requests_to("jwks"))


async def moved(street: Street, status: str) -> None:
    street.clock.advance(2)
    street.hub.move("c-1", status)
    await street.hear()


async def is_shown(street: Street, status: str) -> bool:
    seen = await street.consent("c-1")
    return (seen["effective_status"], seen["usable"]) == (status, status == "Authorized")


async def asked(street: Street) -> None:
    await street.trackers[0].services.asker.ask_now((await street.consent("c-1"))["tracking_id"])


async def aside(street: Street) -> list[str]:
    return [one.reason for one in await street.trackers[0].store.quarantined(100)]


# ------------------------------------------------------------------------------------------ the holder's keys


async def test_a_new_key_is_fetched_when_an_event_names_it(street: Street) -> None:
    await street.authorized("c-1")
    assert fetches(street) == 1
    street.hub.keyring.rotate()
    street.clock.advance(FETCHED_AGAIN_SECONDS)
    await moved(street, "Suspended")
    assert (await is_shown(street, "Suspended"), fetches(street)) == (True, 2)
    await moved(street, "Authorized")
    assert (await is_shown(street, "Authorized"), fetches(street), await aside(street)) == (True, 2, [])


async def test_events_wait_for_a_key_while_the_holder_may_not_be_asked_again_yet(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.keyring.rotate(keep_old=False)
    await moved(street, "Suspended")
    await moved(street, "Revoked")
    assert (await is_shown(street, "Authorized"), fetches(street)) == (True, 1)
    street.clock.advance(FETCHED_AGAIN_SECONDS)
    await street.hear()
    assert (await is_shown(street, "Revoked"), fetches(street), await aside(street)) == (True, 2, [])
    assert (await street.told()).count("status_changed") == 3


async def test_events_wait_for_a_key_while_the_holders_keys_cannot_be_had(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.keyring.rotate()
    street.hub.faults.break_api(ApiFault(endpoint="jwks", status=503))
    street.clock.advance(FETCHED_AGAIN_SECONDS)
    await moved(street, "Suspended")
    for _ in range(6):
        street.clock.advance(600)
        await street.hear()
    assert (await is_shown(street, "Authorized"), await aside(street)) == (True, [])
    street.hub.faults.clear()
    street.clock.advance(600)
    await street.hear()
    assert (await is_shown(street, "Suspended"), await aside(street)) == (True, [])


async def test_what_came_before_its_key_was_withdrawn_is_believed(street: Street) -> None:
    await street.authorized("c-1", "payment")
    street.clock.advance(FETCHED_AGAIN_SECONDS)
    street.hub.move("c-1", "Suspended")
    await street.hub.settle()  # in the inbox, not opened
    street.hub.keyring.rotate(keep_old=False)
    await asked(street)  # the answer is signed with the new one: the old one is found to be gone
    assert (await is_shown(street, "Suspended"), fetches(street)) == (True, 2)
    street.clock.advance(2)
    street.hub.move("c-1", "Authorized")
    await street.hear()
    assert (await is_shown(street, "Authorized"), fetches(street), await aside(street)) == (True, 2, [])
    assert await street.trackers[0].store.inbox_depth() == (0, None)  # nothing waits to be given up


async def test_an_event_whose_key_was_published_late_is_opened_when_it_comes(street: Street) -> None:
    await street.authorized("c-1")
    key = street.hub.keyring.rotate()
    street.hub.keyring.withdraw(key.kid)
    await moved(street, "Revoked")
    for _ in range(4):
        street.clock.advance(FETCHED_AGAIN_SECONDS)
        await street.hear()
    provider = street.trackers[0].providers.require("demobank")
    for _ in range(3):
        street.clock.advance(60)
        await street.trackers[0].reopening.refresh(provider)  # as each worker does once a minute
    assert (await is_shown(street, "Authorized"), await aside(street)) == (True, ["key_unknown"])
    street.hub.keyring.publish(key)
    street.clock.advance(60)
    await street.trackers[0].reopening.refresh(provider)
    await street.hear()
    assert (await is_shown(street, "Revoked"), await aside(street)) == (True, [])


async def test_signed_answers_are_verified_with_the_new_key_too(street: Street) -> None:
    await street.authorized("c-1", "payment")
    street.hub.keyring.rotate(keep_old=False)
    street.clock.advance(FETCHED_AGAIN_SECONDS)
    street.hub.move("c-1", "Suspended", send=False)
    await asked(street)
    assert (await is_shown(street, "Suspended"), fetches(street)) == (True, 2)


# ------------------------------------------------------------------------------------------ our keys


def use(street: Street, *names: str) -> None:
    keys = (tokens.private_jwk(tokens.rsa_key(n), kid=n, use="enc", alg="RSA-OAEP-256") for n in names)
    (client,) = street.trackers[0].settings.client
    client.encryption_jwks.write_bytes(tokens.jwk_set(*keys))


def tell_the_directory(street: Street, kid: str) -> None:
    """What holders encrypt for from now on."""
    known = public_keys(street.trackers[0].settings)["clients"][tokens.CLIENT_ID]
    street.hub.register_client(
        tokens.CLIENT_ID,
        signing_jwks=known["signing_jwks"],
        encryption_jwks=known["encryption_jwks"],
        webhook_url=street.hub.clients.require(tokens.CLIENT_ID).webhook_url,
        encryption_kid=kid,
    )


async def test_our_decryption_key_rotates_as_the_handbook_says(street: Street) -> None:
    use(street, "ours-1")
    await street.trackers[0].reload()
    tell_the_directory(street, "ours-1")
    await street.authorized("c-1")
    use(street, "ours-2", "ours-1")
    await street.trackers[0].reload()
    await moved(street, "Suspended")  # still for the old one
    tell_the_directory(street, "ours-2")
    await moved(street, "Authorized")
    street.clock.advance(2)
    street.hub.move("c-1", "Suspended")
    await street.hub.settle()
    use(street, "ours-3")  # it waits for what is taken out
    await street.trackers[0].reload()
    await street.hear()
    assert (await is_shown(street, "Suspended"), await aside(street)) == (True, [])
    assert (await street.told()).count("status_changed") == 4


async def test_what_was_stranded_without_its_key_is_opened_when_the_key_is_back(street: Street) -> None:
    settings = street.trackers[0].settings
    use(street, "ours-1")
    await street.trackers[0].reload()
    tell_the_directory(street, "ours-1")
    await street.authorized("c-1")
    street.clock.advance(2)
    street.hub.move("c-1", "Revoked")
    await street.hub.settle()
    use(street, "ours-2")  # somebody did not wait until nothing for it was left, and the service is restarted
    async with build(settings, World(clock=street.clock)) as restarted:
        await restarted.opening.run_once()
        assert await aside(street) == ["kid_unknown"]
        street.clock.advance(7200)  # past the event's own `exp`: it is judged by when it came
        use(street, "ours-2", "ours-1")
        await restarted.reload()
        assert await restarted.returned_keys.run_once() == 1
        while await restarted.opening.run_once():
            await restarted.opening.key_wait.settled()
        await restarted.opening.run_once()
    assert (await is_shown(street, "Revoked"), await aside(street)) == (True, [])


# ------------------------------------------------------------------------------------------ access tokens


async def test_a_token_revoked_mid_way_costs_one_more_question_and_nothing_else(street: Street) -> None:
    await street.authorized("c-1")
    await street.authorized("c-2")
    asker = street.trackers[0].services.asker
    names = [(await street.consent(one))["tracking_id"] for one in ("c-1", "c-2")]
    await asker.ask_now(names[0])
    street.clock.advance(400)
    assert street.hub.tokens.revoke_all() == 1
    street.hub.move("c-1", "Suspended", send=False)
    for name in names:
        await asker.ask_now(name)
    assert await is_shown(street, "Suspended")
    statuses = [request.status for request in street.hub.recorder.requests_to("consent")]
    assert (statuses, len(street.hub.recorder.requests_to("token"))) == ([200, 401, 200, 200], 2)


async def test_a_token_endpoint_whose_tokens_are_not_taken_is_not_asked_for_ever(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.faults.break_api(ApiFault(endpoint="consent", status=401, times=2))
    tracking_id = (await street.consent("c-1"))["tracking_id"]
    said, _ = await street.call("POST", "/demobank/c-1/refresh")
    assert said == 502
    assert [request.status for request in street.hub.recorder.requests_to("consent")] == [401, 401]
    await street.trackers[0].services.asker.ask_now(tracking_id)
    assert await is_shown(street, "Authorized")
