"""A simulated UAE Open Finance API Hub, for the demo, the tests and the curious.

It stands alone: nothing of the tracker is imported here, and its tokens are made and checked by a code of its own on top
of `cryptography`, so that its mistakes and the tracker's do not cancel out. It speaks real HTTP on loopback, without
transport certificates.

    async with running_hub(Hub("demobank")) as hub:
        hub.register_client("tpp", signing_jwks=…, encryption_jwks=…, webhook_url="http://127.0.0.1:8080/…")
        consent = hub.stage("account-access")
        hub.authorize(consent.consent_id)
        hub.revoke(consent.consent_id, fault=EventFault(drop=True))   # the poller has to find this one
        await hub.settle()
"""

from tracker.sandbox.authorizers import Decision
from tracker.sandbox.clients import Client
from tracker.sandbox.consent import Consent, ExpiryPolicy, Status
from tracker.sandbox.consents import Terms
from tracker.sandbox.errors import (
    ConsentExistsError,
    IllegalMoveError,
    SandboxError,
    UnknownClientError,
    UnknownConsentError,
    UnusableInputError,
)
from tracker.sandbox.faults import ApiFault, EventFault
from tracker.sandbox.hub import Hub
from tracker.sandbox.kinds import Kind, multi_payment, single_payment
from tracker.sandbox.message import account_opening_message, fx_quote_message, insurance_quote_message
from tracker.sandbox.options import HubOptions
from tracker.sandbox.outage import Mode, Outages
from tracker.sandbox.patch import RevocationPolicy
from tracker.sandbox.recorder import HubEvent, Outcome, ReceivedRequest, Recorder
from tracker.sandbox.runner import application, introduction, running_hub, serve

__all__ = [
    "ApiFault",
    "Client",
    "Consent",
    "ConsentExistsError",
    "Decision",
    "EventFault",
    "ExpiryPolicy",
    "Hub",
    "HubEvent",
    "HubOptions",
    "IllegalMoveError",
    "Kind",
    "Mode",
    "Outages",
    "Outcome",
    "ReceivedRequest",
    "Recorder",
    "RevocationPolicy",
    "SandboxError",
    "Status",
    "Terms",
    "UnknownClientError",
    "UnknownConsentError",
    "UnusableInputError",
    "account_opening_message",
    "application",
    "fx_quote_message",
    "insurance_quote_message",
    "introduction",
    "multi_payment",
    "running_hub",
    "serve",
    "single_payment",
]
