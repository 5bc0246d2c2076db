"""What `tracker check` says of a provider: whether it is there, whether it knows us, whether its consents are where we ask."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final

from yarl import URL

from tracker.app.composition import Tracker
from tracker.app.findings import Finding
from tracker.domain.errors import ConsentApiContractError, TrackerError
from tracker.ports import Provider

_SECONDS: Final = 15.0


async def provider_findings(tracker: Tracker, provider: Provider) -> AsyncIterator[Finding]:
    """Look at one provider; what stands on something that is wrong is not tried."""
    for look in (_discovery, _access, _consents):
        finding = await look(tracker, provider)
        yield finding
        if not finding.ok:
            return


async def _discovery(tracker: Tracker, provider: Provider) -> Finding:
    subject = f"provider {provider.id}"
    remedy = ""
    if is_simulated(provider):
        port = URL(provider.issuer).port
        remedy = f"start the simulated hub, in a terminal of its own: `tracker sandbox hub --port {port}`"
    try:
        async with asyncio.timeout(_SECONDS):
            described = await tracker.holders.describe(provider)
    except TimeoutError:
        text = f"{provider.issuer} does not answer; check the address and the network"
        return Finding(subject, text, ok=False, remedy=remedy)
    except ConsentApiContractError as error:
        text = f"{error} Its issuer ({provider.issuer}) should be the one that the provider gave you, to the letter."
        return Finding(
            subject, text, ok=False, remedy=f"correct the issuer of {provider.id}, then `tracker check` again"
        )
    except TrackerError as error:
        text = f"{error} Check its issuer ({provider.issuer}), certificates and the network."
        return Finding(subject, text, ok=False, remedy=remedy)
    text = f"discovery and {len(described.key_ids)} signing key(s) found at {provider.issuer}"
    return Finding(subject, text, ok=True)


async def _access(tracker: Tracker, provider: Provider) -> Finding:
    """Whether the provider gives us tokens: all scopes of its profile are tried, and one is enough to be of use."""
    subject = f"access to {provider.id}"
    given: list[str] = []
    refused: list[str] = []
    for kind in provider.profile.kinds.values():
        try:
            async with asyncio.timeout(_SECONDS):
                await tracker.holders.try_scope(provider, kind.scope)
            given.append(kind.name)
        except TimeoutError:
            return Finding(subject, "the token endpoint does not answer; check the network", ok=False)
        except TrackerError as error:
            refused.append(f"{kind.name}: {error}")
    if not given:
        text = f"{refused[0]} Are client {provider.client_id} and the keys of `tracker keys public` registered there?"
        remedy = f"have client {provider.client_id} and what `tracker keys public` prints registered in the directory"
        if is_simulated(provider):
            remedy = f"tell the simulated hub who we are: `tracker sandbox register --hub {provider.issuer}`"
        return Finding(subject, text, ok=False, remedy=remedy)
    not_for = f"; not for {', '.join(one.partition(':')[0] for one in refused)}" if refused else ""
    return Finding(subject, f"tokens are given for {', '.join(given)}{not_for}", ok=True)


async def _consents(tracker: Tracker, provider: Provider) -> Finding:
    """Whether there are consents where we ask: who shows no token is refused there, and finds nothing elsewhere.

    A wrong address would not be noticed otherwise: the 404 that comes from there is also what a consent gets that was not
    staged. Some holder may answer so all the same, so it is a warning.
    """
    subject = f"consents of {provider.id}"
    remedy = f"look at resource_url and api_version of {provider.id}, then `tracker check` again"
    try:
        async with asyncio.timeout(_SECONDS):
            where, status = await tracker.holders.try_address(provider, next(iter(provider.profile.kinds.values())))
    except TimeoutError:
        return Finding(subject, f"{provider.resource_url} does not answer", ok=False, remedy=remedy)
    except TrackerError as error:
        text = f"{error} Check its resource_url ({provider.resource_url})."
        return Finding(subject, text, ok=False, remedy=remedy)
    if status == HTTPStatus.NOT_FOUND:
        text = f"there seems to be nothing at {where}; check resource_url and api_version"
        return Finding(subject, text, ok=True, warns=True, remedy=remedy)
    return Finding(subject, f"are asked about at {where}", ok=True)


def is_simulated(provider: Provider) -> bool:
    """Whether it can only be a hub on this machine: nobody else may be spoken to without TLS."""
    return provider.issuer.startswith("http://")
