"""Ask holders to revoke what their customers never finished authorizing, where the configuration wants that.

Nothing forces a holder to close an abandoned consent before it expires, which may take a year. The clock asks for it as an
operator would, in its own name and once: the request is put on record, and those who carry requests out do so with this one.

The holder is asked first, at that time: who has finished meanwhile keeps the consent.
"""

from tracker.domain.changed import changed
from tracker.domain.consent import Channel, TrackingId
from tracker.domain.overlay import Deed, Overlay, Revocation
from tracker.usecases.recording import Office, Recording

ABANDONED = "abandoned"
"""The `reason` of such a request."""


def give_up(office: Office, recording: Recording, tracking_id: TrackingId) -> None:
    """If it is time to give a held consent up: have the holder asked, or, if it has answered since, asked to revoke it."""
    consent = recording.current(tracking_id)
    kind = office.providers.kind_of(consent)
    due = consent.given_up_from(consent.decision(kind.rules), office.pace.revoke_abandoned_after)
    if due is None or due > recording.now:
        return
    if consent.confirmed_at is None or consent.confirmed_at < due:
        if consent.asking.requested_at is None or consent.asking.requested_at < due:
            recording.change(changed(consent, asking=changed(consent.asking, requested_at=recording.now)))
        return
    given_up = changed(consent, journey=changed(consent.journey, given_up_at=recording.now))
    by = kind.revoked_by_us
    if by is None:
        recording.change(given_up)
        return
    made = Revocation(revoked_by=by, requested_at=recording.now, due_at=recording.now)
    asked_for = changed(given_up, overlay=Overlay(paused=consent.overlay.paused, revocation=made))
    recording.deed(asked_for, Deed.REVOCATION_REQUESTED, revoked_by=by, reason=ABANDONED, channel=Channel.CLOCK)
