"""Revocations against the sandbox hub over real HTTP: outages, refusals, groups, lost tokens, a killed process."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from tests import tokens
from tests.clocks import ManualClock
from tests.e2e.service import Service
from tests.web.site import write_keys
from tracker.app import public_keys
from tracker.app.composition import Tracker, build
from tracker.app.world import World
from tracker.sandbox import ApiFault, Hub, HubOptions, Mode, RevocationPolicy, Terms, running_hub
from tracker.sandbox.jwk import SigningKey
from tracker.settings import Settings
from tracker.web.application import web_application

BY = {"revoked_by": "TPP.InitiatedByUser"}
KINDS = ("account-access", "payment", "insurance")

hub_key = cache(SigningKey)


@dataclass
class Street:
    """A tracker, or several on one database, and the hub that they ask."""

    hub: Hub
    clock: ManualClock
    trackers: list[Tracker]
    clients: list[TestClient[Any, Any]]
    key: str

    async def call(self, method: str, path: str, *, at: int = 0, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        async with self.clients[at].request(method, f"/v1/consents{path}", headers=headers, **options) as said:
            return said.status, await said.json()

    async def press(self, consent_id: str, *, at: int = 0) -> tuple[int, Any]:
        return await self.call("POST", f"/demobank/{consent_id}/revoke", json=BY, at=at)

    async def consent(self, consent_id: str) -> Any:
        return (await self.call("GET", f"/demobank/{consent_id}"))[1]

    async def authorized(self, consent_id: str, kind: str = "account-access", **terms: Any) -> None:
        """A consent that both know of as authorized."""
        given = {"provider": "demobank", "kind": kind, "consent_id": consent_id}
        assert (await self.call("POST", "", json=given))[0] == 201
        self.hub.stage(kind, consent_id, terms=Terms(**terms))
        self.hub.authorize(consent_id)
        await self.hear()
        assert (await self.consent(consent_id))["usable"]

    async def hear(self) -> None:
        """Let events arrive and be opened."""
        await self.hub.settle()
        opening = self.trackers[0].opening
        while await opening.run_once() or await opening.run_once():
            await opening.key_wait.settled()
        await opening.key_wait.settled()
        await opening.run_once()

    async def look(self, seconds: float = 0) -> int:
        """Let the workers look for what is due, some time later."""
        self.clock.advance(seconds)
        return sum([await tracker.services.revoker.run_once("demobank") for tracker in self.trackers])

    def patches(self, consent_id: str = "c-1") -> list[int]:
        """What each PATCH was answered with."""
        asked = self.hub.recorder.requests_to("consent", consent_id=consent_id)
        return [request.status for request in asked if request.method == "PATCH"]

    async def told(self) -> list[str]:
        entries = await self.trackers[0].store.entries_after(0, 1000)
        return [entry.type.removeprefix("consent.") for entry in entries]


def _settings(url: str, keys: Path, hub: Hub) -> Settings:
    signing, encryption = (keys / f"{name}.jwks.json" for name in ("signing", "encryption"))
    client = {
        "client_id": tokens.CLIENT_ID,
        "profile": "uae-v2.1",
        "signing_jwks": signing,
        "encryption_jwks": encryption,
    }
    provider = {"id": "demobank", "profile": "uae-v2.1", "client_id": tokens.CLIENT_ID, "requests_per_second": 100}
    provider |= {"issuer": hub.issuer, "resource_url": hub.url}
    return Settings.model_validate({"database": {"url": url}, "client": [client], "provider": [provider]})


def _register(hub: Hub, settings: Settings, door: str) -> None:
    known = public_keys(settings)["clients"][tokens.CLIENT_ID]
    hub.register_client(
        tokens.CLIENT_ID,
        signing_jwks=known["signing_jwks"],
        encryption_jwks=known["encryption_jwks"],
        webhook_url=door,
    )


@asynccontextmanager
async def open_street(url: str, keys: Path, *, trackers: int = 1, skew_seconds: float = 0) -> AsyncIterator[Street]:
    """Open one; the hub's clock is so far ahead of ours."""
    clock, skew = ManualClock(), timedelta(seconds=skew_seconds)
    async with AsyncExitStack() as stack:
        options = HubOptions(now=lambda: clock.now() + skew, retry_delays_seconds=(), make_key=hub_key)
        hub = await stack.enter_async_context(running_hub(Hub("demobank", options)))
        settings = _settings(url, keys, hub)
        street = Street(hub, clock, [], [], "")
        for _ in range(trackers):
            tracker = await stack.enter_async_context(build(settings, World(clock=clock)))
            server = TestServer(web_application(tracker.services))
            street.clients.append(await stack.enter_async_context(TestClient(server)))
            street.trackers.append(tracker)
        _, street.key = await street.trackers[0].api_keys.add("street", ["admin"])
        _register(hub, settings, str(street.clients[0].make_url("/webhooks/uae-v2.1")))
        yield street


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keys(tmp_path_factory.mktemp("keys-of-the-street"))


