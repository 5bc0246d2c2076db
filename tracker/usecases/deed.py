"""What all deeds of our own have in common: the consent is held, the caller's condition is looked at, the clock speaks first."""

from collections.abc import Callable

from tracker.domain.consent import TrackingId
from tracker.domain.errors import ConsentNotFoundError
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Transaction
from tracker.usecases.recording import Office, Recording

Condition = Callable[[int], None]
"""Is given the consent's version; raises if the caller had another one in mind."""


def held_for_a_deed(
    office: Office, tracking_id: TrackingId, condition: Condition | None, transaction: Transaction
) -> tuple[Recording, TrackedConsent]:
    """Hold a consent that something of our own is to be done to, and let the clock speak about it first.

    Raises:
        ConsentNotFoundError: It is not tracked.
        ProviderNotFoundError: Its provider has left the configuration.
    """
    held = transaction.lock_tracked([tracking_id])
    if tracking_id not in held:
        raise ConsentNotFoundError
    office.providers.require(held[tracking_id].provider)
    if condition is not None:
        condition(held[tracking_id].version)
    recording = Recording(transaction, office, held.values())
    recording.tick(tracking_id)
    return recording, recording.current(tracking_id)
