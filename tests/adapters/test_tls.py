"""Contexts made of PEM files: what is refused and how it is said, what is renewed and what is not."""

import logging
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import Authority, put
from tracker.adapters.tls import RotatingContext, TlsFiles
from tracker.domain.errors import ConfigurationError

RENEWED = "The certificates of [http] were renewed."
KEPT = "New certificates cannot be used, the old ones serve on: "


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> TlsFiles:
    certificate, key = authority.issue("door.example").write(tmp_path, "http")
    ca = put(tmp_path / "ca.pem", authority.pem)
    return TlsFiles(subject="[http]", side="server", certificate=certificate, key=key, ca=ca)


def handshake(
    client: ssl.SSLContext, server: ssl.SSLContext, *, session: ssl.SSLSession | None = None
) -> tuple[ssl.SSLObject, bytes]:
    """Shake hands in memory; give the client's side and the certificate that the server saw."""
    pipes = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(*pipes, server_hostname="door.example", session=session)
    theirs = server.wrap_bio(*reversed(pipes), server_side=True)
    waiting: list[ssl.SSLObject] = [ours, theirs]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            with suppress(ssl.SSLWantReadError):
                ours.read(1)  # takes in what a server sends after the handshake
            return ours, theirs.getpeercert(binary_form=True) or b""
    raise AssertionError("they never agree")


def serial(context: ssl.SSLContext, authority: Authority, pair: object = None) -> object:
    """The serial number of the certificate that a server's context shows."""
    ours, _ = handshake(authority.client(authority.issue("caller.example")), context)
    found = ours.getpeercert()
    assert found is not None
    return found["serialNumber"]


# ---------------------------------------------------------------------------------------------- what is made


@pytest.mark.parametrize("side", ["server", "client"])
def test_contexts_are_sane(files: TlsFiles, side: str) -> None:
    context = RotatingContext(TlsFiles(subject="x", side=side, ca=files.ca), "refuse").current()  # type: ignore[arg-type]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is (side == "client")
    assert len(context.get_ca_certs()) == 1
    assert context.options & ssl.OP_NO_COMPRESSION


def test_a_server_without_ca_asks_for_no_certificate(files: TlsFiles, authority: Authority) -> None:
    plain = TlsFiles(subject="x", side="server", certificate=files.certificate, key=files.key)
    context = RotatingContext(plain, "refuse").current()
    _, seen = handshake(authority.client(), context)
    assert seen == b""


def test_a_client_without_ca_trusts_the_machine() -> None:
    context = RotatingContext(TlsFiles(subject="x", side="client"), "refuse").current()
    assert context.cert_store_stats() == ssl.create_default_context().cert_store_stats()


def test_the_old_versions_are_refused(files: TlsFiles, authority: Authority) -> None:
    old = authority.client(authority.issue("caller.example"))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        handshake(old, RotatingContext(files, "refuse").current())


def test_intermediate_certificates_are_shown(authority: Authority, tmp_path: Path) -> None:
    between = Authority("Intermediate", above=authority)
    certificate, key = between.issue("door.example").write(tmp_path, "http")
    files = TlsFiles(subject="x", side="server", certificate=certificate, key=key)
    handshake(authority.client(), RotatingContext(files, "refuse").current())


def test_remarks_in_any_encoding_may_stand_in_a_bundle(authority: Authority, tmp_path: Path) -> None:
    bundle = put(tmp_path / "ca.pem", "# Zertifizierungsstelle für alle\n".encode("latin-1") + authority.pem)
    other = Authority("Other")
    bundle.write_bytes(bundle.read_bytes() + "# ещё одна\n".encode() + other.pem)
    context = RotatingContext(TlsFiles(subject="x", side="client", ca=bundle), "refuse").current()
    assert len(context.get_ca_certs()) == 2


# ---------------------------------------------------------------------------------------------- what is refused


