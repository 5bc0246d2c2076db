"""Which spans there are and where they stand, whatever happens in between: restarts, waiting, repetition, failure."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import tokens
from tests.adapters.hub.scripted_hub import ScriptedHub
from tests.clocks import ManualClock
from tests.collector import Sink
from tests.usecases.bench import CONSENT, NOW, data, message
from tests.web.site import settings_for
from tracker.adapters.store.store import SqlStore
from tracker.app.composition import Tracker, build
from tracker.app.traced import TracedHolders, TracedInbox, TracedOpener, TracedSender
from tracker.app.world import World
from tracker.ports import Place, Span
from tracker.profiles import PROFILES
from tracker.usecases import traces as traces_module
from tracker.usecases.opening import Opener
from tracker.usecases.register import Registration
from tracker.usecases.subscribe import SubscriptionRequest
from tracker.web.application import web_application

UAE = PROFILES["uae-v2.1"]
LOOPBACK = {"notifications": {"allow_networks": ["127.0.0.0/8"]}}
REGISTRATION = Registration(provider="demobank", kind="account-access", consent_id=CONSENT)


class Town:
    """A tracker on a database; it can be taken down and made again, and the sink stays."""

    def __init__(self, database: Path, keys: Path, hub: ScriptedHub) -> None:
        self.database, self.keys, self.hub = database, keys, hub
        self.sink = Sink()
        self.clock = ManualClock(NOW)
        self.got: list[tuple[str, str | None]] = []
        self.answers: list[int] = []
        self.url = ""

    @asynccontextmanager
    async def up(self, spans: Any = None) -> AsyncIterator[Tracker]:
        settings = settings_for(self.database, self.keys, {"demobank": self.hub.issuer}, **LOOPBACK)
        async with build(settings, World(clock=self.clock, spans=spans or self.sink)) as tracker:
            yield tracker

    def event(self, **found: Any) -> bytes:
        return tokens.jwe(tokens.jws(tokens.claims(iss=self.hub.issuer, message=message(data(**found)))))

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["webhook-id"], request.headers.get("traceparent")))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)


@pytest.fixture
async def town(database: Path, keys: Path, hub: ScriptedHub) -> AsyncIterator[Town]:
    town = Town(database, keys, hub)
    application = web.Application()
    application.router.add_post("/", town.take)
    async with TestServer(application) as server:
        town.url = str(server.make_url("/"))
        yield town


async def register(tracker: Tracker) -> None:
    await tracker.services.registrar.register(REGISTRATION)


async def subscribe(tracker: Tracker, town: Town) -> str:
    return (await tracker.services.subscriptions.add(SubscriptionRequest(url=town.url, from_sequence=1))).id


async def receive(tracker: Tracker, body: bytes) -> None:
    await tracker.services.receiver.receive(UAE, body, str(uuid.uuid4()))


async def work_off(tracker: Tracker) -> None:
    while await tracker.opening.run_once():
        await tracker.opening.key_wait.settled()


def trace_of(body: bytes) -> int:
    return int(hashlib.sha256(body).hexdigest()[:32], 16)


# ---------------------------------------------------------------------------------------------- restarts


async def test_a_restart_between_any_two_stages_leaves_one_trace(town: Town) -> None:
    body = town.event()
    async with town.up() as tracker:
        await register(tracker)
        subscription = await subscribe(tracker, town)
        await receive(tracker, body)
    async with town.up() as tracker:
        await work_off(tracker)
    async with town.up() as tracker:
        await tracker.notifier.run_once(subscription)
    sink, trace_id = town.sink, trace_of(body)
    store = sink.the("store event")
    record = sink.the("record event", outcome="moved")
    append = sink.the("append entry", entry_type="consent.status_changed")
    notify = sink.the("notify subscriber", entry_id=append.facts["tracker.entry_id"])
    opened = sink.named("open event")
    assert {span.place.trace_id for span in (store, record, append, notify, *opened)} == {trace_id}
    assert len({span.place.span_id for span in (store, record, append, notify, *opened)}) == 4 + len(opened)
    assert store.parent is not None
    assert {span.parent for span in (record, *opened)} == {store.parent}
    assert append.parent == record.place
    assert notify.parent == append.place
    assert town.got[-1] == (append.facts["tracker.entry_id"], f"00-{trace_id:032x}-{notify.place.span_id:016x}-01")


async def test_an_event_that_waited_for_its_consent_goes_on_in_its_trace(town: Town) -> None:
    body = town.event()
    async with town.up() as tracker:
        await receive(tracker, body)
        await work_off(tracker)
    async with town.up() as tracker:
        await register(tracker)
        await tracker.notifier.run_once(await subscribe(tracker, town))
    assert town.sink.the("record event").facts["tracker.outcome"] == "waiting"
    changed = town.sink.the("append entry", entry_type="consent.status_changed")
    notify = town.sink.the("notify subscriber", entry_id=changed.facts["tracker.entry_id"])
    assert (changed.place.trace_id, changed.parent, notify.parent) == (trace_of(body), None, changed.place)
    registered = town.sink.the("append entry", entry_type="consent.registered")
    assert registered.place.trace_id == uuid.UUID(str(registered.facts["tracker.entry_id"])).int
    assert town.sink.the("notify subscriber", entry_id=registered.facts["tracker.entry_id"]).parent == registered.place


async def test_a_question_leads_to_its_notification_and_after_a_restart_to_a_trace_of_its_own(town: Town) -> None:
    async with town.up() as tracker:
        await register(tracker)
        subscription = await subscribe(tracker, town)
        await tracker.services.asker.run_once("demobank")
        ask = town.sink.the("ask holder", outcome="answered")
        append = town.sink.the("append entry", entry_type="consent.status_changed")
        assert ask.place.trace_id == uuid.UUID(town.hub.last("consent").headers["x-fapi-interaction-id"]).int
        assert (ask.parent, ask.kind, ask.has_failed, append.parent) == (None, "client", False, ask.place)
        town.answers = [204, 503]
        await tracker.notifier.run_once(subscription)
    town.clock.advance(3600)
    async with town.up() as tracker:
        await tracker.notifier.run_once(subscription)
    before, after = town.sink.named("notify subscriber", entry_id=append.facts["tracker.entry_id"])
    assert (before.parent, before.has_failed, before.facts["error.type"]) == (append.place, True, "503")
    assert (after.parent, after.has_failed) == (None, False)
    assert after.place.trace_id == uuid.UUID(str(append.facts["tracker.entry_id"])).int


async def test_which_questions_made_an_entry_is_remembered_within_bounds(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces_module, "REMEMBERED", 1)
    async with town.up() as tracker:
        await register(tracker)
        traces = tracker.services.traces
        assert traces is not None
        entries = await tracker.store.entries_after(0, 1)
        await tracker.services.asker.run_once("demobank")
        entries += await tracker.store.entries_after(1, 1)
        traces.answered(str(uuid.uuid4()), entries)
        assert list(traces._questions) == [entries[1].id]


# ---------------------------------------------------------------------------------------------- all that can happen


async def test_every_attempt_is_a_span_of_its_own_below_the_entry(town: Town) -> None:
    town.answers = [500]
    async with town.up() as tracker:
        await register(tracker)
        subscription = await subscribe(tracker, town)
        for _ in range(2):
            await tracker.notifier.run_once(subscription)
            town.clock.advance(600)
        append = town.sink.the("append entry")
    attempts = town.sink.named("notify subscriber", subscription=subscription)
    assert [(span.has_failed, span.facts["http.response.status_code"]) for span in attempts] == [
        (True, 500),
        (False, 204),
    ]
    assert {span.parent for span in attempts} == {append.place}
    assert len({parent for _, parent in town.got}) == 2


async def test_a_subscriber_that_is_not_there_is_a_failed_span(town: Town) -> None:
    async with town.up() as tracker:
        await register(tracker)
        town.url = "http://127.0.0.1:1999/"
        await tracker.notifier.run_once(await subscribe(tracker, town))
    notify = town.sink.the("notify subscriber")
    assert (notify.has_failed, notify.facts["error.type"]) == (True, "unreachable")
    assert "http.response.status_code" not in notify.facts


async def test_the_same_bytes_sent_again_are_in_the_same_trace_and_have_spans_of_their_own(town: Town) -> None:
    body = town.event()
    async with town.up() as tracker:
        await register(tracker)
        await receive(tracker, body)
        await receive(tracker, body)
        await work_off(tracker)
    records = town.sink.named("record event")
    assert [span.facts["tracker.outcome"] for span in records] == ["moved", "duplicate"]
    assert {span.place.trace_id for span in town.sink.spans if span.name != "append entry"} == {trace_of(body)}
    assert len({span.parent for span in records}) == 2
    assert town.sink.the("append entry", entry_type="consent.status_changed").parent == records[0].place


async def test_what_is_not_believed_is_followed_into_the_quarantine(town: Town) -> None:
    claims = tokens.claims(iss=town.hub.issuer, message=message(data()))
    body = tokens.jwe(tokens.jws(claims, key=tokens.rsa_key("other hub")))
    async with town.up() as tracker:
        await register(tracker)
        await receive(tracker, body)
        await work_off(tracker)
    opened = town.sink.named("open event")[-1]
    assert (opened.facts["tracker.step"], opened.facts["tracker.reason"]) == ("verify", "signature_invalid")
    record = town.sink.the("record event")
    assert (record.facts["tracker.outcome"], record.place.trace_id) == ("quarantined", trace_of(body))


async def test_an_event_about_something_else_is_followed_too(town: Town) -> None:
    body = tokens.jwe(tokens.jws(tokens.claims(iss=town.hub.issuer, message=message(None))))
    async with town.up() as tracker:
        await register(tracker)
        await receive(tracker, body)
        await work_off(tracker)
    record = town.sink.the("record event", outcome="other")
    assert record.place.trace_id == trace_of(body)
    assert town.sink.named("open event")[-1].facts["tracker.provider"] == "demobank"


async def test_what_the_clock_tells_is_a_trace_of_its_own(town: Town) -> None:
    async with town.up() as tracker:
        await register(tracker)
        await tracker.services.asker.run_once("demobank")
        town.clock.advance(200 * 86_400)
        await tracker.expiry.run_once()
        await tracker.notifier.run_once(await subscribe(tracker, town))
    expired = town.sink.the("append entry", entry_type="consent.expiry_inferred")
    assert expired.parent is None
    assert town.sink.the("notify subscriber", entry_id=expired.facts["tracker.entry_id"]).parent == expired.place


async def test_a_question_that_fails_says_how(town: Town) -> None:
    town.hub.always["consent"] = lambda _: web.Response(status=503)
    async with town.up() as tracker:
        await register(tracker)
        await tracker.services.asker.run_once("demobank")
    ask = town.sink.the("ask holder")
    assert (ask.has_failed, ask.facts["tracker.outcome"]) == (True, "holder_unavailable")


async def test_an_event_that_cannot_be_kept_is_a_failed_span(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise OSError

    async with town.up() as tracker:
        monkeypatch.setattr(SqlStore, "admit", fail)
        with pytest.raises(OSError):
            await receive(tracker, town.event())
    assert town.sink.the("store event").has_failed


# ---------------------------------------------------------------------------------------------- nothing depends on it


class Broken(Sink):
    def take(self, span: Span) -> None:
        raise RuntimeError("broken")


class Deaf(Sink):
    def keeps(self, trace_id: int) -> bool:
        return False


async def play(town: Town, spans: Any) -> list[str | None]:
    """All stages once; give the traceparents that the subscriber got."""
    async with town.up(spans) as tracker:
        await register(tracker)
        await receive(tracker, town.event())
        await work_off(tracker)
        await tracker.services.asker.run_once("demobank")
        await tracker.notifier.run_once(await subscribe(tracker, town))
        assert len(town.got) == await tracker.store.head() >= 2
    return [traceparent for _, traceparent in town.got]


async def test_spans_that_cannot_be_told_undo_nothing(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    await play(town, Broken())
    assert "A span could not be told" in caplog.text


async def test_a_notification_that_cannot_be_placed_goes_out_all_the_same(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(traces_module, "place_of_entry", lambda *_: 1 / 0)
    monkeypatch.setattr(traces_module, "place_in", lambda *_: 1 / 0)
    assert set(await play(town, Sink())) == {None}
    assert "A notification could not be placed in a trace" in caplog.text


async def test_a_trace_that_is_not_kept_has_no_spans_and_says_so_to_the_subscriber(town: Town) -> None:
    deaf = Deaf()
    traceparents = await play(town, deaf)
    assert deaf.spans == []
    assert {str(one)[-3:] for one in traceparents} == {"-00"}


async def test_without_anybody_to_tell_nothing_is_in_between(database: Path, keys: Path, hub: ScriptedHub) -> None:
    async with build(settings_for(database, keys, {"demobank": hub.issuer}), World(clock=ManualClock(NOW))) as tracker:
        services = tracker.services
        assert services.traces is None
        assert services.receiver._store is tracker.store
        assert type(tracker.opening._opener) is Opener
        assert services.asker._holders._holders is tracker.holders
        assert not isinstance(tracker.notifier._ports.sender._sender, TracedSender)
        assert len(web_application(services).middlewares) == 3
    async with Town(database, keys, hub).up() as tracker:
        services = tracker.services
        assert isinstance(services.receiver._store, TracedInbox)
        assert isinstance(tracker.opening._opener, TracedOpener)
        assert isinstance(services.asker._holders._holders, TracedHolders)
        assert isinstance(tracker.notifier._ports.sender._sender, TracedSender)
        assert len(web_application(services).middlewares) == 4


def test_a_place_is_named_as_trace_context_says() -> None:
    place = Place(0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7)
    assert place.traceparent(is_kept=True) == "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
    assert place.traceparent(is_kept=False).endswith("-00")
