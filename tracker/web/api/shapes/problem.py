"""What is wrong, over the wire."""

from pydantic import BaseModel, ConfigDict, Field


class FaultOut(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(extra="forbid")

    pointer: str = Field(description="JSON pointer to it, into the body or to a query parameter.")
    detail: str


class ProblemOut(BaseModel):
    """What is wrong, by RFC 9457."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Where this code is explained.")
    title: str
    status: int
    code: str = Field(description="Stable; programs may rely on it.")
    detail: str = Field("", description="What is wrong this time.")
    errors: tuple[FaultOut, ...] = Field((), description="What exactly.")
