"""The log: one id from the door to the notification, and never a token, an account or a name, whatever goes wrong."""

import io
import json
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import tokens
from tests.adapters.hub.scripted_hub import says, says_json
from tests.usecases.bench import CONSENT, data, message
from tests.web.site import Site, open_site
from tracker.cli import logs
from tracker.domain.errors import StorageError
from tracker.usecases import trail as trail_module
from tracker.usecases.trail import Trail

LOOPBACK = {"notifications": {"allow_networks": ["127.0.0.0/8"]}}

IBAN = "AE070331234567890123456"
ACCOUNT = "10000109010101"
NAME = "Mariam Al Mansoori"
PERSONAL = {
    "OnBehalfOf": {"TradingName": NAME},
    "AccountIds": [IBAN, ACCOUNT],
    "PersonalIdentifiableInformation": {"Name": NAME, "Identification": IBAN},
}


@pytest.fixture(params=["json", "text"])
def log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """The service's own log at its most talkative; calling it gives all that was written so far."""
    root, ours, theirs = logging.getLogger(), logging.getLogger("tracker"), logging.getLogger("aiohttp.server")
    handlers, levels, filters = root.handlers[:], (root.level, ours.level), theirs.filters[:]
    root.handlers[:] = []  # or setting up would close those of pytest
    written = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", written)
        logs.set_up("debug", request.param)
    yield written.getvalue
    root.handlers[:], theirs.filters[:] = handlers, filters
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@asynccontextmanager
async def subscriber(*statuses: int) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Somebody who answers in turn, and with 200 after that."""
    answers, got = list(statuses), []

    async def take(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(status=answers.pop(0) if answers else 200, text=NAME)

    application = web.Application()
    application.router.add_post("/", take)
    async with TestServer(application) as server:
        yield str(server.make_url("/")), got


async def subscribe(site: Site, url: str) -> str:
    said = await site.call("POST", "/v1/subscriptions", json={"url": url, "include_private": True, "from_sequence": 1})
    assert said.status == 201, said.body
    return str(said.json["secret"])


async def notify(site: Site) -> None:
    for found in await site.tracker.store.subscriptions():
        await site.tracker.notifier.run_once(found.id)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# ---------------------------------------------------------------------------------------------- one id


@pytest.mark.parametrize("log", ["json"], indirect=True)
async def test_one_id_leads_from_the_door_to_the_notification(database, keys, log) -> None:
    async with open_site(database, keys, **LOOPBACK) as site, subscriber() as (url, got):
        await site.register()
        await subscribe(site, url)
        await site.post(site.event(), headers={"x-fapi-interaction-id": "find-me"})
        await site.work_off()
        await notify(site)
        assert len(got) == 2
    thread = [line for line in lines(log()) if line.get("interaction_id") == "find-me"]
    steps = [
        "was received",
        "waits for a key",
        "is on record: moved",
        "came of interaction find-me",
        "was told of entry",
    ]
    assert len(thread) == len(steps)
    for line, step in zip(thread, steps, strict=True):
        assert step in line["message"]
        assert line.keys() <= {"at", "level", "logger", "message", *logs.FIELDS}
    entry, told = thread[3], thread[4]
    assert (entry["sequence"], entry["type"], entry["provider"]) == (2, "consent.status_changed", "demobank")
    assert told["entry_id"] == entry["entry_id"]
    assert told["subscription"]
    assert thread[2]["outcome"] == "moved"


async def test_the_text_log_can_be_searched_for_the_same_id(database, keys, log) -> None:
    async with open_site(database, keys, **LOOPBACK) as site, subscriber() as (url, _):
        await site.register()
        await subscribe(site, url)
        await site.post(site.event(), headers={"x-fapi-interaction-id": "find-me"})
        await site.work_off()
        await notify(site)
    assert len([line for line in log().splitlines() if "find-me" in line]) == 5


@pytest.mark.parametrize("log", ["json"], indirect=True)
async def test_a_question_leads_to_its_entry_and_its_notification(database, keys, log) -> None:
    async with open_site(database, keys, **LOOPBACK) as site, subscriber() as (url, _):
        await site.register()
        await subscribe(site, url)
        site.hub.message = {"Data": data()}
        await site.tracker.services.asker.run_once("demobank")
        sent = site.hub.last("consent").headers["x-fapi-interaction-id"]
        await notify(site)
    thread = [line["message"] for line in lines(log()) if line.get("interaction_id") == sent]
    assert ["came of" in thread[0], "was told" in thread[1]] == [True, True]


@pytest.mark.parametrize("log", ["json"], indirect=True)
async def test_what_is_refused_says_where_and_why(site: Site, log) -> None:
    for name, body in {"at-the-door": b"hello", "inside": site.event(key="other hub")}.items():
        await site.post(body, headers={"x-fapi-interaction-id": name})
        await site.work_off()
    told = {line["interaction_id"]: line for line in lines(log()) if "reason" in line}
    assert told["at-the-door"]["reason"] == "not_compact_jwe"
    assert (told["inside"]["step"], told["inside"]["reason"]) == ("verify", "signature_invalid")


async def test_what_is_remembered_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "REMEMBERED", 2)
    for number in range(3):
        await site.register(f"c-{number}")
    entries = await site.tracker.store.entries_after(0, 10)
    trail = Trail()
    for entry in entries:
        trail.answered("id", [entry])
    assert [trail.of(entry.id) for entry in entries] == [None, "id", "id"]


async def test_a_mistake_in_telling_undoes_nothing_that_was_recorded(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError

    monkeypatch.setattr(type(site.tracker.meters), "batch_recorded", fail)
    await site.register()
    await site.post(site.event())
    await site.work_off()
    assert site.rows("SELECT status FROM consent") == [("Authorized",)]
    assert site.rows("SELECT count(*) FROM quarantine") == [(0,)]
    assert "What became of 1 events could not be told" in caplog.text


# ---------------------------------------------------------------------------------------------- what no line says


def personal(**changes: Any) -> dict[str, Any]:
    return data(**PERSONAL, **changes)


async def everything_goes_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Play the whole thread with people's data in it, every kind of failure included; say what nobody may read."""
    secrets = [site.key]
    async with subscriber(500, 410) as (url, _), subscriber() as (other_url, _):
        await site.register(user_ref=NAME, terms={"Accounts": [IBAN]})
        secrets += [await subscribe(site, url), await subscribe(site, other_url)]
        secrets.append(await subscribe(site, "http://127.0.0.1:1999/"))
        inner = [
            site.token(personal()),
            site.token(personal(), key="other hub"),
            site.token(personal(), kid="nobody-knows"),
            site.token(personal(), iss="https://elsewhere.example"),
            site.token(personal(), aud=[NAME]),
            site.token(personal(), exp=IBAN),
            site.token(personal(Status=NAME, StatusUpdateDateTime="2026-03-02T15:16:00+04:00")),
            site.token(personal(StatusUpdateDateTime=IBAN)),
            site.token(personal(CreationDateTime=NAME)),
            site.token(personal(ConsentId=IBAN)),
            site.token(message=message(personal(), EventType={NAME: IBAN})),
            site.token(message=[NAME, IBAN]),
            tokens.jws(json.dumps([NAME, IBAN]).encode()),
            tokens.jws(tokens.claims(message=message(personal())), alg="none"),
            f"{NAME} {IBAN}".encode(),
        ]
        bodies = [tokens.jwe(token) for token in inner]
        at_the_door = [inner[0], f"{NAME} {IBAN}".encode(), tokens.jwe(inner[0], kid=IBAN), bodies[0] + b"." + inner[0]]
        for body in [*at_the_door, *bodies]:
            await site.post(body)
        await site.post(bodies[0], "/webhooks/" + IBAN)
        await site.work_off()
        while site.rows("SELECT count(*) FROM inbox") != [(0,)]:
            site.advance(40)
            await site.work_off()
        await notify(site)
        for answer in (
            says_json({"Data": personal(ConsentId=CONSENT, Status=NAME)}),
            says_json({"Data": [IBAN]}),
            says(200, f"{{{NAME} {IBAN}", "application/json"),
            says(500, f"{NAME} {IBAN}", X_Name=IBAN),
            says(400, json.dumps({"error": NAME, "error_description": IBAN}), "application/json"),
            says(401, NAME),
            says(403, IBAN),
            says(429, IBAN, Retry_After="7"),
        ):
            site.hub.next["consent"].extend([answer, answer])
            await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
            site.advance(3600)
        site.hub.always["token"] = says(400, json.dumps({"error": NAME, "access_token": inner[0].decode()}))
        await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
        del site.hub.always["token"]
        await our_own_mistakes(site, bodies, monkeypatch)
        site.advance(90_000)
        site.hub.always["jwks"] = says(200, f"{{{NAME} {IBAN}")
        await site.post(site.event(personal(), exp=site.seconds + 60))
        await site.work_off()
        del site.hub.always["jwks"]
        await site.call("POST", "/v1/consents", data=f"{{{NAME} {IBAN}", headers={"Content-Type": "application/json"})
        await site.call("POST", "/v1/consents", json={"provider": NAME, "kind": IBAN, NAME: IBAN})
        await site.get("/v1/consents?user_ref=" + ACCOUNT)
        await site.call_bare("GET", "/v1/consents", headers={"Authorization": "Bearer " + inner[0].decode()})
        await notify(site)
        site.execute(f"UPDATE consent SET summary = '{NAME} {IBAN}'")
        await site.get(f"/v1/consents/demobank/{CONSENT}")
        site.execute("DROP TABLE quarantine")
        await site.get("/v1/quarantine")
        await site.post(bodies[3])
        with pytest.raises(StorageError):
            await site.work_off()
    return [*secrets, *(token.decode(errors="replace") for token in [*inner, *bodies])]


