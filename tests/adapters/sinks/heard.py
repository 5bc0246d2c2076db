"""What a broker has of us, in the words of all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One message.

    Attributes:
        id: The entry's id, where the broker looks for it.
        key: By what the broker keeps the order.
        body: What was sent.
        headers: Whatever stands beside it, text.
    """

    id: str
    key: str
    body: bytes
    headers: Mapping[str, Any]
