"""Many registrations at once, over the wire and in files: rows, and what came of each."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from tracker.domain.errors import ConsentConflictError, StorageError, TrackerError
from tracker.usecases.register import Registered, Registration
from tracker.web.api.shapes.consents import RegistrationIn
from tracker.web.api.shapes.fields import In, Out, ShortText
from tracker.web.api.shapes.problem import FaultOut
from tracker.web.problems import invalid, of_error

MOST_AT_ONCE = 500


class ImportRowIn(RegistrationIn):
    """A consent that was made elsewhere, as registered before it is tracked."""

    status: ShortText | None = Field(
        None, description="What you believe it to be. Not taken as evidence: only the holder's word counts."
    )

    def registration(self) -> Registration:
        """What counts of it."""
        return Registration(**{name: value for name, value in self if name != "status"})


class FaultyRow:
    """A row that makes no sense; it does not stop the others.

    Attributes:
        result: What to answer for it.
    """

    def __init__(self, error: ValidationError) -> None:
        self.result = RowResultOut.faulty(error)


def _or_faulty(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        return FaultyRow(error)


class BatchIn(In):
    """Registrations that come together."""

    items: Annotated[
        tuple[Annotated[ImportRowIn, WrapValidator(_or_faulty)], ...],
        Field(min_length=1, max_length=MOST_AT_ONCE, strict=False),
    ]

    def rows(self) -> tuple[ImportRowIn | FaultyRow, ...]:
        """The rows, those that make no sense too."""
        return self.items


class RowResult(StrEnum):
    """What came of a row."""

    CREATED = "created"
    TRACKED_ALREADY = "tracked_already"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FAILED = "failed"

    @property
    def is_refusal(self) -> bool:
        """Whether the consent of the row is not tracked as the row says."""
        return self in {RowResult.CONFLICT, RowResult.INVALID, RowResult.FAILED}


class RowResultOut(Out):
    """What came of one registration among many."""

    result: RowResult = Field(
        description="`failed` is a mistake of ours, see the log; what is `conflict` or `invalid` can be corrected."
    )
    tracking_id: str | None = Field(None, description="Our own key of the consent that is now tracked.")
    code: str | None = Field(None, description="Why it was refused, as in problems.")
    detail: str | None = Field(None, description="The same in a sentence.")
    errors: tuple[FaultOut, ...] = Field((), description="What exactly; pointers into this item.")

    @classmethod
    def of(cls, done: Registered) -> "RowResultOut":
        """What came of a row that makes sense."""
        if done.error is not None:
            return cls.refused(done.error)
        result = RowResult.CREATED if done.is_new else RowResult.TRACKED_ALREADY
        return cls(result=result, tracking_id=done.consent.tracking_id if done.consent else None)

    @classmethod
    def refused(cls, error: TrackerError) -> "RowResultOut":
        """A row that cannot be registered."""
        problem = of_error(error)
        match error:
            case ConsentConflictError():
                result = RowResult.CONFLICT
            case StorageError():
                result = RowResult.FAILED
            case _:
                result = RowResult.INVALID
        return cls(result=result, code=problem.problem_code, detail=problem.detail)

    @classmethod
    def faulty(cls, error: ValidationError) -> "RowResultOut":
        """A row that makes no sense."""
        errors = tuple(FaultOut(**found) for found in invalid(error).errors)
        detail = "; ".join(f"{found.pointer or '/'}: {found.detail}" for found in errors)
        return cls(result=RowResult.INVALID, code="invalid_request", detail=detail, errors=errors)


class BatchOut(Out):
    """What came of each registration, in the order in which they were sent."""

    items: tuple[RowResultOut, ...]
