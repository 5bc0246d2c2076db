"""Every error that leaves one of our boundaries.

TrackerError
├── ConfigurationError            found at start; `tracker check` reports it
├── InvalidRequestError           what a caller of ours sent makes no sense
├── RejectedEventError            a webhook body that will not be accepted as it is
│   ├── OversizedEventError
│   ├── MalformedEventError
│   ├── UndecryptableEventError
│   └── UntrustedEventError
├── KeysUnavailableError          a holder's keys could not be fetched just now
├── NotFoundError                 a consent, provider or subscription that we do not have
│   ├── ConsentNotFoundError
│   │   └── ConsentDisposedError
│   ├── HoldNotFoundError
│   ├── ProviderNotFoundError
│   ├── QuarantinedEventNotFoundError
│   ├── CompletionNotFoundError
│   ├── ExportNotFoundError
│   ├── SubscriptionNotFoundError
│   └── ReplayNotFoundError
├── BrokerNotConfiguredError      a subscription's URL names a broker that the configuration does not
├── ExtraNotInstalledError        a subscription's URL needs a client that is not installed
├── ConsentConflictError          registered already, with other facts
├── NotPausableError              not in use, or a single payment
├── NotRevocableError             there is nothing to revoke
├── RevocationPendingError        a revocation is under way
├── CompletionConflictError       something else was reported of the same work
├── SubscriptionNotPolledError    it has a URL to which entries are posted
├── SubscriptionPolledError       it has none: nothing can be posted
├── SigningKeyMissingError        a subscriber is to have signed tokens, and there is no key
├── NotResendableError            a subscriber that fetches: there is nobody to resend to
├── TooManyReplaysError           of this subscription enough replays wait
├── JournalTruncatedError         entries that old are not in the database any more
├── RateLimitedError              that was asked for too often lately
├── ExportsNotConfiguredError     there is no folder for exports
├── TooManyExportsError           enough exports wait
├── ExportElsewhereError          another process has an export's files
├── InboxFullError                nothing can be admitted now
├── ConsentApiError               asking the holder failed
│   ├── ConsentApiUnavailableError    time-out, 5xx, 429
│   ├── ConsentApiRefusedError        401, 403: our credentials or scope
│   ├── ConsentNotStagedError         the holder does not know the consent
│   ├── RevocationRefusedError        the holder does not revoke the consent
│   └── ConsentApiContractError       an answer outside the standard
├── DeliveryError                 a subscriber was not told
├── LeaseLostError                another process does this now
└── StorageError                  the database is away or cannot do it
    ├── InconsistentRowError      a row says what the domain cannot
    └── NotStorableError          the database will never take this; in the store itself

`code` is stable and may be relied on by programs; `retryable` says whether the same call may succeed later.
"""

from typing import ClassVar


class TrackerError(Exception):
    """Something went wrong in the tracker."""

    code: ClassVar[str] = "tracker_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        """Take the class's own sentence when no better one is given."""
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class ConfigurationError(TrackerError):
    """The configuration cannot be used."""

    code = "configuration_invalid"


class InvalidRequestError(TrackerError):
    """The request makes no sense."""

    code = "invalid_request"


class RejectedEventError(TrackerError):
    """The event was not accepted.

    Attributes:
        step: Which step of opening refused it; for the quarantine and the log, never for the sender.
        reason: A stable code of what was wrong; likewise.
    """

    code = "event_rejected"
    step: ClassVar[str] = "gate"

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message or reason)
        self.reason = reason


class OversizedEventError(RejectedEventError):
    """The body is larger than the limit."""

    code = "event_oversized"


class MalformedEventError(RejectedEventError):
    """The body or what is inside is not of the form that the profile asks for."""

    code = "event_malformed"
    step = "form"


class UndecryptableEventError(RejectedEventError):
    """The body could not be decrypted with any key that may be used for it."""

    code = "event_undecryptable"
    step = "decrypt"


class UntrustedEventError(RejectedEventError):
    """What was inside is not signed by, or not meant for, whom it should be."""

    code = "event_untrusted"
    step = "verify"


class KeysUnavailableError(TrackerError):
    """The holder's keys cannot be had just now."""

    code = "holder_keys_unavailable"
    retryable = True


class NotFoundError(TrackerError):
    """There is no such thing here."""

    code = "not_found"


class ConsentNotFoundError(NotFoundError):
    """This consent is not tracked."""

    code = "consent_not_found"


class ConsentDisposedError(ConsentNotFoundError):
    """This consent was disposed of when it had not to be kept any longer; it cannot be tracked again."""

    code = "consent_disposed"


class HoldNotFoundError(NotFoundError):
    """There is no such legal hold, or not any more."""

    code = "hold_not_found"


