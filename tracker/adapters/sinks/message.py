"""An entry as a message: the body that subscribers by webhook get, byte for byte, and headers beside it.

The mode is CloudEvents' structured one: the body is the whole event. The same attributes stand in headers too, so that a
broker can route by them and a consumer can choose without parsing. The signature headers of Standard Webhooks are carried
along: whoever knows the subscription's secret can verify who wrote the body, whoever may publish at the broker.

Spec: CloudEvents 1.0.2 §3 (attribute names), JSON event format; bindings for NATS §3, Kafka §3.3 and AMQP §3.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import orjson

from tracker.domain.broker_url import PLACEHOLDERS

CONTENT_TYPE: Final = "application/cloudevents+json"

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,64}")
# That of the data inside; in structured mode the header of that name tells of the whole.
_NOT_BESIDE = frozenset({"data", "datacontenttype"})
_PLAIN = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One entry for a broker.

    Attributes:
        id: The entry's.
        to: The subscription's.
        body: The event in JSON.
        attributes: Its CloudEvents attributes in their canonical string form, but for `datacontenttype`.
        headers: What webhooks have as headers: id, time and signature, and perhaps a place in a trace; in lower case.
        facts: What placeholders in names stand for.
    """

    id: str
    to: str
    body: bytes
    attributes: Mapping[str, str]
    headers: Mapping[str, str]
    facts: Mapping[str, str]

    @property
    def key(self) -> str:
        """By what the order is kept: the tracking id, or the subject of what is about no consent."""
        return self.facts.get("tracking_id") or self.attributes.get("subject", self.id)

    def header_pairs(self, prefix: str) -> dict[str, str]:
        """All headers, those of attributes with a binding's prefix."""
        return {**{prefix + name: value for name, value in self.attributes.items()}, **self.headers}


def message_of(entry_id: str, to: str, body: bytes, headers: Mapping[str, str]) -> Message:
    """Make the message for a body.

    Args:
        entry_id: What it tells of.
        to: Which subscription is told.
        body: A CloudEvent in JSON.
        headers: What is sent beside it by webhook; a content type is left out.

    Raises:
        ValueError: The body is no JSON object.
    """
    event = orjson.loads(body)
    if not isinstance(event, dict):
        raise ValueError("A CloudEvent is an object.")  # noqa: TRY004 - one error for what is no event
    data = event.get("data")
    said = {**(data if isinstance(data, dict) else {}), "type": event.get("type")}
    return Message(
        id=entry_id,
        to=to,
        body=body,
        attributes={
            name: text
            for name, value in event.items()
            if name not in _NOT_BESIDE and _ATTRIBUTE.fullmatch(name) and (text := _canonical(value)) is not None
        },
        headers={name.lower(): value for name, value in headers.items() if name.lower() != "content-type"},
        facts={name: value for name in PLACEHOLDERS if isinstance(value := said.get(name), str)},
    )


def percent_encoded(value: str) -> str:
    """A value where headers are ASCII. Spec: CloudEvents HTTP binding §3.1.3.2, which that for NATS follows."""
    return quote(value, safe=_PLAIN)


def _canonical(value: Any) -> str | None:
    """Spec: CloudEvents 1.0.2 §3.1, "Type System"; None for what is no attribute's value."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case _:
            return None
