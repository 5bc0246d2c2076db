"""A certificate of ours that an endpoint asks for: shown to it, to nobody else, and on connections of its own."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from tests.adapters.test_sender import AT, BODY, LOOPBACK, a_subscription
from tracker.adapters.sender import WebhookSender, open_sender
from tracker.adapters.tls import RotatingContext, TlsFiles
from tracker.domain.errors import InvalidRequestError
from tracker.domain.sending import Sending
from tracker.ports import Delivery


@dataclass
class Met:
    """Who called, in order: the name in the certificate that was shown, or none; and over which connection."""

    url: str = ""
    names: list[str | None] = field(default_factory=list)
    connections: list[Any] = field(default_factory=list)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def write_pair(folder: Path, authority: trustme.CA, name: str) -> RotatingContext:
    issued = authority.issue_cert(f"{name}.example", common_name=name)
    certificate, key, ca = folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem"
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(ca)
    files = TlsFiles(subject=name, side="client", certificate=certificate, key=key, ca=ca)
    return RotatingContext(files, "refuse")


@asynccontextmanager
async def an_endpoint_that_asks(authority: trustme.CA, *, demands: bool) -> AsyncIterator[Met]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if demands else ssl.CERT_OPTIONAL
    met = Met()

    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        shown: Any = request.transport.get_extra_info("ssl_object").getpeercert()
        names = [value for part in (shown or {}).get("subject", ()) for key, value in part if key == "commonName"]
        met.names.append(names[0] if names else None)
        met.connections.append(request.transport.get_extra_info("peername"))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        met.url = f"https://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield met
    finally:
        await runner.cleanup()


async def send(sender: WebhookSender, url: str, certificate: str | None) -> Delivery:
    one = replace(a_subscription(url), sending=Sending(certificate=certificate))
    return await sender.send(one, "0198f1c2", BODY, AT)


async def test_each_shows_its_own_and_no_connection_is_shared(tmp_path: Path, authority: trustme.CA) -> None:
    contexts = {name: write_pair(tmp_path, authority, name) for name in ("crm", "ledger")}
    shown = {name: context.current for name, context in contexts.items()}
    async with (
        an_endpoint_that_asks(authority, demands=True) as met,
        open_sender(LOOPBACK, certificates=shown) as sender,
    ):
        for name in ("crm", "ledger", "crm", "ledger"):
            assert (await send(sender, met.url, name)).delivered
        assert met.names == ["crm", "ledger", "crm", "ledger"]
        assert met.connections[0] == met.connections[2] != met.connections[1] == met.connections[3]
        without = await send(sender, met.url, None)
        assert (without.delivered, len(met.names)) == (False, 4)


async def test_one_that_asks_for_none_shows_none_though_a_connection_with_one_is_open(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = write_pair(tmp_path, authority, "crm")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with (
        an_endpoint_that_asks(authority, demands=False) as met,
        open_sender(LOOPBACK, certificates={"crm": context.current}) as sender,
    ):
        assert (await send(sender, met.url, "crm")).delivered
        await send(sender, met.url, None)  # whether this machine trusts the endpoint does not matter here
        assert met.names[0] == "crm"
        assert met.names[1:] in ([], [None])


async def test_a_renewed_one_is_shown_from_the_next_post_on(tmp_path: Path, authority: trustme.CA) -> None:
    context = write_pair(tmp_path, authority, "crm")
    async with (
        an_endpoint_that_asks(authority, demands=True) as met,
        open_sender(LOOPBACK, certificates={"crm": context.current}) as sender,
    ):
        assert (await send(sender, met.url, "crm")).delivered
        renewed = authority.issue_cert("crm.example", common_name="crm-2")
        renewed.private_key_pem.write_to_path(tmp_path / "crm.key")
        (tmp_path / "crm.pem").write_bytes(b"".join(blob.bytes() for blob in renewed.cert_chain_pems))
        assert context.reload(force=True)
        assert (await send(sender, met.url, "crm")).delivered
    assert met.names == ["crm", "crm-2"]


async def test_an_endpoint_that_its_authority_does_not_vouch_for_is_refused(
    tmp_path: Path, authority: trustme.CA
) -> None:
    context = write_pair(tmp_path, authority, "crm")
    async with (
        an_endpoint_that_asks(trustme.CA(), demands=False) as met,
        open_sender(LOOPBACK, certificates={"crm": context.current}) as sender,
    ):
        assert "its certificate is not trusted" in str((await send(sender, met.url, "crm")).error)
    assert met.names == []


async def test_tls_before_1_2_is_not_spoken(tmp_path: Path, authority: trustme.CA) -> None:
    context = write_pair(tmp_path, authority, "crm")
    assert context.current().minimum_version is ssl.TLSVersion.TLSv1_2


async def test_without_the_certificate_nothing_is_sent_and_no_entry_is_to_blame(
    tmp_path: Path, authority: trustme.CA
) -> None:
    context = write_pair(tmp_path, authority, "crm")
    async with (
        an_endpoint_that_asks(authority, demands=False) as met,
        open_sender(LOOPBACK, certificates={"crm": context.current}) as sender,
    ):
        sender.check_means(Sending(certificate="crm"))
        with pytest.raises(InvalidRequestError, match="no \\[\\[client_certificate\\]\\] of this name"):
            sender.check_means(Sending(certificate="gone"))
        for url, name in ((met.url, "gone"), (met.url.replace("https", "http"), "crm")):
            delivery = await send(sender, url, name)
            assert (delivery.status, delivery.retry_after_seconds, delivery.delivered) == (None, 0.0, False)
        assert met.names == []
