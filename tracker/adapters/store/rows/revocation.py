"""A consent's revocation, as JSON in its row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tracker.adapters.store.columns import instant_text
from tracker.adapters.store.rows.reading import Values
from tracker.domain.overlay import Revocation, RevocationState

_TIMES = ("sent_at", "due_at", "leased_until")


def revocation_to_json(revocation: Revocation) -> Values:
    """What is kept of a revocation."""
    return {
        "revoked_by": revocation.revoked_by,
        "requested_at": instant_text(revocation.requested_at),
        "state": revocation.state.value,
        "attempts": revocation.attempts,
        "answer": revocation.answer,
        "unanswered": revocation.unanswered,
        "failures": revocation.failures,
        "last_error": revocation.last_error,
        **{name: instant_text(getattr(revocation, name)) for name in _TIMES},
    }


def revocation_from_json(value: Mapping[str, Any] | None) -> Revocation | None:
    """The other way."""
    if value is None:
        return None
    return Revocation(
        revoked_by=value["revoked_by"],
        requested_at=datetime.fromisoformat(value["requested_at"]),
        state=RevocationState(value["state"]),
        attempts=value["attempts"],
        answer=value["answer"],
        unanswered=value["unanswered"],
        failures=value["failures"],
        last_error=value["last_error"],
        **{name: None if value[name] is None else datetime.fromisoformat(value[name]) for name in _TIMES},
    )
