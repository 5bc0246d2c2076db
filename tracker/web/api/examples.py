"""What requests and answers look like, for readers of the documentation. A test holds each against its model."""

import json
from typing import Any, Final

PARAMETERS: Final[dict[str, Any]] = {
    "provider": "demobank",
    "consent_id": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    "base_consent_id": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    "tracking_id": "019cad00-a8f0-7b5e-8b0a-1f6d3c2e9a77",
    "subscription_id": "019cad02-3c11-7d09-a2f4-6b8e0f1d5c33",
    "job_id": "019cad04-1b2c-7d3e-9f40-5a6b7c8d9e10",
    "export_id": "019cad06-2c3d-7e4f-8a51-6b7c8d9e0f21",
    "file_name": "entries.jsonl.gz",
    "event_id": "019cad03-5f20-7a41-b6c9-0d7e1a2b3c44",
    "hold_id": "019cad05-2d31-7e42-8a63-1c0d9e8f7a65",
    "why": "case closed",
}

REGISTRATION: Final[dict[str, Any]] = {
    "provider": "demobank",
    "kind": "account-access",
    "consent_id": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    "user_ref": "customer-42",
    "expiration_date_time": "2027-03-02T10:15:00+04:00",
    "permissions": ["ReadAccountsBasic", "ReadBalances"],
}

BATCH: Final[dict[str, Any]] = {"items": [{**REGISTRATION, "status": "Authorized"}]}

