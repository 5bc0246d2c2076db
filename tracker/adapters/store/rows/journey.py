"""What a consent's row keeps of the way to its authorization, as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tracker.adapters.store.columns import instant_text
from tracker.adapters.store.rows.reading import Values
from tracker.domain.journey import Authorization, Authorizers, Journey

_UNBEGUN = Journey()


def journey_to_json(journey: Journey) -> Values | None:
    """What our application saw; None when that is nothing."""
    if journey == _UNBEGUN:
        return None
    return {
        "pushed_at": instant_text(journey.pushed_at),
        "push_accepted": journey.push_accepted,
        "request_expires_at": instant_text(journey.request_expires_at),
        "returned_at": instant_text(journey.returned_at),
        "code_received": journey.code_received,
        "error": journey.error,
        "error_description": journey.error_description,
        "token_at": instant_text(journey.token_at),
        "overdue_at": instant_text(journey.overdue_at),
        "given_up_at": instant_text(journey.given_up_at),
    }


def journey_from_json(value: Mapping[str, Any] | None) -> Journey:
    """The other way."""
    if value is None:
        return _UNBEGUN
    return Journey(
        pushed_at=_time(value["pushed_at"]),
        push_accepted=value["push_accepted"],
        request_expires_at=_time(value["request_expires_at"]),
        returned_at=_time(value["returned_at"]),
        code_received=value["code_received"],
        error=value["error"],
        error_description=value["error_description"],
        token_at=_time(value["token_at"]),
        overdue_at=_time(value["overdue_at"]),
        given_up_at=_time(value.get("given_up_at")),  # older rows have none
    )


def authorizers_to_json(authorizers: Authorizers | None) -> Values | None:
    """How far several authorizers have come."""
    if authorizers is None:
        return None
    return {
        "total_required": authorizers.total_required,
        "approved": authorizers.approved,
        "is_waiting": authorizers.is_waiting,
        "authorizations": [
            {
                "authorizer_id": one.authorizer_id,
                "authorizer_type": one.authorizer_type,
                "status": one.status,
                "date_time": instant_text(one.date_time),
            }
            for one in authorizers.authorizations
        ],
    }


def authorizers_from_json(value: Mapping[str, Any] | None) -> Authorizers | None:
    """The other way."""
    if value is None:
        return None
    return Authorizers(
        total_required=value["total_required"],
        approved=value["approved"],
        is_waiting=value["is_waiting"],
        authorizations=tuple(
            Authorization(
                authorizer_id=one["authorizer_id"],
                authorizer_type=one["authorizer_type"],
                status=one["status"],
                date_time=_time(one["date_time"]),
            )
            for one in value["authorizations"]
        ),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
