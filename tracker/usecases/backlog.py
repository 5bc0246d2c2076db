"""What one subscriber has still to be told, in the order in which it may be told.

Each consent has a lane. Of a lane only the first entry is ever tried, so per-consent order holds whatever goes wrong; lanes
do not wait for each other. Where no order is kept, each entry has a lane of its own. A lane is either all fresh, read from
the journal and remembered here only, or all parked, with a row each in the store. The cursor stands before the first fresh
entry that is not settled. Nothing here is asynchronous, and nothing reaches the store: `changes` says what must be written,
`saved` that it was.

What was delivered ahead of the cursor is told again after a crash. So that this stays little, a fresh entry that is under way
while many behind it are delivered is set aside: it gets a row, and the cursor goes on past it.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tracker.domain.manner import Order
from tracker.domain.subscription import Parked
from tracker.journal.entry import Entry

MOST_PARKED = 1_000
"""So many rows a subscription may have; then its cursor stops rather than anything be forgotten."""
MOST_FRESH = 256
"""So many entries are held in memory that have no row."""
MOST_AHEAD = 128
"""So many may be delivered ahead of the cursor before what holds it back is set aside."""


@dataclass(slots=True, eq=False)
class Waiting:
    """An entry that was not told yet.

    Attributes:
        sequence: Which one.
        tracking_id: Of which consent; of another thing that it is about, what stands for it: `Entry.lane`.
        lane: What it keeps its order with.
        entry: The entry while it is fresh; parked ones are read again when their turn comes.
        parked: Its row once it is parked.
        tried_at: When it was last refused, if we were there.
    """

    sequence: int
    tracking_id: str
    lane: str
    entry: Entry | None = None
    parked: Parked | None = None
    tried_at: datetime | None = None

    @property
    def is_known_bad(self) -> bool:
        """Whether it was refused alone before."""
        return self.parked is not None and self.parked.attempts > 0


class Backlog:
    """The lanes of one subscription.

    Attributes:
        scanned: The last sequence that was looked at.
    """

    def __init__(
        self, cursor: int, rows: Iterable[Parked], *, most_parked: int = MOST_PARKED, order: Order = Order.CONSENT
    ) -> None:
        self.scanned = cursor
        self._most_parked = most_parked
        self._is_unordered = order is Order.NONE
        self._lanes: dict[str, deque[Waiting]] = {}
        self._fresh: dict[int, Waiting] = {}  # in sequence: so they are taken
        self._rows: set[int] = set()
        self._ahead: list[int] = []  # a heap
        self._busy: set[str] = set()
        self._ready: list[tuple[int, str]] = []  # a heap: what comes first in the journal holds the cursor back
        self._alarms: list[tuple[datetime, int, str]] = []
        self._to_park: dict[int, Parked] = {}
        self._settled: list[int] = []
        self._given_up: list[tuple[str, Parked]] = []
        for row in sorted(rows, key=lambda parked: parked.sequence):
            lane = _lane(row.sequence, row.tracking_id, is_unordered=row.is_unordered)
            self._join(Waiting(row.sequence, row.tracking_id, lane, parked=row))
            self._rows.add(row.sequence)
        for lane in self._lanes:
            self._proceed(lane)

    # ------------------------------------------------------------------------------------------ coming in

    @property
    def cursor(self) -> int:
        """Up to where everything is settled."""
        return next(iter(self._fresh)) - 1 if self._fresh else self.scanned

    @property
    def room(self) -> int:
        """How many more entries can be taken: every fresh one may have to be parked some day."""
        return min(MOST_FRESH, self._most_parked - len(self._rows)) - len(self._fresh)

    @property
    def is_idle(self) -> bool:
        """Whether no fresh entry waits."""
        return not self._fresh

    def take(self, entry: Entry, now: datetime) -> None:
        """Take the next entry of the journal that is to be told."""
        self.scanned = entry.sequence
        if entry.sequence in self._rows:  # it is read again because others hold the cursor back
            return
        key = _lane(entry.sequence, entry.lane, is_unordered=self._is_unordered)
        lane = self._lanes.get(key)
        if lane and lane[0].parked is not None:
            # What does not come after the lane's end was settled before its first was parked: it is read again, likewise.
            if entry.sequence > lane[-1].sequence:
                self._park_behind(Waiting(entry.sequence, entry.lane, key), now)
            return
        waiting = Waiting(entry.sequence, entry.lane, key, entry=entry)
        self._join(waiting)
        self._fresh[entry.sequence] = waiting
        if lane is None:
            self._proceed(key)

    def skip(self, sequence: int) -> None:
        """Pass over an entry that is not heard."""
        self.scanned = sequence

    def _join(self, waiting: Waiting) -> None:
        self._lanes.setdefault(waiting.lane, deque()).append(waiting)

    def _park_behind(self, waiting: Waiting, now: datetime) -> None:
        self._join(waiting)
        self._set_row(waiting, Parked(sequence=waiting.sequence, tracking_id=waiting.tracking_id, next_attempt_at=now))

    # ------------------------------------------------------------------------------------------ going out

    def next(self, now: datetime, *, retries: bool = True) -> Waiting | None:
        """Take out one that may be tried now; its lane is busy until it is answered for.

        Args:
            now: The time.
            retries: Whether a parked one will do.
        """
        while retries and self._alarms and self._alarms[0][0] <= now:
            alarm = heapq.heappop(self._alarms)
            if self._is_current(alarm):
                return self.begin(self._lanes[alarm[2]][0])
        while self._ready:
            sequence, key = heapq.heappop(self._ready)
            lane = self._lanes.get(key)
            if lane and lane[0].sequence == sequence and lane[0].parked is None and key not in self._busy:
                return self.begin(lane[0])
        return None

    def begin(self, waiting: Waiting) -> Waiting:
        """Mark a lane's first as being tried."""
        self._busy.add(waiting.lane)
        return waiting

    def heads(self) -> list[Waiting]:
        """The first of every lane that is not busy, in sequence; those that were refused alone before come last."""
        heads = [lane[0] for key, lane in self._lanes.items() if key not in self._busy]
        return sorted(heads, key=lambda head: (head.is_known_bad, head.sequence))

    def has_followers(self, waiting: Waiting) -> bool:
        """Whether others wait behind it."""
        return len(self._lanes[waiting.lane]) > 1

    def next_due_at(self) -> datetime | None:
        """When the first of the parked ones is due."""
        while self._alarms and not self._is_current(self._alarms[0]):
            heapq.heappop(self._alarms)
        return self._alarms[0][0] if self._alarms else None

    def _is_current(self, alarm: tuple[datetime, int, str]) -> bool:
        due_at, sequence, key = alarm
        lane = self._lanes.get(key)
        if not lane or key in self._busy or lane[0].sequence != sequence:
            return False
        row = lane[0].parked
        return row is not None and row.next_attempt_at == due_at

    def _proceed(self, key: str) -> None:
        """Let a lane's first be tried, when it is due."""
        lane = self._lanes.get(key)
        if lane and lane[0].parked is not None:
            heapq.heappush(self._alarms, (lane[0].parked.next_attempt_at, lane[0].sequence, key))
        elif lane:
            heapq.heappush(self._ready, (lane[0].sequence, key))

    def hurry(self, now: datetime, longest: timedelta) -> None:
        """Let what waits for longer than that be due now."""
        for key, lane in self._lanes.items():
            late = [one for one in lane if one.parked is not None and one.parked.next_attempt_at - now > longest]
            for waiting in late:
                if waiting.parked is not None:
                    self._set_row(waiting, replace(waiting.parked, next_attempt_at=now))
            if late and key not in self._busy:
                self._proceed(key)

    # ------------------------------------------------------------------------------------------ what came of it

    def release(self, waiting: Waiting) -> None:
        """Nothing came of it: it is to be tried again, as if it had not been."""
        self._busy.discard(waiting.lane)
        self._proceed(waiting.lane)

    def settle(self, waiting: Waiting) -> None:
        """It was delivered."""
        self._remove(waiting)
        if waiting.parked is not None:
            self._settled.append(waiting.sequence)
        else:
            heapq.heappush(self._ahead, waiting.sequence)
        self.release(waiting)

    def park(
        self, waiting: Waiting, *, attempts: int, until: datetime, error: str | None, answer: str | None = None
    ) -> None:
        """Try it again later, and keep what is behind it in order."""
        self._park_lane(waiting, attempts, until, error, answer)
        self.release(waiting)

    def set_aside(self, now: datetime) -> None:
        """Give what is under way and holds the cursor back a row, once much was delivered ahead of the cursor."""
        while self._count_ahead() >= MOST_AHEAD:
            first = next(iter(self._fresh.values()))
            if first.lane not in self._busy:
                return  # it is about to be tried
            self._park_lane(first, 0, now)

    def _count_ahead(self) -> int:
        cursor = self.cursor
        while self._ahead and self._ahead[0] <= cursor:
            heapq.heappop(self._ahead)
        return len(self._ahead)

    def _park_lane(
        self, waiting: Waiting, attempts: int, until: datetime, error: str | None = None, answer: str | None = None
    ) -> None:
        row = Parked(
            sequence=waiting.sequence,
            tracking_id=waiting.tracking_id,
            attempts=attempts,
            next_attempt_at=until,
            last_error=error,
            is_unordered=waiting.lane != waiting.tracking_id,
            answer=answer,
        )
        self._set_row(waiting, row)
        for follower in self._lanes[waiting.lane]:
            if follower.parked is None:
                behind = Parked(sequence=follower.sequence, tracking_id=follower.tracking_id, next_attempt_at=until)
                self._set_row(follower, behind)

    def give_up(self, waiting: Waiting, row: Parked) -> None:
        """It becomes a dead letter. Its lane stays busy until that is saved: nothing may overtake it before."""
        self._remove(waiting)
        self._given_up.append((waiting.lane, row))

    def _set_row(self, waiting: Waiting, row: Parked) -> None:
        waiting.parked, waiting.entry = row, None
        self._rows.add(waiting.sequence)
        self._fresh.pop(waiting.sequence, None)
        self._to_park[row.sequence] = row

    def _remove(self, waiting: Waiting) -> None:
        lane = self._lanes[waiting.lane]
        lane.popleft()
        if not lane:
            del self._lanes[waiting.lane]
        if waiting.parked is None:
            del self._fresh[waiting.sequence]
        else:
            self._rows.discard(waiting.sequence)
            self._to_park.pop(waiting.sequence, None)

    # ------------------------------------------------------------------------------------------ writing down

    @property
    def must_save(self) -> bool:
        """Whether somebody waits for a dead letter to be written."""
        return bool(self._given_up)

    @property
    def has_changes(self) -> bool:
        """Whether rows have changed."""
        return bool(self._to_park or self._settled or self._given_up)

    def changes(self) -> tuple[tuple[Parked, ...], tuple[int, ...], tuple[Parked, ...]]:
        """What to write: rows to park, sequences of rows delivered, rows given up."""
        return tuple(self._to_park.values()), tuple(self._settled), tuple(row for _, row in self._given_up)

    def saved(self) -> None:
        """Forget the changes, which were written."""
        lost = self._given_up
        self._to_park, self._settled, self._given_up = {}, [], []
        for lane, _ in lost:
            self._busy.discard(lane)
            self._proceed(lane)


def _lane(sequence: int, tracking_id: str, *, is_unordered: bool) -> str:
    return str(sequence) if is_unordered else tracking_id
