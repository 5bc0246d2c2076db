"""What `tracker check` says about message brokers: which cannot be used, and which are there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Final

from tracker.adapters.sinks.by_scheme import reason
from tracker.app.brokers import broker_sinks
from tracker.app.findings import Finding
from tracker.domain.errors import ConfigurationError
from tracker.settings import Settings

_SUBJECT: Final = "broker"
_ANSWERS_WITHIN_SECONDS: Final = 15.0


def broker_faults(settings: Settings) -> Iterator[Finding]:
    """Look for brokers because of which the service would not start: a missing extra, a file that cannot be used."""
    for chosen in settings.broker:
        try:
            broker_sinks(settings.model_copy(update={"broker": (chosen,)}))
        except ConfigurationError as error:
            yield Finding(_SUBJECT, str(error), ok=False, stops=True)


async def broker_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Connect to each broker, as telling a subscriber would; nothing is published."""
    for address, sink in broker_sinks(settings).items():
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN_SECONDS):
                await sink.probe()
        except (OSError, ConfigurationError) as error:
            text = f"{address} could not be reached: {reason(error)}"
            yield Finding(
                _SUBJECT, text, ok=False, remedy=f"see that {address} runs and lets us in; subscribers wait for it"
            )
        else:
            yield Finding(_SUBJECT, f"{address} lets us in", ok=True)
        finally:
            await sink.close()