async def our_own_mistakes(site: Site, bodies: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of ours that quote what they choked on."""
    quoting = ValueError(f"cannot do {bodies[0].decode()} {site.key} Bearer {bodies[1].decode()} {IBAN}")

    def fail(*_: Any) -> Any:
        raise quoting

    with monkeypatch.context() as patch:
        patch.setattr(type(site.tracker.opening._opener), "open", fail)
        await site.post(bodies[0])
        await site.work_off()
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["tracker.usecases.record"], "Recording", fail)
        await site.post(bodies[0])
        with pytest.raises(ValueError, match="cannot do"):
            await site.work_off()
    await site.work_off()
    with monkeypatch.context() as patch:
        patch.setattr(site.tracker.services.consulting.__class__, "get", fail)
        await site.get(f"/v1/consents/demobank/{CONSENT}")


async def test_no_line_and_no_metric_holds_a_token_an_account_or_a_name(database, keys, log, monkeypatch) -> None:
    async with open_site(database, keys, **LOOPBACK) as site:
        secrets = await everything_goes_wrong(site, monkeypatch)
        site.advance(6)
        page = (await site.call_bare("GET", "/metrics")).body.decode()
    told = log()
    talked = (
        "web.receiver",
        "web.problems",
        "adapters.sender",
        *(f"usecases.{n}" for n in ("open", "trail", "ask", "endpoint")),
    )
    assert [logger for logger in talked if f"tracker.{logger}" not in told] == []
    assert "cannot do (masked)" in told
    for text in (told, page):
        for secret in (NAME, "Mansoori", IBAN, ACCOUNT, CONSENT if text is page else NAME):
            assert secret not in text
        for token in secrets:
            assert token not in text
            for part in token.split("."):
                assert len(part) < 20 or part not in text
        assert not re.search(r"eyJ[\w-]{20}", text)
