"""What all shapes are made of: the three kinds of model, and the texts, times and numbers in them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)

from tracker.domain.consent import is_consent_id
from tracker.journal.entry import rfc3339

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DIGITS = re.compile(r"[0-9]{1,20}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


def _time_text(value: object) -> object:
    # pydantic would take numbers, and text that looks like one, for seconds since 1970.
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise ValueError("should be a time with an offset, such as 2026-03-02T10:15:00+04:00")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("should be between the years 1 and 9999 in UTC") from error


def clean(value: object) -> object:
    """Refuse control characters."""
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("should have no control characters")
    return value


def _digits(value: object) -> object:
    # pydantic would also take "+5", "5.0" and "1_000".
    if isinstance(value, str) and _DIGITS.fullmatch(value) is None:
        raise ValueError("should be digits")
    return value


def _yes_or_no(value: object) -> object:
    # pydantic would also take "on", "t" and "1".
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("should be true or false")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, str) and _DECIMAL.fullmatch(value) is None:
        raise ValueError("should be a number such as 60 or 0.5")
    return value


def _consent_id(value: str) -> str:
    if not is_consent_id(value):
        raise ValueError("should be 1 to 128 characters from ! to ~, and neither '.' nor '..'")
    return value


# Not strict, or pydantic would take no text for a time once a validator of ours has looked at it.
TimeIn = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_time_text), AfterValidator(_in_utc)]
TimeOut = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
ConsentIdText = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$"), AfterValidator(_consent_id)]
ProviderIdText = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=256), BeforeValidator(clean)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,64}$")]
CursorText = Annotated[str, StringConstraints(max_length=512)]
Limit = Annotated[int, Field(ge=1, le=500), BeforeValidator(_digits)]
Hours = Annotated[int, Field(ge=1, le=168), BeforeValidator(_digits)]
Sequence = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_digits)]
Wait = Annotated[int, Field(ge=0, le=60), BeforeValidator(_digits)]
YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Seconds = Annotated[float, Field(ge=0, lt=10**9), BeforeValidator(_decimal)]
Deadline = Annotated[float, Field(ge=0.1, le=10), BeforeValidator(_decimal)]


class In(BaseModel):
    """What callers send as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Query(BaseModel):
    """What callers send in the query string: text, read leniently but for names."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PageQuery(Query):
    """A page of a list."""

    cursor: CursorText | None = Field(None, description="The `next_cursor` of the page before.")
    limit: Limit = Field(100, description="At most so many.")


class Out(BaseModel):
    """What we answer."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="null")
