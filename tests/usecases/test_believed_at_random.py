"""Whatever was answered at an instant is what is told later that we believed then: random histories, every answer kept.

The holder moves, contradicts itself, shifts expiries and dates its words earlier and later; we pause, revoke, ask and wait.
After each step the consent is asked for, as a reader does; when all is over each of these answers must come back.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.contract.facts import IDS, an_item
from tests.usecases.bench import DEMOBANK, NOW, UAE, Bench, Desk, data
from tests.usecases.chain import time_text
from tests.usecases.test_deeds_at_random import MOODS, OURS, THEIRS, Story, bounded
from tracker.domain.consent import Channel
from tracker.ports import ConsentQuery
from tracker.usecases.consult import ConsentView
from tracker.usecases.heard import Opened, from_snapshot

WORDS = ["AwaitingAuthorization", "Authorized", "Authorized", "Suspended", "Suspended", "Expired", "Revoked", "Bogus"]
TIMES = [1, 31, 61, 400, 3_700, 90_000]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ours"), st.sampled_from(OURS)),
        st.tuples(st.just("ours"), st.sampled_from(["pause", "resume", "revoke", "poll", "poll", "tick"])),
        st.tuples(st.just("event"), st.sampled_from(THEIRS[:2])),
        st.tuples(st.just("move"), st.sampled_from(THEIRS)),
        st.tuples(
            st.just("odd"),
            st.tuples(st.sampled_from(WORDS), st.sampled_from([-90_000, -400, -5, 0, 5, 400]), st.integers(0, 3)),
        ),
        st.tuples(st.just("mood"), st.sampled_from(MOODS)),
        st.tuples(st.just("time"), st.sampled_from(TIMES)),
        st.tuples(st.just("time"), st.sampled_from(TIMES[:4])),
    ),
    min_size=5,
    max_size=40,
)


def answered(seen: ConsentView) -> dict[str, Any]:
    """What a reader learns."""
    overlay = seen.consent.overlay
    return {
        "status": seen.decision.status,
        "effective_status": seen.effective_status,
        "confirmed": seen.confirmed,
        "usable": seen.usable,
        "paused": overlay.paused,
        "revoking": overlay.revoking,
        "in_doubt": seen.decision.is_in_doubt,
        "expiration": seen.decision.expiration_date_time,
    }


@dataclass
class Recorded(Story):
    """A story of which every answer is kept."""

    answers: dict[datetime, dict[str, Any]] = field(default_factory=dict)
    born: datetime = NOW

    @property
    def expiry(self) -> datetime:
        return self.born + timedelta(days=2)

    async def begin(self) -> None:
        # The clock goes on from one story to the next: entries are never dated before those of the story before.
        self.bench.advance(seconds=1)
        self.born = self.since = self.bench.clock.now()
        self.before = self.status, self.since
        self.bench.holders.read_consent = self.read_consent  # type: ignore[method-assign, assignment]
        self.bench.holders.revoke_consent = self.revoke_consent  # type: ignore[method-assign, assignment]
        self.key = (await self.bench.register(self.name, kind=self.kind)).tracking_id
        await self.event("Authorized")
        self.bench.advance(seconds=1)

    async def do(self, what: str, which: Any) -> None:
        if what == "odd":
            await self._odd(*which)
        else:
            await super().do(what, which)
        self.answers[self.bench.clock.now()] = answered(await self.bench.consulting.get(DEMOBANK, self.name))

    async def _odd(self, status: str, seconds: int, days: int) -> None:
        """The holder says something that need not be so."""
        now = self.bench.clock.now()
        said = data(
            status,
            time_text(now + timedelta(seconds=seconds)),
            ConsentId=self.name,
            ExpirationDateTime=time_text(self.expiry + timedelta(days=days)),
        )
        heard = from_snapshot(
            UAE.read_consent(self.kind, {"Data": said}),
            provider=DEMOBANK,
            digest=f"{self.name} odd {now} {status} {seconds} {days}",
            channel=Channel.WEBHOOK,
            received_at=now,
            vouched_at=now,
            evidence=None,
        )
        opened = Opened(inbox_id=IDS.ordered(), interaction_id="i", outcome=heard)
        await self.bench.store.admit(an_item(id=opened.inbox_id))
        await self.bench.recorder.record([opened])


@bounded
@given(steps=STEPS, kind=st.sampled_from(["account-access", "payment"]))
def test_what_was_answered_then_is_what_we_believed_then(desk: Desk, steps: list[tuple[str, Any]], kind: str) -> None:
    async def play() -> None:
        story = Recorded(desk.bench, kind)
        await story.begin()
        for step in steps:
            await story.do(*step)
        today = await desk.bench.consulting.get(DEMOBANK, story.name)
        for instant, then in story.answers.items():
            believed = await desk.bench.believing.known_at(today, instant)
            assert answered(believed) == then, (instant, steps)
            assert believed.known is not None
            assert "in_doubt" in believed.known.beside
            both = await desk.bench.believing.known_at(today, instant, instant)
            assert answered(both) == then, "of the same instant it is the same"
        await _require_the_lists(desk.bench, story)

    desk.run.run(play())


async def _require_the_lists(bench: Bench, story: Recorded) -> None:
    """The list of an instant finds it under the statuses that it had."""
    instant, then = next(iter(story.answers.items()))
    for name in ("status", "effective_status"):
        query = ConsentQuery(**{name: then[name]}, after=_before(story.key), limit=1)
        page = await bench.believing.search(query, instant)
        assert [seen.consent.tracking_id for seen in page.items] == [story.key]
        assert answered(page.items[0]) == then


def _before(tracking_id: str) -> str:
    """The greatest key below one."""
    digits = f"{int(tracking_id.replace('-', ''), 16) - 1:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
