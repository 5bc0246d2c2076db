"""SIGHUP to the real service: its keys change under load, and what it has answered for is recorded."""

import asyncio
import json
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests import tokens
from tests.e2e.service import Service, an_event, issuer

OURS = tokens.private_jwk(tokens.rsa_key("ours"), kid=tokens.OUR_KID, use="enc", alg="RSA-OAEP-256")


def new_key() -> dict[str, object]:
    return tokens.private_jwk(tokens.rsa_key("ours new"), kid="new", use="enc", alg="RSA-OAEP-256")


class Told(Service):
    """A service whose log is kept."""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def start(self) -> None:
        configuration = self.folder / "tracker.toml"
        configuration.write_text(configuration.read_text().replace('level = "error"', 'level = "info"'))
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdout=asyncio.subprocess.PIPE, stderr=log, env=self.environment
            )
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode()
        self.url = line.split()[3]

    async def hang_up(self, says: str) -> None:
        """Send SIGHUP, and wait until the log says so once more."""
        assert self.process is not None
        before = self.log.count(says)
        self.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(30):
            while self.log.count(says) == before:
                await asyncio.sleep(0.02)

    def use(self, *keys: object, end: bytes = b"") -> None:
        """Replace the key file, as an operator does: whole, in one step."""
        new = self.folder / "encryption.new"
        new.touch(mode=0o600)
        new.write_bytes(json.dumps({"keys": keys}).encode() + end)
        new.replace(self.folder / "encryption.jwks.json")


def sealed(issuer_url: str, n: int, *, new: bool) -> bytes:
    sealing = {"key": tokens.rsa_key("ours new"), "kid": "new"} if new else {}
    return an_event(issuer_url, f"c-{n}", "Authorized", "2026-03-02T15:13:19+04:00", time.time(), **sealing)


@pytest.mark.timeout(120)
async def test_keys_change_under_load_and_nothing_is_lost(tmp_path: Path) -> None:
    read_again, failed = "The key files were read", "Reloading failed; what is in use stays"
    async with issuer() as issuer_url, aiohttp.ClientSession() as http:
        service = Told(tmp_path, issuer_url)
        await service.start()

        async def send(n: int, *, new: bool) -> int:
            async with http.post(f"{service.url}/webhooks/uae-v2.1", data=sealed(issuer_url, n, new=new)) as response:
                return response.status

        async def stream(numbers: range) -> list[int]:
            return [await send(n, new=False) for n in numbers]

        assert [await send(0, new=False), await send(1, new=True)] == [202, 400]
        sending = [asyncio.create_task(stream(range(start, start + 40))) for start in (100, 200)]
        service.use(new_key(), OURS)
        for _ in range(3):
            await service.hang_up(read_again)
        assert await send(2, new=True) == 202
        service.use(new_key(), OURS, end=b"}")
        await service.hang_up(failed)
        assert [await send(3, new=True), await send(4, new=False)] == [202, 202]
        for statuses in await asyncio.gather(*sending):
            assert set(statuses) == {202}
        # The old key is taken out while the inbox is full of it.
        waiting = [send(n, new=False) for n in range(300, 330)]
        assert set(await asyncio.gather(*waiting)) == {202}
        service.use(new_key())
        await service.hang_up(read_again)
        assert [await send(5, new=False), await send(6, new=True)] == [400, 202]
        await service.until_worked_off()
        assert await service.terminate() == 0
        on_record = {name for (name,) in service.rows("SELECT consent_id FROM report")}
        expected = {0, 2, 3, 4, 6, *range(100, 140), *range(200, 240), *range(300, 330)}
        assert on_record == {f"c-{n}" for n in expected}
        assert service.rows("SELECT count(*) FROM quarantine") == [(0,)]
        assert "opens events for new, tpp-enc-2026-a" in service.log
        assert service.log.count("An encryption key that is not ours is used") == 1  # at a bounded rate
        assert "Traceback" not in service.log
