"""Responses that remember which certificates the server showed: a key's evidence says which server it came from.

The connection is given back as soon as the body is there, so it is looked at when the response begins.
"""

import ssl
from hashlib import sha256
from typing import Any

import aiohttp
from aiohttp.connector import Connection


class WitnessedResponse(aiohttp.ClientResponse):
    """A response with the certificates of its connection.

    Attributes:
        tls_chain: Hex SHA-256 of each, the server's own first; empty without TLS.
    """

    tls_chain: tuple[str, ...] = ()

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Begin to read, and look at the connection."""
        transport = connection.transport
        self.tls_chain = () if transport is None else _chain(transport.get_extra_info("ssl_object"))
        return await super().start(connection)


def tls_chain_of(response: aiohttp.ClientResponse) -> tuple[str, ...]:
    """What a response's server showed; nothing for a response of another make."""
    return response.tls_chain if isinstance(response, WitnessedResponse) else ()


def _chain(connection: Any) -> tuple[str, ...]:
    if not isinstance(connection, ssl.SSLObject | ssl.SSLSocket):
        return ()
    if hasattr(connection, "get_verified_chain"):  # Python 3.13 and later
        shown: list[bytes] = connection.get_verified_chain()
    else:
        own = connection.getpeercert(binary_form=True)
        shown = [] if own is None else [own]
    return tuple(sha256(certificate).hexdigest() for certificate in shown)
