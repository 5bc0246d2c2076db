"""Who sends: the address behind the proxies that are trusted, and whether anything is taken from there.

Only `X-Forwarded-For` is read, and only from a trusted proxy. Each proxy appends the address that it was called from, so the
list is read from its end: the first address that is not a trusted proxy's own is the sender's. Whatever stands before it, the
sender may have written himself.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_FORWARDED_FOR = "X-Forwarded-For"


@dataclass(frozen=True, slots=True)
class Peers:
    """Whose requests are taken.

    Attributes:
        trusted_proxies: From where `X-Forwarded-For` is believed.
        allow_networks: From where requests are taken. Empty: from everywhere.
    """

    trusted_proxies: tuple[Network, ...] = ()
    allow_networks: tuple[Network, ...] = ()

    def admit(self, request: web.Request) -> bool:
        """Whether a request is taken; nothing of it but its headers is looked at."""
        if not self.allow_networks:
            return True
        sender = self.sender(request)
        return sender is not None and _is_in(sender, self.allow_networks)

    def sender(self, request: web.Request) -> Address | None:
        """Where a request comes from; None if that cannot be said."""
        transport = request.transport
        peer = None if transport is None else transport.get_extra_info("peername")
        if not isinstance(peer, tuple):
            return None
        return sender_address(str(peer[0]), request.headers.getall(_FORWARDED_FOR, ()), self.trusted_proxies)


def sender_address(
    peer: str, forwarded_for: Sequence[str], trusted_proxies: Collection[Network]
) -> IPv4Address | IPv6Address | None:
    """Find the address that a request comes from.

    Args:
        peer: Who holds the other end of the connection.
        forwarded_for: The values of all `X-Forwarded-For` headers, in their order.
        trusted_proxies: Who is believed.

    Returns:
        The address nearest to us that is no trusted proxy's; the farthest one if all are. None if something that is no address
        stands where it should be.
    """
    address = _address(peer)
    for hop in _from_the_end(forwarded_for):
        if address is None or not _is_in(address, trusted_proxies):
            break
        address = _address(hop)
    return address


def _from_the_end(forwarded_for: Sequence[str]) -> Iterator[str]:
    for value in reversed(forwarded_for):
        for hop in reversed(value.split(",")):
            yield hop.strip(" \t")


@lru_cache(maxsize=1024)  # the same few proxies and holders, again and again
def _address(text: str) -> Address | None:
    """Read an address; some proxies write the port too, then IPv6 is in brackets."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])  # the zone of a link-local address says nothing about who it is
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _is_in(address: Address, networks: Collection[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
