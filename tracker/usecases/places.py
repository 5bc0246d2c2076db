"""Where a span stands: which trace it belongs to, and which number it has in it.

Nothing is kept for that. The trace of an event has its number from the digest of what came in, which every entry that
rests on the event names in its evidence; the first span has that of the event's id, the span of an entry that of the
entry's id. So what goes on after a restart goes on in the same trace.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from tracker.ports import Place
from tracker.usecases.heard import HeardOther, HeardReport, Opened

_LOW: Final = (1 << 64) - 1
_DIGITS: Final = 32


def place_of_arrival(item_id: str, body: bytes) -> Place:
    """The first span of an event; one that is sent again, byte for byte, begins again in the same trace."""
    return _first(item_id, hashlib.sha256(body).hexdigest())


def place_of_opened(opened: Opened) -> Place:
    """The same, for one that was opened."""
    match opened.outcome:
        case HeardReport(stored=stored) if stored.jwe_sha256 is not None:
            return _first(opened.inbox_id, stored.jwe_sha256)
        case HeardOther(evidence=evidence) if evidence.jwe_sha256 is not None:
            return _first(opened.inbox_id, evidence.jwe_sha256)
        case HeardReport() | HeardOther():
            return _alone(opened.inbox_id)
        case refused:
            return place_of_arrival(opened.inbox_id, refused.quarantined.body)


def place_of_question(interaction_id: str) -> Place:
    """The first span of a question to a holder."""
    return _alone(interaction_id)


def place_of_entry(entry_id: str, data: Mapping[str, Any]) -> Place:
    """The span of an entry: in the trace of the event that it rests on, else in one of its own.

    Args:
        entry_id: Which one.
        data: What its leaf says.
    """
    for evidence in data["evidence"]:
        if (digest := evidence["jwe_sha256"]) is not None:
            return _first(entry_id, digest)
    return _alone(entry_id)


def place_in(trace_id: int, entry_id: str) -> Place:
    """The span of an entry, in a trace that is known otherwise."""
    return Place(trace_id, UUID(entry_id).int & _LOW)


def _first(own_id: str, digest: str) -> Place:
    return place_in(int(digest[:_DIGITS], 16), own_id)


def _alone(own_id: str) -> Place:
    return place_in(UUID(own_id).int, own_id)
