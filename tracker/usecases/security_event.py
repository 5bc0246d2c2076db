"""An entry as a Security Event Token: what a subscriber can check long after, without us and without the connection it came by.

The same entry makes the same token each time it is handed out, as long as the key is the same.

Spec: RFC 8417 (SET), RFC 9493 §3.2.7 (`sub_id`, opaque), RFC 7519 §2 (StringOrURI, NumericDate).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tracker.domain.subscription import Subscription
from tracker.journal.entry import Entry, parse_rfc3339

EVENT_URN: Final = "urn:consent-tracker:event:"
"""Before the type of an entry: the URI that names it as a security event."""


def security_event(entry: Entry, subscription: Subscription) -> bytes:
    """The claims of an entry's token, as JSON.

    `events` has one member, named by the entry's type; its value is the entry itself, as it would be posted: whoever knows the
    journal's leaves can hash it. `toe` is when it happened, by the holder's clock where an entry tells that, else when it was
    recorded.
    """
    told: dict[str, Any] = json.loads(entry.told(with_private=subscription.include_private))
    claims = {
        "iss": entry.source,
        "iat": int(entry.recorded_at.timestamp()),
        "jti": entry.id,
        "aud": f"urn:uuid:{subscription.id}",
        "sub_id": {"format": "opaque", "id": entry.subject},
        "toe": _time_of(entry.data, int(entry.recorded_at.timestamp())),
        "events": {EVENT_URN + entry.type: told},
    }
    return json.dumps(claims, ensure_ascii=False, separators=(",", ":")).encode()


def _time_of(data: Mapping[str, Any], otherwise: int) -> int:
    told = data["status_date_time"]
    return otherwise if told is None else int(parse_rfc3339(told).timestamp())
