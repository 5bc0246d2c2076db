"""What goes over the wire of the API, as pydantic models: strict coming in, explicit going out."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints

from tracker.domain.consent import Status
from tracker.domain.subscription import Subscription
from tracker.journal.entry import rfc3339
from tracker.ports import ApiKey, Quarantined
from tracker.usecases.consult import ConsentView, Usability, UsableReason
from tracker.usecases.timeline import TimelineItem

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _time_text(value: object) -> object:
    # pydantic would take numbers, and text that looks like one, for seconds since 1970.
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise ValueError("should be a time with an offset, such as 2026-03-02T10:15:00+04:00")
    return value


def _clean(value: object) -> object:
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("should have no control characters")
    return value


TimeIn = Annotated[AwareDatetime, BeforeValidator(_time_text)]
TimeOut = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none")]
ConsentIdText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=256), BeforeValidator(_clean)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,64}$")]
Limit = Annotated[int, Field(ge=1, le=500)]


class In(BaseModel):
    """What callers send as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Query(BaseModel):
    """What callers send in the query string: text, read leniently but for names."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Out(BaseModel):
    """What we answer."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")


# ---------------------------------------------------------------------------------------------- consents


class RegistrationIn(In):
    """A consent that our application is about to make, or has made."""

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    kind: Name
    consent_id: ConsentIdText
    base_consent_id: ConsentIdText | None = None
    user_ref: ShortText | None = None
    expiration_date_time: TimeIn | None = None
    authorization_expiration_date_time: TimeIn | None = None
    permissions: Annotated[tuple[ShortText, ...], Field(max_length=100, strict=False)] = ()
    terms: dict[str, Any] | None = None


class ConsentOut(Out):
    """A consent."""

    tracking_id: str
    provider: str
    consent_id: str
    profile: str
    client_id: str
    kind: str
    status: Status = Field(description="What the holder last said.")
    effective_status: Status = Field(description="The same with our clock added.")
    usable: bool = Field(description="Whether it may be used now: authorized, and nothing against it.")
    in_doubt: bool = Field(description="The holder contradicts itself; we are asking.")
    paused: bool
    status_date_time: TimeOut | None
    learned_at: TimeOut | None
    confirmed: bool = Field(description="Whether the effective status is the holder's own word.")
    confirmed_at: TimeOut | None
    confirmed_by: str | None
    revoked_by: str | None
    reason: str | None = Field(description="Codes of what is contradictory, while it is in doubt.")
    created_date_time: TimeOut | None
    expiration_date_time: TimeOut | None
    authorization_expiration_date_time: TimeOut | None
    base_consent_id: str | None
    user_ref: str | None
    permissions: tuple[str, ...]
    next_poll_at: TimeOut | None = Field(description="When the holder is asked next; null in lists.")
    version: int
    terms: dict[str, Any] | None = Field(description="The holder's data object as last seen.")

    @classmethod
    def of(cls, seen: ConsentView) -> "ConsentOut":
        """Show a consent as it is at an instant."""
        consent, decision = seen.consent, seen.decision
        return cls(
            tracking_id=consent.tracking_id,
            provider=consent.provider,
            consent_id=consent.consent_id,
            profile=consent.profile,
            client_id=consent.client_id,
            kind=consent.kind,
            status=decision.status,
            effective_status=seen.effective_status,
            usable=seen.usable,
            in_doubt=decision.is_in_doubt,
            paused=consent.overlay.paused,
            status_date_time=decision.since,
            learned_at=consent.learned_at,
            confirmed=seen.confirmed,
            confirmed_at=consent.confirmed_at,
            confirmed_by=consent.confirmed_by,
            revoked_by=decision.report.revoked_by if decision.report else None,
            reason=",".join(sorted({c.code for c in decision.contradictions})) or None,
            created_date_time=consent.creation_date_time,
            expiration_date_time=decision.expiration_date_time,
            authorization_expiration_date_time=consent.authorization_expiration_date_time,
            base_consent_id=consent.base_consent_id,
            user_ref=consent.user_ref,
            permissions=consent.permissions,
            next_poll_at=seen.next_ask_at,
            version=consent.version,
            terms=None if consent.terms is None else dict(consent.terms),
        )


class AsOfQuery(Query):
    """A look into the past."""

    as_of: TimeIn | None = Field(None, description="What it was at this time, as we know today.")


class LookupQuery(AsOfQuery):
    """A consent named in the query, for those behind proxies that decode paths."""

    provider: Name
    consent_id: ConsentIdText


class ConsentsQuery(Query):
    """A search."""

    provider: Name | None = None
    kind: Name | None = None
    status: Status | None = None
    effective_status: Status | None = None
    user_ref: ShortText | None = None
    base_consent_id: ConsentIdText | None = None
    expiring_before: TimeIn | None = None
    updated_since: TimeIn | None = None
    cursor: Annotated[str, StringConstraints(max_length=512)] | None = None
    limit: Limit = 100


class ConsentsOut(Out):
    """A page of consents."""

    items: tuple[ConsentOut, ...]
    next_cursor: str | None


class UsableQuery(Query):
    """What it is to be used for."""

    permission: ShortText | None = Field(None, description="It must have been granted this.")
    max_age: Annotated[float, Field(gt=0, le=10**9, allow_inf_nan=False)] | None = Field(
        None, description="The holder must have vouched for it within so many seconds."
    )


class UsableOut(Out):
    """Whether it may be used now. False whenever anything is in doubt."""

    usable: bool
    reason: UsableReason
    effective_status: Status | None
    confirmed_at: TimeOut | None
    age_seconds: float | None

    @classmethod
    def of(cls, found: Usability) -> "UsableOut":
        """Show it."""
        return cls(
            usable=found.usable,
            reason=found.reason,
            effective_status=found.effective_status,
            confirmed_at=found.confirmed_at,
            age_seconds=found.age_seconds,
        )


