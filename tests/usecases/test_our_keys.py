"""Our keys rotate without loss: added, overlapping, retired, read again while the service runs. From receipt to record."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests import tokens
from tests.usecases.bench import data
from tests.usecases.town import Town, open_town, our_set
from tracker.domain.errors import ConfigurationError, RejectedEventError

LATER = "2026-03-02T15:13:29+04:00"
LAST = "2026-03-02T15:13:39+04:00"


def said(status: str, at: str) -> dict[str, str]:
    found = data(status, at)
    return {"status": found["Status"], "at": found["StatusUpdateDateTime"]}


async def refused(town: Town, body: bytes) -> str:
    with pytest.raises(RejectedEventError) as error:
        await town.receive(body)
    return error.value.reason


async def test_an_encryption_key_is_added_overlaps_and_is_retired_and_no_event_is_lost(
    database: Path, tmp_path: Path
) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        assert await refused(town, town.event("demobank", to="new")) == "kid_unknown"
        # Added: both open, also what came before the new one was there.
        await town.receive(town.event("demobank", to="old"))
        town.write_set(our_set("new", "old"))
        await town.tracker.reload()
        await town.receive(town.event("demobank", to="new", **said("Suspended", LATER)))
        await town.work_off()
        assert await town.status("demobank") == "Suspended"
        assert town.rows("SELECT count(*) FROM report") == [(2,)]
        # Retired while an event for it waits: that one still opens, and the door is closed to others.
        await town.receive(town.event("demobank", to="old", **said("Revoked", LAST)))
        town.write_set(our_set("new"))
        await town.tracker.reload()
        assert await refused(town, town.event("demobank", to="old")) == "kid_unknown"
        await town.work_off()
        assert await town.status("demobank") == "Revoked"
        assert await town.quarantined() == []


async def test_a_retired_key_that_is_still_in_the_file_opens_events_after_a_restart(
    database: Path, tmp_path: Path
) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        town.write_set(our_set("new", "old"))
        await town.tracker.reload()
        assert town.tracker.crypto.knows_key("old")
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        await town.receive(town.event("demobank", to="old"))
        await town.work_off()
        assert await town.status("demobank") == "Authorized"


BROKEN = {
    "no JSON": b'{"keys": [',
    "no keys": b'{"keys": []}',
    "a key twice": tokens.jwk_set(*json.loads(our_set("old"))["keys"] * 2),
    "a public key": tokens.jwk_set(tokens.public_jwk(tokens.rsa_key("hub"), kid="new")),
    "one bad key behind a good one": tokens.jwk_set(*json.loads(our_set("new"))["keys"], {"kid": "bad", "kty": "RSA"}),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_file_leaves_all_keys_as_they_were(database: Path, tmp_path: Path, name: str) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        town.join_signing_key("sig-2")  # good, and not taken either
        town.write_set(BROKEN[name])
        with pytest.raises(ConfigurationError):
            await town.tracker.reload()
        await town.receive(town.event("demobank"))
        await town.work_off()
        assert await town.status("demobank") == "Authorized"
        assert await refused(town, town.event("demobank", to="new")) == "kid_unknown"
        await town.ask("demobank")
        assert _kids_of_assertions(town) != ["sig-2"]


def _kids_of_assertions(town: Town) -> list[str]:
    forms = [seen.form for seen in town.hubs["demobank"].seen if seen.route == "token"]
    kids = []
    for form in forms:
        keys = json.loads((town.folder / "signing.jwks.json").read_text())["keys"]
        header = json.loads(tokens.base64.urlsafe_b64decode(form["client_assertion"].split(".")[0] + "=="))
        (key,) = [one for one in keys if one["kid"] == header["kid"]]
        jwt.decode(form["client_assertion"], RSAKey.import_key(key), algorithms=["PS256"])
        kids.append(header["kid"])
    return kids


async def test_the_first_signing_key_signs_from_the_next_token_on(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        hub = town.hubs["demobank"]
        hub.message = {"Data": data(ConsentId="c-1")}
        assert await town.ask("demobank") == {"demobank": 1}
        (first,) = _kids_of_assertions(town)
        town.join_signing_key("sig-2")
        await town.tracker.reload()
        consent = (await town.tracker.services.consulting.get("demobank", "c-1")).consent
        await town.tracker.services.asker.ask_now(consent.tracking_id)
        assert _kids_of_assertions(town) == [first]  # the token in hand is still good
        town.advance(600)
        await town.tracker.services.asker.ask_now(consent.tracking_id)
        assert _kids_of_assertions(town) == [first, "sig-2"]


async def test_a_question_under_way_ends_as_it_began(database: Path, tmp_path: Path) -> None:
    async with open_town(database, tmp_path, "demobank") as town:
        await town.register("demobank")
        hub = town.hubs["demobank"]
        hub.message = {"Data": data(ConsentId="c-1")}
        gate = hub.hold("token")
        asking = asyncio.create_task(town.ask("demobank"))
        await hub.asked("token")
        town.join_signing_key("sig-2")
        await town.tracker.reload()
        gate.set()
        await asking
        assert await town.status("demobank") == "Authorized"


async def test_an_unknown_key_at_the_door_is_told_once_a_minute_with_how_often(
    database: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tracker")
    async with open_town(database, tmp_path, "demobank") as town:
        body = town.event("demobank", to="ahead")
        for _ in range(1000):
            assert await refused(town, body) == "kid_unknown"
        (first,) = caplog.messages
        assert "1 event(s)" in first
        assert "'ahead'" in first
        town.advance(59)
        await refused(town, body)
        assert len(caplog.messages) == 1
        town.advance(1)
        await refused(town, body)
        assert len(caplog.messages) == 2
        assert "1001 event(s)" in caplog.messages[1]
        # Other refusals are no alarm.
        caplog.clear()
        town.advance(60)
        await refused(town, b"hello")
        assert caplog.messages == []
