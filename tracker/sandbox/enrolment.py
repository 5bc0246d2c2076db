"""Registering a client at a simulated hub that runs somewhere else."""

from collections.abc import Mapping
from typing import Any

import aiohttp

from tracker.sandbox.errors import SandboxError


async def enrol(hub: str, client_id: str, public: Mapping[str, Any], webhook_url: str) -> None:
    """Register a client over the control API; one that is registered already is replaced.

    Args:
        hub: The hub's base URL.
        client_id: The client.
        public: Its `signing_jwks` and `encryption_jwks`, public halves only.
        webhook_url: Where its events go.

    Raises:
        SandboxError: The hub is not there, or will not have it.
    """
    body = {"client_id": client_id, "webhook_url": webhook_url, **public}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http,
            http.post(f"{hub.rstrip('/')}/sandbox/clients", json=body) as answer,
        ):
            if not answer.ok:
                raise SandboxError(f"{hub} answered {answer.status}: {(await answer.text())[:300]}")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise SandboxError(f"No simulated hub answers at {hub}: start `tracker sandbox hub`.") from error
