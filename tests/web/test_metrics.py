"""What whoever watches the service can read at /metrics, and what is counted on the way."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import tokens
from tests.adapters.hub.scripted_hub import says
from tests.usecases.bench import CONSENT, data, message
from tests.web.site import Site, open_site
from tests.web.test_trail import LOOPBACK, notify, subscribe, subscriber

Labels = Mapping[str, str]


async def samples(site: Site) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples, from a look that is made now."""
    site.advance(6)
    said = await site.call_bare("GET", "/metrics")
    assert said.status == 200
    assert said.headers["Content-Type"].startswith("text/plain")
    assert said.headers["Cache-Control"] == "no-store"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(said.body.decode())
        for sample in family.samples
    }


async def value(site: Site, name: str, **labels: str) -> float | None:
    return (await samples(site)).get((name, frozenset(labels.items())))


async def test_a_fresh_service_says_that_nothing_waits(site: Site) -> None:
    found = {(name, *sorted(labels)): number for (name, labels), number in (await samples(site)).items()}
    for name in ("tracker_inbox_events", "tracker_inbox_oldest_seconds", "tracker_journal_head"):
        assert found[name,] == 0
    assert found["tracker_database_up",] == 1
    assert found["tracker_quarantine_events", ("verified", "true")] == 0
    assert found["tracker_budget_questions", ("provider", "demobank")] == 5
    assert found["tracker_asks_due", ("provider", "otherbank")] == 0
    (build,) = [key for key in found if key[0] == "tracker_build_info"]
    assert dict(build[1:]).keys() == {"version"}
    assert found["process_resident_memory_bytes",] > 0


async def test_an_event_is_counted_from_the_door_to_the_journal(site: Site) -> None:
    await site.register()
    assert (await site.post(site.event())).status == 202
    site.advance(60)
    assert (await site.post(site.event())).status == 202
    site.advance(34)
    waiting = await samples(site)
    nothing: frozenset[tuple[str, str]] = frozenset()
    assert waiting["tracker_inbox_events", nothing] == 2
    assert waiting["tracker_inbox_oldest_seconds", nothing] == 100
    assert waiting["tracker_inbox_overdue_seconds", nothing] == 100
    assert waiting["tracker_journal_head", nothing] == 1
    assert waiting["tracker_events_received_total", frozenset({("outcome", "kept"), ("reason", "")})] == 2
    await site.work_off()
    done = await samples(site)
    assert done["tracker_inbox_events", nothing] == 0
    assert done["tracker_events_recorded_total", frozenset({("outcome", "moved")})] == 1
    assert done["tracker_recording_entries_total", nothing] == 1
    assert done["tracker_recording_batch_events_count", nothing] == 1
    assert done["tracker_recording_seconds_count", nothing] == 1
    assert done["tracker_journal_head", nothing] == 2
    demobank = ("provider", "demobank")
    assert done["tracker_keys_fetches_total", frozenset({demobank, ("outcome", "fetched")})] == 1
    assert done["tracker_keys_age_seconds", frozenset({demobank})] == 6


@pytest.mark.parametrize(
    ("make", "outcome"),
    [
        (lambda site: site.event(), "duplicate"),
        (lambda site: site.event(data("Suspended", "2026-03-02T15:10:00+04:00")), "late"),
        (lambda site: site.event(message=message(None)), "other"),
        (
            lambda site: site.event(data(ConsentId="c-9"), message=message(data(ConsentId="c-9"), ConsentId="c-9")),
            "waiting",
        ),
        (lambda site: site.event(key="other hub"), "quarantined"),
    ],
    ids=["duplicate", "late", "other", "waiting", "quarantined"],
)
async def test_events_are_counted_by_what_they_meant(site: Site, make, outcome: str) -> None:
    await site.register()
    for body in (site.event(), make(site)):
        await site.post(body)
        await site.work_off()
    assert await value(site, "tracker_events_recorded_total", outcome=outcome) == 1
    if outcome == "quarantined":
        name = "tracker_events_quarantined_total"
        assert await value(site, name, step="verify", reason="signature_invalid") == 1
        assert await value(site, "tracker_quarantine_events", verified="false") == 1


async def test_refusals_at_the_door_are_counted_by_reason_and_by_nothing_that_a_stranger_chose(site: Site) -> None:
    refused = {
        "not_compact_jwe": b"hello",
        "kid_unknown": tokens.jwe(b"x", kid="a-strangers-word"),
        "too_large": b"x" * 70_000,
    }
    for reason, body in refused.items():
        await site.post(body)
        assert await value(site, "tracker_events_received_total", outcome="refused", reason=reason) == 1
    await site.post(b"x", "/webhooks/a-strangers-word")
    name = "tracker_events_received_total"
    assert await value(site, name, outcome="refused", reason="profile_unknown") == 1
    await site.call_bare("GET", "/a-strangers-word")
    await site.call_bare("GET", f"/v1/consents/a-strangers-word/{CONSENT}")
    await site.client.session.request("PURGE", site.url("/livez"))
    await site.post(b"x", headers={"x-fapi-interaction-id": "a-strangers-word"})
    page = (await site.call_bare("GET", "/metrics")).body.decode()
    assert "a-strangers-word" not in page
    assert "PURGE" not in page
    assert 'route="unmatched"' in page
    assert 'method="other"' in page


