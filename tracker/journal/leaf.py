"""What is hashed of an entry: exactly these members, each of exactly this form.

The leaf is a CloudEvents 1.0 event. It names nobody: what says something about a person is kept beside it and shows
here as one salted digest only, so that it can be destroyed without breaking a proof.

This form is fixed. A member more, a member fewer or another way to write one gives other hashes, and every root and
every signature made so far would be about something that nobody can show any more.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tracker.journal.instant import parse_rfc3339

JUDGE: Final = 1
"""Version of the judge's rules by which the entry came to be; each leaf says it."""

HOLDERS_CHANNELS: Final = frozenset({"webhook", "poll"})
"""What comes this way the holder sent or served; all else is our application's word, an operator's or our clock's."""

Form = Callable[[Any], bool]

MAX_SEQUENCE: Final = 2**53
"""Up to here every JSON reader keeps `previous` exact."""

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _text_like(pattern: str) -> Form:
    full = re.compile(pattern)
    return lambda value: isinstance(value, str) and full.fullmatch(value) is not None


def _or_null(form: Form) -> Form:
    return lambda value: value is None or form(value)


def _constant(text: str) -> Form:
    return lambda value: value == text


def is_text(value: Any) -> bool:
    """Whether it is a text, of any content."""
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    """Whether it is true or false."""
    return value is True or value is False


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 1 on that every JSON reader keeps exact."""
    return type(value) is int and 1 <= value <= MAX_SEQUENCE


def is_time(value: Any) -> bool:
    """Whether it is a time as the journal writes times."""
    try:
        return bool(parse_rfc3339(value))
    except (TypeError, ValueError):
        return False


is_uuid = _text_like(_UUID)
is_source = _text_like("urn:uuid:" + _UUID)
is_subscription = _text_like("subscription/" + _UUID)
is_journal = _text_like("journal/" + _UUID)
is_type = _text_like(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")
is_sequence = _text_like(r"[0-9]{20}")
is_hex_sha256 = _text_like(r"[0-9a-f]{64}")
is_base64url_sha256 = _text_like(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

LEAF: Final[Mapping[str, Form]] = {
    "specversion": _constant("1.0"),
    "id": is_uuid,
    "source": is_source,
    "type": is_type,
    "subject": is_text,
    "time": is_time,
    "sequence": is_sequence,
    "datacontenttype": _constant("application/json"),
    "data": lambda value: isinstance(value, dict),
}

DATA: Final[Mapping[str, Form]] = {
    "tracking_id": _or_null(is_uuid),
    "provider": _or_null(is_text),
    "consent_id": _or_null(is_text),
    "kind": _or_null(is_text),
    "previous": _or_null(is_count),
    "from": _or_null(is_text),
    "to": _or_null(is_text),
    "status_date_time": _or_null(is_time),
    "received_at": _or_null(is_time),
    "channel": _or_null(is_text),
    "late": is_flag,
    "corrected": is_flag,
    "inferred": is_flag,
    "confirmed": is_flag,
    "revoked_by": _or_null(is_text),
    "reason": _or_null(is_text),
    "usable": is_flag,
    "judge": is_count,
    "evidence": lambda value: isinstance(value, list),
    "private_digest": _or_null(is_base64url_sha256),
}

EVIDENCE: Final[Mapping[str, Form]] = {
    "channel": is_text,
    "signed": is_flag,
    "jws_sha256": _or_null(is_hex_sha256),
    "jwe_sha256": _or_null(is_hex_sha256),
    "kid": _or_null(is_text),
    "jwk_thumbprint": _or_null(is_base64url_sha256),
}


def leaf_fault(leaf: Any) -> str | None:
    """Say what keeps a JSON value from being a leaf; None when it is one."""
    fault = form_fault(leaf, LEAF, "the entry") or form_fault(leaf["data"], DATA, "data")
    if fault is not None:
        return fault
    data = leaf["data"]
    for item in data["evidence"]:
        fault = form_fault(item, EVIDENCE, "evidence")
        if fault is not None:
            return fault
        if item["signed"] and item["jws_sha256"] is None:
            return "evidence that is called signed names no token"
    fault = _subject_fault(leaf)
    if fault is not None:
        return fault
    if not 1 <= int(leaf["sequence"]) <= MAX_SEQUENCE:
        return "sequence is out of range"
    return None


def _subject_fault(leaf: Mapping[str, Any]) -> str | None:
    """Say what keeps the subject from being what the entry is about: a consent, or another of few things."""
    data, subject = leaf["data"], leaf["subject"]
    if data["tracking_id"] is not None:
        if data["provider"] is None or data["kind"] is None:
            return "a consent has a provider and a kind"
        return (
            None
            if subject == f"{data['provider']}/{data['tracking_id']}"
            else "subject is not provider and tracking id"
        )
    if data["consent_id"] is not None or data["kind"] is not None:
        return "what is about no consent names none"
    if any(data[flag] for flag in ("late", "corrected", "inferred", "confirmed", "usable")) or data["evidence"]:
        return "what is about no consent says nothing of one"
    if is_journal(subject):
        is_own = data["provider"] is None and leaf["source"].endswith(subject.removeprefix("journal/"))
        return None if is_own else "subject is another journal"
    if data["provider"] is None:
        return None if is_subscription(subject) else "subject is not a subscription"
    return None if subject == f"provider/{data['provider']}" else "subject is not the provider"


def form_fault(value: Any, forms: Mapping[str, Form], name: str) -> str | None:
    """Say what keeps a JSON value from being an object of exactly these members; None when it is one."""
    if not isinstance(value, dict):
        return f"{name} is not an object"
    for member, is_well_formed in forms.items():
        if member not in value:
            return f"{name} has no {member}"
        if not is_well_formed(value[member]):
            return f"{member} is not of its form"
    if len(value) > len(forms):
        unknown = min(value.keys() - forms.keys())
        return f"{name} has a member that entries do not have: {unknown[:40]!a}"
    return None
