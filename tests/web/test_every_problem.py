"""Every code of a problem that we know is one that a caller can really get: here is how, each time from the whole application.

What exactly provokes it, and what does not, is in the tests of each part.
"""

import io
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from tests.adapters.hub.scripted_hub import says, says_json
from tests.checkpointing import a_signer
from tests.usecases.bench import CONSENT
from tests.web.site import Said, Site
from tracker.domain.export import MOST_OPEN as MOST_EXPORTS
from tracker.domain.replay import MOST_OPEN
from tracker.ports import Delivery, Sender
from tracker.usecases.sparing import MOST
from tracker.web.problems import TITLES

ONE = f"/v1/consents/demobank/{CONSENT}"
JSON = {"Content-Type": "application/json"}
REGISTRATION = {"provider": "demobank", "kind": "account-access", "consent_id": CONSENT}


async def consent_conflict(site: Site) -> Said:
    await site.register()
    return await site.call("POST", "/v1/consents", json=REGISTRATION | {"kind": "payment"})


async def signed(site: Site) -> Said:
    site.tracker.auditing.checkpoints.sign_with([a_signer()])
    await site.register()
    return await site.call("POST", "/v1/audit/checkpoint")


async def journal_forked(site: Site) -> Said:
    await signed(site)
    site.execute("UPDATE checkpoint SET root = zeroblob(32)")
    return await site.call("POST", "/v1/audit/checkpoint")


async def cosignature_refused(site: Site) -> Said:
    note = (await signed(site)).json["note"]
    return await site.call("POST", "/v1/audit/checkpoint/cosignatures", json={"note": note})


async def version_conflict(site: Site) -> Said:
    await site.register()
    return await site.call("POST", f"{ONE}/refresh", headers={"If-Match": '"7"'})


async def forbidden(site: Site) -> Said:
    return await site.call("POST", "/v1/consents", json=REGISTRATION, key=await site.add_key("read"))


async def cursor_invalid(site: Site) -> Said:
    for consent_id in ("a", "b"):
        await site.register(consent_id)
    cursor = (await site.get("/v1/consents?limit=1")).json["next_cursor"]
    return await site.get(f"/v1/consents?kind=payment&cursor={cursor}")


async def not_pausable(site: Site) -> Said:
    await site.register()
    return await site.call("POST", f"{ONE}/pause")


async def not_revocable(site: Site) -> Said:
    await site.register()
    return await site.call("POST", f"{ONE}/revoke", json={"revoked_by": "TPP"})


async def revocation_pending(site: Site) -> Said:
    await site.register()
    await site.post(site.event())
    await site.work_off()
    site.hub.always["consent"] = says(500)
    assert (await site.call("POST", f"{ONE}/revoke", json={"revoked_by": "TPP"})).status == 202
    return await site.call("POST", f"{ONE}/pause")


async def subscription_not_polled(site: Site) -> Said:
    made = await site.call("POST", "/v1/subscriptions", json={"url": "https://hooks.example.com/x"})
    return await site.call("POST", f"/v1/subscriptions/{made.json['id']}/poll", json={})


REPORT = {
    "sequence": "1",
    "work": "data_deleted",
    "evidence_url": "https://x.example/1",
    "done_at": "2026-03-02T11:00:00Z",
}


async def completion_not_found(site: Site) -> Said:
    made = await site.call("POST", "/v1/subscriptions", json={})
    return await site.call("POST", f"/v1/subscriptions/{made.json['id']}/completions", json=REPORT)


async def completion_conflict(site: Site) -> Said:
    asked = {"types": ["*"], "work": ["data_deleted"], "within_seconds": 60}
    made = await site.call("POST", "/v1/subscriptions", json={"completion": asked})
    await site.register()
    path = f"/v1/subscriptions/{made.json['id']}/completions"
    assert (await site.call("POST", path, json=REPORT)).status == 200
    return await site.call("POST", path, json=REPORT | {"evidence_url": "https://x.example/2"})


