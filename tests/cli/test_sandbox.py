"""The simulated hub alone, and commands that ask it."""

import json
import signal
import subprocess
import urllib.request

import pytest

from tests import tokens
from tests.cli.conftest import PROGRAM
from tests.cli.histories import tell


def post(url, value):
    body = json.dumps(value).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


@pytest.fixture
def joined(run, filled, hub):
    """A configuration whose provider is the hub, which knows our client."""
    file = filled / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.ISSUER, hub))
    done = run("sandbox", "register", "--hub", hub)
    assert (done.status, done.lines) == (
        0,
        ["tpp-client-001 is registered; its events go to http://127.0.0.1:8080/webhooks/uae-v2.1."],
    )
    return filled


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_hub_starts_alone_and_is_stopped_with_0(bare, unused_tcp_port, sign):
    with subprocess.Popen(
        (*PROGRAM, "sandbox", "hub", "--port", str(unused_tcp_port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == f"simulated API Hub of demobank: http://127.0.0.1:{unused_tcp_port}\n"
        url = f"http://127.0.0.1:{unused_tcp_port}"
        with urllib.request.urlopen(f"{url}/.well-known/openid-configuration", timeout=10) as answer:
            assert json.loads(answer.read())["issuer"] == url
        process.send_signal(sign)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert list(bare.iterdir()) == []


def test_a_taken_port_is_told_in_a_sentence(run, hub):
    port = hub.rpartition(":")[2]
    done = run("sandbox", "hub", "--port", port)
    assert done.status == 2
    assert done.says.startswith(f"Nothing can listen on port {port}: ")


def test_register_needs_a_hub(run, folder, unused_tcp_port):
    done = run("sandbox", "register", "--hub", f"http://127.0.0.1:{unused_tcp_port}")
    assert done.status == 2
    assert "start `tracker sandbox hub`." in done.says


def test_refresh_asks_the_holder_and_shows_what_it_said(run, joined, hub, key_folder):
    consent_id = post(f"{hub}/sandbox/consents", {"kind": "account-access"})["consent_id"]
    post(f"{hub}/sandbox/consents/{consent_id}/move", {"status": "Authorized"})
    _register(joined, key_folder, consent_id)
    done = run("consents", "refresh", f"demobank/{consent_id}")
    assert done.status == 0
    assert "status        Authorized" in done.lines
    post(f"{hub}/sandbox/consents/{consent_id}/move", {"status": "Suspended"})
    shown = json.loads(run("consents", "refresh", f"demobank/{consent_id}", "--json").out)
    assert (shown["status"], shown["usable"], shown["confirmed_by"]) == ("Suspended", False, "poll")
    assert json.loads(run("consents", "show", f"demobank/{consent_id}", "--json").out)["status"] == "Suspended"


def test_refresh_of_what_the_holder_does_not_know_is_no_error(run, joined, key_folder):
    _register(joined, key_folder, "not-yet-staged")
    done = run("consents", "refresh", "demobank/not-yet-staged")
    assert done.status == 0
    assert "status        NotStaged" in done.lines


def test_refresh_of_an_absent_holder_is_a_no(run, filled, key_folder, unused_tcp_port):
    file = filled / "tracker.toml"
    file.write_text(file.read_text().replace(tokens.ISSUER, f"http://127.0.0.1:{unused_tcp_port}"))
    _register(filled, key_folder, "c-1")
    done = run("consents", "refresh", "demobank/c-1")
    assert done.status == 1
    assert done.says.startswith("127.0.0.1 could not be asked: ")
    assert run("consents", "show", "demobank/c-1").status == 0


def _register(folder, key_folder, consent_id):
    async def story(bench):
        await bench.register(consent_id)

    tell(folder / "tracker.db", key_folder, story)