@pytest_asyncio.fixture
async def street(database: Path, keys: Path) -> AsyncIterator[Street]:
    async with open_street(f"sqlite:///{database}", keys) as made:
        yield made


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_revoked_in_its_own_form(street: Street, kind: str) -> None:
    await street.authorized("c-1", kind)
    street.clock.advance(2)
    status, said = await street.press("c-1")
    assert (status, said["effective_status"], said["revoked_by"]) == (200, "Revoked", BY["revoked_by"])
    assert (street.patches(), street.hub.consent("c-1").revoked_by) == ([204], BY["revoked_by"])
    await street.hear()  # the hub's own event of it
    assert await street.told() == ["registered", "status_changed", "revocation_requested", "status_changed"]


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.RESET])
async def test_a_hub_that_was_down_comes_back_and_revokes(street: Street, mode: Mode) -> None:
    await street.authorized("c-1")
    await street.hub.outages.begin(mode)
    status, said = await street.press("c-1")
    assert (status, said["usable"], said["revocation"]["last_error"]) == (202, False, "holder_unavailable")
    # After 5 s and 10 s, and a tenth more at random.
    assert [await street.look(seconds) for seconds in (4.5, 1.5, 9.5, 2)] == [0, 1, 0, 1]
    await street.hub.outages.end()
    assert await street.look(23) == 1
    assert (await street.consent("c-1"))["revocation"]["state"] == "ended"
    assert street.hub.consent("c-1").status == "Revoked"