CONSENT: Final[dict[str, Any]] = {
    "tracking_id": "019cad00-a8f0-7b5e-8b0a-1f6d3c2e9a77",
    "provider": "demobank",
    "consent_id": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
    "profile": "uae-v2.1",
    "client_id": "tpp-client-001",
    "kind": "account-access",
    "status": "Authorized",
    "effective_status": "Authorized",
    "usable": True,
    "in_doubt": False,
    "paused": False,
    "revocation": None,
    "status_date_time": "2026-03-02T06:17:31.000000Z",
    "learned_at": "2026-03-02T06:17:32.204118Z",
    "confirmed": True,
    "confirmed_at": "2026-03-02T06:17:31.000000Z",
    "confirmed_by": "webhook",
    "revoked_by": None,
    "reason": None,
    "created_date_time": "2026-03-02T06:15:04.000000Z",
    "expiration_date_time": "2027-03-02T06:15:00.000000Z",
    "authorization_expiration_date_time": None,
    "base_consent_id": None,
    "user_ref": "customer-42",
    "permissions": ["ReadAccountsBasic", "ReadBalances"],
    "next_poll_at": "2026-03-02T11:47:52.911403Z",
    "version": 3,
    "terms": {"ConsentId": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10", "Status": "Authorized"},
    "limits": [],
    "nearly_exhausted": None,
    "attestation_due_at": None,
    "labels": {"shelf": "Current", "status": "Active", "type": "Data Sharing"},
    "journey": {
        "pushed_at": "2026-03-02T06:15:04.310021Z",
        "push_accepted": True,
        "request_expires_at": "2026-03-02T06:16:34.310021Z",
        "returned_at": "2026-03-02T06:17:32.050334Z",
        "code_received": True,
        "error": None,
        "error_description": None,
        "token_at": "2026-03-02T06:17:33.118270Z",
        "overdue_at": None,
    },
    "abandoned": False,
    "authorizers": None,
    "payment_outcome": None,
    "known": None,
}

USABLE: Final[dict[str, Any]] = {
    "usable": True,
    "reason": "ok",
    "effective_status": "Authorized",
    "confirmed_at": "2026-03-02T06:17:31.000000Z",
    "age_seconds": 41.8,
}

REVOCATION: Final[dict[str, Any]] = {"revoked_by": "TPP.InitiatedByUser"}

SUBSCRIPTION: Final[dict[str, Any]] = {
    "url": "https://crm.example/hooks/consents",
    "types": ["consent.*"],
    "filter": {"to": ["Revoked", "Expired"]},
    "description": "stops direct debits",
}

PAR_RESULT: Final[dict[str, Any]] = {"accepted": True, "request_uri": "urn:example:request:1", "expires_in": 90}

AUTHORIZATION_RESULT: Final[dict[str, Any]] = {"error": "access_denied", "error_description": "user_rejected_consent"}

TOKEN_RESULT: Final[dict[str, Any]] = {
    "authorization_details": [{"type": "urn:example:consent", "consent": {"Data": {"Status": "Authorized"}}}]
}

REFRESH: Final[dict[str, Any]] = {"because": "access_refused", "status": 403, "code": "Consent.Invalid"}

RETRY: Final[dict[str, Any]] = {"reason": "key_unknown", "provider": "demobank"}

ENTRY: Final[dict[str, Any]] = {
    "specversion": "1.0",
    "id": "019caf1e-7a40-7c21-9f0e-5d1b8c3a2e64",
    "source": "urn:uuid:019cac00-0000-7000-8000-000000000001",
    "type": "consent.status_changed",
    "subject": "demobank/019cad00-a8f0-7b5e-8b0a-1f6d3c2e9a77",
    "time": "2026-03-02T11:13:21.407730Z",
    "sequence": "00000000000000000042",
    "datacontenttype": "application/json",
    "data": {
        "tracking_id": "019cad00-a8f0-7b5e-8b0a-1f6d3c2e9a77",
        "provider": "demobank",
        "consent_id": "5b0e7c1a-2f34-4b9d-8a66-0d1f5c9e7a10",
        "kind": "account-access",
        "previous": 17,
        "from": "Authorized",
        "to": "Revoked",
        "status_date_time": "2026-03-02T11:13:19.000000Z",
        "received_at": "2026-03-02T11:13:21.398112Z",
        "channel": "webhook",
        "late": False,
        "corrected": False,
        "inferred": False,
        "confirmed": True,
        "revoked_by": "LFI.InitiatedByUser",
        "reason": None,
        "usable": False,
        "judge": 1,
        "evidence": [
            {
                "channel": "webhook",
                "signed": True,
                "jws_sha256": "9f2c1f0a7be44d5d8c6d0f1b2a3948576ae1c0d9b8f7e6a5d4c3b2a190807061",
                "jwe_sha256": "1b7e5a90c3d2f4e6a8b0c2d4e6f8091a2b3c4d5e6f708192a3b4c5d6e7f80910",
                "kid": "hub-sig-demobank-1",
                "jwk_thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            }
        ],
        "private_digest": None,
    },
}

STREAM: Final = f"id: 41\n\nid: 42\ndata: {json.dumps(ENTRY)}\n\nid: 45\n\n"

SUBSCRIPTION_CHANGES: Final[dict[str, Any]] = {"types": ["consent.*"], "filter": {"to": ["Revoked", "Expired"]}}

ROTATION: Final[dict[str, Any]] = {"overlap_seconds": 86_400}

POLL: Final[dict[str, Any]] = {
    "maxEvents": 10,
    "returnImmediately": True,
    "ack": ["019caf1e-7a40-7c21-9f0e-5d1b8c3a2e64"],
    "setErrs": {"019caf1e-7a40-7c21-9f0e-5d1b8c3a2e65": {"err": "invalid_request", "description": "No such customer."}},
}

COMPLETION_REPORT: Final[dict[str, Any]] = {
    "entry_id": "019caf1e-7a40-7c21-9f0e-5d1b8c3a2e64",
    "work": "data_deleted",
    "evidence_url": "https://crm.example/deletions/4711",
    "done_at": "2026-03-02T12:00:00Z",
}

COSIGNATURES: Final[dict[str, Any]] = {
    "note": (
        "tracker.example/journal\n3\nQtz8hueAYa9Z3H3xVyfRMbMxr07Cf9pqfvNtB4vCr0U=\n\n"
        "— witness.example "
        "jx4CegAAAABppXDQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
    )
}

OF_MODELS: Final[dict[str, dict[str, Any]]] = {
    "CosignaturesIn": COSIGNATURES,
    "RegistrationIn": REGISTRATION,
    "ExportIn": {"format": "jsonl", "from": "2026-01-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"},
    "BatchIn": BATCH,
    "ConsentOut": CONSENT,
    "UsableOut": USABLE,
    "RevocationIn": REVOCATION,
    "ParResultIn": PAR_RESULT,
    "AuthorizationResultIn": AUTHORIZATION_RESULT,
    "TokenResultIn": TOKEN_RESULT,
    "RefreshIn": REFRESH,
    "SubscriptionIn": SUBSCRIPTION,
    "SubscriptionChangesIn": SUBSCRIPTION_CHANGES,
    "ProofIn": {"challenge": "Yk3sVn0eYq1m9b7t2cXo5uZr8wLd4fGh6jKp0aSi1nE"},
    "RotationIn": ROTATION,
    "PollIn": POLL,
    "CompletionReportIn": COMPLETION_REPORT,
    "ReplayIn": {"failed": {"since": "2026-03-02T00:00:00Z"}, "per_second": 20},
    "PreviewIn": {"types": ["consent.*"], "filter": {"to": ["Revoked"]}},
    "RetryIn": RETRY,
    "ErasureIn": {"user_ref": "customer-42", "dry_run": True},
    "HoldIn": {"user_ref": "customer-42", "reason": "case 17/2031"},
    "EntryOut": ENTRY,
}
"""By the name of the model."""
