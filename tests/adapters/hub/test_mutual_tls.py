"""Asking holders over mutual TLS, with certificates made here: whom we trust, who trusts us, and what a renewal changes."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from joserfc.jwk import RSAKey

from tests.adapters.hub.conftest import RandomIds, make_provider, read
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.certificates import Authority, Pair, put
from tests.clocks import ManualClock
from tracker.adapters.hub.holders import HolderConnection, Holders
from tracker.adapters.jose import JwcryptoEventCrypto, SigningKey
from tracker.adapters.tls import RotatingContext, TlsFiles
from tracker.domain.errors import ConsentApiUnavailableError


class TlsHub(ScriptedHub):
    """Remembers which certificate each request came with."""

    def __init__(self, key: RSAKey) -> None:
        super().__init__(key)
        self.shown: list[tuple[str, object]] = []
        self.server: TestServer | None = None

    async def _serve(self, request):  # type: ignore[no-untyped-def]
        shown = request.transport.get_extra_info("peercert")
        answer = await super()._serve(request)
        self.shown.append((self.seen[-1].route, shown["serialNumber"] if shown else None))
        return answer


class Ours:
    """Our side: files, and the adapter on them."""

    def __init__(self, folder: Path, hub: TlsHub, signing_key: SigningKey, trust: Authority, pair: Pair | None) -> None:
        self.folder = folder
        self.provider = make_provider(hub.issuer)
        certificate, key = (None, None) if pair is None else pair.write(folder, "transport")
        ca = put(folder / "ca.pem", trust.pem)
        files = TlsFiles(subject="client x", side="client", certificate=certificate, key=key, ca=ca)
        self.context = RotatingContext(files, "refuse")
        self.clock = ManualClock()
        hub.clock_seconds = int(self.clock.now().timestamp())
        connection = HolderConnection(provider=self.provider, signing_key=signing_key, contexts=self.context.current)
        self.holders = Holders([connection], self.clock, RandomIds(), JwcryptoEventCrypto({}))

    async def ask(self) -> None:
        await read(self.holders, self.provider)


@pytest.fixture(scope="module")
def banks() -> Authority:
    """Who issued the holders' certificates."""
    return Authority("Banks")


@pytest.fixture(scope="module")
def directory() -> Authority:
    """Who issued ours."""
    return Authority("Directory")


@asynccontextmanager
async def a_hub(key: RSAKey, context: ssl.SSLContext) -> AsyncIterator[TlsHub]:
    hub = TlsHub(key)
    server = TestServer(hub.application())
    await server.start_server(ssl=context)
    hub.issuer, hub.server = f"https://127.0.0.1:{server.port}", server
    try:
        yield hub
    finally:
        hub.release()
        await server.close()


@asynccontextmanager
async def asking(
    tmp_path: Path, hub: TlsHub, signing_key: SigningKey, trust: Authority, pair: Pair | None
) -> AsyncIterator[Ours]:
    ours = Ours(tmp_path, hub, signing_key, trust, pair)
    try:
        yield ours
    finally:
        await ours.holders.close()


async def test_our_certificate_is_shown_for_tokens_and_questions_alike(
    tmp_path: Path, rsa_keys: dict[str, RSAKey], signing_key: SigningKey, banks: Authority, directory: Authority
) -> None:
    async with (
        a_hub(rsa_keys["first"], banks.server(demand=directory)) as hub,
        asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours,
    ):
        await ours.ask()
        assert {"discovery", "token", "consent"} <= {route for route, _ in hub.shown}
        assert len({serial for _, serial in hub.shown}) == 1
        assert hub.shown[0][1] is not None


OURS_WRONG = {
    "none": lambda directory, banks: None,
    "another authority's": lambda directory, banks: banks.issue("tpp.example"),
    "expired": lambda directory, banks: directory.issue("tpp.example", days=-1),
}


@pytest.mark.parametrize("wrong", OURS_WRONG)
async def test_a_holder_that_refuses_our_certificate_is_one_that_cannot_be_asked(
    tmp_path: Path,
    rsa_keys: dict[str, RSAKey],
    signing_key: SigningKey,
    banks: Authority,
    directory: Authority,
    wrong: str,
) -> None:
    pair = OURS_WRONG[wrong](directory, banks)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        theirs = banks.server(demand=directory)
        theirs.minimum_version = theirs.maximum_version = version
        async with (
            a_hub(rsa_keys["first"], theirs) as hub,
            asking(tmp_path, hub, signing_key, banks, pair) as ours,
        ):
            with pytest.raises(ConsentApiUnavailableError, match="could not be asked"):
                await ours.ask()
            assert hub.seen == []


@pytest.mark.parametrize(("wrong", "alert"), [("none", "handshake_failure"), ("another authority's", "unknown_ca")])
async def test_the_holders_reason_for_refusing_our_certificate_is_told(
    tmp_path: Path,
    signing_key: SigningKey,
    rsa_keys: dict[str, RSAKey],
    banks: Authority,
    directory: Authority,
    wrong: str,
    alert: str,
) -> None:
    """Servers made with asyncio hang up without the alert that says why; others send it, such as this one.

    With TLS 1.3 it comes when we have begun to ask, and may be lost in the hanging up.
    """
    theirs = banks.server(demand=directory)
    theirs.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)

        def refuse() -> None:
            with suppress(TimeoutError):
                while True:  # a question that nobody heard is asked once more
                    plain, _ = listener.accept()
                    plain.settimeout(5)
                    with plain, suppress(ssl.SSLError):
                        theirs.wrap_socket(plain, server_side=True)

        hub = TlsHub(rsa_keys["first"])
        hub.issuer = f"https://127.0.0.1:{listener.getsockname()[1]}"
        async with asking(tmp_path, hub, signing_key, banks, OURS_WRONG[wrong](directory, banks)) as ours:
            refusing = asyncio.create_task(asyncio.to_thread(refuse))
            with pytest.raises(ConsentApiUnavailableError, match=rf"it refused the TLS handshake \({alert}\)"):
                await ours.ask()
            await refusing


