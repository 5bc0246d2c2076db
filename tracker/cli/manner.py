"""Options that say in what manner a subscriber is told."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from tracker.domain.manner import Manner

OrderOption = Annotated[
    Literal["consent", "none"], typer.Option(help="What keeps its order: the entries of each consent, or nothing.")
]
MostInFlight = Annotated[int, typer.Option(min=1, max=64, help="So many posts may be under way at a time.")]
RetryAlone = Annotated[
    list[int] | None,
    typer.Option(
        metavar="SECONDS",
        help="An entry that alone is refused waits so long; may be repeated, once for each further try. "
        "5, 15, 30, 60, 120, 300 if not given.",
    ),
]
RetryDown = Annotated[
    list[int] | None,
    typer.Option(
        metavar="SECONDS",
        help="An endpoint that takes nothing is left alone so long; likewise, the last goes for all further tries. "
        "1, 5, 30, 120, 600, 1800, 3600 if not given.",
    ),
]
DisableAfter = Annotated[
    int, typer.Option(metavar="SECONDS", help="After so long an endpoint that takes nothing is disabled.")
]


def chosen(
    order: str, most_in_flight: int, retry_alone: list[int] | None, retry_down: list[int] | None, disable_after: int
) -> "Manner":
    """What the options say; whether it can be, the use case checks."""
    from tracker.domain.manner import Attempts, Manner, Order  # noqa: PLC0415

    usual = Attempts()
    return Manner(
        order=Order(order),
        most_in_flight=most_in_flight,
        attempts=Attempts(
            alone_seconds=usual.alone_seconds if retry_alone is None else tuple(retry_alone),
            down_seconds=usual.down_seconds if retry_down is None else tuple(retry_down),
            disable_after_seconds=disable_after,
        ),
    )
