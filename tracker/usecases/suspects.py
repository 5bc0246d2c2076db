"""Where what cannot be believed comes from: when the inbox is pressed, such addresses wait, so that others need not.

Whoever has our public key can make bodies that pass the door and cost a decryption each. More of them than can be opened
would fill the inbox until nobody's event is taken. So each address is known by what came of its events: one from which
nothing was believed for a while, and much was not, is refused at the door as soon as the inbox falls behind, and only then.
Behind a proxy that hides addresses all have one; genuine events keep that one from being suspected.

Kept in memory, and bounded: it is a matter of minutes.
"""

from collections import OrderedDict
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

SUSPECTED_AFTER: Final = 100
"""So many events in a row that were not believed make an address suspect."""

_MOST_ADDRESSES = 10_000
_MOST_UNDER_WAY = 50_000
_HOME_BITS = 64  # of an IPv6 address: whoever has one has all that begin so


class Suspects:
    """What came of the events of each address."""

    def __init__(self) -> None:
        self._in_a_row: OrderedDict[str, int] = OrderedDict()
        self._under_way: OrderedDict[str, str] = OrderedDict()

    def admitted(self, event_id: str, address: str | None) -> None:
        """An event came from an address."""
        if address is None:
            return
        self._under_way[event_id] = _home_of(address)
        if len(self._under_way) > _MOST_UNDER_WAY:
            self._under_way.popitem(last=False)

    def opened(self, event_id: str, *, believed: bool) -> None:
        """It was opened."""
        home = self._under_way.pop(event_id, None)
        if home is None:
            return
        self._in_a_row[home] = 0 if believed else self._in_a_row.get(home, 0) + 1
        self._in_a_row.move_to_end(home)
        if len(self._in_a_row) > _MOST_ADDRESSES:
            self._in_a_row.popitem(last=False)

    def suspects(self, address: str | None) -> bool:
        """Whether nothing from there was believed for long."""
        return address is not None and self._in_a_row.get(_home_of(address), 0) >= SUSPECTED_AFTER


def _home_of(address: str) -> str:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return address
    return str(int(parsed) >> _HOME_BITS) if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped else address
