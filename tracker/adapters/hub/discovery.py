"""An issuer's discovery document: where its token endpoint and its signing keys are."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from tracker.adapters.hub.headers import fresh_seconds
from tracker.adapters.hub.kept import Kept
from tracker.adapters.hub.refusals import unusable
from tracker.adapters.hub.session import HolderSession
from tracker.adapters.hub.urls import is_loopback, secure_url
from tracker.domain import strict_json
from tracker.domain.errors import ConsentApiContractError, ConsentApiError
from tracker.ports import Clock

_log = logging.getLogger(__name__)

_MAX_BYTES: Final = 256 * 1024
_NAMEABLE: Final = re.compile(r"[!-~]{1,200}")
"""What of somebody else's document may stand in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What we need of a discovery document.

    Attributes:
        issuer: As the document says it, which is as we are configured.
        token_endpoint: Where tokens are; the one for mutual TLS if there is one.
        jwks_uri: Where the keys are that the holder signs with.
    """

    issuer: str
    token_endpoint: URL
    jwks_uri: URL


class Discovery:
    """Fetches one issuer's document and keeps it as long as it says; the old one for a day while it cannot be fetched.

    Spec: OpenID Connect Discovery 1.0 §4; RFC 8705 §5 for `mtls_endpoint_aliases`.
    """

    def __init__(self, issuer: str, session: HolderSession, clock: Clock) -> None:
        self._issuer = issuer
        self._session = session
        self._clock = clock
        self._kept: Kept[Metadata] = Kept(self._fetch, clock)

    async def get(self) -> Metadata:
        """Give the document, fetched if it is stale.

        Raises:
            ConsentApiUnavailableError: It cannot be had, and there is no old one.
            ConsentApiContractError: What is there is not this issuer's document, and there is no old one.
        """
        return await self._kept.get()

    async def renew(self) -> Metadata:
        """Fetch the document, whatever is kept.

        Raises:
            ConsentApiUnavailableError: It cannot be had.
            ConsentApiContractError: What is there is not this issuer's document.
        """
        return await self._kept.renew()

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        await self._kept.close()

    async def _fetch(self, latest: Metadata | None) -> tuple[Metadata, float]:
        try:
            return await self._ask()
        except ConsentApiError as error:
            if latest is not None:
                _log.warning(
                    "The discovery document of %s could not be renewed; the old one serves: %s", self._issuer, error
                )
            raise

    async def _ask(self) -> tuple[Metadata, float]:
        url = URL(self._issuer.removesuffix("/") + "/.well-known/openid-configuration")
        reply = await self._session.get(url, {"Accept": "application/json"}, max_bytes=_MAX_BYTES)
        if reply.status != 200:  # noqa: PLR2004 - the one status that brings a document
            raise unusable(reply, self._clock.now())
        return read_metadata(reply.body, self._issuer), fresh_seconds(reply.headers)


def read_metadata(body: bytes, issuer: str) -> Metadata:
    """Read a discovery document.

    Raises:
        ConsentApiContractError: It is not this issuer's, or it sends us where we do not go.
    """
    try:
        document = strict_json.loads(body)
    except strict_json.NotStrictJsonError as error:
        raise ConsentApiContractError(f"The discovery document of {issuer} is not JSON.") from error
    if not isinstance(document, dict) or document.get("issuer") != issuer:
        named = document.get("issuer") if isinstance(document, dict) else None
        but = f", but {named}" if isinstance(named, str) and _NAMEABLE.fullmatch(named) else ""
        raise ConsentApiContractError(
            f"The discovery document of {issuer} does not name this issuer, to the letter{but}."
        )
    aliases = document.get("mtls_endpoint_aliases")
    return Metadata(
        issuer=issuer,
        token_endpoint=_endpoint(
            document | aliases if isinstance(aliases, dict) else document, "token_endpoint", issuer
        ),
        jwks_uri=_endpoint(document, "jwks_uri", issuer),
    )


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> URL:
    text = document.get(name)
    url = secure_url(text, on_this_machine=is_loopback(URL(issuer))) if isinstance(text, str) else None
    if url is None:
        raise ConsentApiContractError(f"The discovery document of {issuer} has no {name} that may be asked.")
    return url