async def test_a_full_inbox_is_counted(database: Path, keys: Path) -> None:
    async with open_site(database, keys, receiver={"inbox_max_events": 1}) as site:
        assert [(await site.post(site.event())).status for _ in range(2)] == [202, 503]
        name = "tracker_events_received_total"
        assert await value(site, name, outcome="unavailable", reason="inbox_full") == 1


async def test_a_slow_body_is_counted(database: Path, keys: Path) -> None:
    async def never():
        yield b"e"
        await asyncio.sleep(60)

    async with open_site(database, keys, receiver={"body_timeout_seconds": 0.05}) as site:
        assert (await site.post(never())).status == 408
        assert await value(site, "tracker_events_received_total", outcome="refused", reason="too_slow") == 1


async def test_questions_are_counted_by_provider_and_answer(site: Site) -> None:
    await site.register()
    assert await value(site, "tracker_asks_due", provider="demobank") == 1
    assert await value(site, "tracker_asks_overdue_seconds", provider="demobank") == 12
    site.hub.message = {"Data": data()}
    demobank = "demobank"
    await site.tracker.services.asker.run_once(demobank)
    assert await value(site, "tracker_polls_total", provider=demobank, outcome="answered") == 1
    assert await value(site, "tracker_poll_seconds_count", provider=demobank) == 1
    assert await value(site, "tracker_tokens_total", provider=demobank, outcome="fetched") == 1
    assert await value(site, "tracker_asks_due", provider=demobank) == 0
    site.hub.always["consent"] = says(503)
    await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
    assert await value(site, "tracker_polls_total", provider=demobank, outcome="holder_unavailable") == 1
    site.advance(3600)
    site.hub.always["token"] = says(500)
    await site.call("POST", f"/v1/consents/demobank/{CONSENT}/refresh")
    assert await value(site, "tracker_tokens_total", provider=demobank, outcome="failed") == 1
    site.hub.always["jwks"] = says(500)
    site.advance(86_401)
    await site.post(site.event(exp=site.seconds + 60))
    await site.work_off()
    assert await value(site, "tracker_keys_fetches_total", provider=demobank, outcome="failed") == 1
    assert await value(site, "tracker_keys_age_seconds", provider=demobank) is None


async def test_without_a_database_only_what_it_knows_is_missing(site: Site) -> None:
    await site.post(b"hello")
    await site.tracker.store.close()
    found = await samples(site)
    assert found["tracker_database_up", frozenset()] == 0
    assert ("tracker_inbox_events", frozenset()) not in found
    assert (
        found["tracker_events_received_total", frozenset({("outcome", "refused"), ("reason", "not_compact_jwe")})] == 1
    )


async def test_many_readers_are_one_look_at_the_database(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    survey = site.tracker.store.survey

    async def counted(*args):
        nonlocal looks
        looks += 1
        return await survey(*args)

    monkeypatch.setattr(type(site.tracker.store), "survey", lambda _, *args: counted(*args))
    await asyncio.gather(*(site.call_bare("GET", "/metrics") for _ in range(20)))
    assert looks == 1
    site.advance(5)
    await site.call_bare("GET", "/metrics")
    assert looks == 2


async def test_two_applications_count_apart(site: Site, another_database, keys: Path) -> None:
    async with open_site(another_database("another.db"), keys) as other:
        await site.post(b"hello")
        labels = {"outcome": "refused", "reason": "not_compact_jwe"}
        assert await value(site, "tracker_events_received_total", **labels) == 1
        assert await value(other, "tracker_events_received_total", **labels) is None


async def test_requests_are_counted_by_their_pattern(site: Site) -> None:
    await site.register()
    for path in (f"/v1/consents/demobank/{CONSENT}", "/v1/consents/demobank/nobody"):
        await site.get(path)
    route = "/v1/consents/{provider}/{consent_id}"
    for status in ("200", "404"):
        assert await value(site, "tracker_http_requests_total", method="GET", route=route, status=status) == 1
    assert await value(site, "tracker_http_request_seconds_count", route=route) == 2


async def test_notifications_are_counted_by_what_came_of_them(database: Path, keys: Path) -> None:
    async with open_site(database, keys, **LOOPBACK) as site, subscriber(500, 410) as (url, _):
        await site.register()
        await subscribe(site, url)
        await notify(site)
        assert await value(site, "tracker_notifications_total", outcome="refused_5xx") == 1
        assert await value(site, "tracker_subscription_lag_entries_max") == 1
        await notify(site)
        assert await value(site, "tracker_notifications_total", outcome="refused_4xx") == 1
        assert await value(site, "tracker_subscriptions", state="disabled") == 1
    async with open_site(database, keys, **LOOPBACK) as site, subscriber() as (url, _):
        await subscribe(site, url)
        await notify(site)
        # The registration, and that the other one is disabled.
        assert await value(site, "tracker_notifications_total", outcome="delivered") == 2
        assert await value(site, "tracker_notification_seconds_count") == 2
        assert await value(site, "tracker_subscription_lag_entries_max") == 0
