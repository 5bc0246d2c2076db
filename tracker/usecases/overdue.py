"""The alarm for a holder that goes on calling a consent open long after its expiry.

The consent is not usable all the while. But either the holder keeps data flowing that it should not, or we have the expiry
wrong: somebody has to ask it. Once a consent, by whoever sees it first; the metric tells it for as long as it lasts.
"""

import logging
from collections.abc import Iterable

from tracker.domain.tracked import TrackedConsent

_log = logging.getLogger(__name__)


def alarm(consents: Iterable[TrackedConsent]) -> None:
    """Say that the holder has not confirmed these expiries in a day."""
    for consent in consents:
        known = {"provider": consent.provider, "tracking_id": consent.tracking_id}
        _log.error(
            "%s has not confirmed for a day that consent %s has expired",
            consent.provider,
            consent.tracking_id,
            extra=known,
        )
