"""Two processes on one PostgreSQL that watch, ask and are asked at the same instants, against a hub over real HTTP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.test_revoke import Street, open_street
from tests.web.site import write_keys

CONSENTS = [f"c-{n}" for n in range(6)]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keys(tmp_path_factory.mktemp("keys-of-two"))


@pytest_asyncio.fixture
async def street(another_postgres: Callable[[], str], keys: Path) -> AsyncIterator[Street]:
    async with open_street(another_postgres(), keys, trackers=2) as made:
        for name in CONSENTS:
            await made.authorized(name)
        yield made


async def watch(street: Street, *, seconds: float = 0) -> None:
    """Both watch, several times each, all at once: also while one still decides what another has begun to."""
    street.clock.advance(seconds)
    for steps in ([t.watch._read() for t in street.trackers * 2], [t.watch._decide() for t in street.trackers * 3]):
        await asyncio.gather(*steps)
    await asyncio.gather(*(tracker.watch.run_once() for tracker in street.trackers * 2))


async def ask_all(street: Street, *names: str) -> None:
    for name in names:
        street.hub.move(name, "Suspended", send=False)
        tracking_id = (await street.consent(name))["tracking_id"]
        await asyncio.gather(*(tracker.services.asker.ask_now(tracking_id) for tracker in street.trackers))


def asked(street: Street) -> Counter[str]:
    found = street.hub.recorder.requests_to("consent")
    return Counter(request.consent_id or "" for request in found if request.method == "GET")


async def test_each_drift_and_each_alarm_is_told_once(street: Street) -> None:
    await watch(street, seconds=90)
    for name in CONSENTS[:3]:
        await ask_all(street, name)
        await watch(street, seconds=301)
        await watch(street, seconds=1)
    told = Counter(await street.told())
    assert (told["drift_found"], told["provider.quiet"], told["provider.heard"]) == (3, 1, 0)
    street.hub.move(CONSENTS[4], "Suspended")
    await street.hear()
    await watch(street)
    await watch(street, seconds=1)
    told = Counter(await street.told())
    assert (told["drift_found"], told["provider.quiet"], told["provider.heard"]) == (3, 1, 1)
    facts = await street.trackers[0].store.provider_facts(["demobank"], street.clock.now(), street.clock.now())
    assert not facts["demobank"].health.hearing.is_alarming


async def test_no_due_row_is_asked_about_twice_while_others_want_to_know_at_once(street: Street) -> None:
    before = asked(street)
    street.clock.advance(21_600)  # all are due, and each is looked up with `fresh` on both meanwhile
    path = "/demobank/{}/usable?fresh=true&max_age=60"
    looked = (street.call("GET", path.format(name), at=at) for name in CONSENTS for at in (0, 1, 0))
    due = (tracker.shared_asks.run_once("demobank") for tracker in street.trackers * 2)
    answers = await asyncio.gather(*looked, *due)
    assert [said["usable"] for _, said in answers[: 3 * len(CONSENTS)]] == [True] * (3 * len(CONSENTS))
    await asyncio.gather(*(tracker.shared_asks.run_once("demobank") for tracker in street.trackers))
    questions = asked(street) - before
    # The schedule asks once of each; who wants to know at once shares a question with others of its process under way.
    assert set(questions) == set(CONSENTS)
    assert max(questions.values()) <= 1 + len(street.trackers), questions
    assert sum(answers[3 * len(CONSENTS) :]) <= len(CONSENTS)


async def test_two_who_ask_by_the_schedule_ask_each_row_once(street: Street) -> None:
    before = asked(street)
    street.clock.advance(21_600)
    counts = await asyncio.gather(*(tracker.services.asker.run_once("demobank") for tracker in street.trackers * 3))
    assert (sum(counts), asked(street) - before) == (len(CONSENTS), Counter(dict.fromkeys(CONSENTS, 1)))