async def subscription_polled(site: Site) -> Said:
    made = await site.call("POST", "/v1/subscriptions", json={})
    return await site.call("POST", f"/v1/subscriptions/{made.json['id']}/test")


async def a_subscription(site: Site) -> str:
    await site.register()
    made = await site.call("POST", "/v1/subscriptions", json={"url": "https://x.example/", "from_sequence": 2})
    return f"/v1/subscriptions/{made.json['id']}"


async def job_not_found(site: Site) -> Said:
    return await site.get(f"{await a_subscription(site)}/jobs/none")


async def not_resendable(site: Site) -> Said:
    one = await a_subscription(site)
    site.execute("UPDATE subscription SET url = ''")
    return await site.call("POST", f"{one}/replay", json={"missing": True})


async def too_many_jobs(site: Site) -> Said:
    one = await a_subscription(site)
    for _ in range(MOST_OPEN):
        assert (await site.call("POST", f"{one}/replay", json={"sequence": 1})).status == 202
    return await site.call("POST", f"{one}/replay", json={"sequence": 1})


async def rate_limited(site: Site) -> Said:
    one = await a_subscription(site)
    site.tracker.services.pings._sender = cast("Sender", Silent())
    for _ in range(MOST):
        assert (await site.call("POST", f"{one}/test")).status == 200
    said = await site.call("POST", f"{one}/test")
    assert said.headers["Retry-After"] == "60"
    return said


class Silent:
    """A sender that sends nothing."""

    async def send(self, *_: Any) -> Delivery:
        return Delivery(status=204)


EXPORTS = "/v1/audit/exports"


async def exports_not_configured(site: Site) -> Said:
    site.tracker.auditing.jobs._folder = None
    return await site.call("POST", EXPORTS, json={})


async def too_many_exports(site: Site) -> Said:
    for _ in range(MOST_EXPORTS):
        assert (await site.call("POST", EXPORTS, json={})).status == 202
    return await site.call("POST", EXPORTS, json={})


async def export_elsewhere(site: Site) -> Said:
    await site.register()
    made = (await site.call("POST", EXPORTS, json={})).json
    assert site.tracker.auditing.runner is not None
    assert await site.tracker.auditing.runner.run_once()
    site.tracker.auditing.jobs._folder = site.database.parent / "another"
    return await site.get(f"{EXPORTS}/{made['id']}/files/manifest.json")


async def internal_error(site: Site) -> Said:
    await site.register()
    site.execute("UPDATE consent SET told_status = 'Nonsense'")
    return await site.get(ONE)


async def holder_refused(site: Site) -> Said:
    await site.register()
    site.hub.always["consent"] = says_json({}, 403)
    return await site.call("POST", f"{ONE}/refresh")


async def holder_unavailable(site: Site) -> Said:
    await site.register()
    site.hub.always["consent"] = says(500)
    return await site.call("POST", f"{ONE}/refresh")


async def extra_not_installed(site: Site) -> Said:
    # What is not importable is not installed, as far as anybody can tell.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nats", None)
        return await site.call("POST", "/v1/subscriptions", json={"url": "nats://nats.example/consents"})


async def consent_disposed(site: Site) -> Said:
    await site.register(user_ref="customer-42")
    site.clock.advance(2 * 86_400)
    erased = await site.call("POST", "/v1/privacy/erasures", json={"user_ref": "customer-42"})
    assert [one["outcome"] for one in erased.json["items"]] == ["erased"]
    return await site.get(ONE)


async def journal_truncated(site: Site) -> Said:
    for consent_id in ("a", "b"):
        await site.register(consent_id)
    site.execute("DELETE FROM entry WHERE sequence = 1")
    site.execute("INSERT INTO journal_detached VALUES ('entry_before_2', 2, '2026-03-02T00:00:00.000000+00:00')")
    assert (await site.get("/v1/journal?after=1")).json["next_cursor"] == "2"
    assert (await site.get("/v1/journal/stream?after=0")).problem == "journal_truncated"
    return await site.get("/v1/journal?after=0")


