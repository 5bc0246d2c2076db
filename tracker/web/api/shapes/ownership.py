"""The proof of a URL, over the wire."""

from typing import Annotated

from pydantic import Field, StringConstraints

from tracker.web.api.shapes.fields import In


class ProofIn(In):
    """What was read at the URL."""

    challenge: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(
        description="`data.challenge` of the last challenge."
    )
