"""What the configuration says of the access record; part of `[audit]`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class AccessRecordSettings(BaseModel):
    """Settings of the access record.

    Attributes:
        access_record: What becomes of a look that cannot be written down: it is refused, or answered all the same.
        access_record_days: How long looks are kept.
    """

    access_record: Literal["required", "best_effort"] = "required"
    access_record_days: Annotated[int, Field(ge=1, le=36_525)] = 1827
