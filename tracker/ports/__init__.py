"""What the use cases need from the world, as protocols with their contracts.

Rules that hold for all of them:

* every time is aware; ours are UTC with microseconds;
* "there is none" is None or an empty answer; failure is a `TrackerError` of the family that the method names;
* what returns from a method that writes is durable: it survives the process and the power supply;
* asynchronous methods may be cancelled at any await; a write that was begun is then either wholly done or not at all.
"""

from tracker.ports.completion import CompletionBook, WorkKey, WorkQuery
from tracker.ports.delivery import Delivery, Sender
from tracker.ports.evidence import (
    UNNOTED,
    Aftermath,
    EvidenceBook,
    KeptKey,
    KeptToken,
    KeyOrigin,
    Look,
    LookRecord,
    Untold,
    Verification,
)
from tracker.ports.holders import (
    Answer,
    Decrypted,
    EventCrypto,
    HolderApi,
    HolderKeys,
    Provider,
    Token,
    VerificationKey,
)
from tracker.ports.lags import Lag
from tracker.ports.meters import Meters
from tracker.ports.providers import (
    HEALTH_READING,
    Health,
    Ledger,
    ProviderBook,
    ProviderFacts,
    Signs,
    Told,
)
from tracker.ports.pull import EventSigner, Pulled
from tracker.ports.records import (
    EVERYTHING_ASIDE,
    MOST_KEYS_SHOWN,
    PROCESS_PREFIX,
    ApiKey,
    Confirmation,
    ConsentQuery,
    Evidence,
    Held,
    InboxItem,
    LackedKey,
    Name,
    OtherEvent,
    PaymentKey,
    Progress,
    Quarantined,
    QuarantineFilter,
    StoredReport,
    Telling,
    Undelivered,
    Watched,
    subscription_lease,
)
from tracker.ports.replays import ReplayBook, ReplayProgress, replay_lease
from tracker.ports.spans import Place, Span, Spans
from tracker.ports.store import Inbox, Store
from tracker.ports.survey import Due, DueAsks, HolderTally, Standing, Survey
from tracker.ports.transaction import AS_IT_IS, AskLine, RevokedGroups, Transaction
from tracker.ports.world import Clock, Entropy, Ids

__all__ = [
    "AS_IT_IS",
    "EVERYTHING_ASIDE",
    "HEALTH_READING",
    "MOST_KEYS_SHOWN",
    "PROCESS_PREFIX",
    "UNNOTED",
    "Aftermath",
    "Answer",
    "ApiKey",
    "AskLine",
    "Clock",
    "CompletionBook",
    "Confirmation",
    "ConsentQuery",
    "Decrypted",
    "Delivery",
    "Due",
    "DueAsks",
    "Entropy",
    "EventCrypto",
    "EventSigner",
    "Evidence",
    "EvidenceBook",
    "Health",
    "Held",
    "HolderApi",
    "HolderKeys",
    "HolderTally",
    "Ids",
    "Inbox",
    "InboxItem",
    "KeptKey",
    "KeptToken",
    "KeyOrigin",
    "LackedKey",
    "Lag",
    "Ledger",
    "Look",
    "LookRecord",
    "Meters",
    "Name",
    "OtherEvent",
    "PaymentKey",
    "Place",
    "Progress",
    "Provider",
    "ProviderBook",
    "ProviderFacts",
    "Pulled",
    "QuarantineFilter",
    "Quarantined",
    "ReplayBook",
    "ReplayProgress",
    "RevokedGroups",
    "Sender",
    "Signs",
    "Span",
    "Spans",
    "Standing",
    "Store",
    "StoredReport",
    "Survey",
    "Telling",
    "Token",
    "Told",
    "Transaction",
    "Undelivered",
    "Untold",
    "Verification",
    "VerificationKey",
    "Watched",
    "WorkKey",
    "WorkQuery",
    "replay_lease",
    "subscription_lease",
]
