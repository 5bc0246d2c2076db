"""What our own application saw of the way to an authorization, over the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tracker.domain.journey import Authorizers, Journey
from tracker.usecases.journeys import Failure
from tracker.web.api.shapes.fields import In, Out, ShortText, TimeOut

_LongText = Annotated[str, StringConstraints(max_length=2048)]
_ERROR = "An error's code; RFC 6749 and the ecosystem have them."
_DESCRIPTION = "What describes it. Kept only if it is a code too: it came from outside."


class ParResultIn(In):
    """What came of pushing the authorization request."""

    accepted: bool = Field(description="Whether the holder took it.")
    request_uri: _LongText | None = Field(None, description="What the holder gave for it. Not kept.")
    expires_in: Annotated[int, Field(ge=0, le=86_400)] | None = Field(None, description="For so many seconds.")
    error: ShortText | None = Field(None, description=_ERROR)
    error_description: _LongText | None = Field(None, description=_DESCRIPTION)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.accepted and (self.error is not None or self.error_description is not None):
            raise ValueError("accepted goes with no error")
        if not self.accepted and (self.error is None or self.request_uri is not None or self.expires_in is not None):
            raise ValueError("what was not accepted goes with an error, and with nothing else")
        return self

    @property
    def failure(self) -> Failure | None:
        """What went wrong, if anything did."""
        return None if self.error is None else Failure(error=self.error, description=self.error_description)


class AuthorizationResultIn(In):
    """With what the customer came back from the holder's pages: with a code, or with an error."""

    code_received: Literal[True] | None = Field(None, description="There was a code. The code itself is not wanted.")
    error: ShortText | None = Field(None, description=_ERROR)
    error_description: _LongText | None = Field(None, description=_DESCRIPTION)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.code_received is None) == (self.error is None):
            raise ValueError("either code_received or error is wanted")
        if self.error is None and self.error_description is not None:
            raise ValueError("error_description goes with an error")
        return self

    @property
    def failure(self) -> Failure | None:
        """What went wrong, if anything did."""
        return None if self.error is None else Failure(error=self.error, description=self.error_description)


class TokenResultIn(In):
    """What came with a token. The token itself is not wanted."""

    authorization_details: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=1, strict=False)] = (
        Field(description="As the holder's answer has them: one consent.")
    )


class RefreshIn(In):
    """Why the holder is to be asked."""

    because: Literal["access_refused"] = Field(description="A call for data under it was refused.")
    status: Annotated[int, Field(ge=400, le=599)] = Field(description="The HTTP status of the refusal.")
    code: ShortText | None = Field(None, description="The holder's word for the reason.")


class JourneyOut(Out):
    """What our own application saw of the way to its authorization, and what our clock made of it."""

    pushed_at: TimeOut | None = Field(description="When it told what came of pushing the request.")
    push_accepted: bool | None
    request_expires_at: TimeOut | None = Field(description="When what the holder gave for the request ends.")
    returned_at: TimeOut | None = Field(description="When it told that the customer was back.")
    code_received: bool | None = Field(description="Whether with a code; `false`: with an error.")
    error: str | None
    error_description: str | None
    token_at: TimeOut | None = Field(description="When it told of a token.")
    overdue_at: TimeOut | None = Field(description="When the journal told that nobody had finished.")

    @classmethod
    def of(cls, journey: Journey) -> "JourneyOut":
        """Show it."""
        return cls(**{name: getattr(journey, name) for name in cls.model_fields})


class AuthorizationOut(Out):
    """What one of several authorizers did."""

    authorizer_id: str | None = Field(description="What the holder calls them; personal.")
    authorizer_type: str | None
    status: str = Field(description="In the holder's words.")
    date_time: TimeOut | None


class AuthorizersOut(Out):
    """How far several authorizers have come, by the holder."""

    total_required: int | None
    approved: int
    is_waiting: bool = Field(description="Whether somebody's decision is still wanted.")
    authorizations: tuple[AuthorizationOut, ...]

    @classmethod
    def of(cls, authorizers: Authorizers) -> "AuthorizersOut":
        """Show it."""
        done = tuple(
            AuthorizationOut(**{name: getattr(one, name) for name in AuthorizationOut.model_fields})
            for one in authorizers.authorizations
        )
        return cls(
            total_required=authorizers.total_required,
            approved=authorizers.approved,
            is_waiting=authorizers.is_waiting,
            authorizations=done,
        )
