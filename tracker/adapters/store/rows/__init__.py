"""Rows into what the domain knows, and back."""

from tracker.adapters.store.rows.consent import consent_values, to_consent, to_next_ask
from tracker.adapters.store.rows.entry import entry_values, to_entry
from tracker.adapters.store.rows.event import inbox_values, quarantine_values, to_inbox_item, to_quarantined
from tracker.adapters.store.rows.payment import payment_values, to_payment
from tracker.adapters.store.rows.reading import Values, sorted_out
from tracker.adapters.store.rows.report import (
    other_event_values,
    report_values,
    to_claim,
    to_report,
)
from tracker.adapters.store.rows.subscription import (
    api_key_values,
    parked_values,
    subscription_values,
    to_api_key,
    to_parked,
    to_subscription,
)

__all__ = [
    "Values",
    "api_key_values",
    "consent_values",
    "entry_values",
    "inbox_values",
    "other_event_values",
    "parked_values",
    "payment_values",
    "quarantine_values",
    "report_values",
    "sorted_out",
    "subscription_values",
    "to_api_key",
    "to_claim",
    "to_consent",
    "to_entry",
    "to_inbox_item",
    "to_next_ask",
    "to_parked",
    "to_payment",
    "to_quarantined",
    "to_report",
    "to_subscription",
]
