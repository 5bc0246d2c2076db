"""What `tracker check` says of the service: whether it runs, and if not, whether it could listen."""

import errno
import socket
from collections.abc import Iterator

from tracker.app.database import database_place
from tracker.app.findings import Finding
from tracker.app.listening import cannot_listen
from tracker.settings import Settings

_SUBJECT = "service"


def service_finding(settings: Settings) -> tuple[Finding, bool]:
    """Look at the addresses of the listeners, and at the lock; say too whether the service runs."""
    addresses = [one for one in _addresses(settings) if one[2]]
    if not addresses:
        runs = database_place(settings).is_occupied()
        return Finding(_SUBJECT, "it runs" if runs else "it does not run; it will take any free port", ok=True), runs
    free: list[str] = []
    for section, host, port in addresses:
        try:
            _try(host, port)
            free.append(f"{host}:{port}")
        except (OSError, UnicodeError) as error:
            taken = getattr(error, "errno", None) == errno.EADDRINUSE
            # The lock is only looked at when something listens: looking at it can keep a service from starting.
            if taken and database_place(settings).is_occupied():
                return Finding(_SUBJECT, f"it runs, and listens at {host}:{port}", ok=True), True
            return Finding(_SUBJECT, str(cannot_listen(section, host, port, error)), ok=False, stops=True), False
    return Finding(
        _SUBJECT, f"it does not run; {' and '.join(free)} {'are' if len(free) > 1 else 'is'} free", ok=True
    ), False


def _addresses(settings: Settings) -> Iterator[tuple[str, str, int]]:
    http, receiver, metrics = settings.http, settings.receiver, settings.metrics
    yield "http", http.host, http.port
    if receiver.port is not None:
        yield "receiver", receiver.host or http.host, receiver.port
    if metrics.port is not None:
        yield "metrics", metrics.host, metrics.port


def _try(host: str, port: int) -> None:
    """Take an address as a listener would, without listening: a service that starts now is not in its way."""
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        with socket.socket(family, kind, protocol) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
