"""A whole service under a role that owns nothing: it seals, signs, tells and forgets, and is refused nothing that it needs."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.service import Service, an_event, issuer
from tests.postgres import as_service, query
from tracker.adapters.key_files import make_checkpoint_key
from tracker.journal.checkpoint import parse_checkpoint, parse_note

SECTIONS = """
[audit]
origin = "demo.example/journal"
checkpoint_key = "checkpoint.jwk.json"
checkpoint_every_seconds = 1
publish_to = "published"
[security]
at_rest_keys = "ring.jwks.json"
[retention]
consent_years = 0
evidence_years = 0
payment_years = 0
completion_years = 0
dispose = "when_asked"
[log]
level = "warning"
"""


class Restricted(Service):
    """It knows by whom its tables are owned, for the commands that need that."""

    owners: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {"TRACKER_DATABASE__MIGRATION_URL": self.owners}


@pytest.mark.timeout(300)
async def test_all_of_the_evidence_is_made_and_disposed_of_with_the_rights_of_a_service(
    tmp_path: Path, another_postgres: Callable[[], str]
) -> None:
    owners = another_postgres()
    key = tmp_path / "checkpoint.jwk.json"
    key.touch(mode=0o600)
    key.write_text(make_checkpoint_key())
    async with issuer() as issuer_url, AsyncExitStack() as stack:
        service = Restricted(tmp_path, issuer_url, SECTIONS, postgres=as_service(owners))
        service.owners = owners
        await service.run("keys", "make", "secrets", "--out", str(tmp_path / "ring.jwks.json"))
        await service.start()
        stack.push_async_callback(service.kill)
        token = await service.run("keys", "add-api-key", "--name", "all", "--scope", "read,write,audit,admin")
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}))
        for consent_id in ("c1", "c2"):
            body = {"provider": "demobank", "kind": "account-access", "consent_id": consent_id, "user_ref": consent_id}
            async with http.post(f"{service.url}/v1/consents", json=body) as response:
                assert response.status == 201
            for n, status in enumerate(("Authorized", "Revoked")):
                event = an_event(issuer_url, consent_id, status, f"2026-03-02T06:00:0{n}+00:00", time.time())
                async with http.post(f"{service.url}/webhooks/uae-v2.1", data=event) as response:
                    assert response.status == 202
        await service.until_worked_off()
        async with http.get(f"{service.url}/v1/consents?provider=demobank") as response:
            assert response.status == 200
        assert service.rows("SELECT count(*) FROM consent_key WHERE sealed_with <> '' AND provider <> ''") == [(2,)]
        assert service.rows("SELECT count(*) FROM entry WHERE private_salt IS NOT NULL AND private IS NULL")[0][0] >= 2
        # Nothing goes by a clock that was not seen to go on for a day, nor within a day of its duty.
        steady = "VALUES (1, now(), now() - interval '2 days') ON CONFLICT (id) DO UPDATE SET since = excluded.since"
        query(owners, f"INSERT INTO steady_clock (id, seen_at, since) {steady}")
        query(owners, "UPDATE consent SET registered_at = registered_at - interval '3 days', creation_date_time = NULL")
        await service.run("privacy", "erase", "--user", "c1", "--yes")
        (gone,) = service.rows("SELECT sequence FROM entry WHERE convert_from(leaf, 'UTF8') LIKE '%consent.disposed%'")
        assert service.rows("SELECT consent_id FROM consent") == [("c2",)]
        async with http.post(f"{service.url}/v1/audit/checkpoint") as response:
            assert response.status in {200, 201}
        assert await service.run("keys", "seal")
        await service.run("journal", "export", "--out", str(tmp_path / "export"))
        vkey = json.loads(await service.run("keys", "public"))["checkpoint_vkey"]
        for what in ("--database", str(tmp_path / "export")):
            told = await service.run(
                "journal", "verify", what, "--key", vkey, "--checkpoint", str(tmp_path / "published")
            )
            assert "demo.example/journal" in told
        published = parse_checkpoint(parse_note((tmp_path / "published").read_text()).text)
        assert published.size >= gone[0]
        assert (published.size, published.root) in {
            (size, bytes(root)) for size, root in service.rows("SELECT size, root FROM checkpoint")
        }
        assert service.rows("SELECT count(*) FROM access_record")[0][0] >= 1
        assert await service.terminate() == 0
        # What needs the owner goes by the owner; and the service's role is told to be enough.
        refused = await asyncio.create_subprocess_exec(
            *service.command[:3], "db", "detach-journal", env=service.environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await refused.communicate()
        assert (refused.returncode, b"is not full" in out) == (1, True)
        assert [row[0] for row in query(owners, "SELECT count(*) FROM journal_detached")] == [0]
        said = (tmp_path / "log.txt").read_text()
        assert "permission denied" not in said
        assert "is written once" not in said
