"""How many posts one subscriber gets at a time: as many as it takes well, found out by trying.

The number of places grows by one with each round of answers in which all places were taken, doubles while it is far below
what went well before, is halved by a failure, and shrinks by a fifth when answers take much longer than they usually do. A
round is as many answers as there were places; nothing shrinks twice in one. Pure: how long an answer took comes in.
"""

from typing import Final

BEGIN_WITH: Final = 8

_AFTER_FAILURE = 0.5
_AFTER_SLOW_ROUND = 0.8
_SLOW = 2.0
_SLOW_SECONDS = 0.05  # what is slower by less than this is no sign of anything
_LEARNING = 0.02


class InFlight:
    """The places of one subscriber.

    Attributes:
        most: So many there may ever be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._places = float(min(BEGIN_WITH, most))
        self._grows_fast_below = 1.0
        self._usual_seconds: float | None = None
        self._begin_round(self.places)

    def _begin_round(self, size: int, *, has_shrunk: bool = False) -> None:
        self._left = size
        self._has_shrunk = has_shrunk
        self._was_full = False
        self._taken = 0
        self._taken_seconds = 0.0

    @property
    def places(self) -> int:
        """How many posts may be under way."""
        return int(self._places)

    @property
    def places_for_retries(self) -> int:
        """How many of these what was refused before may have: entries that time out must not hold up those that would pass."""
        return max(1, self.places // 2)

    def note_full(self) -> None:
        """All places are taken: without that nothing is learnt from its going well."""
        self._was_full = True

    def note_taken(self, seconds: float) -> None:
        """Something was taken, or refused for what it is: the endpoint is at work.

        Args:
            seconds: How long that took.
        """
        self._taken += 1
        self._taken_seconds += seconds
        self._count()

    def note_failed(self) -> None:
        """Something went wrong that may be the endpoint's."""
        if not self._has_shrunk:
            size = self.places  # so many answers may still be on their way that know of nothing yet
            self._shrink(_AFTER_FAILURE)
            self._begin_round(size, has_shrunk=True)
        self._count()

    def begin_anew(self) -> None:
        """It failed for everybody and works again: what has piled up is let loose slowly."""
        self._grows_fast_below = max(1.0, self._places / 2)
        self._places = 1.0
        self._begin_round(1)

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._end_round()

    def _end_round(self) -> None:
        if self._taken and not self._has_shrunk:
            seconds = self._taken_seconds / self._taken
            usual = seconds if self._usual_seconds is None else self._usual_seconds
            if seconds > usual * _SLOW + _SLOW_SECONDS:
                self._shrink(_AFTER_SLOW_ROUND)
            elif self._was_full:
                grown = self._places * 2 if self._places * 2 <= self._grows_fast_below else self._places + 1
                self._places = min(float(self.most), grown)
            # What one alone takes is not our doing; what many take is learnt slowly.
            is_ours = seconds > usual and self.places > 1
            self._usual_seconds = usual + (seconds - usual) * _LEARNING if is_ours else seconds
        self._begin_round(self.places)

    def _shrink(self, factor: float) -> None:
        self._places = max(1.0, self._places * factor)
        self._grows_fast_below = self._places
