"""kill -9 at any instant: what was answered 202 is recorded, exactly once, and the journal holds."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.service import Service, an_event, issuer
from tracker.journal.verify import verify_export

ROUNDS = 4
CONSENTS = 12
IN_FLIGHT = 12
KEPT = "SELECT (SELECT count(*) FROM report) + (SELECT count(*) FROM inbox)"


async def _load(service: Service, bodies: list[tuple[str, bytes]], http: aiohttp.ClientSession) -> set[str]:
    """Send events until the service dies; give the ids of those that were answered 202."""
    answered: set[str] = set()
    waiting = iter(bodies)

    async def send() -> None:
        for name, body in waiting:
            try:
                async with http.post(f"{service.url}/webhooks/uae-v2.1", data=body) as response:
                    if response.status == 202:
                        answered.add(name)
            except (aiohttp.ClientError, OSError):
                return

    await asyncio.gather(*(send() for _ in range(IN_FLIGHT)))
    return answered


async def _register(service: Service, http: aiohttp.ClientSession, consent_id: str) -> bool:
    body = {"provider": "demobank", "kind": "account-access", "consent_id": consent_id}
    try:
        async with http.post(f"{service.url}/v1/consents", json=body) as response:
            return response.status in {200, 201}
    except (aiohttp.ClientError, OSError):
        return False


def _time_of(n: int) -> str:
    return (datetime(2026, 3, 2, 6, tzinfo=UTC) + timedelta(seconds=n)).isoformat()


@pytest.mark.timeout(240)
async def test_nothing_that_was_acknowledged_is_lost_or_recorded_twice(tmp_path: Path) -> None:
    seed = random.randrange(10**9)  # printed when the test fails
    print(f"seed {seed}")
    dice = random.Random(seed)
    async with issuer() as issuer_url:
        service = Service(tmp_path, issuer_url)
        await service.start()
        key = await service.run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        acknowledged: set[str] = set()
        registered: set[str] = set()
        early: set[str] = set()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            for n in range(CONSENTS):
                assert await _register(service, http, f"c{n}")
            for round_ in range(ROUNDS):
                bodies = []
                for n in range(300):
                    at = _time_of(round_ * 10_000 + n)
                    consent, status = f"c{n % CONSENTS}", ("Authorized", "Suspended")[n // CONSENTS % 2]
                    bodies.append((f"{consent} {at}", an_event(issuer_url, consent, status, at, time.time())))
                loading = asyncio.create_task(_load(service, bodies, http))
                # At the same time consents are registered whose first event comes just before or just after.
                racing = []
                for n in range(20):
                    name = f"race-{round_}-{n}"
                    at = _time_of(0)
                    body = an_event(issuer_url, name, "Authorized", at, time.time())
                    deeds = [
                        _note(_register(service, http, name), registered, name),
                        _load_one(service, http, name, body, early),
                    ]
                    racing += deeds if n % 2 else deeds[::-1]
                racers = asyncio.gather(*racing)
                await asyncio.sleep(dice.uniform(0.05, 0.9))  # the instant of death is the point of the test
                await service.kill()
                acknowledged |= await loading
                await racers
                await service.start()
            await service.until_worked_off()
            for name in registered & early:
                async with http.get(f"{service.url}/v1/consents/demobank/{name}") as response:
                    assert (await response.json())["status"] == "Authorized", name
        assert len(acknowledged) > 20, "the load was too small to mean anything"
        on_record = [
            f"{consent} {datetime.fromisoformat(at).isoformat()}"
            for consent, at in service.rows(
                "SELECT consent_id, status_date_time FROM report WHERE tracking_id IS NOT NULL"
            )
        ]
        assert acknowledged <= set(on_record)
        assert len(on_record) == len(set(on_record))
        assert service.rows("SELECT count(*) FROM quarantine") == [(0,)]
        sequences = [n for (n,) in service.rows("SELECT sequence FROM entry ORDER BY sequence")]
        assert sequences == list(range(1, len(sequences) + 1))
        assert await service.terminate() == 0
        await service.run("journal", "export", "--out", str(tmp_path / "export"))
        assert verify_export(tmp_path / "export", [], allow_unanchored=True).accepted


async def _note(deed, names: set[str], name: str) -> None:  # type: ignore[no-untyped-def]
    if await deed:
        names.add(name)


async def _load_one(service: Service, http: aiohttp.ClientSession, name: str, body: bytes, names: set[str]) -> None:
    if await _load(service, [(name, body)], http):
        names.add(name)


@pytest.mark.timeout(120)
async def test_sigterm_finishes_what_was_begun_and_a_second_service_is_refused(tmp_path: Path) -> None:
    async with issuer() as issuer_url:
        service = Service(tmp_path, issuer_url)
        await service.start()
        with pytest.raises(AssertionError):  # its message goes to standard error
            await service.run("serve")
        key = await service.run("keys", "add-api-key", "--name", "test", "--scope", "read,write")
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
            assert await _register(service, http, "c0")
            bodies = [
                (str(n), an_event(issuer_url, "c0", ("Authorized", "Suspended")[n % 2], _time_of(n), time.time()))
                for n in range(60)
            ]
            loading = asyncio.create_task(_load(service, bodies, http))
            async with asyncio.timeout(30):
                while service.rows(KEPT) == [(0,)]:
                    await asyncio.sleep(0.01)
            assert await service.terminate() == 0
            acknowledged = await loading
        assert service.rows(KEPT)[0][0] >= len(acknowledged) > 0