class TimelineItemOut(Out):
    """One line of a consent's story."""

    type: str
    from_status: str | None = Field(serialization_alias="from")
    to_status: str | None = Field(serialization_alias="to")
    status_date_time: TimeOut | None
    learned_at: TimeOut | None
    received_at: TimeOut | None
    channel: str | None
    late: bool
    inferred: bool
    corrected: bool
    confirmed: bool
    reason: str | None
    sequence: int | None

    @classmethod
    def of(cls, item: TimelineItem) -> "TimelineItemOut":
        """Show it."""
        return cls(**{name: getattr(item, name) for name in cls.model_fields})


class TimelineOut(Out):
    """A consent's story: every move in the holder's order, and every other entry."""

    items: tuple[TimelineItemOut, ...]


# ---------------------------------------------------------------------------------------------- journal


class JournalQuery(Query):
    """A page of the change feed."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="Read on after this sequence.")
    types: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="Exact types, `prefix.*` or `*`, with commas between."
    )
    limit: Limit = 100


class JournalOut(Out):
    """A page of the change feed: CloudEvents, and where the next page begins."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str = Field(description="The last sequence that was looked at: pass it as `after`.")


# ---------------------------------------------------------------------------------------------- subscriptions


class FilterIn(In):
    """What of the journal is wanted; an empty list lets everything pass."""

    provider: Annotated[tuple[Name, ...], Field(max_length=100, strict=False)] = ()
    kind: Annotated[tuple[Name, ...], Field(max_length=100, strict=False)] = ()
    to: Annotated[tuple[Name, ...], Field(max_length=100, strict=False)] = ()


class SubscriptionIn(In):
    """Somebody who must be told."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    types: Annotated[tuple[ShortText, ...], Field(max_length=100, strict=False)] = ()
    filter: FilterIn = FilterIn()
    description: Annotated[str, StringConstraints(max_length=1024), BeforeValidator(_clean)] = ""
    include_private: bool = Field(default=False, description="Send personal values along.")
    from_sequence: Annotated[int, Field(ge=1, lt=2**63)] | None = Field(
        default=None, description="Begin with this entry; without it, with the next one that comes."
    )


class FilterOut(Out):
    """What of the journal is wanted."""

    provider: tuple[str, ...]
    kind: tuple[str, ...]
    to: tuple[str, ...]


class SubscriptionOut(Out):
    """A subscription and where it stands."""

    id: str
    url: str
    types: tuple[str, ...]
    filter: FilterOut
    description: str
    include_private: bool
    order: Literal["consent"] = "consent"
    state: str
    cursor: int = Field(description="Everything up to this sequence is settled.")
    failing_since: TimeOut | None
    next_attempt_at: TimeOut | None
    last_delivered_at: TimeOut | None
    last_error: str | None
    created_at: TimeOut

    @classmethod
    def facts(cls, subscription: Subscription) -> dict[str, Any]:
        """What is shown of it."""
        heard = subscription.entry_filter
        return {
            "id": subscription.id,
            "url": subscription.url,
            "types": heard.types,
            "filter": FilterOut(
                provider=tuple(sorted(heard.provider)), kind=tuple(sorted(heard.kind)), to=tuple(sorted(heard.to))
            ),
            "description": subscription.description,
            "include_private": subscription.include_private,
            "state": subscription.state.value,
            "cursor": subscription.cursor,
            "failing_since": subscription.failing_since,
            "next_attempt_at": subscription.next_attempt_at,
            "last_delivered_at": subscription.last_delivered_at,
            "last_error": subscription.last_error,
            "created_at": subscription.created_at,
        }


class NewSubscriptionOut(SubscriptionOut):
    """A subscription just made, with its secret."""

    secret: str = Field(description="For Standard Webhooks signatures. Shown this once.")


class SubscriptionsOut(Out):
    """All subscriptions."""

    items: tuple[SubscriptionOut, ...]
    next_cursor: None = None


# ---------------------------------------------------------------------------------------------- quarantine


class PageQuery(Query):
    """A page of a list."""

    cursor: Annotated[str, StringConstraints(max_length=512)] | None = None
    limit: Limit = 100


class QuarantinedOut(Out):
    """An event that was put aside."""

    id: str
    profile: str
    step: str = Field(description="Which step of opening it refused it.")
    reason: str
    verified: bool = Field(description="Whether the holder's signature held.")
    received_at: TimeOut
    quarantined_at: TimeOut
    interaction_id: str
    provider: str | None
    kid: str | None
    size_bytes: int

    @classmethod
    def of(cls, event: Quarantined) -> "QuarantinedOut":
        """Show it, but for its body."""
        facts = {name: getattr(event, name) for name in cls.model_fields if name != "size_bytes"}
        return cls(**facts, size_bytes=len(event.body))


class QuarantineOut(Out):
    """A page of the quarantine, the newest first."""

    items: tuple[QuarantinedOut, ...]
    next_cursor: str | None


class ApiKeyOut(Out):
    """A key of one of our API's callers, without its secret."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: TimeOut
    expires_at: TimeOut | None
    revoked_at: TimeOut | None

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyOut":
        """Show it."""
        facts = {name: getattr(key, name) for name in cls.model_fields if name != "scopes"}
        return cls(**facts, scopes=tuple(sorted(key.scopes)))


class ProblemOut(Out):
    """What is wrong, by RFC 9457."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; programs may rely on it.")
    detail: str | None = None
    errors: tuple[dict[str, str], ...] = Field((), description="What exactly, with JSON pointers.")
