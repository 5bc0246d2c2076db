"""What we ourselves had put over a holder's word at an earlier instant: the journal tells every deed of ours."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from tracker.domain.consent import TERMINAL
from tracker.domain.overlay import Deed, Overlay, Revocation, RevocationState
from tracker.journal.entry import Entry


def overlay_at(today: Overlay, entries: Iterable[Entry], instant: datetime) -> Overlay:
    """What stood against using a consent at an instant.

    Args:
        today: What stands against it now; what became of a request since is told of it with the state of then.
        entries: All entries about the consent, in their order.
        instant: Our clock's.
    """
    then = Overlay()
    for entry in entries:
        if entry.recorded_at > instant:
            break
        then = overlay_after(then, today, entry)
    return then


def overlay_after(then: Overlay, today: Overlay, entry: Entry) -> Overlay:
    """What stood against using it once an entry was written; see `overlay_at`."""
    data, revocation = entry.data, then.revocation
    match entry.type:
        case Deed.PAUSED:
            return replace(then, paused=True)
        case Deed.RESUMED:
            return replace(then, paused=False)
        case Deed.REVOCATION_REQUESTED if revocation is not None and revocation.is_open:
            return replace(then, revocation=replace(revocation, state=RevocationState.PENDING))
        case Deed.REVOCATION_REQUESTED:
            begun = Revocation(revoked_by=data["revoked_by"], requested_at=entry.recorded_at)
            known = today.revocation
            if known is not None and known.requested_at == begun.requested_at:
                begun = replace(known, state=RevocationState.PENDING, due_at=None)
            return replace(then, revocation=begun)
        case Deed.REVOCATION_FAILED if revocation is not None:
            return replace(then, revocation=replace(revocation, state=RevocationState.REFUSED))
        case Deed.REVOCATION_WITHDRAWN:
            return replace(then, revocation=None)
        case _:
            return then.at_the_end() if data["confirmed"] and data["to"] in TERMINAL else then
