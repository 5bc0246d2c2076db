"""Keeps what others ask us to post to out of our own networks.

A subscriber's URL is checked twice. At registration by its text, for a clear answer. And at every single connect by the
address that is about to be connected to, which is what counts: it covers literal addresses in any spelling, every answer
of the name service, and a name that points somewhere else today. Behind a proxy the check would only see the proxy, so the
sender takes none from the environment. A network's own translation prefix (RFC 6052, other than 64:ff9b::/96) cannot be
recognised; where there is one, the firewall must keep what lies behind it.

Spec: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), RFC 4291 §2.5.5 (mapped), RFC 6052 (NAT64),
RFC 7526 (6to4 is obsolete), RFC 4380 (Teredo), RFC 5214 (ISATAP).
"""

import errno
import re
import socket
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from yarl import URL

from tracker.domain.errors import InvalidRequestError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL: Final = 2_048

# What `ipaddress` calls global in some versions of Python, or is public in name only.
_REFUSED_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; one cloud's metadata lives here
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, obsolete
    IPv4Network("168.63.129.16/32"),  # another cloud's host agent
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = (
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4, obsolete: an IPv4 address in disguise
    IPv6Network("3fff::/20"),  # documentation
)
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = 0x0000_5EFE
_ISATAP_FLAGS = 0x0300_0000  # the universal and group bits of the interface id may be set or not

_VISIBLE_ASCII = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
USUAL_PORTS: Final = (range(80, 81), range(443, 444), range(1_024, 65_536))
"""Those of the web and those that nobody needs to be root for: below are mail, names, remote shells and the like."""

_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


def is_allowed(address: Address, allow_networks: Collection[Network]) -> bool:
    """Whether something may be posted to an address: a global one, or one in the networks that are allowed."""
    if any(address in network for network in allow_networks if network.version == address.version):
        return True
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not (address.is_multicast or address.is_reserved)
            and not any(address in network for network in _REFUSED_V4)
        )
    inner = address.ipv4_mapped
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if inner is not None:
        return is_allowed(inner, allow_networks)
    interface_id = (int(address) >> 32) & 0xFFFF_FFFF
    return (
        address in _GLOBAL_V6
        and address.is_global
        and interface_id & ~_ISATAP_FLAGS != _ISATAP
        and not any(address in network for network in _REFUSED_V6)
    )


def guarded_sockets(
    allow_networks: Collection[Network], allow_ports: Collection[range] = USUAL_PORTS
) -> Callable[[Any], socket.socket]:
    """Make the socket factory of a connector that connects to allowed addresses and ports only.

    Args:
        allow_networks: What is allowed beside global addresses.
        allow_ports: Which ports are allowed, at whichever address.

    Returns:
        A function of one `getaddrinfo` result. It raises OSError with EACCES for an address or a port that is not allowed.
    """

    def open_socket(address_info: Any) -> socket.socket:
        family, kind, protocol, _, where = address_info
        host = str(where[0]).partition("%")[0]  # without the zone of a link-local address
        if not is_allowed(ip_address(host), allow_networks):
            raise OSError(errno.EACCES, f"{host} is not an address that may be posted to")
        if not _is_listed(where[1], allow_ports):
            raise OSError(errno.EACCES, f"{where[1]} is not a port that may be posted to")
        return socket.socket(family, kind, protocol)

    return open_socket


def _is_listed(port: int, allow_ports: Collection[range]) -> bool:
    return any(port in span for span in allow_ports)


def check_url(url: str, allow_networks: Collection[Network], allow_ports: Collection[range] = USUAL_PORTS) -> None:
    """Check the URL of a new subscription by its text; where its name leads is seen at each connect.

    Raises:
        InvalidRequestError: Nothing may be posted to it, or it is none.
    """
    if len(url) > LONGEST_URL or not _VISIBLE_ASCII.fullmatch(url):
        raise InvalidRequestError(
            f"A subscription's URL has at most {LONGEST_URL} characters, all of them visible ASCII and none a backslash; "
            "write other hosts as xn--… and percent-encode the rest."
        )
    try:
        parsed = URL(url)
        host, port, authority = parsed.raw_host, parsed.port, parsed.raw_authority
    except ValueError as error:
        raise InvalidRequestError("This is not a URL.") from error
    if parsed.scheme not in {"https", "http"} or not host or port is None:
        raise InvalidRequestError("A subscription's URL begins with https:// and a host.")
    if "@" in authority or "@" in url.partition("://")[2].partition("/")[0]:
        raise InvalidRequestError("A subscription's URL has no user name or password in it.")
    if "#" in url:
        raise InvalidRequestError("A subscription's URL has no fragment.")
    if not _is_listed(port, allow_ports):
        spans = (str(span.start) if len(span) == 1 else f"{span.start}-{span.stop - 1}" for span in allow_ports)
        raise InvalidRequestError(f"A subscription's port is one of {', '.join(spans)}, not {port}.")
    _check_host(host, parsed.scheme, allow_networks)


def is_vouched_for(url: str, allow_networks: Collection[Network]) -> bool:
    """Whether the operator has vouched for where a URL leads: an address in the networks that are listed, or localhost.

    Args:
        url: One that `check_url` has taken, or one of another scheme, which nothing is posted to.
        allow_networks: The networks.
    """
    parsed = URL(url)
    host = (parsed.raw_host or "").lower().removesuffix(".")
    if parsed.scheme not in {"https", "http"} or host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return is_allowed(address, allow_networks) and not is_allowed(address, ())


def _check_host(host: str, scheme: str, allow_networks: Collection[Network]) -> None:
    name = host.lower().removesuffix(".")
    is_listed = False
    if name == "localhost":
        is_listed = any(is_allowed(address, allow_networks) for address in _LOOPBACK)
        if not is_listed:
            raise InvalidRequestError("localhost may not be posted to; see allow_networks in [notifications].")
    elif (address := _literal(name)) is not None:
        if not is_allowed(address, allow_networks):
            raise InvalidRequestError(
                f"{name} is no address that may be posted to; see allow_networks in [notifications]."
            )
        is_listed = not is_allowed(address, ())
    if scheme == "http" and not is_listed:
        raise InvalidRequestError("A subscription's URL begins with https://, except at an address in allow_networks.")


def _literal(name: str) -> Address | None:
    """The address that a host is, None for a name.

    Raises:
        InvalidRequestError: It is an address in a spelling that only some programs understand, or one with a zone.
    """
    try:
        address = ip_address(name)
    except ValueError:
        pass
    else:
        if not isinstance(address, IPv6Address) or address.scope_id is None:
            return address
        raise InvalidRequestError("An address in a subscription's URL has no zone.")
    try:
        socket.inet_aton(name)  # takes 2130706433, 0x7f.1, 0177.0.0.1 and 127.1, as the name service does
    except OSError:
        return None
    raise InvalidRequestError("Write an address as four decimal numbers, or in brackets.")
