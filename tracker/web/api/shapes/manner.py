"""In what manner a subscriber is told, over the wire."""

from typing import Annotated

from pydantic import Field

from tracker.domain.manner import (
    LONGEST_UNTIL_DISABLED_SECONDS,
    LONGEST_WAIT_ALONE_SECONDS,
    LONGEST_WAIT_DOWN_SECONDS,
    MOST_IN_FLIGHT,
    MOST_WAITS,
    SHORTEST_UNTIL_DISABLED_SECONDS,
    Attempts,
    Manner,
    Order,
)
from tracker.web.api.shapes.fields import In, Out

_Waits = Field(min_length=1, max_length=MOST_WAITS, strict=False)
_DEFAULT = Manner()

OrderIn = Annotated[Order, Field(strict=False)]
MostInFlight = Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)]


class AttemptsIn(In):
    """How often what is refused is tried again, in seconds; a tenth more at most, never less."""

    alone_seconds: Annotated[tuple[Annotated[int, Field(ge=1, le=LONGEST_WAIT_ALONE_SECONDS)], ...], _Waits] = Field(
        _DEFAULT.attempts.alone_seconds,
        description="How long an entry waits each time it alone is refused; refused once more, it is given up.",
    )
    down_seconds: Annotated[tuple[Annotated[int, Field(ge=1, le=LONGEST_WAIT_DOWN_SECONDS)], ...], _Waits] = Field(
        _DEFAULT.attempts.down_seconds,
        description="How long an endpoint that takes nothing is left alone each time; the last goes for all further times.",
    )
    disable_after_seconds: Annotated[
        int, Field(ge=SHORTEST_UNTIL_DISABLED_SECONDS, le=LONGEST_UNTIL_DISABLED_SECONDS)
    ] = Field(
        _DEFAULT.attempts.disable_after_seconds,
        description="How long an endpoint may take nothing until it is disabled.",
    )

    def attempts(self) -> Attempts:
        """What was sent."""
        return Attempts(
            alone_seconds=self.alone_seconds,
            down_seconds=self.down_seconds,
            disable_after_seconds=self.disable_after_seconds,
        )


class AttemptsOut(Out):
    """How often what is refused is tried again."""

    alone_seconds: tuple[int, ...]
    down_seconds: tuple[int, ...]
    disable_after_seconds: int

    @classmethod
    def of(cls, attempts: Attempts) -> "AttemptsOut":
        """Show them."""
        return cls(
            alone_seconds=attempts.alone_seconds,
            down_seconds=attempts.down_seconds,
            disable_after_seconds=attempts.disable_after_seconds,
        )
