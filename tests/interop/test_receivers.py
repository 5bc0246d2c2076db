"""What receivers do with our webhooks, by the libraries that they use: PyPI's and npm's, in their own words."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.exceptions import CloudEventValidationError

from tests.adapters.test_sender import LOOPBACK, a_subscription, an_endpoint, says
from tests.journal.drafts import a_draft, sealed
from tracker.adapters.sender import open_sender
from tracker.domain.subscription import RetiredSecret

ROOT = Path(__file__).parents[2]
NPM = ROOT / ".npm"
NEW, OLD, OTHER = ("whsec_" + letter * 43 + "=" for letter in "ABC"[:3])
[ENTRY] = sealed([a_draft(private={"user_ref": "Zoë €"}, private_salt=bytes(32))])


@dataclass
class Sent:
    headers: dict[str, str]
    body: bytes


async def sent(*, with_private: bool = True) -> Sent:
    """What a subscriber gets whose secret was replaced a moment ago."""
    now = datetime.now(UTC)
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK) as sender:
        retired = RetiredSecret(secret=OLD, until=now + timedelta(hours=1))
        to = replace(a_subscription(endpoint.url, NEW), retired_secrets=(retired,))
        delivery = await sender.send(to, ENTRY.id, ENTRY.told(with_private=with_private), now)
        assert delivery.delivered
    return Sent({name.lower(): value for name, value in endpoint.heard[0].headers.items()}, endpoint.heard[0].body)


def changed(one: Sent) -> Sent:
    return Sent(one.headers, one.body.replace(b'"usable":false', b'"usable":true'))


def in_python(library: Any) -> Callable[[Sent, str], Any]:
    def verified(one: Sent, secret: str) -> Any:
        try:
            library.Webhook(secret).verify(one.body, one.headers)  # svix's gives nothing back
            return json.loads(one.body)
        except (standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError):
            return None

    return verified


def in_node(library: str) -> Callable[[Sent, str], Any]:
    def verified(one: Sent, secret: str) -> Any:
        asked = [{"library": library, "secret": secret, "headers": one.headers, "body": one.body.decode()}]
        node = ["node", str(Path(__file__).with_name("verify.cjs")), str(NPM)]
        done = subprocess.run(node, input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)[0]

    return verified


no_npm = pytest.mark.skipif(
    shutil.which("node") is None or not (NPM / "node_modules" / "svix").is_dir(),
    reason="node and the packages of tests/interop/package.json are not there; .ci/run installs them into .npm",
)
VERIFIERS = [
    pytest.param(in_python(standardwebhooks), id="standardwebhooks of PyPI"),
    pytest.param(in_python(svix.webhooks), id="svix of PyPI"),
    pytest.param(in_node("standardwebhooks"), id="standardwebhooks of npm", marks=no_npm),
    pytest.param(in_node("svix"), id="svix of npm", marks=no_npm),
]


@pytest.mark.parametrize("verified", VERIFIERS)
async def test_both_secrets_verify_while_one_takes_the_others_place(verified: Callable[[Sent, str], Any]) -> None:
    one = await sent()
    assert verified(one, NEW) == verified(one, OLD) == json.loads(one.body)
    assert verified(one, OTHER) is None


@pytest.mark.parametrize("verified", VERIFIERS)
async def test_a_changed_body_id_or_time_is_refused(verified: Callable[[Sent, str], Any]) -> None:
    one = await sent()
    assert changed(one).body != one.body
    assert verified(changed(one), NEW) is None
    for name, value in (
        ("webhook-id", "another"),
        ("webhook-timestamp", str(int(one.headers["webhook-timestamp"]) - 1)),
    ):
        assert verified(Sent(one.headers | {name: value}, one.body), NEW) is None


async def test_the_sdk_of_cloudevents_reads_it() -> None:
    one = await sent(with_private=False)
    event = from_http_event(HTTPMessage(one.headers, one.body))
    assert (event.get_id(), event.get_type(), event.get_subject()) == (ENTRY.id, ENTRY.type, ENTRY.subject)
    assert (event.get_source(), event.get_specversion(), event.get_time()) == (ENTRY.source, "1.0", ENTRY.recorded_at)
    assert event.get_data() == ENTRY.data
    assert event.get_extension("sequence") == ENTRY.leaf["sequence"]


async def test_private_values_stand_beside_it_under_names_that_cloudevents_does_not_know() -> None:
    """As the handbook says; whoever wants them reads the JSON."""
    one = await sent()
    with pytest.raises(CloudEventValidationError, match="private_salt"):
        from_http_event(HTTPMessage(one.headers, one.body))
    assert json.loads(one.body)["private"] == ENTRY.private