async def not_ready(site: Site) -> Said:
    await site.tracker.store.close()
    return await site.get(ONE)


PROVOKED: dict[str, tuple[int, Callable[[Site], Awaitable[Said]]]] = {
    "malformed_json": (400, lambda site: site.call("POST", "/v1/consents", data=b'{"a": 1, "a": 2}', headers=JSON)),
    "unauthorized": (401, lambda site: site.call_bare("GET", "/v1/consents")),
    "forbidden": (403, forbidden),
    "not_found": (404, lambda site: site.get("/v1/nothing")),
    "consent_not_found": (404, lambda site: site.get(ONE)),
    "provider_not_found": (
        404,
        lambda site: site.call("POST", "/v1/consents", json=REGISTRATION | {"provider": "nobank"}),
    ),
    "quarantined_event_not_found": (404, lambda site: site.call("POST", "/v1/quarantine/nothing/retry")),
    "subscription_not_found": (404, lambda site: site.get("/v1/subscriptions/nobody")),
    "job_not_found": (404, job_not_found),
    "hold_not_found": (404, lambda site: site.call("DELETE", "/v1/privacy/holds/none?why=none")),
    "consent_disposed": (410, consent_disposed),
    "journal_truncated": (410, journal_truncated),
    "method_not_allowed": (405, lambda site: site.call("DELETE", ONE)),
    "consent_conflict": (409, consent_conflict),
    "not_pausable": (409, not_pausable),
    "not_revocable": (409, not_revocable),
    "revocation_pending": (409, revocation_pending),
    "completion_not_found": (404, completion_not_found),
    "completion_conflict": (409, completion_conflict),
    "subscription_not_polled": (409, subscription_not_polled),
    "subscription_polled": (409, subscription_polled),
    "not_resendable": (409, not_resendable),
    "too_many_jobs": (409, too_many_jobs),
    "rate_limited": (429, rate_limited),
    "export_not_found": (404, lambda site: site.get(f"{EXPORTS}/none")),
    "exports_not_configured": (409, exports_not_configured),
    "too_many_exports": (409, too_many_exports),
    "export_elsewhere": (409, export_elsewhere),
    "version_conflict": (412, version_conflict),
    "body_too_large": (
        413,
        lambda site: site.call("POST", "/v1/consents", data=io.BytesIO(b" " * (2**20 + 1)), headers=JSON),
    ),
    "unsupported_media_type": (415, lambda site: site.call("POST", "/v1/consents", data=b"{}")),
    "invalid_request": (422, lambda site: site.get("/v1/consents?status=authorized")),
    "cursor_invalid": (422, cursor_invalid),
    "broker_not_configured": (
        422,
        lambda site: site.call("POST", "/v1/subscriptions", json={"url": "nats://nats.example/consents"}),
    ),
    "extra_not_installed": (422, extra_not_installed),
    "internal_error": (500, internal_error),
    "holder_refused": (502, holder_refused),
    "checkpoint_not_found": (404, lambda site: site.get("/v1/audit/checkpoint")),
    "not_signed": (409, lambda site: site.call("POST", "/v1/audit/checkpoint")),
    "cosignature_refused": (422, cosignature_refused),
    "journal_forked": (500, journal_forked),
    "holder_unavailable": (503, holder_unavailable),
    "not_ready": (503, not_ready),
}


def test_no_code_is_without_a_way_to_it() -> None:
    assert set(PROVOKED) == set(TITLES)


@pytest.mark.parametrize("code", PROVOKED)
async def test_a_caller_can_get_it(site: Site, code: str) -> None:
    status, provoke = PROVOKED[code]
    said = await provoke(site)
    assert (said.status, said.problem, said.json["title"]) == (status, code, TITLES[code][1])
