"""Holders rotate their keys, lose them and publish nonsense, while events come in. From receipt to record."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tokens
from tests.adapters.hub.scripted_hub import Reply, says, says_json
from tests.usecases.bench import data
from tests.usecases.town import Town, hub_key, open_town

HOUR = 3600.0
LATER = {"Status": "Suspended", "StatusUpdateDateTime": "2026-03-02T15:13:29+04:00"}


def published(*generations: int) -> list[Any]:
    return [hub_key("demobank", generation) for generation in generations]


async def opened(town: Town, body: bytes) -> None:
    await town.receive(body)
    await town.work_off()


async def warm(town: Town) -> None:
    """A first event is opened: the holder's keys are at hand."""
    await town.register("demobank")
    await opened(town, town.event("demobank"))
    assert await town.status("demobank") == "Authorized"


async def test_a_new_key_is_fetched_once_in_30_seconds_and_its_events_open(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await warm(town)
        hub = town.hubs["demobank"]
        assert hub.count("jwks") == 1
        hub.published = published(2, 1)
        town.advance(5)
        for n in range(20):
            await opened(town, town.event("demobank", f"d-{n}", generation=2))
        assert hub.count("jwks") == 1  # it was asked 5 seconds ago
        town.advance(31)
        await town.work_off()
        assert hub.count("jwks") == 2
        assert town.waiting() == 0
        assert town.rows("SELECT count(*) FROM report") == [(21,)]
        # The old key is published still, and opens.
        await opened(town, town.event("demobank", **LATER))
        assert await town.status("demobank") == "Suspended"
        assert await town.quarantined() == []


async def test_an_old_key_opens_events_while_it_is_cached(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await warm(town)
        town.hubs["demobank"].published = published(2)
        town.advance(60)
        await opened(town, town.event("demobank", **LATER))
        assert await town.status("demobank") == "Suspended"


async def test_a_key_that_was_withdrawn_between_receipt_and_opening_opens_what_came_before(
    database: Path, tmp_path: Path
) -> None:
    """What an event is worth does not depend on how long it waited here."""
    async with open_town(database, tmp_path, "demobank") as town:
        await warm(town)
        hub = town.hubs["demobank"]
        await town.receive(town.event("demobank", **LATER))
        hub.published = published(2)
        town.advance(2 * HOUR)  # nobody opened meanwhile
        await town.tracker.holders.refresh(town.tracker.providers.require("demobank"))
        await town.work_off()
        assert await town.status("demobank") == "Suspended"
        ((kid, uri),) = town.rows(
            "SELECT DISTINCT e.kid, k.jwks_uri FROM evidence e JOIN holder_key k USING (jwk_thumbprint)"
        )
        assert (kid, uri) == ("demobank-sig-1", hub.issuer + "/application.jwks")
        # What comes with it from now on is not believed.
        town.advance(1)
        await town.receive(town.event("demobank", Status="Revoked", StatusUpdateDateTime="2026-03-02T15:13:39+04:00"))
        for _ in range(4):
            await town.work_off()
            town.advance(31)
        assert await town.quarantined() == ["key_unknown"]
        assert await town.status("demobank") == "Suspended"


async def test_a_withdrawn_key_is_not_remembered_for_ever(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await warm(town)
        provider = town.tracker.providers.require("demobank")
        received_at = town.clock.now()
        for generation in (2, 3):
            town.hubs["demobank"].published = published(generation)
            town.advance(3 * 24 * HOUR if generation == 3 else HOUR)
            await town.tracker.holders.refresh(provider)
            kids = [f"demobank-sig-{n}" for n in (1, 2, 3)]
            found = [town.tracker.holders.find(provider, kid, received_at) is not None for kid in kids]
            assert found == ([True, True, False] if generation == 2 else [False, True, True])


async def test_keys_that_were_all_withdrawn_open_what_came_before(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await warm(town)
        await town.receive(town.event("demobank", **LATER))
        town.hubs["demobank"].always["jwks"] = says_json({"keys": []})
        town.advance(HOUR)
        await town.work_off()
        assert await town.status("demobank") == "Suspended"


# ---------------------------------------------------------------------------------------------- what they publish


def _good() -> dict[str, Any]:
    return tokens.public_jwk(tokens.rsa_key("demobank 1"), kid="demobank-sig-1", use="sig")


def _big(kid: str) -> dict[str, Any]:
    return tokens.public_jwk(tokens.rsa_key("other hub"), kid=kid)


SETS: dict[str, tuple[list[Any], bool]] = {
    "one bad key before": ([{"kty": "RSA", "kid": "bad", "n": "AQ", "e": "AQAB"}, _good()], True),
    "nonsense between": ([None, 7, "key", [], {}, {"kty": []}, _good(), {"kid": {}}], True),
    "a secret key beside": ([tokens.private_jwk(tokens.rsa_key("other hub"), kid="leaked"), _good()], True),
    "its id twice, the good one first": ([_good(), _big("demobank-sig-1")], True),
    "its id twice, a broken one first": ([{"kty": "RSA", "kid": "demobank-sig-1"}, _good()], True),
    "its id twice, another's first": ([_big("demobank-sig-1"), _good()], False),
    "10,000 small bad keys before": ([{"kid": f"{n}"} for n in range(10_000)] + [_good()], True),
    "10,000 whole keys": ([_big(f"k{n}") for n in range(10_000)] + [_good()], False),
}
"""What a holder publishes, and whether an event that it signed opens."""


@pytest.mark.parametrize("name", SETS)
async def test_strange_sets_of_keys(database: Path, tmp_path: Path, name: str) -> None:
    members, opens = SETS[name]
    async with open_town(database, tmp_path, "demobank", "otherbank") as town:
        for provider in town.hubs:
            await town.register(provider)
        town.hubs["demobank"].always["jwks"] = says(200, json.dumps({"keys": members}), "application/json")
        await town.receive(town.event("demobank"), town.event("otherbank"))
        await town.work_off()
        assert await town.status("otherbank") == "Authorized"
        assert await town.status("demobank") == ("Authorized" if opens else "NotStaged")
        if not opens:
            # It comes to itself, and nothing was lost: what waits opens, what was refused is asked about.
            del town.hubs["demobank"].always["jwks"]
            town.hubs["demobank"].message = {"Data": data(ConsentId="c-1")}
            town.advance(HOUR)
            await town.work_off()
            await town.ask("demobank")
            assert await town.status("demobank") == "Authorized"


# ---------------------------------------------------------------------------------------------- an outage of a day

OUTAGES: dict[str, Reply] = {
    "503": says(503),
    "a page": says(200, "<html>", "text/html"),
    "moved": says(302, Location="/"),
}


@pytest.mark.parametrize("name", OUTAGES)
@pytest.mark.parametrize("had_keys", [False, True], ids=["never had keys", "had keys before"])
async def test_events_wait_through_an_outage_of_a_day_and_open_afterwards(
    database: Path, tmp_path: Path, name: str, *, had_keys: bool
) -> None:
    async with open_town(database, tmp_path, "demobank", "otherbank") as town:
        hub = town.hubs["demobank"]
        if had_keys:
            await warm(town)
        for provider in town.hubs:
            await town.register(provider)
        before = hub.count("jwks")
        hub.always["jwks"] = OUTAGES[name]
        if had_keys:
            hub.published = published(2)
            hub.key = hub_key("demobank", 2)
        town.advance(120)
        for hour in range(25):
            late = {
                "StatusUpdateDateTime": f"2026-03-02T15:13:{30 + hour:02}+04:00",
                "Status": ("Suspended", "Authorized")[hour % 2],
            }
            await opened(town, town.event("demobank", generation=2 if had_keys else 1, **late))
            for _ in range(6):  # the worker's turns, as they come round
                town.advance(600)
                await town.work_off()
        assert town.waiting() == 25
        assert await town.quarantined() == []
        assert hub.count("jwks") - before < 25 * 60 * 2
        await opened(town, town.event("otherbank"))
        assert await town.status("otherbank") == "Authorized"
        del hub.always["jwks"]
        town.advance(60)
        # The worker's tick finds the keys, and what waited is opened at once, whatever it was put off to.
        await town.tracker.opening.key_wait.refresh(town.tracker.providers.require("demobank"))
        await town.work_off()
        assert town.waiting() == 0
        assert await town.quarantined() == []
        assert town.rows("SELECT count(*) FROM report WHERE provider = 'demobank'") == [(25 + had_keys,)]
        assert await town.status("demobank") == "Suspended"


async def test_events_are_given_up_after_three_days_and_asked_about(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        town.hubs["demobank"].always["jwks"] = says(503)
        await opened(town, town.event("demobank"))
        town.advance(3 * 24 * HOUR - 1)
        await town.work_off()
        assert await town.quarantined() == []
        town.advance(600)
        await town.work_off()
        assert await town.quarantined() == ["keys_unavailable"]
        assert town.rows("SELECT count(*) FROM consent WHERE suspected_at IS NOT NULL") == [(1,)]


async def test_only_so_many_events_of_a_provider_wait_for_its_keys(database: Path, tmp_path: Path) -> None:
    """Whoever knows our public key can make such events; the inbox is not to be full of them."""
    receiver = {"inbox_max_events": 40}
    async with open_town(database, tmp_path, "demobank", "otherbank", receiver=receiver) as town:
        town.hubs["demobank"].always["jwks"] = says(503)
        await town.pile_up(town.event("demobank"), 35)
        await town.work_off()
        assert town.waiting() == 35  # at first nobody knows that its keys cannot be had
        town.advance(6)
        await town.work_off()
        assert town.waiting() == 10  # a half of it, for two providers
        assert await town.quarantined() == ["keys_unavailable"] * 25
        await town.register("otherbank")
        await opened(town, town.event("otherbank"))
        assert await town.status("otherbank") == "Authorized"
        # Those that wait still open, and then there is room again.
        del town.hubs["demobank"].always["jwks"]
        town.advance(600)
        await town.work_off()
        assert town.waiting() == 0


async def test_what_waits_is_not_decrypted_again_and_again(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        town.hubs["demobank"].always["jwks"] = says(503)
        times = 0
        decrypt = town.tracker.crypto.decrypt

        def counted(*arguments: Any) -> Any:
            nonlocal times
            times += 1
            return decrypt(*arguments)

        monkeypatch.setattr(town.tracker.crypto, "decrypt", counted)
        await town.pile_up(town.event("demobank"), 50)
        for _ in range(20):
            await town.work_off()
            town.advance(600)
        assert times == 50


async def test_polls_that_need_keys_hold_back(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank", "otherbank") as town:
        hub = town.hubs["demobank"]
        hub.always["jwks"] = says(503)
        for n in range(60):
            await town.register("demobank", f"c-{n}")
        for _ in range(300):
            await town.ask("demobank")
            town.advance(1)
        assert 5 <= hub.count("consent") <= 5 * 11  # a second's worth in half a minute
        del hub.always["jwks"]
        hub.message = {"Data": data(ConsentId="c-0")}
        town.advance(HOUR)
        for _ in range(30):
            await town.ask("demobank")
            town.advance(1)
        assert await town.status("demobank", "c-0") == "Authorized"
