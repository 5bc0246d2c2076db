"""Receivers who know nothing of us: what we post is verified and read by the libraries that they use.

Those in JavaScript come from npm, pinned by `package-lock.json` here and installed into `.node` by `.ci/run`.
"""

import asyncio
import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.adapters.test_sender import LOOPBACK, a_subscription, an_endpoint, says
from tests.journal.drafts import a_draft, sealed
from tracker.adapters.notification_keys import NotificationKey, NotificationKeys
from tracker.adapters.sender import open_sender
from tracker.domain.sending import Sending
from tracker.domain.subscription import with_new_secret

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / ".node" / "node_modules"
BEFORE, NOW, ANOTHER = ("whsec_" + letter * 43 + "=" for letter in "ABC")
KEYS = NotificationKeys([NotificationKey("n", Ed25519PrivateKey.generate())])
PYTHON = {"standardwebhooks": standardwebhooks.Webhook, "svix": svix.webhooks.Webhook}


@dataclass
class Posted:
    """What a receiver got: its headers in lower case, its body."""

    headers: dict[str, str]
    body: bytes


async def post(*, with_private: bool) -> Posted:
    """An entry, posted while one secret takes the place of another, with our own signature too."""
    now = datetime.now(UTC)
    (entry,) = sealed([a_draft(private={"user_ref": "Zoë €"}, private_salt=bytes(32))])
    async with an_endpoint(says(204)) as endpoint, open_sender(LOOPBACK, keys=KEYS) as sender:
        one = replace(a_subscription(endpoint.url, BEFORE), sending=Sending(signatures=("v1", "v1a")))
        one = with_new_secret(one, NOW, now, timedelta(hours=1))
        assert (await sender.send(one, entry.id, entry.told(with_private=with_private), now)).delivered
    [heard] = endpoint.heard
    return Posted({name.lower(): value for name, value in heard.headers.items()}, heard.body)


@pytest.fixture
async def posted() -> Posted:
    return await post(with_private=True)


@pytest.mark.parametrize("library", PYTHON)
@pytest.mark.parametrize("secret", [NOW, BEFORE], ids=["the new secret", "the one before"])
async def test_libraries_of_python_verify_it_and_refuse_a_change(posted: Posted, library: str, secret: str) -> None:
    receiver = PYTHON[library](secret)
    receiver.verify(posted.body, posted.headers)
    changed = posted.body.replace(b'"sequence"', b'"Sequence"')
    assert changed != posted.body
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verify(changed, posted.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verify(posted.body, {**posted.headers, "webhook-id": "another"})
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        PYTHON[library](ANOTHER).verify(posted.body, posted.headers)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed; .ci/run installs it with npm")
@pytest.mark.skipif(not MODULES.is_dir(), reason=".ci/run installs the npm packages of tests/interop into .node")
async def test_libraries_of_javascript_verify_it_and_refuse_a_change(posted: Posted) -> None:
    body = posted.body.decode()
    changed = body.replace("Zoë", "Zoe")
    assert changed != body
    (public,) = KEYS.public_jwks()["keys"]
    other = NotificationKeys([NotificationKey("o", Ed25519PrivateKey.generate())]).public_jwks()["keys"][0]
    cases: list[tuple[dict[str, Any], bool]] = []
    for library in PYTHON:
        for secret in (NOW, BEFORE):
            cases += [({"library": library, "secret": secret, "body": body}, True)]
            cases += [({"library": library, "secret": secret, "body": changed}, False)]
        cases += [({"library": library, "secret": ANOTHER, "body": body}, False)]
    for jwk, said, holds in ((public, body, True), (public, changed, False), (other, body, False)):
        cases += [({"library": "node:crypto", "jwk": jwk, "body": said}, holds)]
    given = json.dumps([{"headers": posted.headers, **case} for case, _ in cases])
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", HERE / "verify.js"],
        input=given,
        env={"NODE_PATH": str(MODULES), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [holds for _, holds in cases]


async def test_the_sdk_of_cloudevents_takes_it() -> None:
    posted = await post(with_private=False)
    event = from_http_event(HTTPMessage(headers=posted.headers, body=posted.body))
    told = json.loads(posted.body)
    assert event.get_id() == posted.headers["webhook-id"] == told["id"]
    assert (event.get_type(), event.get_source(), event.get_subject()) == (
        told["type"],
        told["source"],
        told["subject"],
    )
    assert event.get_time() == datetime.fromisoformat(told["time"])
    assert event.get_extension("sequence") == told["sequence"]
    assert event.get_data() == told["data"]
