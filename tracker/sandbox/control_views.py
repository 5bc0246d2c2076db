"""How the control API shows what the hub keeps, in snake_case and with the hub's own way of writing instants."""

from typing import Any

from tracker.sandbox.clients import Client
from tracker.sandbox.clock import HubClock
from tracker.sandbox.consent import Consent
from tracker.sandbox.document import data_of
from tracker.sandbox.recorder import HubEvent, ReceivedRequest


def client(registered: Client) -> dict[str, Any]:
    """Show a registered client."""
    return {
        "client_id": registered.client_id,
        "webhook_url": registered.webhook_url,
        "signing_kids": list(registered.signing_keys),
        "encryption_kid": registered.encryption_kid,
    }


def consent(staged: Consent, clock: HubClock) -> dict[str, Any]:
    """Show a consent with its history."""
    return {
        "kind": staged.kind,
        "consent_id": staged.consent_id,
        "client_id": staged.client_id,
        "status": staged.status,
        "webhook_active": staged.webhook_active,
        "history": [
            {"status": change.status, "status_update_date_time": clock.text(change.status_update_date_time)}
            for change in staged.history
        ],
        "data": data_of(staged, clock),
        "meta": staged.meta,
    }


def event(sent: HubEvent) -> dict[str, Any]:
    """Show an event and what has become of it."""
    return {
        "number": sent.number,
        "client_id": sent.client_id,
        "webhook_url": sent.webhook_url,
        "family": sent.message.family,
        "subject": sent.message.subject,
        "outcome": sent.outcome,
        "copies": len(sent.tokens),
        "interaction_id": sent.interaction_id,
        "claims": sent.claims,
        "attempts": [
            {"at": attempt.at.isoformat(), "copy": attempt.copy, "status": attempt.status, "error": attempt.error}
            for attempt in sent.attempts
        ],
    }


def received(request: ReceivedRequest) -> dict[str, Any]:
    """Show a request and how it was answered."""
    return {
        "at": request.at.isoformat(),
        "method": request.method,
        "path": request.path,
        "endpoint": request.endpoint,
        "status": request.status,
        "interaction_id": request.interaction_id,
        "client_id": request.client_id,
        "consent_id": request.consent_id,
        "scope": request.scope,
    }