class ProviderNotFoundError(NotFoundError):
    """No provider of this name is configured."""

    code = "provider_not_found"


class QuarantinedEventNotFoundError(NotFoundError):
    """There is no such event in the quarantine, or not any more."""

    code = "quarantined_event_not_found"


class SubscriptionNotFoundError(NotFoundError):
    """There is no such subscription."""

    code = "subscription_not_found"


class ReplayNotFoundError(NotFoundError):
    """There is no such replay of this subscription, or not any more."""

    code = "job_not_found"


class NotResendableError(TrackerError):
    """Nothing is posted to this subscription: it fetches, and can begin where it wants."""

    code = "not_resendable"


class TooManyReplaysError(TrackerError):
    """So many replays of this subscription wait that it takes no more."""

    code = "too_many_jobs"


class RateLimitedError(TrackerError):
    """That was asked for too often lately."""

    code = "rate_limited"
    retryable = True

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class BrokerNotConfiguredError(TrackerError):
    """The configuration has no broker at this address."""

    code = "broker_not_configured"


class ExtraNotInstalledError(TrackerError):
    """What this needs is not installed."""

    code = "extra_not_installed"


class ConsentConflictError(TrackerError):
    """The consent is tracked already, with other facts."""

    code = "consent_conflict"


class NotPausableError(TrackerError):
    """Only a consent that is authorized can be paused, and no single payment."""

    code = "not_pausable"


class NotRevocableError(TrackerError):
    """There is nothing to revoke."""

    code = "not_revocable"


class RevocationPendingError(TrackerError):
    """The holder has been asked to revoke the consent."""

    code = "revocation_pending"


class CompletionNotFoundError(NotFoundError):
    """The subscription asks for no such work of this entry."""

    code = "completion_not_found"


class CompletionConflictError(TrackerError):
    """Something else was reported of this work before, and stands."""

    code = "completion_conflict"


class SubscriptionNotPolledError(TrackerError):
    """The subscription has a URL to which its entries are posted; make one without a URL to poll."""

    code = "subscription_not_polled"


class SubscriptionPolledError(TrackerError):
    """The subscription has no URL: its entries are polled, and nothing is posted or signed with a secret."""

    code = "subscription_polled"


class SigningKeyMissingError(TrackerError):
    """The subscription's entries are to be signed, and [notifications] has no signing_key."""

    code = "signing_key_missing"
    retryable = True


class JournalTruncatedError(TrackerError):
    """The journal's entries up to there were moved out of the database; begin behind them."""

    code = "journal_truncated"


class ExportNotFoundError(NotFoundError):
    """There is no such export, or not any more."""

    code = "export_not_found"


class ExportsNotConfiguredError(TrackerError):
    """No folder is configured to write exports to: set [audit] exports_folder."""

    code = "exports_not_configured"


class TooManyExportsError(TrackerError):
    """Enough exports wait."""

    code = "too_many_exports"


class ExportElsewhereError(TrackerError):
    """The files of this export lie with another process."""

    code = "export_elsewhere"


class InboxFullError(TrackerError):
    """The inbox cannot take more events just now."""

    code = "inbox_full"
    retryable = True


class ConsentApiError(TrackerError):
    """Asking the holder failed."""

    code = "holder_error"


class ConsentApiUnavailableError(ConsentApiError):
    """The holder cannot answer just now.

    Attributes:
        retry_after_seconds: How long the holder asked us to wait; None if it did not say.
    """

    code = "holder_unavailable"
    retryable = True

    def __init__(self, message: str | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConsentApiRefusedError(ConsentApiError):
    """The holder refused our credentials or our scope."""

    code = "holder_refused"


class ConsentNotStagedError(ConsentApiError):
    """The holder does not know this consent."""

    code = "consent_not_staged"


class RevocationRefusedError(ConsentApiError):
    """The holder does not revoke this consent.

    Attributes:
        reason: The holder's code for why, or one of ours.
    """

    code = "revocation_refused"

    def __init__(self, reason: str, message: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class ConsentApiContractError(ConsentApiError):
    """The holder's answer is outside the standard."""

    code = "holder_contract_broken"


class DeliveryError(TrackerError):
    """The subscriber was not told."""

    code = "delivery_failed"
    retryable = True


class LeaseLostError(TrackerError):
    """Another process has taken over what this one was doing."""

    code = "lease_lost"


class StorageError(TrackerError):
    """The database is away or cannot do it."""

    code = "storage_unavailable"
    retryable = True


class InconsistentRowError(StorageError):
    """A row in the database says what the domain cannot."""

    code = "row_inconsistent"
    retryable = False

    def __init__(self, table: str, row: str, problem: str) -> None:
        super().__init__(f"Row {row} of {table} is inconsistent: {problem}.")
        self.table = table
        self.row = row