def _other_key(files: TlsFiles, authority: Authority) -> None:
    put(files.key, authority.issue("door.example").key)  # type: ignore[arg-type]


def _other_kind_of_key(files: TlsFiles, authority: Authority) -> None:
    from tests import tokens

    put(files.key, tokens.rsa_key("hub").private_bytes(*_pem()))  # type: ignore[arg-type]


def _pem():  # type: ignore[no-untyped-def]
    from cryptography.hazmat.primitives import serialization as s

    return s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()


def _password(files: TlsFiles, authority: Authority) -> None:
    pair = authority.issue("door.example", password=b"hunter2")
    put(files.key, pair.key)  # type: ignore[arg-type]
    put(files.certificate, pair.certificate)  # type: ignore[arg-type]


BROKEN: dict[str, tuple[Callable[[TlsFiles, Authority], object], str]] = {
    "another key": (_other_key, r"http\.key does not belong to the certificate .*http\.pem; put the pair"),
    "another kind of key": (_other_kind_of_key, r"http\.key does not belong to the certificate .*http\.pem"),
    "a password": (_password, r"http\.key has a password; write the key without"),
    "half a certificate": (
        lambda f, _: put(f.certificate, f.certificate.read_bytes()[:300]),
        "cannot be used; both sh",
    ),  # type: ignore[arg-type,union-attr]
    "half a key": (lambda f, _: put(f.key, f.key.read_bytes()[:60]), "cannot be used; both should be in PEM"),  # type: ignore[arg-type,union-attr]
    "an empty key": (lambda f, _: put(f.key, b""), "cannot be used; both should be in PEM"),  # type: ignore[arg-type]
    "the certificate's text in the key": (lambda f, _: put(f.key, f.certificate.read_bytes()), "cannot be used"),  # type: ignore[arg-type,union-attr]
    "no certificate": (lambda f, _: f.certificate.unlink(), r"http\.pem cannot be read \(No such file"),  # type: ignore[union-attr]
    "no key": (lambda f, _: f.key.unlink(), r"http\.key cannot be read \(No such file.*\); correct the path"),  # type: ignore[union-attr]
    "no authority": (lambda f, _: f.ca.unlink(), r"ca\.pem cannot be read"),  # type: ignore[union-attr]
    "an empty authority": (lambda f, _: put(f.ca, b""), r"ca\.pem holds no certificates in PEM"),  # type: ignore[arg-type]
    "an authority of rubbish": (lambda f, _: put(f.ca, b"\xff" * 99), r"ca\.pem holds no certificates in PEM"),  # type: ignore[arg-type]
    "half an authority": (lambda f, a: put(f.ca, a.pem[:200]), r"ca\.pem holds no certificates in PEM"),  # type: ignore[arg-type]
    "a key open to all": (lambda f, _: f.key.chmod(0o644), "http.key is open to others .*chmod 600"),  # type: ignore[union-attr]
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_said_in_a_sentence(files: TlsFiles, authority: Authority, name: str) -> None:
    spoil, words = BROKEN[name]
    spoil(files, authority)
    with pytest.raises(ConfigurationError, match=words) as caught:
        RotatingContext(files, "refuse")
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and "hunter2" not in text and "BEGIN" not in text


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_replaces_nothing_and_is_told_once(
    files: TlsFiles, authority: Authority, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = RotatingContext(files, "refuse")
    before = context.current()
    BROKEN[name][0](files, authority)
    assert [context.reload() for _ in range(3)] == [False] * 3
    assert context.current() is before
    serial(before, authority)  # it still works
    assert [record.getMessage().startswith(KEPT) for record in caplog.records] == [True]
    authority.issue("door.example").write(files.key.parent, "http")  # type: ignore[union-attr]
    put(files.ca, authority.pem)  # type: ignore[arg-type]
    assert context.reload()
    assert context.current() is not before


def test_an_open_key_is_warned_of_if_the_policy_says_so(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    files.key.chmod(0o640)  # type: ignore[union-attr]
    context = RotatingContext(files, "warn")
    assert "chmod 600" in caplog.text
    caplog.clear()
    assert not context.reload()
    assert caplog.text == ""


# ---------------------------------------------------------------------------------------------- what is renewed


def test_a_new_pair_is_shown_to_who_comes_after(
    files: TlsFiles, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    context = RotatingContext(files, "refuse")
    before = context.current()
    old = serial(before, authority)
    authority.issue("door.example").write(files.key.parent, "http")  # type: ignore[union-attr]
    assert context.reload()
    assert serial(context.current(), authority) != old
    assert serial(before, authority) == old  # whoever has the old one is not disturbed
    assert [record.getMessage() for record in caplog.records] == [RENEWED]
    assert not context.reload()


def test_half_a_renewal_waits_for_the_other_half(files: TlsFiles, authority: Authority) -> None:
    context = RotatingContext(files, "refuse")
    before = context.current()
    pair = authority.issue("door.example")
    put(files.key, pair.key)  # type: ignore[arg-type]
    assert not context.reload()
    assert context.current() is before
    put(files.certificate, pair.certificate)  # type: ignore[arg-type]
    assert context.reload()


def test_an_authority_that_is_taken_out_is_not_trusted_any_more(files: TlsFiles, authority: Authority) -> None:
    context = RotatingContext(files, "refuse")
    other = Authority("Other")
    put(files.ca, other.pem)  # type: ignore[arg-type]
    assert context.reload()
    with pytest.raises(ssl.SSLError):
        serial(context.current(), authority)
    trusting = authority.client()
    other._load(trusting, other.issue("caller.example"))
    handshake(trusting, context.current())


def test_files_that_were_only_touched_are_no_renewal(files: TlsFiles) -> None:
    context = RotatingContext(files, "refuse")
    before = context.current()
    os.utime(files.certificate)  # type: ignore[arg-type]
    assert not context.reload()
    assert not context.reload(force=True)
    assert context.current() is before


def test_force_reads_what_looks_untouched(
    files: TlsFiles, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = RotatingContext(files, "refuse")
    monkeypatch.setattr("tracker.adapters.tls._state", lambda _: context._state)
    authority.issue("door.example").write(files.key.parent, "http")  # type: ignore[union-attr]
    assert not context.reload()
    assert context.reload(force=True)


def test_links_that_are_pointed_elsewhere_are_seen(files: TlsFiles, authority: Authority, tmp_path: Path) -> None:
    """As secrets are mounted in a cluster: the files are links into a folder, which is itself a link."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        authority.issue("door.example").write(tmp_path / version, "http")
    (tmp_path / "data").symlink_to("1")
    linked = TlsFiles(
        subject="x", side="server", certificate=tmp_path / "data/http.pem", key=tmp_path / "data/http.key"
    )
    context = RotatingContext(linked, "refuse")
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(tmp_path / "data")
    assert context.reload()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_of_before_a_renewal_is_not_resumed(
    files: TlsFiles, authority: Authority, version: ssl.TLSVersion
) -> None:
    """Who is not trusted any more would otherwise come in by what he was given when he was."""
    context = RotatingContext(files, "refuse")
    client = authority.client(authority.issue("caller.example"))
    client.maximum_version = version
    first, _ = handshake(client, context.current())
    put(files.ca, Authority("Other").pem)  # type: ignore[arg-type]
    assert context.reload()
    with pytest.raises(ssl.SSLError):
        handshake(client, context.current(), session=first.session)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_ticket_is_given_to_who_must_show_a_certificate(
    files: TlsFiles, authority: Authority, version: ssl.TLSVersion
) -> None:
    client = authority.client(authority.issue("caller.example"))
    client.minimum_version = client.maximum_version = version
    first, _ = handshake(client, RotatingContext(files, "refuse").current())
    assert first.session is None or not first.session.has_ticket
