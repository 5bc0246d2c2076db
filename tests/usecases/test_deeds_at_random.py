"""Our own deeds between a holder's, in any order, with deaths, outages, lies and a clock that jumps: nobody uses what he may not.

What stands against use is kept beside the tracker, by the simplest of accounts: what we paused, what we asked to be revoked,
which ends were heard, which our own application saw and no answer has denied since, and when it expires.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.contract.facts import IDS, an_item
from tests.usecases.bench import DEMOBANK, NOW, UAE, Bench, Desk, data
from tests.usecases.chain import time_text
from tracker.domain.consent import Channel, Status
from tracker.domain.errors import (
    ConsentApiUnavailableError,
    ConsentNotStagedError,
    RevocationRefusedError,
    TrackerError,
)
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Answer
from tracker.usecases.heard import Opened, from_snapshot
from tracker.usecases.journeys import Failure, Journeys
from tracker.usecases.wake import Bell

BY = "TPP.InitiatedByUser"
_NUMBERS = count()
OURS = [
    "pause",
    "resume",
    "revoke",
    "press",
    "withdraw",
    "work",
    "poll",
    "asks",
    "refused",
    "failed",
    "tick",
    "notices",
    "watch",
]
THEIRS = ["Authorized", "Suspended", "Revoked", "Consumed", "Rejected"]
MOODS = ["fine", "away", "unknown", "another", "stale", "accepts", "refuses", "dies before", "dies after"]
TIMES = [1, 31, 61, 400, 3_700, 90_000, -7_200, -90]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ours"), st.sampled_from(OURS)),
        st.tuples(st.just("ours"), st.sampled_from(["pause", "resume", "revoke", "press", "withdraw", "poll"])),
        st.tuples(st.just("event"), st.sampled_from(THEIRS[:2])),
        st.tuples(st.just("event"), st.sampled_from(THEIRS)),
        st.tuples(st.just("move"), st.sampled_from(THEIRS)),
        st.tuples(st.just("mood"), st.sampled_from(MOODS)),
        st.tuples(st.just("time"), st.sampled_from(TIMES)),
    ),
    min_size=5,
    max_size=40,
)
bounded = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "40")),
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to shrink would take minutes; a failure names its steps
    derandomize="HYPOTHESIS_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class KilledError(Exception):
    """The process died here."""


@dataclass
class Story:
    """One consent, its holder, and what stands against its use."""

    bench: Bench
    kind: str
    name: str = field(default_factory=lambda: f"deed-{next(_NUMBERS):06d}")
    mood: str = "fine"
    status: str = "Authorized"
    since: datetime = NOW
    before: tuple[str, datetime] = ("Authorized", NOW)
    ended: bool = False
    paused: bool = False
    revoking: bool = False
    hinted: bool = False
    key: Any = None

    @property
    def expiry(self) -> datetime:
        return NOW + timedelta(days=2)

    # ------------------------------------------------------------------------------------------ the holder

    def _data(self, status: str, since: datetime) -> dict[str, Any]:
        by = {"RevokedBy": "LFI"} if status == "Revoked" else {}
        return data(status, time_text(since), ConsentId=self.name, ExpirationDateTime=time_text(self.expiry), **by)

    def move(self, status: str) -> None:
        if Status(self.status).is_terminal:
            return
        self.before = self.status, self.since
        self.status, self.since = status, max(self.since + timedelta(seconds=1), self.bench.clock.now())

    async def read_consent(self, _provider: object, _kind: object, consent_id: str, _interaction_id: str) -> Answer:
        if self.mood == "away":
            raise ConsentApiUnavailableError
        if self.mood == "unknown" or consent_id != self.name:  # another example's
            raise ConsentNotStagedError
        told = self.before if self.mood == "stale" else (self.status, self.since)
        found = self._data(*told) | ({"ConsentId": "somebody-elses"} if self.mood == "another" else {})
        if self.mood != "another":
            self.hinted = False
            self.ended |= UAE.kinds[self.kind].rules.is_end(Status(told[0]))
        return Answer(body={"Data": found}, token=None)

    async def revoke_consent(self, _provider: object, _kind: object, consent_id: str, *_: object) -> None:
        if consent_id != self.name:
            raise ConsentApiUnavailableError
        if self.mood == "dies before":
            raise KilledError
        if self.mood in {"away", "unknown"}:
            raise ConsentApiUnavailableError
        if self.mood == "refuses" or Status(self.status).is_terminal:
            raise RevocationRefusedError("Consent.BusinessRuleViolation")
        if self.mood != "accepts":
            self.move("Revoked")
        if self.mood == "dies after":
            raise KilledError

    async def event(self, status: str) -> None:
        self.move(status)
        snapshot = UAE.read_consent(self.kind, {"Data": self._data(self.status, self.since)})
        now = self.bench.clock.now()
        heard = from_snapshot(
            snapshot,
            provider=DEMOBANK,
            digest=f"{self.name} {self.status} {self.since}",
            channel=Channel.WEBHOOK,
            received_at=now,
            vouched_at=now,
            evidence=None,
        )
        opened = Opened(inbox_id=IDS.ordered(), interaction_id="i", outcome=heard)
        await self.bench.store.admit(an_item(id=opened.inbox_id))
        await self.bench.recorder.record([opened])
        self.ended |= UAE.kinds[self.kind].rules.is_end(Status(self.status))

    # ------------------------------------------------------------------------------------------ we

    async def begin(self) -> None:
        self.bench.clock.set(NOW)
        self.bench.holders.read_consent = self.read_consent  # type: ignore[method-assign, assignment]
        self.bench.holders.revoke_consent = self.revoke_consent  # type: ignore[method-assign, assignment]
        self.key = (await self.bench.register(self.name, kind=self.kind)).tracking_id
        await self.event("Authorized")
        self.bench.advance(seconds=1)

    async def do(self, what: str, which: Any) -> None:
        self.bench.execute("DELETE FROM provider_ledger")  # the budget is not what is tried here
        match what:
            case "ours":
                with suppress(TrackerError, KilledError):
                    await getattr(self, f"_{which}")()
            case "event":
                await self.event(which)
            case "move":
                self.move(which)
            case "mood":
                self.mood = which
            case _:
                self.bench.clock.set(max(NOW - timedelta(hours=3), self.bench.clock.now() + timedelta(seconds=which)))

    async def _pause(self) -> None:
        await self.bench.pausing.pause(self.key)
        self.paused = True

    async def _resume(self) -> None:
        await self.bench.pausing.resume(self.key)
        self.paused = False

    async def _revoke(self) -> None:
        await self.bench.revoker.request(self.key, BY)
        self.revoking = True

    async def _press(self) -> None:
        await self._revoke()
        await self.bench.revoker.carry_out(self.key)

    async def _withdraw(self) -> None:
        pending = (await self.row()).overlay.revocation
        await self.bench.revoker.withdraw(self.key)
        self.revoking = False
        if pending is not None and pending.sent_at is not None and pending.state.value == "pending":
            self.hinted = True

    async def _work(self) -> None:
        await self.bench.revoker.run_once(DEMOBANK)

    async def _poll(self) -> None:
        await self.bench.asker.ask_now(self.key)

    async def _asks(self) -> None:
        await self.bench.asker.run_once(DEMOBANK)

    async def _refused(self) -> None:
        await self._journeys().refused(await self.row(), 403, "Consent.Revoked")
        self.hinted = True

    async def _failed(self) -> None:
        await self._journeys().returned(await self.row(), Failure(error="access_denied"))
        self.hinted = True

    async def _tick(self) -> None:
        await self.bench.expiry.run_once()

    async def _notices(self) -> None:
        await self.bench.notices.run_once()

    async def _watch(self) -> None:
        await self.bench.look_after()

    def _journeys(self) -> Journeys:
        return Journeys(self.bench.store, self.bench.office, Bell(), Bell())

    # ------------------------------------------------------------------------------------------ looking

    async def row(self) -> TrackedConsent:
        found = await self.bench.store.get_consent(self.key)
        assert found is not None
        return found

    async def check(self) -> None:
        row, now = await self.row(), self.bench.clock.now()
        seen = await self.bench.consulting.get(DEMOBANK, self.name)
        answer = await self.bench.consulting.usable(DEMOBANK, self.name, permission=None, max_age_seconds=None)
        assert answer.usable is seen.usable
        against = {
            "ended": self.ended,
            "expired": now >= self.expiry,
            "paused": self.paused,
            "revoking": self.revoking,
            "hinted": self.hinted,
        }
        assert not (seen.usable and any(against.values())), against
        today = await self.bench.consulting.as_of(seen, max(now, seen.at))
        assert (today.usable, today.effective_status) == (seen.usable, seen.effective_status)
        assert today.consent.overlay.paused is row.overlay.paused
        assert today.consent.overlay.revoking is row.overlay.revoking
        status, usable = Status.NOT_STAGED.value, False
        for entry in await self.bench.store.entries_of(self.key):
            status, usable = entry.data["to"] or status, entry.usable
        assert (status, usable) == (row.told.status, row.told.usable)
        if row.told.usable and not seen.usable:
            assert now >= self.expiry
        if self.revoking and not self.ended:
            assert row.overlay.revoking


@bounded
@given(steps=STEPS, kind=st.sampled_from(["account-access", "payment"]))
def test_nobody_uses_what_he_may_not(desk: Desk, steps: list[tuple[str, Any]], kind: str) -> None:
    async def play() -> None:
        story = Story(desk.bench, kind)
        await story.begin()
        await story.check()
        for done, step in enumerate(steps, 1):
            await story.do(*step)
            try:
                await story.check()
            except AssertionError as error:
                error.add_note(f"after {steps[:done]}")
                raise

    desk.run.run(play())
