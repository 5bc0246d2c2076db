"""What `tracker check` says of certificates: until when, for what, and whether the key is theirs."""

import json
import re
from pathlib import Path

import pytest

from tests import tokens
from tests.certificates import Authority, ExtendedKeyUsageOID, put

pytestmark = pytest.mark.usefixtures("port")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def settled(filled: Path, hub: str, run) -> Path:
    """A configuration that names certificates everywhere, of a client that the hub knows; a test puts them there."""
    text = (filled / "tracker.toml").read_text().replace(tokens.ISSUER, hub)
    (filled / "tracker.toml").write_text(text)
    assert run("sandbox", "register", "--hub", hub).status == 0
    text = text.replace(
        "[[provider]]",
        'transport_certificate = "keys/transport.pem"\ntransport_key = "keys/transport.key"\n'
        '[[provider]]\nca = "keys/ca.pem"',
    )
    text += '[http]\ntls_certificate = "keys/http.pem"\ntls_key = "keys/http.key"\n'
    (filled / "tracker.toml").write_text(text)
    return filled


def fill(folder: Path, authority: Authority, **others: object) -> None:
    for name in ("transport", "http"):
        authority.issue(f"{name}.example", **others.get(name, {})).write(folder / "keys", name)  # type: ignore[arg-type,attr-defined]
    put(folder / "keys" / "ca.pem", authority.pem)


def certificates(done) -> list[tuple[str, str]]:
    """Mark and text of each line about certificates."""
    assert done.err == "", done
    return re.findall(r"^(ok|warn|FAIL)\s+certificate\s+(.*)$", done.out, re.MULTILINE)


def test_each_file_is_told_with_its_end(run, settled, authority):
    fill(settled, authority)
    done = run("check")
    assert done.status == 0
    (http, transport, ca) = certificates(done)
    end = r"valid until \d{4}-\d\d-\d\d \d\d:\d\d UTC, 89 days left"
    assert http[0] == transport[0] == ca[0] == "ok"
    assert re.fullmatch(rf"\S*keys/http\.pem of \[http\]: http\.example, {end}", http[1])
    assert re.fullmatch(rf"\S*keys/transport\.pem of client \S+: transport\.example, {end}", transport[1])
    assert re.fullmatch(r"\S*keys/ca\.pem: 1 to trust, valid until .* days left", ca[1])


def test_fewer_than_30_days_are_a_warning_and_no_failure(run, settled, authority):
    fill(settled, authority, http={"days": 29.5}, transport={"days": 30.5})
    done = run("check")
    assert done.status == 0
    assert [mark for mark, _ in certificates(done)] == ["warn", "ok", "ok"]
    assert certificates(done)[0][1].endswith("UTC: 29 day(s) left; replace it, no restart is needed")
    told = [one for one in json.loads(run("check", "--json").out)["findings"] if one["subject"] == "certificate"]
    assert [(one["ok"], one["warns"]) for one in told] == [(True, True), (True, False), (True, False)]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"days": -1}, "lapsed at"),
        ({"since_days": -1}, "is not valid before"),
        ({"usages": [ExtendedKeyUsageOID.CLIENT_AUTH]}, "is not for servers by its extended key usage"),
    ],
)
def test_what_nobody_will_accept_is_a_no(run, settled, authority, how, words):
    fill(settled, authority, http=how)
    done = run("check")
    mark, text = certificates(done)[0]
    assert (done.status, mark) == (1, "FAIL")
    assert words in text


def test_an_intermediate_certificate_counts_too(run, settled, authority):
    fill(settled, authority)
    chain = authority.issue("http.example")
    lapsed = authority.issue("between.example", days=-1)
    put(settled / "keys" / "http.pem", chain.certificate + lapsed.certificate)
    put(settled / "keys" / "http.key", chain.key)
    assert certificates(run("check"))[0][0] == "FAIL"


def test_in_a_bundle_one_that_has_lapsed_is_no_trouble(run, settled, authority):
    fill(settled, authority)
    put(settled / "keys" / "ca.pem", authority.issue("old.example", days=-1).certificate + authority.pem)
    mark, text = certificates(run("check"))[2]
    assert mark == "ok"
    assert "2 to trust" in text


@pytest.mark.parametrize("name", ["http", "transport"])
def test_a_key_of_another_certificate_would_stop_the_service(run, settled, authority, name):
    fill(settled, authority)
    put(settled / "keys" / f"{name}.key", authority.issue("other.example").key)
    done = run("check")
    assert done.status == 2
    marks = {text: mark for mark, text in certificates(done)}
    (text,) = [text for text, mark in marks.items() if mark == "FAIL"]
    assert re.search(rf"The key \S*{name}\.key does not belong to the certificate \S*{name}\.pem", text)
    assert len(marks) == (3 if name == "http" else 2)
    assert "keys  " not in done.out  # what stands on it is not tried


def test_names_in_certificates_cannot_write_on_the_terminal(run, settled, authority):
    fill(settled, authority)
    authority.issue("evil\x1b[31m\nok    keys").write(settled / "keys", "http")
    done = run("check")
    assert "\x1b" not in done.out
    assert len(certificates(done)) == 3
