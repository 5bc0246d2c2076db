"""Entries: from what is known of a deed to its place in the journal.

A `Draft` is complete but for its place. When the journal's head is held, `seal` gives it its number, links it to the
consent's entry before, and hashes it; from then on it is an `Entry` and does not change. Whoever reads the journal
back makes the same `Entry` from the stored bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tracker.domain.errors import TrackerError
from tracker.journal import tree
from tracker.journal.canonical import canonical
from tracker.journal.draft import Draft, Evidence, lane_of
from tracker.journal.instant import parse_rfc3339, rfc3339
from tracker.journal.leaf import JUDGE, MAX_SEQUENCE, is_source
from tracker.journal.private import base64url, from_base64url, private_digest

__all__ = [
    "JUDGE",
    "Draft",
    "Entry",
    "Evidence",
    "NotAnEntryError",
    "base64url",
    "from_base64url",
    "from_leaf_bytes",
    "parse_rfc3339",
    "private_digest",
    "rfc3339",
    "seal",
]


class NotAnEntryError(TrackerError):
    """The stored bytes are not an entry's leaf."""

    code = "not_an_entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place in the journal, filled.

    Attributes:
        sequence: Its number; the first is 1, there are no gaps.
        recorded_at: When it was written down; UTC.
        leaf: What is hashed, as JSON. Not to be changed.
        leaf_bytes: The same in its canonical form.
        leaf_hash: RFC 6962 hash of these bytes; leaf number `sequence` - 1 of the tree.
        private: What says something about a person; None when there is nothing, or no longer.
        private_salt: What it was hashed with.
    """

    sequence: int
    recorded_at: datetime
    leaf: Mapping[str, Any]
    leaf_bytes: bytes
    leaf_hash: bytes
    private: Mapping[str, Any] | None = None
    private_salt: bytes | None = field(default=None, repr=False)

    def told(self, *, with_private: bool, redelivered: bool = False) -> bytes:
        """What is sent of it: the leaf as it was hashed, byte for byte, and beside its members what else is to be said.

        Args:
            with_private: Whether the private values are wanted.
            redelivered: Whether it is told because somebody asked for it again.
        """
        beside: dict[str, Any] = {}
        if redelivered:
            beside["redelivered"] = True
        if with_private and self.private is not None and self.private_salt is not None:
            beside |= {"private": self.private, "private_salt": base64url(self.private_salt)}
        if not beside:
            return self.leaf_bytes
        members = json.dumps(beside, ensure_ascii=False, separators=(",", ":")).encode()
        return self.leaf_bytes[:-1] + b"," + members[1:]

    @property
    def id(self) -> str:
        """UUID of the entry."""
        return str(self.leaf["id"])

    @property
    def type(self) -> str:
        """What happened."""
        return str(self.leaf["type"])

    @property
    def source(self) -> str:
        """The journal that it is in, as a URN."""
        return str(self.leaf["source"])

    @property
    def subject(self) -> str:
        """What it is about: provider and tracking id of a consent, `subscription/…`, or `provider/…`."""
        return str(self.leaf["subject"])

    @property
    def data(self) -> Mapping[str, Any]:
        """What is said of the consent, or of what else it is about."""
        data: Mapping[str, Any] = self.leaf["data"]
        return data

    @property
    def provider(self) -> str | None:
        """The data holder; None where it is about a subscription."""
        provider: str | None = self.data["provider"]
        return provider

    @property
    def tracking_id(self) -> str | None:
        """Our own key of the consent; None where it is about none."""
        tracking_id: str | None = self.data["tracking_id"]
        return tracking_id

    @property
    def lane(self) -> str:
        """Whose order it keeps: the tracking id of its consent, or another UUID that all entries about the same have."""
        return lane_of(self.tracking_id, self.subject)

    @property
    def kind(self) -> str | None:
        """The consent's kind; None where it is about none."""
        kind: str | None = self.data["kind"]
        return kind

    @property
    def previous(self) -> int | None:
        """The sequence of the entry before about the same; None for its first."""
        previous: int | None = self.data["previous"]
        return previous

    @property
    def to_status(self) -> str | None:
        """The effective status told by this, if any."""
        status: str | None = self.data["to"]
        return status

    @property
    def usable(self) -> bool:
        """Whether the consent may be used from here on."""
        return self.data["usable"] is True


