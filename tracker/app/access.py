"""The access record, as the configuration wants it."""

from datetime import timedelta

from tracker.adapters.store.store import SqlStore
from tracker.ports import Clock, Ids
from tracker.settings_access import AccessRecordSettings
from tracker.usecases.access import AccessRecording


def access_recording(store: SqlStore, clock: Clock, ids: Ids, settings: AccessRecordSettings) -> AccessRecording:
    """Make what writes looks down."""
    return AccessRecording(
        store.accesses,
        store,
        clock,
        ids,
        graves=store.retention,
        is_required=settings.access_record == "required",
        kept_for=timedelta(days=settings.access_record_days),
    )