THEIRS_WRONG = {
    "another authority's": (
        lambda banks, directory: directory.server(),
        "self-signed certificate in|unable to get local",
    ),
    "expired": (lambda banks, directory: banks.server(days=-1), "certificate has expired"),
    "not valid yet": (lambda banks, directory: banks.server(since_days=-2), "not yet valid"),
    "another host's": (lambda banks, directory: banks.server("bank.example"), "IP address mismatch"),
    "another address's": (lambda banks, directory: banks.server("127.0.0.2"), "IP address mismatch"),
}


@pytest.mark.parametrize("wrong", THEIRS_WRONG)
async def test_a_holder_whose_certificate_is_wrong_is_told_nothing(
    tmp_path: Path,
    rsa_keys: dict[str, RSAKey],
    signing_key: SigningKey,
    banks: Authority,
    directory: Authority,
    wrong: str,
) -> None:
    make, words = THEIRS_WRONG[wrong]
    async with (
        a_hub(rsa_keys["first"], make(banks, directory)) as hub,
        asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours,
    ):
        with pytest.raises(ConsentApiUnavailableError, match=rf"its certificate is not trusted \(.*({words})"):
            await ours.ask()
        assert hub.seen == []


async def test_a_holder_that_speaks_plain_http_is_told_nothing(
    tmp_path: Path, rsa_keys: dict[str, RSAKey], signing_key: SigningKey, banks: Authority, directory: Authority
) -> None:
    hub = TlsHub(rsa_keys["first"])
    async with TestServer(hub.application()) as server:
        hub.issuer = f"https://127.0.0.1:{server.port}"
        async with asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours:
            with pytest.raises(ConsentApiUnavailableError, match="no secure connection"):
                await ours.ask()
        assert hub.seen == []


# ---------------------------------------------------------------------------------------------- renewal


async def test_a_renewed_certificate_is_shown_and_tokens_of_the_old_one_are_not_used(
    tmp_path: Path, rsa_keys: dict[str, RSAKey], signing_key: SigningKey, banks: Authority, directory: Authority
) -> None:
    async with (
        a_hub(rsa_keys["first"], banks.server(demand=directory)) as hub,
        asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours,
    ):
        await ours.ask()
        await ours.ask()
        assert hub.count("token") == 1
        old = hub.shown[-1][1]
        directory.issue("tpp.example").write(tmp_path, "transport")
        assert ours.context.reload()
        already = len(hub.shown)
        await ours.ask()
        assert [route for route, _ in hub.shown[already:]] == ["token", "consent"]
        assert {serial for _, serial in hub.shown[already:]}.isdisjoint({old, None})
        await ours.ask()
        assert hub.count("token") == 2


@pytest.mark.parametrize("held", ["consent", "token"])
async def test_a_question_under_way_survives_a_renewal_and_its_token_is_not_kept(
    tmp_path: Path,
    rsa_keys: dict[str, RSAKey],
    signing_key: SigningKey,
    banks: Authority,
    directory: Authority,
    held: str,
) -> None:
    async with (
        a_hub(rsa_keys["first"], banks.server(demand=directory)) as hub,
        asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours,
    ):
        gate = hub.hold(held)
        question = asyncio.create_task(ours.ask())
        await hub.asked(held)
        directory.issue("tpp.example").write(tmp_path, "transport")
        assert ours.context.reload()
        gate.set()
        await question
        assert hub.count("token") == 1
        await ours.ask()
        assert hub.count("token") == 2


async def test_a_half_written_pair_keeps_the_old_one_in_use(
    tmp_path: Path, rsa_keys: dict[str, RSAKey], signing_key: SigningKey, banks: Authority, directory: Authority
) -> None:
    async with (
        a_hub(rsa_keys["first"], banks.server(demand=directory)) as hub,
        asking(tmp_path, hub, signing_key, banks, directory.issue("tpp.example")) as ours,
    ):
        await ours.ask()
        put(tmp_path / "transport.key", directory.issue("tpp.example").key)
        assert not ours.context.reload()
        await ours.ask()
        assert len({serial for _, serial in hub.shown}) == 1
        assert hub.count("token") == 1


async def test_an_own_authority_is_renewed_too(
    tmp_path: Path, rsa_keys: dict[str, RSAKey], signing_key: SigningKey, banks: Authority, directory: Authority
) -> None:
    async with (
        a_hub(rsa_keys["first"], banks.server()) as hub,
        asking(tmp_path, hub, signing_key, Authority("Old"), None) as ours,
    ):
        with pytest.raises(ConsentApiUnavailableError, match="not trusted"):
            await ours.ask()
        put(tmp_path / "ca.pem", banks.pem)
        assert ours.context.reload()
        await ours.ask()
        assert {serial for _, serial in hub.shown} == {None}