async def test_a_hub_that_comes_back_and_refuses_is_believed(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.revocation = RevocationPolicy(suspended=False)
    await street.hub.outages.begin(Mode.REFUSE)
    assert (await street.press("c-1"))[0] == 202
    street.clock.advance(2)
    street.hub.move("c-1", "Suspended", send=False)
    await street.hub.outages.end()
    await street.look(6)
    assert street.patches() == [400]
    # The first sending may have arrived, for all that we know: it counts as refused only when reads lag no more.
    assert (await street.consent("c-1"))["revocation"]["state"] == "pending"
    await street.look(400)
    seen = await street.consent("c-1")
    assert (seen["revocation"]["state"], seen["effective_status"], seen["usable"]) == ("refused", "Suspended", False)
    assert seen["revocation"]["last_error"] == "Consent.BusinessRuleViolation"
    assert (await street.told())[-1] == "revocation_failed"
    street.clock.advance(2)
    street.hub.restore("c-1")
    await street.hear()
    assert not (await street.consent("c-1"))["usable"]  # authorized again, and still not to be used
    status, said = await street.press("c-1")  # once more, now that it can be
    assert (status, said["effective_status"]) == (200, "Revoked")


async def test_a_hub_that_ended_it_meanwhile_answers_400_and_the_read_says_why(street: Street) -> None:
    await street.authorized("c-1")
    street.clock.advance(2)
    street.hub.move("c-1", "Revoked", revoked_by="LFI", send=False)
    status, said = await street.press("c-1")
    assert (status, said["revoked_by"], street.patches()) == (200, "LFI", [400])
    assert "revocation_failed" not in await street.told()


async def test_the_old_hub_that_says_204_and_does_nothing_is_found_out(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.revocation = RevocationPolicy(no_op=True, suspended=False)
    street.clock.advance(2)
    street.hub.suspend("c-1")
    await street.hear()
    assert (await street.press("c-1"))[0] == 202
    await street.look(400)
    assert ((await street.consent("c-1"))["revocation"]["last_error"], street.patches()) == ("not_revoked", [204])


async def test_too_many_requests_are_waited_for(street: Street) -> None:
    await street.authorized("c-1")
    street.hub.faults.break_api(ApiFault(endpoint="consent", method="PATCH", status=429, retry_after=60, times=1))
    status, said = await street.press("c-1")
    assert (status, said["revocation"]["state"]) == (202, "pending")
    assert await street.look(59) == 0
    assert await street.look(1.5) == 1
    assert street.patches() == [429, 204]


async def test_a_token_revoked_mid_way_is_replaced(street: Street) -> None:
    await street.authorized("c-1")
    tracking_id = (await street.consent("c-1"))["tracking_id"]
    await street.trackers[0].services.asker.ask_now(tracking_id)  # there is a token now
    street.clock.advance(2)
    assert street.hub.tokens.revoke_all() == 1
    status, said = await street.press("c-1")
    assert (status, said["effective_status"], street.patches()) == (200, "Revoked", [401, 204])


async def test_a_group_that_the_bank_revokes_ends_what_waits(street: Street) -> None:
    await street.authorized("c-1")
    await street.authorized("c-2", base_consent_id="c-1")
    street.hub.faults.break_api(ApiFault(endpoint="consent", method="PATCH", status=503, times=1))
    assert (await street.press("c-2"))[0] == 202
    street.clock.advance(2)
    street.hub.revoke_group("c-1", "LFI")
    await street.hear()
    for consent_id in ("c-1", "c-2"):
        seen = await street.consent(consent_id)
        assert (seen["effective_status"], seen["revoked_by"]) == ("Revoked", "LFI")
    assert (await street.consent("c-2"))["revocation"]["state"] == "ended"
    assert (await street.look(1000), street.patches("c-2")) == (0, [503])


@pytest.mark.parametrize("act_first", [True, False])
async def test_an_answer_that_is_lost_is_asked_about_before_anything_is_sent_again(
    street: Street, *, act_first: bool
) -> None:
    await street.authorized("c-1")
    street.clock.advance(2)
    lost = ApiFault(endpoint="consent", method="PATCH", disconnect=True, act_first=act_first, times=1)
    street.hub.faults.break_api(lost)
    assert (await street.press("c-1"))[0] == 202
    await street.look(6)
    assert (await street.consent("c-1"))["effective_status"] == "Revoked"
    assert street.patches() == ([0] if act_first else [0, 204])
    methods = [request.method for request in street.hub.recorder.requests_to("consent", consent_id="c-1")]
    assert methods == (["PATCH", "GET"] if act_first else ["PATCH", "GET", "PATCH", "GET"])


async def test_two_processes_that_are_pressed_at_once_send_one(another_postgres: Callable[[], str], keys: Path) -> None:
    async with open_street(another_postgres(), keys, trackers=2) as street:
        await street.authorized("c-1")
        street.clock.advance(2)
        await asyncio.gather(*(street.press("c-1", at=at) for at in (0, 1, 0, 1)))
        await street.look(61)
        assert (street.patches(), (await street.consent("c-1"))["effective_status"]) == ([204], "Revoked")
        assert (await street.told()).count("revocation_requested") == 1


async def test_workers_on_one_database_take_up_each_request_once(
    another_postgres: Callable[[], str], keys: Path
) -> None:
    async with open_street(another_postgres(), keys, trackers=2) as street:
        names = [f"c-{n}" for n in range(8)]
        for name in names:
            await street.authorized(name)
            tracking_id = (await street.consent(name))["tracking_id"]
            await street.trackers[0].services.revoker.request(tracking_id, "TPP")
        street.clock.advance(2)
        counts = await asyncio.gather(*(t.services.revoker.run_once("demobank") for t in street.trackers * 2))
        assert sum(counts) == len(names)
        assert [street.patches(name) for name in names] == [[204]] * len(names)


async def test_a_provider_that_left_the_configuration_keeps_its_requests(
    street: Street, database: Path, keys: Path
) -> None:
    await street.authorized("c-1")
    await street.hub.outages.begin(Mode.RESET)
    assert (await street.press("c-1"))[0] == 202
    await street.hub.outages.end()
    settings = _settings(f"sqlite:///{database}", keys, street.hub)
    gone = settings.model_copy(update={"provider": (settings.provider[0].model_copy(update={"id": "otherbank"}),)})
    async with build(gone, World(clock=street.clock)) as without:
        street.clock.advance(100)
        assert await without.services.revoker.run_once("otherbank") == 0
        await without.expiry.run_once()
    assert await street.look() == 1
    assert (await street.consent("c-1"))["effective_status"] == "Revoked"


class Caller:
    """Calls a service in another process."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def __call__(self, method: str, path: str, body: Any = None) -> Any:
        async with self._session.request(method, self.url + path, json=body) as said:
            return await said.json()

    async def until(self, consent_id: str, status: str) -> Any:
        """Wait until a consent has a status."""
        async with asyncio.timeout(30):
            while True:
                seen = await self("GET", f"/v1/consents/demobank/{consent_id}")
                if seen["effective_status"] == status:
                    return seen
                await asyncio.sleep(0.05)


def _execute(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


async def test_killed_between_the_sending_and_its_record(tmp_path: Path, database: Path) -> None:
    """The hub has revoked, the process is dead: the next one asks before it sends, and sends nothing."""
    async with running_hub(Hub("demobank", HubOptions(retry_delays_seconds=(), make_key=hub_key))) as hub:
        service = Service(tmp_path, hub.url)
        settings = _settings(f"sqlite:///{database}", tmp_path, hub)
        _register(hub, settings, "http://127.0.0.1:9/nowhere")
        async with build(settings) as tracker:
            _, key = await tracker.api_keys.add("t", ["read", "write"])
        hub.stage("payment", "c-1")
        hub.move("c-1", "Authorized", send=False)
        await service.start()
        try:
            async with Caller(service.url, key) as http:
                body = {"provider": "demobank", "kind": "payment", "consent_id": "c-1"}
                assert (await http("POST", "/v1/consents", body))["consent_id"] == "c-1"
                await http.until("c-1", "Authorized")
                hub.faults.break_api(
                    ApiFault(endpoint="consent", method="PATCH", act_first=True, delay_seconds=60, times=1)
                )
                pressed = asyncio.create_task(http("POST", "/v1/consents/demobank/c-1/revoke", BY))
                async with asyncio.timeout(20):
                    while hub.consents.require("c-1").status != "Revoked":
                        await asyncio.sleep(0.01)
                await service.kill()
                await asyncio.gather(pressed, return_exceptions=True)
            # Who dies holds a lease for a minute; here it is over.
            over = "UPDATE consent SET revocation = json_set(revocation, '$.leased_until', json('null')),"
            (attempts,) = service.rows("SELECT json_extract(revocation, '$.attempts') FROM consent")
            assert attempts == (1,)
            _execute(service.database, f"{over} revocation_due_at = '2026-01-01T00:00:00.000000+00:00'")
            before = len(hub.recorder.requests_to("consent"))
            await service.start()
            async with Caller(service.url, key) as http:
                ended = await http.until("c-1", "Revoked")
            assert ended["revocation"]["state"] == "ended"
            assert {r.method for r in list(hub.recorder.requests_to("consent"))[before:]} == {"GET"}
        finally:
            await service.kill()
