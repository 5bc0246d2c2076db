"""Entries of the journal over the wire. They are sent as they were hashed; the models here only describe them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from tracker.journal.entry import Entry, base64url
from tracker.usecases.subscribe import TYPE_PATTERN
from tracker.web.api.shapes.fields import Limit, Out, Query, Sequence, Wait

_TYPES = Field(None, description="Exact types, `prefix.*` or `*`, with commas between.")
_Types = Annotated[str, StringConstraints(max_length=1024, pattern=rf"^{TYPE_PATTERN}(,{TYPE_PATTERN})*$")] | None


class JournalQuery(Query):
    """A page of the change feed."""

    after: Sequence = Field(0, description="Read on after this sequence.")
    types: _Types = _TYPES
    limit: Limit = Field(100, description="At most so many.")
    wait: Wait = Field(0, description="Where there is nothing yet, wait so many seconds for it.")


class StreamQuery(Query):
    """From where on to follow the change feed."""

    after: Sequence | None = Field(None, description="Begin after this sequence.")
    types: _Types = _TYPES


def types_of(query: JournalQuery | StreamQuery) -> tuple[str, ...]:
    """The patterns of types; none: all."""
    return () if query.types is None else tuple(query.types.split(","))


class _Described(BaseModel):
    """Something that is sent as it is kept, and described here."""

    model_config = ConfigDict(extra="allow")


class EvidenceOut(_Described):
    """What an entry rests on; the tokens themselves stay here."""

    channel: str
    signed: bool = Field(description="Whether the holder signed it.")
    jws_sha256: str | None = Field(description="Hex SHA-256 of the holder's signed token, as received.")
    jwe_sha256: str | None = Field(description="Hex SHA-256 of the encrypted body around it, as received.")
    kid: str | None
    jwk_thumbprint: str | None = Field(description="RFC 7638 thumbprint of the key that verified it.")


class EntryDataOut(_Described):
    """What an entry says of a consent, or else of a subscription or a provider."""

    tracking_id: str | None = Field(description="Null where the entry is about no consent.")
    provider: str | None = Field(description="Null where the entry is about a subscription.")
    consent_id: str | None
    kind: str | None = Field(description="Null where the entry is about no consent.")
    previous: int | None = Field(description="The sequence of the entry before about the same; null for its first.")
    from_status: str | None = Field(alias="from", description="The effective status told before.")
    to_status: str | None = Field(alias="to", description="The effective status told by this.")
    status_date_time: str | None = Field(description="Since when, by the holder.")
    received_at: str | None = Field(description="When we had the report that caused it.")
    channel: str | None = Field(description="How that reached us; `clock` and `operator` are ours.")
    late: bool
    corrected: bool
    inferred: bool
    confirmed: bool = Field(description="Whether the status is the holder's own word.")
    revoked_by: str | None
    reason: str | None
    usable: bool = Field(description="Whether the consent may be used from here on.")
    judge: int = Field(description="Version of the rules that judged.")
    evidence: tuple[EvidenceOut, ...]
    private_digest: str | None = Field(description="What `private` must hash to with its salt.")


class EntryOut(_Described):
    """An entry of the journal: a CloudEvents 1.0 event.

    All members but `redelivered`, `private` and `private_salt` are its leaf: what is hashed for the audit.
    """

    specversion: Literal["1.0"]
    id: str = Field(description="The same on every attempt to tell it: drop what you have seen.")
    source: str = Field(description="This journal, as a URN.")
    type: str = Field(description="Such as `consent.status_changed`.")
    subject: str = Field(
        description="A consent's provider and tracking id with a slash between; or `subscription/`, `provider/` and an id."
    )
    time: str = Field(description="When it was recorded.", json_schema_extra={"format": "date-time"})
    sequence: str = Field(description="20 digits, from 1 without gaps.", pattern=r"^[0-9]{20}$")
    datacontenttype: Literal["application/json"]
    data: EntryDataOut
    redelivered: bool | None = Field(None, description="`true` in a notification that somebody asked for again.")
    private: dict[str, Any] | None = Field(None, description="Personal values, for those who may see them.")
    private_salt: str | None = Field(None, description="What they were hashed with; base64url.")


EntryJson = Annotated[dict[str, Any], WithJsonSchema({"$ref": f"#/components/schemas/{EntryOut.__name__}"})]


class JournalOut(Out):
    """A page of the change feed, and where the next page begins."""

    items: tuple[EntryJson, ...]
    next_cursor: str = Field(description="The last sequence that was looked at: pass it as `after`.")


def entry_json(entry: Entry, *, with_private: bool) -> dict[str, Any]:
    """Show an entry."""
    shown = dict(entry.leaf)
    if with_private:
        shown["private"] = entry.private
        shown["private_salt"] = None if entry.private_salt is None else base64url(entry.private_salt)
    return shown