def seal(draft: Draft, *, sequence: int, previous: int | None, recorded_at: datetime, source: str) -> Entry:
    """Give a draft its place in the journal.

    Args:
        draft: What is known.
        sequence: The number that the journal's head gave.
        previous: The sequence of the entry before about the same consent, or whatever else it is about; None for the first.
        recorded_at: Now; not earlier than the entry before.
        source: The journal as a URN, `urn:uuid:…`.

    Raises:
        ValueError: A number, the source or a time is not of its form.
        NotCanonicalError: A text in it has no UTF-8 form.
    """
    if not 1 <= sequence <= MAX_SEQUENCE:
        raise ValueError("Sequences start at 1.")
    if previous is not None and not 1 <= previous < sequence:
        raise ValueError("The entry before about the same has a lower sequence.")
    if not is_source(source):
        raise ValueError("A journal's source is urn:uuid: and a UUID in lower case.")
    leaf = {
        "specversion": "1.0",
        "id": draft.id,
        "source": source,
        "type": draft.type,
        "subject": draft.subject,
        "time": rfc3339(recorded_at),
        "sequence": f"{sequence:020d}",
        "datacontenttype": "application/json",
        "data": _data(draft, previous),
    }
    leaf_bytes = canonical(leaf)
    return Entry(
        sequence=sequence,
        recorded_at=recorded_at.astimezone(UTC),
        leaf=leaf,
        leaf_bytes=leaf_bytes,
        leaf_hash=tree.leaf_hash(leaf_bytes),
        private=draft.private,
        private_salt=draft.private_salt,
    )


def _data(draft: Draft, previous: int | None) -> dict[str, Any]:
    return {
        "tracking_id": draft.tracking_id,
        "provider": draft.provider,
        "consent_id": draft.consent_id,
        "kind": draft.kind,
        "previous": previous,
        "from": draft.from_status,
        "to": draft.to_status,
        "status_date_time": _time_or_none(draft.status_date_time),
        "received_at": _time_or_none(draft.received_at),
        "channel": draft.channel,
        "late": draft.late,
        "corrected": draft.corrected,
        "inferred": draft.inferred,
        "confirmed": draft.confirmed,
        "revoked_by": draft.revoked_by,
        "reason": draft.reason,
        "usable": draft.usable,
        "judge": JUDGE,
        "evidence": [_evidence(item) for item in draft.evidence],
        "private_digest": draft.private_digest,
    }


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {
        "channel": evidence.channel,
        "signed": evidence.signed,
        "jws_sha256": evidence.jws_sha256,
        "jwe_sha256": evidence.jwe_sha256,
        "kid": evidence.kid,
        "jwk_thumbprint": evidence.jwk_thumbprint,
    }


def _time_or_none(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)


def from_leaf_bytes(
    leaf_bytes: bytes, *, private: Mapping[str, Any] | None = None, private_salt: bytes | None = None
) -> Entry:
    """Make the entry again from what the store keeps of it. The hash is computed anew, never taken on trust.

    Raises:
        NotAnEntryError: The bytes do not even look like a leaf. That they are the right ones, `verify` checks.
    """
    try:
        leaf = json.loads(leaf_bytes)
        sequence, recorded_at = int(leaf["sequence"]), parse_rfc3339(leaf["time"])
        has_data = isinstance(leaf["data"], dict)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise NotAnEntryError from error
    if not has_data:
        raise NotAnEntryError
    return Entry(
        sequence=sequence,
        recorded_at=recorded_at,
        leaf=leaf,
        leaf_bytes=leaf_bytes,
        leaf_hash=tree.leaf_hash(leaf_bytes),
        private=private,
        private_salt=private_salt,
    )
