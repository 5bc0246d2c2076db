"""What a row of `subscription` holds as JSON: in what manner it is told, and what others were told of its failing."""

from collections.abc import Mapping
from typing import Any

from tracker.adapters.store.rows.reading import Values
from tracker.domain.announced import NOTHING, Announced
from tracker.domain.manner import Attempts, Manner, Order
from tracker.journal.instant import parse_rfc3339, rfc3339


def manner_values(manner: Manner) -> Values:
    """The column `manner`."""
    attempts = manner.attempts
    return {
        "order": manner.order.value,
        "most_in_flight": manner.most_in_flight,
        "attempts": {
            "alone_seconds": list(attempts.alone_seconds),
            "down_seconds": list(attempts.down_seconds),
            "disable_after_seconds": attempts.disable_after_seconds,
        },
    }


def to_manner(column: Mapping[str, Any] | None) -> Manner:
    """What the column says; what was made by an older version has none."""
    if column is None:
        return Manner()
    attempts = column["attempts"]
    return Manner(
        order=Order(column["order"]),
        most_in_flight=column["most_in_flight"],
        attempts=Attempts(
            alone_seconds=tuple(attempts["alone_seconds"]),
            down_seconds=tuple(attempts["down_seconds"]),
            disable_after_seconds=attempts["disable_after_seconds"],
        ),
    )


def announced_values(announced: Announced) -> Values | None:
    """The column `announced`; null: nothing."""
    if announced == NOTHING:
        return None
    since = announced.failing_since
    return {"percent": announced.percent, "failing_since": None if since is None else rfc3339(since)}


def to_announced(column: Mapping[str, Any] | None) -> Announced:
    """What the column says."""
    if column is None:
        return NOTHING
    since = column["failing_since"]
    return Announced(percent=column["percent"], failing_since=None if since is None else parse_rfc3339(since))
