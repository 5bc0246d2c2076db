"""One consent as a record in the shape of ISO/IEC TS 27560: header, processing of personal data, parties, events.

The sections and the names of their members are those of the standard; what the tracker does not know is null, never guessed.
Conformance is not claimed: notices, storage, retention and rights of the customer are known to the back office, not to us.

Spec: ISO/IEC TS 27560:2023, 6.3.2 to 6.3.7.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tracker.journal.canonical import canonical
from tracker.journal.entry import Entry
from tracker.journal.instant import rfc3339
from tracker.journal.leaf import HOLDERS_CHANNELS

SCHEMA_VERSION: Final = "consent-tracker/consent-record/1"
RECORDS_NAME: Final = "consent-records.jsonl.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """What is known of a consent beside its entries.

    Attributes:
        tracking_id: Our key of it.
        provider: The data holder.
        issuer: The holder's issuer identifier; None if it is not configured any more.
        consent_id: What the holder calls it.
        client_id: Which of our applications made it.
        profile: The ecosystem.
        kind: The kind of consent.
        user_ref: Whose it is; personal.
        permissions: What it allows.
        terms: The holder's data object as last seen; personal.
        expires_at: Until when it is given; by the holder.
        base_consent_id: The root of its chain of renewals.
    """

    tracking_id: str
    provider: str
    issuer: str | None
    consent_id: str
    client_id: str
    profile: str
    kind: str
    user_ref: str | None
    permissions: Sequence[str]
    terms: Mapping[str, Any] | None
    expires_at: datetime | None
    base_consent_id: str | None


def consent_record(facts: RecordFacts, entries: Iterable[Entry]) -> dict[str, Any]:
    """Make the record of one consent.

    Args:
        facts: As they are now.
        entries: Those about it that the export reaches to, in sequence.
    """
    return {
        "record_header": {
            "schema_version": SCHEMA_VERSION,
            "record_id": facts.tracking_id,
            "pii_principal_id": facts.user_ref,
        },
        "pii_processing": {
            "privacy_notice": None,
            "language": None,
            "purposes": [
                {
                    "purpose": facts.kind,
                    "purpose_type": facts.profile,
                    "lawful_basis": "consent",
                    "pii_information": [{"pii_type": permission} for permission in facts.permissions],
                    "pii_controllers": [facts.client_id],
                    "collection_method": None,
                    "processing_methods": None,
                    "storage_locations": None,
                    "retention_period": None,
                    "processing_locations": None,
                    "jurisdiction": None,
                    "recipient_third_parties": None,
                    "withdrawal_method": None,
                    "privacy_rights": None,
                }
            ],
        },
        "party_identification": [
            {"party_id": facts.client_id, "party_role": "pii_controller", "party_url": None},
            {"party_id": facts.provider, "party_role": "data_holder", "party_url": facts.issuer},
        ],
        "events": [_event(facts, entry) for entry in entries if entry.to_status is not None],
        "consent_tracker": {
            "consent_id": facts.consent_id,
            "base_consent_id": facts.base_consent_id,
            "expiration_date_time": None if facts.expires_at is None else rfc3339(facts.expires_at),
            "terms": None if facts.terms is None else dict(facts.terms),
        },
    }


def _event(facts: RecordFacts, entry: Entry) -> dict[str, Any]:
    data = entry.data
    is_holders = data["channel"] in HOLDERS_CHANNELS
    return {
        "event_time": data["status_date_time"] or entry.leaf["time"],
        "validity_duration": None,
        "entity_id": facts.provider if is_holders else facts.client_id,
        "event_type": entry.type,
        "event_state": data["to"],
        "revoked_by": data["revoked_by"],
        "usable": data["usable"],
        "recorded_at": entry.leaf["time"],
        "sequence": entry.sequence,
        "leaf_hash": entry.leaf_hash.hex(),
    }


def record_line(record: Mapping[str, Any]) -> bytes:
    """Write a record as a line.

    Raises:
        NotCanonicalError: The holder's terms have no canonical form.
    """
    return canonical(dict(record)) + b"\n"
