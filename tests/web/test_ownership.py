"""Proving a URL over the API."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.web.site import open_site
from tracker.adapters.address_guard import check_url, is_vouched_for
from tracker.app.ownership import needs_proof
from tracker.settings_sections import NotificationsSettings

LOOPBACK = {"notifications": {"allow_networks": ["127.0.0.0/8"]}}


@pytest.mark.parametrize(
    ("url", "needs"),
    [
        ("https://hooks.example.com/", True),
        ("https://8.8.8.8/", True),
        ("http://127.0.0.1:8080/", False),
        ("http://localhost:8080/", False),
        ("http://[::ffff:127.0.0.1]/", False),
        ("https://127.0.0.1.example.com/", True),
        ("https://localhost.example.com/", True),
        ("nats://broker.example/subject", False),
    ],
)
def test_the_operators_own_addresses_need_no_proof(url: str, needs: bool) -> None:
    chosen = NotificationsSettings.model_validate(LOOPBACK["notifications"])
    if url.startswith("http"):
        check_url(url, chosen.allow_networks)
    assert needs_proof(url, chosen) is needs
    assert not needs_proof(url, chosen.model_copy(update={"ownership_challenge": False}))
    assert is_vouched_for(url, chosen.allow_networks) is not needs


async def test_a_url_is_proved_over_the_api(database: Path, keys: Path) -> None:
    asked: list[str] = []
    echoes = [False]

    async def hook(request: web.Request) -> web.Response:
        event = await request.json()
        asked.append(event["data"]["challenge"])
        return web.Response(text=asked[-1] if echoes[0] else "")

    app = web.Application()
    app.router.add_post("/{tail:.*}", hook)
    async with TestServer(app) as server, open_site(database, keys, **LOOPBACK) as site:
        url = str(server.make_url("/hook"))
        made = (await site.call("POST", "/v1/subscriptions", json={"url": url})).json
        assert (made["state"], asked) == ("active", [])  # the operator vouches for the address

        site.tracker.services.subscriptions._needs_proof = lambda _: True
        said = await site.call("POST", "/v1/subscriptions", json={"url": url})
        made = said.json
        place = f"/v1/subscriptions/{made['id']}"
        assert (said.status, made["state"], len(asked)) == (201, "pending", 1)
        assert said.headers["ETag"] == f'"{made["version"]}"'
        assert "answered without the challenge" in made["last_error"]
        assert asked[0] not in json.dumps((await site.get(place)).json)

        wrong = await site.call("POST", f"{place}/verify", json={"challenge": "x"})
        assert (wrong.status, wrong.problem) == (422, "invalid_request")
        proved = await site.call("POST", f"{place}/verify", json={"challenge": asked[0]})
        assert (proved.status, proved.json["state"], proved.json["last_error"]) == (200, "active", None)

        changed = (await site.call("PATCH", place, json={"url": url + "/2"})).json
        assert (changed["state"], len(asked)) == ("pending", 2)
        assert (await site.call("PATCH", place, json={"description": "x"})).json["state"] == "pending"
        assert (await site.call("POST", f"{place}/resume")).json["state"] == "pending"
        assert len(asked) == 2
        echoes[0] = True
        again = await site.call("POST", f"{place}/challenge")
        assert (again.status, again.json["state"], len(asked)) == (200, "active", 3)
        for verb in ("challenge", "verify"):
            gone = await site.call("POST", f"/v1/subscriptions/none/{verb}", json={"challenge": "x"})
            assert (gone.status, gone.problem) == (404, "subscription_not_found")
