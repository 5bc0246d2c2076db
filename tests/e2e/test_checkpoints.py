"""Checkpoints of a service that is killed again and again: what anybody was shown is of the journal that there is."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.service import Service, issuer
from tracker.adapters.key_files import make_checkpoint_key
from tracker.journal import tree
from tracker.journal.checkpoint import Checkpoint, parse_checkpoint, parse_note

AUDIT = """
[audit]
origin = "demo.example/journal"
checkpoint_key = "checkpoint.jwk.json"
checkpoint_every_seconds = 1
publish_to = "published"
[log]
level = "error"
"""


@pytest.mark.timeout(300)
async def test_no_kill_leaves_a_fork_and_a_stop_signs_what_there_is(tmp_path: Path) -> None:
    key = tmp_path / "checkpoint.jwk.json"
    key.touch(mode=0o600)
    key.write_text(make_checkpoint_key())
    seen: set[Checkpoint] = set()
    chance = random.Random(7)
    async with issuer() as issuer_url:
        service = Service(tmp_path, issuer_url, AUDIT)
        headers = {}
        for life in range(3):
            await service.start()
            if life == 0:
                token = await service.run("keys", "add-api-key", "--name", "auditor", "--scope", "write,audit")
                headers["Authorization"] = f"Bearer {token}"
            async with aiohttp.ClientSession(service.url, headers=headers) as http:
                busy = asyncio.create_task(_register_and_sign(http, life, seen))
                await asyncio.sleep(chance.uniform(0.2, 1.2))
                if life == 2:
                    busy.cancel()
                    await asyncio.wait({busy})
                    assert await service.terminate() == 0
                else:
                    await service.kill()
                    await asyncio.wait({busy})
    rows = [bytes(leaf_hash) for (leaf_hash,) in service.rows("SELECT leaf_hash FROM entry ORDER BY sequence")]
    last = parse_checkpoint(parse_note((tmp_path / "published").read_text()).text)
    assert last == Checkpoint("demo.example/journal", len(rows), tree.root(rows))
    kept = {size: bytes(root) for size, root in service.rows("SELECT size, root FROM checkpoint")}
    assert len(seen) > 3
    for one in seen:
        assert one.root == tree.root(rows[: one.size]) == kept[one.size]


async def _register_and_sign(http: aiohttp.ClientSession, life: int, seen: set[Checkpoint]) -> None:
    """Go on until the service is gone; keep every checkpoint that it shows."""
    with suppress(aiohttp.ClientError, ConnectionError):
        for n in range(10_000):
            body = {"provider": "demobank", "kind": "account-access", "consent_id": f"c{life}-{n}"}
            async with http.post("/v1/consents", json=body) as said:
                said.raise_for_status()
            async with http.post("/v1/audit/checkpoint", headers={"Accept": "text/plain"}) as said:
                said.raise_for_status()
                seen.add(parse_checkpoint(parse_note(await said.text()).text))
