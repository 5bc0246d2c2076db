"""Checkpoints are stamped by an RFC 3161 authority, here one that the test runs with OpenSSL, and checked offline."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509

from tracker.adapters.timestamps import Rfc3161Authority, stamped_at
from tracker.domain.checkpoint_errors import TimestampError

TEXT = b"demo.example/journal\n3\nAAAA\n"
CONFIGURATION = """
[tsa]
default_tsa = it
[it]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
"""

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def _openssl(folder: Path, *arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, cwd=folder, capture_output=True)


@pytest.fixture(scope="module")
def authority_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and an authority for time stamps under it."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
    for name, more in (
        ("ca", ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")),
        ("tsa", ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "extendedKeyUsage=critical,timeStamping")),
    ):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha256", "-nodes", "-days", "30")
        subject = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        _openssl(folder, "req", "-x509", *curve, *subject, *more)
    return folder


def _reply(folder: Path, query: bytes) -> bytes:
    (folder / "query").write_bytes(query)
    _openssl(folder, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "answer")
    return (folder / "answer").read_bytes()


@dataclass
class _Server:
    """The authority behind HTTP; what it answers can be changed."""

    answer: Callable[[bytes], web.Response]
    pieces: bool = False
    url: str = ""
    heard: list[web.Request] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.heard.append(request)
        answer = self.answer(await request.read())
        if not self.pieces or not isinstance(answer.body, bytes):
            return answer
        stream = web.StreamResponse()
        await stream.prepare(request)
        for at in range(0, len(answer.body), 500):  # as many segments as a slow line makes of it
            await stream.write(answer.body[at : at + 500])
            await asyncio.sleep(0)
        await stream.write_eof()
        return stream


@pytest.fixture
async def server(authority_files: Path) -> AsyncIterator[_Server]:
    made = _Server(lambda query: web.Response(body=_reply(authority_files, query)))
    application = web.Application()
    application.router.add_post("/", made.handle)
    async with TestServer(application) as listening:
        made.url = str(listening.make_url("/"))
        yield made


def _root(folder: Path, name: str = "ca") -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())


async def test_a_stamp_is_taken_and_holds_offline_for_us_and_for_openssl(
    server: _Server, authority_files: Path, tmp_path: Path
) -> None:
    token = await Rfc3161Authority(server.url).stamp(TEXT)
    assert server.heard[0].content_type == "application/timestamp-query"
    at = stamped_at(token, TEXT, [_root(authority_files)])
    assert timedelta() <= datetime.now(UTC) - at < timedelta(minutes=2)
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "text").write_bytes(TEXT)
    _openssl(tmp_path, "ts", "-verify", "-data", "text", "-in", "token", "-CAfile", authority_files / "ca.pem")
    for wrong in (TEXT + b"x", b""):
        with pytest.raises(TimestampError):
            stamped_at(token, wrong, [_root(authority_files)])


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end(server: _Server, authority_files: Path) -> None:
    server.pieces = True
    token = await Rfc3161Authority(server.url).stamp(TEXT)
    assert stamped_at(token, TEXT, [_root(authority_files)])
    server.answer = lambda _: web.Response(body=bytes(300_000))
    with pytest.raises(TimestampError, match="too much"):
        await Rfc3161Authority(server.url).stamp(TEXT)


async def test_a_stamp_of_nobody_who_is_trusted_does_not_hold(server: _Server, authority_files: Path) -> None:
    token = await Rfc3161Authority(server.url).stamp(TEXT)
    made = ("-newkey", "ed25519", "-nodes", "-subj", "/CN=ca", "-keyout", "o.key", "-out", "other.pem")
    _openssl(authority_files, "req", "-x509", *made)
    with pytest.raises(TimestampError):
        stamped_at(token, TEXT, [_root(authority_files, "other")])
    for spoiled in (b"", token[:-10], token.replace(TEXT[:4], b"xxxx") + b"x", b"\x30\x03\x02\x01\x00"):
        with pytest.raises(TimestampError):
            stamped_at(spoiled, TEXT, [_root(authority_files)])


async def test_only_an_answer_to_our_question_is_taken(server: _Server, authority_files: Path) -> None:
    authority = Rfc3161Authority(server.url)
    old = await authority.stamp(TEXT)
    answers: dict[str, Callable[[bytes], web.Response]] = {
        "something else": lambda _: web.Response(body=old),  # of this text, with the nonce of another question
        "status 500": lambda _: web.Response(status=500),
        "status 302": lambda _: web.Response(status=302, headers={"Location": "/"}),
        "not answer with a time stamp": lambda _: web.Response(body=b"hello"),
        "rejection": lambda _: web.Response(body=bytes.fromhex("30053003020102")),
        "too much": lambda _: web.Response(body=bytes(300_000)),
    }
    for why, answer in answers.items():
        server.answer = answer
        with pytest.raises(TimestampError, match=why):
            await authority.stamp(TEXT)
    with pytest.raises(TimestampError, match="could not be asked"):
        await Rfc3161Authority("http://127.0.0.1:9/").stamp(TEXT)
